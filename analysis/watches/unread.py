"""A channel that could not be looked at: since when, why, and for how many hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import Field, model_validator

from analysis.watches._passes import first_planned, last_good, outcomes, passes, patience
from analysis.watching import Seen, Tools, Unsure, Watch, WatchFinding, WatchOptions, active
from config.clock import shown
from config.duration import Duration, spoken
from config.settings import ChannelSettings, Settings
from store.records import Level, Outcome, Topic
from store.tables import channels

_HARD = {
    Outcome.AUTH, Outcome.REMOVED, Outcome.TLS_ERROR, Outcome.ROBOTS_DENIED,
    Outcome.REDIRECTED_OFF, Outcome.REDIRECT_LOOP,
}  # fmt: skip
_SOFT = {
    Outcome.SOFT_FAILURE, Outcome.BLOCKED, Outcome.PARSE_BROKEN, Outcome.OK_EMPTY,
    Outcome.WRONG_TYPE, Outcome.DECODE_ERROR, Outcome.TOO_LARGE,
}  # fmt: skip
_GRADE = {
    "hard": "硬性错误，不会自行恢复，需要人来处理",
    "soft": "对方有应答但不是内容，多为维护、拦截或改版",
    "temporary": "临时性错误，系统会一直重试",
    "idle": "到点没有采集，请查看服务是否正常",
}
_FEW = 2  #: attempts that must have failed; one may be a blink


class Options(WatchOptions):
    after: tuple[Duration, ...] = Field(
        default=(timedelta(hours=1), timedelta(hours=6), timedelta(hours=24)),
        min_length=1,
        max_length=6,
    )  #: told, told again, and again
    together: int = Field(default=2, ge=2)  #: channels; where all fail together it is our own line

    @model_validator(mode="after")
    def _growing(self) -> Options:
        if list(self.after) != sorted(set(self.after)):
            raise ValueError('after: expected growing durations such as ["1h", "6h", "24h"]')
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dark:
    """A channel that is failing now."""

    channel: ChannelSettings
    since: datetime
    grade: str  #: hard, soft, temporary, idle
    why: str
    attempts: int


def build(options: Options, tools: Tools) -> Watch:
    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        on = [one for one in settings.channels if not one.disabled]
        dark = [
            found for one in on if (found := _dark(connection, one, tools.started, now)) is not None
        ]
        broken = active(connection, "broken")
        told = active(connection, "unread")
        late = [one for one in dark if _step(one, options, now)]
        ours = [one for one in dark if one.grade == "temporary"]
        if late and len(ours) == len(on) >= options.together and not _any_alone(told, on):
            yield _all(ours, options, now)
            return
        for one in dark:
            subject = f"unread:{one.channel.id}"
            step = _step(one, options, now)
            if step and not _told_as_broken(broken, one):
                yield _one(one, step, options, now)
            else:
                yield Unsure(subject)

    return look


def _dark(
    connection: sa.Connection, channel: ChannelSettings, started: datetime, now: datetime
) -> _Dark | None:
    """A channel whose newest attempts failed, or that is not being tried at all."""
    kept = connection.execute(sa.select(channels).where(channels.c.id == channel.id)).first()
    newest = passes(connection, channel.id, 50)
    good = last_good(connection, channel.id)
    since = good or first_planned(connection, channel.id)
    bad = [one for one in newest if not one.good and (good is None or one.at > good)]
    if bad and since is not None and newest[0] is bad[0]:
        if len(bad) < _FEW and now - bad[-1].at < channel.every:
            return None
        ended = sum(outcomes(connection, bad[:10]).values(), Counter())
        grade = _grade(ended)
        return _Dark(
            channel=channel,
            since=since,
            grade=grade,
            why=(bad[0].why or (kept.why if kept else ""))[:80],
            attempts=max(len(bad), kept.failures if kept else 0),
        )
    tried = kept.last_attempt_at if kept else None
    awake = max(started, tried or started)
    if now - awake > patience(channel) and now > awake:
        return _Dark(channel=channel, since=since or started, grade="idle", why="", attempts=0)
    return None


def _grade(ended: Mapping[str, int]) -> str:
    """By what most of the failed fetches say; one that nobody can mend by waiting decides a tie."""
    named = {Outcome(name): n for name, n in ended.items()}
    failed = {one: n for one, n in named.items() if not one.is_ok or one is Outcome.OK_EMPTY}
    hard = sum(n for outcome, n in failed.items() if outcome in _HARD)
    soft = sum(n for outcome, n in failed.items() if outcome in _SOFT)
    rest = sum(failed.values()) - hard - soft - failed.get(Outcome.DROPPED, 0)
    if hard and hard >= max(soft, rest):
        return "hard"
    return "soft" if soft > rest else "temporary"


def _step(one: _Dark, options: Options, now: datetime) -> str:
    passed = [n for n, after in enumerate(options.after, 1) if now - one.since >= after]
    if not passed or now - one.since < patience(one.channel, options.after[0]):
        return ""
    return f"after-{passed[-1]}"


def _level(step: str, grade: str, options: Options) -> Level:
    """Ⅳ at first, Ⅲ later, Ⅱ at the last step; one up where waiting is no use."""
    rung = int(step.rpartition("-")[2])
    rank = 4 - min(rung - 1, 2)
    if len(options.after) > 1 and rung == len(options.after):
        rank = 2
    if grade in {"hard", "idle"}:
        rank = max(2, rank - 1)
    return {4: Level.IV, 3: Level.III, 2: Level.II}[rank]


def _one(one: _Dark, step: str, options: Options, now: datetime) -> WatchFinding:
    why = f"：{one.why}" if one.why else ""
    tries = f"，连续{one.attempts}次采集失败" if one.attempts else ""
    return WatchFinding(
        subject=f"unread:{one.channel.id}",
        reason=(
            f"“{one.channel.name}”已{spoken(now - one.since)}未能读取，"
            f"自{shown(one.since)}起监测中断{tries}{why}（{_GRADE[one.grade]}）。这段时间没有新内容不等于没有情况。"
        ),
        level=_level(step, one.grade, options),
        topic=Topic.SYSTEM,
        channel=one.channel.id,
        since=one.since,
        step=step,
        over=f"“{one.channel.name}”已恢复读取",
    )


def _all(dark: list[_Dark], options: Options, now: datetime) -> WatchFinding:
    since = min(one.since for one in dark)
    latest = max(dark, key=lambda one: now - one.since)
    step = _step(latest, options, now)
    return WatchFinding(
        subject="unread:*",
        reason=(
            f"全部{len(dark)}个渠道已{spoken(now - since)}未能读取，自{shown(since)}起监测中断，"
            "疑似本机网络或出口故障"
            f"（{latest.why or '各渠道均无应答'}）。请检查网络；恢复后系统自动补采。"
        ),
        level=_level(step, "temporary", options),
        topic=Topic.SYSTEM,
        since=since,
        step=step,
        over="全部渠道已恢复读取",
    )


def _any_alone(told: Mapping[str, Any], on: list[ChannelSettings]) -> bool:
    return any(f"unread:{one.id}" in told for one in on)


def _told_as_broken(broken: Mapping[str, Any], one: _Dark) -> bool:
    """It answers, and what it answers is told as broken already: not twice."""
    mine = any(subject.startswith(f"broken:{one.channel.id}:") for subject in broken)
    return mine and one.grade == "soft"
