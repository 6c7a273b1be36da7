"""What a stage may be built with; passed in, never reached for."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from analysis.rules import Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    rulebook: Rulebook | None = None  #: in place of the packs that settings name


class StageOptions(BaseModel):
    """What every stage's options may begin from: unknown keys are mistakes; it can be put off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
