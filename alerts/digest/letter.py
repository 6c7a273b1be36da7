"""The weekly as a letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.letters import Letter
from alerts.notices import Notice
from config.settings import Settings


def digest_letter(notice: Notice, digest: Mapping[str, Any], settings: Settings) -> Letter:
    raise NotImplementedError
