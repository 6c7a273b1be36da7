"""自有渠道与辟谣: what the agency's own channels published, and where they fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from alerts.digest.periods import Period
from alerts.digest.tallies import REAL, within
from alerts.headers import clean_header
from alerts.items import Item
from alerts.links import link_of
from alerts.routing import channel_name
from config.clock import shown
from config.settings import Settings
from store.records import Role, Topic
from store.tables import posts

_CLEARING = ("辟谣", "澄清", "不实", "谣言", "情况说明", "更正")
_LISTED = 20


def updates(connection: sa.Connection, period: Period) -> dict[str, dict[str, Any]]:
    """What each channel itself published, and when last."""
    at = sa.func.coalesce(posts.c.published_at, posts.c.captured_at)
    rows = connection.execute(
        sa.select(posts.c.channel, sa.func.count(), sa.func.max(posts.c.captured_at))
        .where(
            posts.c.role == Role.OWN.value,
            posts.c.kind == "post",
            at >= period.starts_at,
            at < period.ends_at,
            REAL,
        )
        .group_by(posts.c.channel)
    )
    return {row[0]: {"own": int(row[1]), "last_own": shown(row[2])} for row in rows}


def concerned(found: Sequence[Item], topic: Topic) -> list[Item]:
    """Items of one topic, first or further."""
    return [one for one in found if one.topic is topic or topic.value in one.topics]


def clarifications(
    connection: sa.Connection, settings: Settings, period: Period
) -> list[dict[str, Any]]:
    """Own publications of the period whose title says that something is put right."""
    title = sa.or_(*(posts.c.title.contains(word) for word in _CLEARING))
    rows = connection.execute(
        sa.select(posts.c.title, posts.c.url, posts.c.channel, posts.c.published_at,
                  posts.c.captured_at)
        .where(posts.c.role == Role.OWN.value, within(posts.c.captured_at, period), REAL, title)
        .order_by(posts.c.captured_at, posts.c.id)
        .limit(_LISTED)
    ).all()  # fmt: skip
    told = []
    for row in rows:
        link = link_of(row.url)
        told.append(
            {
                "title": clean_header(row.title, 80),
                "channel": clean_header(channel_name(settings, row.channel), 40),
                "at": shown(row.published_at or row.captured_at),
                "url": link.url if link else "",
            }
        )
    return told
