"""What a channel is, what it is given, and which kinds are installed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

import crawler.channels
from config.clock import Clock
from config.plugins import PluginBroken, names, options_of, plugin
from config.settings import ChannelSettings, Section, Settings
from crawler.runs import RunLog
from store.engine import Database
from store.records import Capture, RunState

log = logging.getLogger("crawler.catalogue")

Progress = Callable[[str], None]


def silent(_line: str) -> None:
    """A Progress that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a channel works with; it reaches for nothing else."""

    database: Database
    clock: Clock
    settings: Settings
    author_key: bytes
    user_agent: str
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    progress: Progress = silent
    manual: bool = False  #: a person asked for this pass, so it may use what is kept in reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a channel says of its own run, beyond what the ledger shows."""

    state: RunState = RunState.DONE  #: FAILED: the channel as a whole could not be read
    why: str = ""  #: Chinese; troubles, also of a run that went through
    backlog: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One line of a preview: what a pass would ask for, and what that costs."""

    what: str  #: Chinese
    calls: int
    left: int | None = None  #: of today's quota; None: not counted
    note: str = ""  #: Chinese: how often it is really polled, why it would not be asked now


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `tinglan crawl --dry-run` shows of a channel; nothing of it is stored.

    A kind that can tell has, in its module,
    `preview(settings: ChannelSettings, tools: Tools) -> Preview`. It may make the few calls
    that the samples need, and counts them.
    """

    calls: tuple[PlannedCall, ...] = ()
    samples: tuple[Capture, ...] = ()  #: three at most, as intake would get them: not yet masked
    why: str = ""  #: Chinese: why there is less than one would expect
    unread: bool = False  #: the channel could not be looked at; `why` says what is wrong


@runtime_checkable
class Channel(Protocol):
    """Reads one channel once: plans its fetches, settles each, hands captures to intake.

    A kind whose channels must share something (one reactor, say) also has, in its module,
    `read_together(pairs: Sequence[tuple[Channel, RunLog]]) -> list[Reading | Exception]`.
    """

    @property
    def name(self) -> str: ...  #: the channel's id

    def read(self, run: RunLog) -> Reading: ...


Together = Callable[[Sequence[tuple[Channel, RunLog]]], list[Reading | BaseException]]


def channel_kinds() -> dict[str, ModuleType]:
    """Kind → its module.

    One broken file must not silence the other channels: it is logged, and stands here as a
    kind that takes any options and whose `build` raises config.plugins.PluginBroken, so that
    a channel of that kind is a failed run with its reason.
    """
    return {name: channel_kind(crawler.channels, name) for name in names(crawler.channels)}


def channel_kind(package: ModuleType, kind: str) -> ModuleType:
    """One of them; no other is loaded for it."""
    try:
        return plugin(package, kind)
    except PluginBroken as error:
        if str(error) not in _told:
            _told.add(str(error))
            log.error("channel.plugin_broken", extra={"kind": kind}, exc_info=error)
        return _stand_in(kind, error)


class _AnyOptions(Section):
    model_config = ConfigDict(extra="allow")


_told: set[str] = set()  # broken plug-ins that this process has logged


def _stand_in(kind: str, error: PluginBroken) -> ModuleType:
    def build(_settings: ChannelSettings, _tools: Tools) -> Channel:
        raise error

    module = ModuleType(f"{crawler.channels.__name__}.{kind}")
    module.__dict__.update(Options=_AnyOptions, build=build)
    return module


def channel_options() -> dict[str, type[BaseModel]]:
    """Kind → its Options, for config.plugins.Catalogue."""
    return options_of(channel_kinds())


def build(settings: ChannelSettings, tools: Tools) -> Channel:
    """The channel that settings describe. Raises KeyError for an unknown kind."""
    made: Channel = channel_kinds()[settings.kind].build(settings, tools)
    return made
