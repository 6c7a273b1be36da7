"""Room on the disk: a full one stops everything, and the alarm with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from pydantic import Field, model_validator

from analysis.watching import Seen, Tools, Watch, WatchFinding, WatchOptions
from config.settings import Settings
from store.records import Level, Topic

_MB = 2**20


class Options(WatchOptions):
    floor_mb: int = Field(default=2048, ge=1)
    grave_mb: int = Field(default=512, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Options:
        if self.grave_mb > self.floor_mb:
            raise ValueError("grave_mb: expected no more than floor_mb")
        return self


def build(options: Options, tools: Tools) -> Watch:
    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        free = tools.free(tools.folder) // _MB
        if free >= options.floor_mb:
            return
        grave = free < options.grave_mb
        yield WatchFinding(
            subject="disk",
            reason=(
                f"磁盘剩余{free}兆，低于{options.grave_mb if grave else options.floor_mb}兆："
                "写满后采集、台账和通知都会停下，请尽快清理或扩容。"
            ),
            level=Level.II if grave else Level.III,
            topic=Topic.SYSTEM,
            step="grave" if grave else "",
            over="磁盘空间已恢复",
        )

    return look
