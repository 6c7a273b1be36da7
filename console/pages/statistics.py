"""统计: four weeks in figures that are counted from the rows themselves, drawn on the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from alerts.items import topic_label
from alerts.routing import channel_name
from config.clock import SHANGHAI
from console.charts import Part, Row, bars, trend
from console.desk import Ask
from console.limits import WORDS, Limits
from console.live import limits_of
from store.records import Level, State, Tone
from store.tables import assessments, events, items, posts

SPANS = {"7": 7, "28": 28, "90": 90}


def statistics(ask: Ask) -> Response:
    desk, now = ask.desk, ask.desk.now()
    span = ask.query("days", 3) if ask.query("days", 3) in SPANS else "28"
    today = now.astimezone(SHANGHAI).date()
    days = [today - timedelta(days=back) for back in range(SPANS[span] - 1, -1, -1)]
    start = datetime.combine(days[0], datetime.min.time(), SHANGHAI)
    with desk.database.read() as connection:
        found = _items(connection, start)
        tones = _tones(connection, start)
        kept = _on_time(connection, found, limits_of(desk), start)
    charts = [
        _trend(found, days),
        _levels(found),
        _topics(found),
        _channels(found, desk.settings),
        _tone(tones, desk.settings),
        _kept(kept),
    ]
    return ask.page("statistics.html", charts=charts, span=span, spans=list(SPANS), many=len(found))


def _chart(
    title: str, unit: str, svg: Any, head: list[str], rows: list[list[Any]]
) -> dict[str, Any]:
    return {"title": title, "unit": unit, "svg": svg, "head": head, "rows": rows}


def _items(connection: sa.Connection, start: datetime) -> list[Any]:
    return list(
        connection.execute(
            sa.select(
                items.c.id, items.c.level, items.c.topic, items.c.channel, items.c.discovered_at
            ).where(items.c.discovered_at >= start, items.c.drill.is_(sa.false()))
        )
    )


def _trend(found: list[Any], days: list[date]) -> dict[str, Any]:
    grave, rest = Counter[date](), Counter[date]()
    for row in found:
        day = row.discovered_at.astimezone(SHANGHAI).date()
        (grave if row.level in {"I", "II"} else rest)[day] += 1
    names = [f"{day.month}/{day.day}" for day in days]
    lines = [
        Row(label="全部", parts=tuple(
            Part(label=n, value=grave[d] + rest[d], kind="plain")
            for n, d in zip(names, days, strict=True)
        )),
        Row(label="重大及以上", parts=tuple(
            Part(label=n, value=grave[d], kind="I") for n, d in zip(names, days, strict=True)
        )),
    ]  # fmt: skip
    rows = [[day.isoformat(), grave[day] + rest[day], grave[day]] for day in days]
    title = "每日新增条目"
    return {
        **_chart(
            title, "条", trend(title, "条", names, lines), ["日期", "全部", "重大及以上"], rows
        ),
        "legend": [("plain", "全部"), ("I", "重大及以上")],
    }


def _levels(found: list[Any]) -> dict[str, Any]:
    many = Counter(row.level for row in found)
    rows = [
        Row(label=f"{level.numeral} {level.label}", parts=(
            Part(label=level.label, value=many[level.value], kind=level.value),
        ))
        for level in Level
    ]  # fmt: skip
    return _bars("按等级", "条", rows, "等级")


def _topics(found: list[Any]) -> dict[str, Any]:
    many = Counter(row.topic for row in found)
    rows = [
        Row(label=topic_label(topic), parts=(Part(label="", value=number),))
        for topic, number in many.most_common(12)
    ]
    return _bars("按类别", "条", rows, "类别")


def _channels(found: list[Any], settings: Any) -> dict[str, Any]:
    many = Counter({channel.id: 0 for channel in settings.channels})
    many.update(row.channel for row in found)
    rows = [
        Row(label=channel_name(settings, channel), parts=(Part(label="", value=number),))
        for channel, number in many.most_common(15)
    ]
    return _bars("按渠道", "条", rows, "渠道")


def _bars(title: str, unit: str, rows: list[Row], what: str) -> dict[str, Any]:
    table = [[row.label, row.total] for row in rows]
    return _chart(title, unit, bars(title, unit, rows), [what, f"数量（{unit}）"], table)


def _tones(connection: sa.Connection, start: datetime) -> Mapping[str, Counter[str]]:
    rows = connection.execute(
        sa.select(posts.c.channel, assessments.c.tone, sa.func.count())
        .join(assessments, sa.and_(
            assessments.c.post == posts.c.id, assessments.c.version == posts.c.assessed
        ))
        .where(posts.c.captured_at >= start, posts.c.drill.is_(sa.false()))
        .group_by(posts.c.channel, assessments.c.tone)
    )  # fmt: skip
    made: dict[str, Counter[str]] = {}
    for row in rows:
        made.setdefault(row[0], Counter())[row[1]] += row[2]
    return made


def _tone(tones: Mapping[str, Counter[str]], settings: Any) -> dict[str, Any]:
    order = [Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE, Tone.UNKNOWN]
    rows = [
        Row(
            label=channel_name(settings, channel),
            parts=tuple(Part(label=t.label, value=many[t.value], kind=t.value) for t in order),
        )
        for channel, many in tones.items()
    ]
    title = "帖文情感（按渠道）"
    table = [[row.label, *(part.value for part in row.parts), row.total] for row in rows]
    return {
        **_chart(
            title, "篇", bars(title, "篇", rows), ["渠道", *(t.label for t in order), "合计"], table
        ),
        "legend": [(t.value, t.label) for t in order],
    }


def _on_time(
    connection: sa.Connection, found: list[Any], limits: Limits, start: datetime
) -> dict[State, list[int]]:
    """[in time, late] of each stage that was left since `start`."""
    known = {row.id: row for row in found}
    moves = connection.execute(
        sa.select(events.c.item, events.c.at, events.c.before, events.c.after)
        .where(events.c.kind == "moved", events.c.at >= start)
        .order_by(events.c.id)
    )
    entered: dict[int, datetime] = {}
    told: dict[State, list[int]] = {state: [0, 0] for state in WORDS}
    for move in moves:
        row = known.get(move.item)
        if row is None or move.before not in {state.value for state in WORDS}:
            entered[move.item] = move.at
            continue
        state = State(move.before)
        since = entered.get(move.item, row.discovered_at)
        due = limits.due_of(state, Level(row.level), row.discovered_at, since)
        if due is not None:
            told[state][move.at > due] += 1
        entered[move.item] = move.at
    return told


def _kept(told: Mapping[State, list[int]]) -> dict[str, Any]:
    rows = [
        Row(label=WORDS[state], parts=(
            Part(label="按时", value=many[0], kind="positive"),
            Part(label="超时", value=many[1], kind="I"),
        ))
        for state, many in told.items()
    ]  # fmt: skip
    table = [
        [WORDS[state], many[0], many[1], f"{100 * many[0] / sum(many):.0f}%" if sum(many) else "—"]
        for state, many in told.items()
    ]
    title = "各环节按时情况"
    return {
        **_chart(title, "次", bars(title, "次", rows), ["环节", "按时", "超时", "按时率"], table),
        "legend": [("positive", "按时"), ("I", "超时")],
    }
