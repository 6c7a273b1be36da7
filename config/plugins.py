"""Finds plug-ins: a plug-in is one module of a package, with its own `Options` and `build`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

from pydantic import BaseModel


class PluginBroken(Exception):
    """A plug-in's file cannot be used; the text names it and says what is missing."""


def discover(package: ModuleType) -> dict[str, ModuleType]:
    """Every module of `package` that does not begin with an underscore, by name.

    Dropping one file into a folder of the package's `__path__` is all that adding one takes.
    Raises PluginBroken where a module cannot be imported or lacks `Options` or `build`.
    """
    found: dict[str, ModuleType] = {}
    for entry in pkgutil.iter_modules(package.__path__):
        if entry.name.startswith("_"):
            continue
        name = f"{package.__name__}.{entry.name}"
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            raise PluginBroken(f"{name}: cannot be imported: {error}") from error
        for needed in ("Options", "build"):
            if not hasattr(module, needed):
                raise PluginBroken(f"{name}: has no {needed}; a plug-in needs Options and build")
        found[entry.name] = module
    return found


def options_of(modules: Mapping[str, ModuleType]) -> dict[str, type[BaseModel]]:
    """Name → the plug-in's Options class."""
    return {name: module.Options for name, module in modules.items()}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The Options of every plug-in, by section; settings are checked against it.

    config cannot import the parts that own plug-ins, so whoever loads settings hands this in.
    """

    channels: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    stages: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    watches: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    transports: Mapping[str, type[BaseModel]] = field(default_factory=dict)
