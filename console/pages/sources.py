"""What the desk listens to and whom it tells: stored posts, notices, channels, the roster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from alerts.digest.coverage import coverage
from alerts.items import list_attempts, list_notices
from alerts.outbox import NoSuchNotice, resend
from config.roster import CHAIN, Rank, Shift
from config.settings import ChannelSettings
from config.workdays import local_day
from console import search
from console.coverage import coverage as coverage_of
from console.coverage import written as coverage_words
from console.desk import Ask, Refused
from console.gleaning import SHOWN, gleaned, gleaning_of
from console.marks import visible
from console.similar import items_of
from console.wording import STAGES
from store.records import NoticeState, Tone
from store.tables import channels, items, notices, posts, runs

_AROUND = 60  #: characters shown on each side of a hit


def all_posts(ask: Ask) -> Response:
    """Every stored post, flagged or not, the newest first."""
    asked = gleaning_of(ask.request.query_params)
    wanted = search.terms(asked.q)
    with ask.desk.database.read() as connection:
        found, whole, asked = gleaned(connection, asked)
        waiting = search.waiting_count(connection) if asked.q else 0
        numbers = items_of(connection, [row["id"] for row in found])
    return ask.page(
        "posts.html",
        asked=asked,
        whole=whole,
        short=bool(asked.q) and not wanted,
        waiting=waiting,
        more=len(found) > SHOWN,
        tones=list(Tone),
        found=[
            {**row, "items": numbers.get(row["id"], []), "around": around(row, wanted)}
            for row in found[:SHOWN]
        ],
        settings=ask.desk.settings,
    )


def around(row: dict[str, Any], wanted: list[str]) -> list[tuple[str, bool]]:
    """Some of the text near the first hit, in pieces: (text, is a hit)."""
    text = " ".join(visible(row["text"] or row["reply"] or "").split())
    plain = text.casefold()
    at = min((plain.find(term) for term in wanted if term in plain), default=0)
    start = max(0, at - _AROUND)
    piece = ("…" if start else "") + text[start : at + 2 * _AROUND]
    piece += "…" if at + 2 * _AROUND < len(text) else ""
    return split_hits(piece, wanted)


def split_hits(text: str, wanted: list[str]) -> list[tuple[str, bool]]:
    import re

    if not wanted:
        return [(text, False)]
    parts = re.split("(" + "|".join(map(re.escape, wanted)) + ")", text, flags=re.IGNORECASE)
    return [(part, part.casefold() in wanted) for part in parts if part]


# --- 通知 ---------------------------------------------------------------------------------------

_GROUPS: dict[str, tuple[NoticeState, ...]] = {
    "owed": tuple(state for state in NoticeState if state.is_owed),
    "refused": (NoticeState.REFUSED, NoticeState.BOUNCED),
    "sent": (NoticeState.SENT,),
    "all": (),
}


def outbox(ask: Ask) -> Response:
    which = ask.query("state", 10) or "all"
    states = _GROUPS.get(which, ())
    number = ask.query("page", 3)
    page = max(1, int(number)) if number.isdecimal() else 1
    with ask.desk.database.read() as connection:
        counted = connection.execute(
            sa.select(notices.c.state, sa.func.count()).group_by(notices.c.state)
        )
        many: dict[str, int] = {row[0]: row[1] for row in counted}
    groups = {
        name: sum(many.get(state.value, 0) for state in (wanted or tuple(NoticeState)))
        for name, wanted in _GROUPS.items()
    }
    page = min(page, max(1, -(-groups.get(which, groups["all"]) // SHOWN)))
    first = (page - 1) * SHOWN
    rows = list_notices(ask.desk.database, states=states, limit=first + SHOWN + 1)[first:]
    return ask.page(
        "notices.html",
        which=which if which in _GROUPS else "all",
        groups=groups,
        found=rows[:SHOWN],
        more=len(rows) > SHOWN,
        number=page,
        stages=STAGES,
    )


def notice(ask: Ask) -> Response:
    with ask.desk.database.read() as connection:
        row = (
            connection.execute(
                sa.select(notices, items.c.number, items.c.title)
                .select_from(notices.outerjoin(items, items.c.id == notices.c.item))
                .where(notices.c.id == ask.part("id"))
            )
            .mappings()
            .one_or_none()
        )
    if row is None:
        raise Refused(404, "没有这封通知。")
    return ask.page(
        "notice.html",
        row=dict(row),
        tries=list_attempts(ask.desk.database, row["id"]),
        stages=STAGES,
        is_owed=NoticeState(row["state"]).is_owed,
    )


def send_again(ask: Ask) -> Response:
    try:
        made = resend(
            ask.desk.database, ask.part("id"), by=ask.user.shown, now=ask.desk.now(), via="desk"
        )
    except NoSuchNotice:
        raise Refused(404, "没有这封通知。") from None
    return ask.to(f"/notices/{made}", "resent")


# --- 渠道 ---------------------------------------------------------------------------------------


def sources(ask: Ask) -> Response:
    """Each channel: is it read, how often, when last, and for how long of a day it was not."""
    desk, now = ask.desk, ask.desk.now()
    with desk.database.read() as connection:
        rows = {row["id"]: dict(row) for row in connection.execute(sa.select(channels)).mappings()}
        day = {
            row["id"]: row
            for row in coverage(connection, desk.settings, now - timedelta(days=1), now)
        }
        last = {
            channel.id: [
                dict(row)
                for row in connection.execute(
                    sa.select(runs)
                    .where(runs.c.channel == channel.id)
                    .order_by(runs.c.planned_at.desc())
                    .limit(10)
                ).mappings()
            ]
            for channel in desk.settings.channels
        }
        fresh = connection.execute(
            sa.select(posts.c.channel, sa.func.count())
            .where(posts.c.captured_at > now - timedelta(days=1))
            .group_by(posts.c.channel)
        )
        many: dict[str, int] = {row[0]: row[1] for row in fresh}
    covered = coverage_of(desk.settings, desk.database, now)
    return ask.page(
        "channels.html",
        channels=desk.settings.channels,
        told={
            channel.id: list(coverage_words({**covered[channel.id], "disabled": channel.disabled}))
            for channel in desk.settings.channels
        },
        rows=rows,
        due={
            channel.id: _next(channel, rows.get(channel.id)) for channel in desk.settings.channels
        },
        day=day,
        last=last,
        many=many,
        states={"running": "进行中", "done": "完成", "failed": "失败", "killed": "中止"},
    )


def _next(channel: ChannelSettings, row: Mapping[str, Any] | None) -> datetime | None:
    """The latest that it will be read again; on key dates it is earlier."""
    if channel.disabled or row is None or row["last_attempt_at"] is None:
        return None
    last: datetime = row["last_attempt_at"]
    return last + channel.every


# --- 值班表 -------------------------------------------------------------------------------------


def roster(ask: Ask) -> Response:
    desk, now = ask.desk, ask.desk.now()
    table = desk.roster()
    today = local_day(now)
    days = [table.shift_at(now)[0] + timedelta(days=offset) for offset in range(14)]
    calendar = desk.calendar()
    return ask.page(
        "roster.html",
        has=bool(desk.settings.roster.files),
        files=desk.settings.roster.files,
        now_on=[(rank, table.on_duty(now, rank)) for rank in CHAIN],
        switch=table.next_switch(now),
        days=[
            {
                "day": day,
                "label": calendar.label(day),
                "works": calendar.works(day, desk.settings.deadlines.hours),
                "shifts": [
                    "、".join(entry.name for entry in table.slot(day, shift)) for shift in Shift
                ],
                "today": day == today,
            }
            for day in days
        ],
        shifts=list(Shift),
        problems=table.problems(today),
        warnings=calendar.warnings(today),
        fallback=desk.settings.roster.fallback,
        may_see=ask.user.role,
        Rank=Rank,
    )
