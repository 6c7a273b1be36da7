"""Which stages and tone engines there are, and how settings make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

import analysis.engines
import analysis.stages
from analysis.engines import Engine
from analysis.subject import Stage
from analysis.tools import Tools
from config.plugins import discover, options_of


class EngineUnknown(Exception):
    """Settings name a tone engine that is not there; the text lists those that are."""


def stage_options() -> dict[str, type[BaseModel]]:
    """Name → Options of every stage in `analysis.stages`. Raises config.plugins.PluginBroken."""
    return options_of(discover(analysis.stages))


def engine_options() -> dict[str, type[BaseModel]]:
    """Name → Options of every tone engine in `analysis.engines`. Raises PluginBroken."""
    return options_of(discover(analysis.engines))


def build_stages(settings: Mapping[str, Any], tools: Tools) -> dict[str, Stage]:
    """Every stage there is, in the order they go; `settings` are Options (or tables) by name.

    Raises what a stage's `build` raises, PluginBroken, or pydantic's ValidationError.
    """
    modules = discover(analysis.stages)
    order = sorted(modules, key=lambda name: (getattr(modules[name], "ORDER", 50), name))
    made: dict[str, Stage] = {}
    for name in order:
        options = _options(modules[name].Options, settings.get(name))
        if getattr(options, "enabled", True):
            made[name] = modules[name].build(options, tools)
    return made


def build_engine(settings: Mapping[str, Any]) -> Engine:
    """The engine that [stages.tone] names. Raises EngineUnknown, PluginBroken, ValidationError."""
    tone = _options(stage_options()["tone"], settings.get("tone"))
    name, table = getattr(tone, "engine", "none"), getattr(tone, "options", {})
    modules = discover(analysis.engines)
    if name not in modules:
        raise EngineUnknown(
            f"stages.tone.engine: found {name!r}, expected one of {', '.join(sorted(modules))}"
        )
    if not getattr(tone, "enabled", True):
        name, table = "none", {}
    engine: Engine = modules[name].build(_options(modules[name].Options, dict(table)))
    return engine


def _options(kind: type[BaseModel], given: Any) -> BaseModel:
    if isinstance(given, BaseModel):
        return given
    return kind.model_validate(given or {})
