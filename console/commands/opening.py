"""What commands work on: the settings they are pointed at, the house these describe, the time."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from config.house import House
    from config.plugins import Catalogue
    from config.settings import Settings


def catalogue() -> Catalogue:
    """The Options of every plug-in that is installed."""
    from alerts.catalogue import transport_options
    from analysis.catalogue import stage_options
    from analysis.watching import watch_options
    from config.plugins import Catalogue
    from crawler.catalogue import channel_options

    return Catalogue(
        channels=channel_options(),
        stages=stage_options(),
        watches=watch_options(),
        transports=transport_options(),
    )


def crawling() -> Catalogue:
    """The same, as far as settings name them: a crawl lives shortly and needs no stage."""
    from config.plugins import Catalogue, Named
    from crawler.catalogue import channel_kind

    return Catalogue(
        channels=Named("crawler.channels", channel_kind),
        stages=Named("analysis.stages"),
        watches=Named("analysis.watches"),
        transports=Named("alerts.transports"),
    )


def settings_path(args: argparse.Namespace) -> Path:
    if args.config:
        return Path(args.config).resolve()
    return Path(os.environ.get("TINGLAN_CONFIG") or "tinglan.toml").resolve()


def load_settings(args: argparse.Namespace) -> tuple[Settings, Path]:
    from config.loading import load

    path = settings_path(args)
    return load(path, catalogue(), os.environ), path


def house(
    args: argparse.Namespace, plugins: Callable[[], Catalogue] = catalogue
) -> AbstractContextManager[House]:
    from config.house import opened

    return opened(settings_path(args), plugins(), os.environ)


def stages_if_any(args: argparse.Namespace) -> Mapping[str, Any]:
    """The office's stages where there are settings, else the shipped ones."""
    if args.config or settings_path(args).exists():
        from analysis.catalogue import stage_options
        from config.reading import stages

        return stages(settings_path(args), stage_options())
    return {}


def now() -> datetime:
    from config.clock import SystemClock

    return SystemClock().now()
