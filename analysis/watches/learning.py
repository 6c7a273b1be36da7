"""Once a week: do duty staff's verdicts say that a threshold should move? Told, never silent."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from analysis import thresholds
from analysis.catalogue import build_engine
from analysis.learning import beginnings, learn
from analysis.stages import rules
from analysis.watching import Seen, Tools, Watch, WatchFinding, WatchOptions
from config.duration import Duration
from config.settings import Settings
from store.facts import fact, put_fact
from store.records import Level, Topic

_NAME: Final = "learning"


class Options(WatchOptions):
    every: Duration = timedelta(days=7)
    apply: bool = False  #: puts the changes in force by itself; told all the same


def build(options: Options, tools: Tools) -> Watch:
    return _Learning(options)


class _Learning:
    def __init__(self, options: Options) -> None:
        self._options = options

    def tend(self, connection: sa.Connection, settings: Settings, now: datetime) -> None:
        """When a week is over, learns and keeps what it learnt for the next look."""
        last = fact(connection, _NAME)
        if last and now - datetime.fromisoformat(last["at"]) < self._options.every:
            return
        given = settings.stages.get("rules")
        chosen = given if isinstance(given, rules.Options) else rules.Options(**(given or {}))
        with closing(build_engine(settings.stages)) as engine:
            lesson = learn(
                connection,
                engine=engine,
                defaults=beginnings(settings.stages),
                book=rules.rulebook(chosen),
                now=now,
            )
        told = [one.shown for one in lesson.changes]
        if told and self._options.apply:
            moved = lesson.applied(thresholds.stored(connection))
            thresholds.store(
                connection, moved, by="系统", via="service", note="；".join(told), now=now
            )
        put_fact(connection, _NAME, {"at": now.isoformat(), "told": told}, now)

    def __call__(
        self, connection: sa.Connection, settings: Settings, now: datetime
    ) -> Iterable[Seen]:
        last = fact(connection, _NAME)
        if not last.get("told"):
            return
        told = last["told"]
        how = (
            "已经采纳，`tinglan rules learn --undo --by 姓名` 可撤销"
            if self._options.apply
            else "尚未改动，`tinglan rules learn --apply --by 姓名` 采纳"
        )
        yield WatchFinding(
            subject="learning",
            since=datetime.fromisoformat(last["at"]),
            reason=f"按近半年的处置结果，应调整{len(told)}项提示界限：{'；'.join(told)}。{how}。",
            level=Level.IV,
            topic=Topic.SYSTEM,
            passing=True,
        )
