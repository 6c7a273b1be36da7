"""Runs the watches: what is not a post, told once, told again when it grows, and told as over.

A watch says at every look all that is true now. What of it is news, and what has ended, is
decided here, and kept in the database: a restart neither repeats nor forgets.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

import analysis.watches
from config.clock import Clock
from config.duration import spoken
from config.plugins import discover, options_of
from config.settings import Settings
from store.engine import Database
from store.records import Level, State, Topic
from store.tables import facts, findings, items

log = logging.getLogger("analysis.watching")

OVER = "over"  #: `rule` of the row that says a condition has ended
EVERY = timedelta(minutes=1)  #: between two looks; a look is a few small queries
_BLIND_AFTER = 3  #: looks in a row that failed, before duty staff are told


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFinding:
    """Something that is true now. `subject` is the same as long as it lasts."""

    subject: str  #: unread:weibo
    reason: str  #: Chinese; its first sixty characters are the title of the item
    level: Level
    topic: Topic
    channel: str = ""
    since: datetime | None = None  #: its onset where known; part of the key
    step: str = ""  #: a new step is told again: growth
    text: str = ""  #: evidence
    over: str = ""  #: Chinese: how to say that it has ended
    passing: bool = False  #: an event, not a condition: told once, never over
    post: int | None = None  #: told in the case of that post, where it has one


@dataclass(frozen=True, slots=True)
class Unsure:
    """Cannot be judged now: subjects that begin so stay as they are."""

    subject: str


Seen = WatchFinding | Unsure
#: Looks through a read connection; tells what is true at `now`. It may also have a method
#: `tend(connection, settings, now)`, called before in a transaction that can write.
Watch = Callable[[sa.Connection, Settings, datetime], Iterable[Seen]]


class WatchOptions(BaseModel):
    """What every watch's options begin from: unknown keys are mistakes; it can be put off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a watch may be built with; passed in, never reached for."""

    started: datetime  #: of the service
    base: Path = field(default_factory=Path)  #: of the settings; holidays lie beside them
    folder: Path = field(default_factory=Path)  #: whose disk must not run full
    free: Callable[[Path], int] = _free  #: bytes


def watch_options() -> dict[str, type[BaseModel]]:
    """Name → Options of every watch in `analysis.watches`. Raises config.plugins.PluginBroken."""
    return options_of(discover(analysis.watches))


def build_watches(settings: Mapping[str, Any], tools: Tools) -> dict[str, Watch]:
    """Every watch there is by name; `settings` are Options (or tables) by name.

    Raises what a watch's `build` raises, PluginBroken, or pydantic's ValidationError.
    """
    made: dict[str, Watch] = {}
    for name, module in sorted(discover(analysis.watches).items()):
        given = settings.get(name)
        options = (
            given if isinstance(given, BaseModel) else module.Options.model_validate(given or {})
        )
        if getattr(options, "enabled", True):
            made[name] = module.build(options, tools)
    return made


class Watching:
    """Looks once a minute, however often it is asked."""

    def __init__(
        self, database: Database, watches: Mapping[str, Watch], settings: Settings, clock: Clock
    ) -> None:
        self._database = database
        self._watches = watches
        self._settings = settings
        self._clock = clock
        self._last = float("-inf")

    def __call__(self) -> int:
        """How many findings were written."""
        ticks = self._clock.monotonic()
        if ticks - self._last < EVERY.total_seconds():
            return 0
        self._last = ticks
        return watch(self._database, self._watches, self._settings, self._clock.now())


def watch(
    database: Database, watches: Mapping[str, Watch], settings: Settings, now: datetime
) -> int:
    """One look of every watch; answers how many findings were written.

    A watch that raises is logged and leaves what it said before as it stands; after three
    failures in a row that is itself a finding.
    """
    written = 0
    blind: list[Seen] = []
    for name, one in watches.items():
        try:
            written += _looked(database, name, one, settings, now)
        except Exception as error:  # one blind watch must not close the others' eyes
            log.exception("watch.failed", extra={"watch": name})
            failures = _failed(database, name, now)
            if failures >= _BLIND_AFTER:
                blind.append(_blindness(name, error))
    with database.write() as connection:
        written += _record(database, connection, "watching", blind, now)
    return written


def active(connection: sa.Connection, name: str) -> dict[str, dict[str, Any]]:
    """What a watch has told and not yet called over: subject → key, since, steps, channel."""
    return dict(_memory(connection, name).get("active", {}))


def _looked(database: Database, name: str, one: Watch, settings: Settings, now: datetime) -> int:
    tend = getattr(one, "tend", None)
    if tend is not None:
        with database.write() as connection:
            tend(connection, settings, now)
    with database.read() as connection:
        seen = list(one(connection, settings, now))
    with database.write() as connection:
        return _record(database, connection, name, seen, now)


