"""Tells duty staff once of something about a channel that is not a post."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from store.records import Level, Topic
from store.tables import findings


def tell(
    connection: sa.Connection,
    *,
    key: str,
    channel: str,
    reason: str,
    now: datetime,
    level: Level = Level.III,
    topic: Topic = Topic.SYSTEM,
    stage: str = "channel",
) -> bool:
    """Writes a finding under `key`, once for ever; answers whether it was new.

    `reason` is Chinese, shown to the duty officer as it stands; alerts make an item of it.
    """
    known = connection.execute(sa.select(findings.c.id).where(findings.c.key == key)).first()
    if known is not None:
        return False
    connection.execute(
        findings.insert().values(
            key=key,
            channel=channel,
            at=now,
            stage=stage,
            topic=topic.value,
            level=level.value,
            reason=reason,
        )
    )
    return True
