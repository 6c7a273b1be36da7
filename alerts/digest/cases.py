"""重点舆情: what is told of one item: facts, spread, views, judgement, progress; all on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from alerts.digest.tallies import THOUGHT
from alerts.digest.voices import voices
from alerts.headers import clean_header, clean_text
from alerts.items import Item, topic_label
from alerts.links import link_of
from alerts.phrases import since_published
from alerts.routing import channel_name
from config.clock import SHANGHAI, shown
from config.duration import spoken
from config.settings import Settings
from store.records import Kind, Level, Role, State, Tone
from store.tables import assessments, events, findings, item_posts, posts

_POSTS = 400  #: of one item, looked at
_STEPS = 8  #: of its history, told
_REASONS = 4
_SORTS = "tone"  #: the stage whose findings only put the desk's list in order
_ACTS = {"instruction": "批示", "order": "交办", "supervision": "督办", "noted": "记录"}


def key_items(found: Sequence[Item], spread: Mapping[int, int], most: int) -> list[Item]:
    """The ones told at length: Ⅰ and Ⅱ first, then by how many posts they drew.

    Ⅳ with a single post never is; the list of all stands in the appendix anyway.
    """
    worth = [
        one for one in found
        if one.level in {Level.I, Level.II} or (one.level is Level.III or spread.get(one.id, 0) > 1)
    ]  # fmt: skip
    worth = [one for one in worth if one.state not in {State.DISMISSED, State.MERGED}]
    worth.sort(key=lambda one: (
        one.level.rank if one.level.rank <= 2 else 3, -spread.get(one.id, 0),
        one.level.rank, one.discovered_at, one.id,
    ))  # fmt: skip
    return worth[:most]


def spread_of(connection: sa.Connection, wanted: Iterable[int]) -> dict[int, int]:
    """How many posts each item has drawn."""
    known: dict[int, int] = {}
    numbers = list(wanted)
    for at in range(0, len(numbers), 500):
        rows = connection.execute(
            sa.select(item_posts.c.item, sa.func.count())
            .where(item_posts.c.item.in_(numbers[at : at + 500]))
            .group_by(item_posts.c.item)
        )
        known |= {int(row[0]): int(row[1]) for row in rows}
    return known


def told_of(
    connection: sa.Connection, settings: Settings, item: Item, now: datetime, most: int = 5
) -> dict[str, Any]:
    """Everything the digest or a 专报 says of one item, as plain values."""
    rows = _posts(connection, item)
    first = next((row for row in rows if row["id"] == item.post), rows[0] if rows else None)
    link = link_of(first["url"]) if first else None
    return {
        "number": item.number,
        "level": item.level.value,
        "title": clean_header(item.title, 120),
        "topics": "、".join(topic_label(one) for one in item.topics) or topic_label(item.topic),
        "channel": clean_header(channel_name(settings, item.channel), 40),
        "column": clean_header(first["column"], 40) if first else "",
        "kind": Kind(first["kind"]).label if first else "",
        "own": bool(first and first["role"] == Role.OWN.value),
        "tone": _tone(item.tone),
        "published": shown(item.published_at) if item.published_at else "",
        "discovered": shown(item.discovered_at),
        "after": since_published(item),
        "closed": shown(item.closed_at) if item.closed_at else "",
        "lasted": spoken((item.closed_at or now) - item.discovered_at),
        "state": item.state.label,
        "open": item.state.is_open,
        "office": next((one.name for one in settings.offices if one.id == item.office), ""),
        "url": link.url if link else "",
        "host": link.host if link else "",
        "reasons": _reasons(connection, item, rows),
        "spread": _spread(rows, settings),
        "views": [
            {
                "tone": voice.tone.label,
                "critical": voice.tone is Tone.NEGATIVE,
                "text": voice.excerpt,
                "like": voice.like,
                "channel": clean_header(channel_name(settings, voice.post["channel"]), 40),
                "at": shown(voice.post["published_at"] or voice.post["captured_at"]),
            }
            for voice in voices([row for row in rows if row["role"] == Role.PUBLIC.value], most)
        ],
        **_history(connection, item),
    }


def _posts(connection: sa.Connection, item: Item) -> list[dict[str, Any]]:
    joined = posts.join(item_posts, item_posts.c.post == posts.c.id)
    rows = connection.execute(
        sa.select(
            posts.c.id, posts.c.channel, posts.c.kind, posts.c.role, posts.c.title, posts.c.text,
            posts.c.url, posts.c.column, posts.c.published_at, posts.c.captured_at,
            assessments.c.tone,
        )
        .select_from(joined.outerjoin(assessments, THOUGHT))
        .where(item_posts.c.item == item.id)
        .order_by(posts.c.captured_at, posts.c.id)
        .limit(_POSTS)
    ).mappings()  # fmt: skip
    return [dict(row) for row in rows]


def _spread(rows: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    when = [row["published_at"] or row["captured_at"] for row in rows]
    days = Counter(at.astimezone(SHANGHAI).date().isoformat() for at in when)
    tones = Counter(_tone(row["tone"]) or Tone.UNKNOWN.label for row in rows)
    channels = Counter(row["channel"] for row in rows)
    return {
        "total": len(rows),
        "capped": len(rows) == _POSTS,
        "first": shown(min(when)) if when else "",
        "last": shown(max(when)) if when else "",
        "by_channel": [
            {"label": clean_header(channel_name(settings, one), 40), "count": many}
            for one, many in channels.most_common()
        ],
        "by_tone": [
            {"label": tone.label, "count": tones[tone.label]} for tone in Tone if tones[tone.label]
        ],
        "by_day": [{"label": day, "count": days[day]} for day in sorted(days)],
    }


def _reasons(connection: sa.Connection, item: Item, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why it was raised, as the duty officer read it; the gravest first, each once."""
    opened: dict[str, Any] = (
        connection.execute(
            sa.select(events.c.detail)
            .where(events.c.item == item.id, events.c.kind == "opened")
            .order_by(events.c.id)
            .limit(1)
        ).scalar_one_or_none()
        or {}
    )
    wanted = list(opened.get("findings", ()))
    of_posts = findings.c.post.in_([row["id"] for row in rows[:50]])
    found = connection.execute(
        sa.select(findings.c.reason, findings.c.level)
        .where(
            sa.or_(of_posts, findings.c.id.in_(wanted)) if wanted else of_posts,
            findings.c.stage != _SORTS,
        )
        .order_by(findings.c.id)
        .limit(300)
    ).all()
    ranked = sorted(found, key=lambda one: one.level or "V")
    told = [clean_header(one.reason, 120) for one in ranked]
    told += [clean_header(str(one.get("reason", "")), 120) for one in opened.get("reasons", ())]
    return list(dict.fromkeys(one for one in told if one))[:_REASONS]


