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
    sound, broken = survey(package)
    for error in broken.values():
        raise error
    return sound


def survey(package: ModuleType) -> tuple[dict[str, ModuleType], dict[str, PluginBroken]]:
    """The plug-ins of a package that can be used, and what is wrong with the others."""
    found: dict[str, ModuleType] = {}
    broken: dict[str, PluginBroken] = {}
    for entry in pkgutil.iter_modules(package.__path__):
        if entry.name.startswith("_"):
            continue
        name = f"{package.__name__}.{entry.name}"
        try:
            module = importlib.import_module(name)
        except Exception as error:  # a plug-in may be anybody's file
            said = str(error) if isinstance(error, ImportError | SyntaxError) else "see the log"
            broken[entry.name] = PluginBroken(
                f"{name}: cannot be imported: {type(error).__name__}: {said}"
            )
            broken[entry.name].__cause__ = error
            continue
        lacks = [needed for needed in ("Options", "build") if not hasattr(module, needed)]
        if lacks:
            broken[entry.name] = PluginBroken(
                f"{name}: has no {' and no '.join(lacks)}; a plug-in needs Options and build"
            )
        else:
            found[entry.name] = module
    return found, broken


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
