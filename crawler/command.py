"""One pass over channels, in this process: what `tinglan crawl` does and the service spawns."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

import crawler.channels
from config.clock import Clock
from config.keys import author_key
from config.plugins import PluginBroken
from config.settings import ChannelSettings, Settings
from crawler import limits, runs
from crawler.attended import ToldToStop
from crawler.catalogue import Channel, Progress, Reading, Tools, channel_kind, silent
from crawler.runs import STOPPED, Busy, LedgerBroken, RunLog, RunResult
from store.engine import Database
from store.records import RunState

log = logging.getLogger("crawler.command")

Opened = tuple[Channel, RunLog]


def crawl(
    settings: Settings,
    database: Database,
    clock: Clock,
    channels: Sequence[str] = (),
    *,
    planned_at: datetime | None = None,
    progress: Progress = silent,
    environ: Mapping[str, str] | None = None,
) -> list[RunResult]:
    """Reads the named channels once (none named: every one not disabled), one result each.

    A channel that cannot be built or read is a failed run and stops no other. Raises
    KeyError for a name that settings do not know, SecretMissing where the author key cannot
    be had. A process can do this once where site channels take part: a Twisted reactor
    cannot be started again.
    """
    wanted = _wanted(settings, channels)
    seen = dict(os.environ if environ is None else environ)
    tools = Tools(
        database=database,
        clock=clock,
        settings=settings,
        author_key=author_key(settings.privacy, seen),
        user_agent=user_agent(settings.agency.contact),
        environ=seen,
        progress=progress,
        manual=planned_at is None,
    )
    results: dict[str, RunResult] = {}
    opened: dict[str, list[Opened]] = {}
    at = planned_at or clock.now()
    for one in wanted:
        try:
            run = runs.start(database, one.id, planned_at=at, now=clock.now, deadline=one.deadline)
        except Busy as error:
            results[one.id] = RunResult(channel=one.id, state=RunState.FAILED, why=str(error))
            continue
        try:
            channel: Channel = _kind(one.kind).build(one, tools)
        except Exception as error:
            results[one.id] = _failed(run, error)
        else:
            opened.setdefault(one.kind, []).append((channel, run))
    for kind, pairs in opened.items():
        for (channel, run), reading in zip(pairs, _read(kind, pairs), strict=True):
            results[channel.name] = _finished(run, reading)
    for result in results.values():
        progress(told(settings.channel(result.channel), result))
    return [results[one.id] for one in wanted]


def user_agent(contact: str) -> str:
    """Who reads, and whom a webmaster can ask; ASCII, as a header must be."""
    try:
        number = version("tinglan")
    except PackageNotFoundError:
        number = "dev"
    shown = contact.encode("ascii", "ignore").decode()
    return f"tinglan/{number} (+{shown})"


def told(channel: ChannelSettings, result: RunResult) -> str:
    """One line for people."""
    state = {"done": "完成", "failed": "失败", "killed": "中止", "running": "进行中"}[result.state]
    line = (
        f"{channel.name}：{state}，抓取 {result.planned} 次（未成 {result.failed}），"
        f"读到 {result.seen} 条，新 {result.new}，变更 {result.changed}"
    )
    if result.backlog:
        line += f"，留待下次 {result.backlog}"
    return f"{line}；{result.why}" if result.why else line


def _wanted(settings: Settings, channels: Sequence[str]) -> list[ChannelSettings]:
    if channels:
        return [settings.channel(name) for name in dict.fromkeys(channels)]
    return [one for one in settings.channels if not one.disabled]


def _kind(name: str) -> ModuleType:
    return channel_kind(crawler.channels, name)


def _read(kind: str, pairs: Sequence[Opened]) -> Iterable[Reading | BaseException]:
    together = getattr(_kind(kind), "read_together", None)
    if together is not None:
        try:
            answers: list[Reading | BaseException] = together(pairs)
        except ToldToStop:
            return [Reading(state=RunState.KILLED, why=STOPPED)] * len(pairs)
        except Exception as error:
            log.exception("crawl.failed", extra={"kind": kind})
            return [error] * len(pairs)
        return answers
    return (_read_one(channel, run) for channel, run in pairs)


def _read_one(channel: Channel, run: RunLog) -> Reading | BaseException:
    try:
        return channel.read(run)
    except ToldToStop:
        return Reading(state=RunState.KILLED, why=STOPPED)
    except Exception as error:
        log.exception("crawl.failed", extra={"channel": channel.name})
        return error


def _finished(run: RunLog, reading: Reading | BaseException) -> RunResult:
    if isinstance(reading, BaseException):
        return _failed(run, reading)
    try:
        return run.finish(reading.state, why=reading.why, backlog=reading.backlog)
    except LedgerBroken as error:
        log.exception("crawl.ledger_broken", extra={"channel": run.channel})
        return error.result


def _failed(run: RunLog, error: BaseException) -> RunResult:
    # The error's own text may hold an address with a token in it; its kind says enough here,
    # the log has the rest.
    log.error("crawl.run_failed", extra={"channel": run.channel}, exc_info=error)
    why = f"程序出错（{type(error).__name__}），详见日志"
    if isinstance(error, PluginBroken):
        why = f"渠道插件不能用：{error}"[: limits.WHY]
    return _finished(run, Reading(state=RunState.FAILED, why=why))