def _history(connection: sa.Connection, item: Item) -> dict[str, Any]:
    """What people judged and did, from the ledger alone."""
    rows = connection.execute(
        sa.select(events.c.at, events.c.kind, events.c.by, events.c.before, events.c.after,
                  events.c.note)
        .where(events.c.item == item.id, events.c.kind.in_(["moved", *_ACTS]))
        .order_by(events.c.id)
    ).all()  # fmt: skip
    judged, steps = [], []
    for row in rows:
        note = clean_text(row.note, 400).replace("\n", " ")
        who = clean_header(row.by, 40)
        if row.kind == "moved" and row.before == State.TO_ASSESS.value and note:
            judged.append({"at": shown(row.at), "by": who, "note": note})
        what = f"转{_state(row.after)}" if row.kind == "moved" else _ACTS[row.kind]
        steps.append({"at": shown(row.at), "by": who, "what": what, "note": note})
    return {"judged": judged[-3:], "steps": steps[-_STEPS:], "left": max(0, len(steps) - _STEPS)}


def _state(value: str) -> str:
    try:
        return State(value).label
    except ValueError:
        return value


def _tone(value: Any) -> str:
    return Tone(value).label if value in set(Tone) else ""


def largest(
    found: Sequence[Item], spread: Mapping[int, int], most: int = 5
) -> list[dict[str, Any]]:
    """The events that drew most posts, at least two."""
    many = sorted(found, key=lambda one: (-spread.get(one.id, 0), one.level.rank, one.id))
    return [
        {"number": one.number, "level": one.level.value, "title": clean_header(one.title, 60),
         "posts": spread[one.id]}
        for one in many[:most]
        if spread.get(one.id, 0) > 1
    ]  # fmt: skip