def _record(
    database: Database, connection: sa.Connection, name: str, seen: Iterable[Seen], now: datetime
) -> int:
    before = _memory(connection, name)
    kept: dict[str, dict[str, Any]] = {
        subject: {**one, "steps": list(one["steps"])}
        for subject, one in before.get("active", {}).items()
    }
    unsure = tuple(one.subject for one in seen if isinstance(one, Unsure))
    told = [one for one in seen if isinstance(one, WatchFinding)]
    written = 0
    for one in told:
        written += _tell(connection, name, one, kept, now)
    current = {one.subject for one in told if not one.passing}
    for subject in [one for one in kept if one not in current]:
        if not subject.startswith(unsure):
            _over(connection, name, kept.pop(subject), now)
            written += 1
    memory = {"active": kept, "failures": 0}
    if memory != before:
        _remember(database, connection, name, memory, now)
    return written


def _tell(
    connection: sa.Connection,
    name: str,
    one: WatchFinding,
    kept: dict[str, dict[str, Any]],
    now: datetime,
) -> int:
    since = one.since or now
    if one.passing:
        key = _key(one.subject, since)
        if _known(connection, key):
            return 0
        _write(connection, name, one, key, now)
        return 1
    state = kept.get(one.subject)
    if state is None:
        state = {
            "key": _fresh_key(connection, one.subject, since, now),
            "since": since.isoformat(),
            "channel": one.channel,
            "topic": one.topic.value,
            "steps": [],
        }
        kept[one.subject] = state
    state["over"] = one.over or f"{one.reason.split('，', 1)[0]}：此情况已结束"
    if one.step in state["steps"]:
        return 0
    state["steps"] = [*state["steps"], one.step]
    _write(connection, name, one, state["key"], now)
    return 1


def _write(
    connection: sa.Connection, name: str, one: WatchFinding, key: str, now: datetime
) -> None:
    connection.execute(
        findings.insert().values(
            key=key,
            post=one.post,
            channel=one.channel,
            at=now,
            stage=name,
            rule=one.step,
            topic=one.topic.value,
            level=one.level.value,
            reason=one.reason,
            text=one.text,
        )
    )


def _over(connection: sa.Connection, name: str, state: Mapping[str, Any], now: datetime) -> None:
    since = datetime.fromisoformat(state["since"])
    connection.execute(
        findings.insert().values(
            key=state["key"],
            channel=state["channel"],
            at=now,
            stage=name,
            rule=OVER,
            topic=state["topic"],
            level=Level.IV.value,
            reason=f"{state['over']}（自发生起共{spoken(now - since)}）。",
            # A line in the item's history; where the item is closed there is nothing to reopen.
            reported=_closed(connection, state["key"]),
        )
    )


def _closed(connection: sa.Connection, key: str) -> bool:
    """Whether every item of that key has been closed, dismissed or merged."""
    mine = sa.or_(
        items.c.key == f"watch:{key}", items.c.key.startswith(f"watch:{key}#", autoescape=True)
    )
    states: Any = connection.execute(sa.select(items.c.state).where(mine)).scalars().all()
    return bool(states) and not any(State(state).is_open for state in states)


def _key(subject: str, since: datetime) -> str:
    return f"{subject}:{since.astimezone(UTC):%Y%m%dT%H%MZ}"


def _fresh_key(connection: sa.Connection, subject: str, since: datetime, now: datetime) -> str:
    """With the onset in it, so that the next occurrence is another; never one that is over."""
    key, number = _key(subject, since), 1
    while _known(connection, key):
        number += 1
        key = f"{_key(subject, since)}/{number}"
    return key


def _known(connection: sa.Connection, key: str) -> bool:
    return (
        connection.execute(sa.select(findings.c.id).where(findings.c.key == key)).first()
        is not None
    )


def _blindness(name: str, error: Exception) -> WatchFinding:
    return WatchFinding(
        subject=f"watch:{name}",
        reason=(
            f"值守检查“{name}”连续出错（{type(error).__name__}），这一项目前没有人看着；"
            "其他检查不受影响，请查看日志。"
        ),
        level=Level.III,
        topic=Topic.SYSTEM,
        over=f"值守检查“{name}”已恢复",
    )


def _failed(database: Database, name: str, now: datetime) -> int:
    try:
        with database.write() as connection:
            memory = _memory(connection, name)
            failures = int(memory.get("failures", 0)) + 1
            _remember(database, connection, name, {**memory, "failures": min(failures, 1000)}, now)
            return failures
    except sa.exc.SQLAlchemyError:
        log.exception("watch.not_remembered", extra={"watch": name})
        return 0


def _memory(connection: sa.Connection, name: str) -> dict[str, Any]:
    value = connection.execute(
        sa.select(facts.c.value).where(facts.c.name == f"watch:{name}")
    ).scalar_one_or_none()
    return dict(value) if isinstance(value, dict) else {}


def _remember(
    database: Database,
    connection: sa.Connection,
    name: str,
    memory: Mapping[str, Any],
    now: datetime,
) -> None:
    value = dict(memory)
    upsert = database.insert(facts).values(name=f"watch:{name}", value=value, at=now)
    connection.execute(
        upsert.on_conflict_do_update(
            index_elements=[facts.c.name], set_={"value": value, "at": now}
        )
    )
