"""Which transports there are, and the ones that settings ask for, ready to send."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from alerts import transports
from alerts.letters import Transport
from config.plugins import discover, options_of
from config.settings import Settings


def transport_options() -> dict[str, type[BaseModel]]:
    """Name → Options of every transport found. Raises PluginBroken."""
    return options_of(discover(transports))


def build_transports(settings: Settings, environ: Mapping[str, str]) -> dict[str, Transport]:
    """Mail always; any other transport where settings have its table. Raises PluginBroken."""
    found = discover(transports)
    wanted = {"smtp": found["smtp"].Options(), **settings.transports}
    return {name: found[name].build(options, settings, environ) for name, options in wanted.items()}
