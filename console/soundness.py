"""What `check` proves without asking anybody: plug-in files load, channels' secrets are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel

import alerts.transports
import analysis.stages
import analysis.watches
import crawler.channels
from config.plugins import survey
from config.secrets import SecretMissing, read_secret
from config.settings import ChannelSettings, Settings

State = Literal["ok", "warn", "bad"]

_PACKAGES = {
    "渠道": crawler.channels,
    "研判环节": analysis.stages,
    "值守检查": analysis.watches,
    "通知方式": alerts.transports,
}


def plugins() -> Iterator[tuple[State, str]]:
    """A line for each plug-in file that cannot be used, with its name and what is wrong."""
    told = []
    for what, package in _PACKAGES.items():
        sound, broken = survey(package)
        told.append(f"{what} {len(sound)}")
        for error in broken.values():
            cause = str(error.__cause__ or "").strip().splitlines()
            more = f"（{cause[0][:150]}）" if cause and cause[0] not in str(error) else ""
            yield "bad", f"{what}插件不能用：{error}{more}"
    yield "ok", f"已装：{'，'.join(told)}"


def secrets(channel: ChannelSettings, environ: Mapping[str, str]) -> Iterator[tuple[State, str]]:
    """Whether every secret that a channel's options name can be read."""
    names = sorted(_named(channel.options))
    for name in names:
        try:
            read_secret(name, environ)
        except SecretMissing as error:
            yield "bad", f"口令读不到：{error}"
        else:
            yield "ok", f"口令已从 {name} 读到"


def _named(section: object) -> set[str]:
    """NAMEs of secrets in options: of every setting that ends in _env, however deep."""
    found: set[str] = set()
    if isinstance(section, BaseModel):
        for key in type(section).model_fields:
            value = getattr(section, key)
            if key.endswith("_env") and isinstance(value, str):
                found.add(value)
            else:
                found |= _named(value)
    elif isinstance(section, tuple | list):
        for one in section:
            found |= _named(one)
    return found


def unsound(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, State, str]]:
    """(what, state, text) of all of it, as `check` shows it."""
    for state, text in plugins():
        yield "插件", state, text
    for channel in settings.channels:
        if not channel.disabled:
            for state, text in secrets(channel, environ):
                yield f"渠道 {channel.name}", state, text
