"""Finds plug-ins: a plug-in is one module of a package, with its own `Options` and `build`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
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
    for name in names(package):
        try:
            found[name] = plugin(package, name)
        except PluginBroken as error:
            broken[name] = error
    return found, broken


def names(package: ModuleType) -> list[str]:
    """Of all plug-ins of a package; none of them is loaded for it."""
    entries = pkgutil.iter_modules(package.__path__)
    return [entry.name for entry in entries if not entry.name.startswith("_")]


def plugin(package: ModuleType, name: str) -> ModuleType:
    """One plug-in by its name. Raises PluginBroken."""
    full = f"{package.__name__}.{name}"
    try:
        module = importlib.import_module(full)
    except Exception as error:  # a plug-in may be anybody's file
        said = str(error) if isinstance(error, ImportError | SyntaxError) else "see the log"
        raise PluginBroken(f"{full}: cannot be imported: {type(error).__name__}: {said}") from error
    lacks = [needed for needed in ("Options", "build") if not hasattr(module, needed)]
    if lacks:
        raise PluginBroken(
            f"{full}: has no {' and no '.join(lacks)}; a plug-in needs Options and build"
        )
    return module


def options_of(modules: Mapping[str, ModuleType]) -> dict[str, type[BaseModel]]:
    """Name → the plug-in's Options class."""
    return {name: module.Options for name, module in modules.items()}


class Named(Mapping[str, type[BaseModel]]):
    """The Options of a package's plug-ins, each loaded when it is asked for: settings name few
    of them, and a process that lives for one crawl need not load the others."""

    def __init__(self, package: str, plugin: Callable[[ModuleType, str], ModuleType] = plugin):
        self._package = package
        self._plugin = plugin

    def __getitem__(self, name: str) -> type[BaseModel]:
        if name not in list(self):
            raise KeyError(name)
        options: type[BaseModel] = self._plugin(self._loaded(), name).Options
        return options

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def __iter__(self) -> Iterator[str]:
        return iter(names(self._loaded()))

    def __len__(self) -> int:
        return len(names(self._loaded()))

    def _loaded(self) -> ModuleType:
        return importlib.import_module(self._package)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The Options of every plug-in, by section; settings are checked against it.

    config cannot import the parts that own plug-ins, so whoever loads settings hands this in.
    """

    channels: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    stages: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    watches: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    transports: Mapping[str, type[BaseModel]] = field(default_factory=dict)
