"""What a stage may be built with; passed in, never reached for."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from analysis.rules import Rulebook
from analysis.thresholds import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    rulebook: Rulebook | None = None  #: in place of the packs that settings name
    thresholds: Thresholds = field(default_factory=Thresholds)  #: moved by verdicts, by channel


class StageOptions(BaseModel):
    """What every stage's options may begin from: unknown keys are mistakes; it can be put off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
