"""No tone engine: every tone is unknown, rules alone decide."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from analysis.engines import Engine
from analysis.subject import Subject, Verdict
from store.records import Tone


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Silent:
    name = "none"

    def judge(self, subjects: Sequence[Subject]) -> list[Verdict]:
        return [Verdict(label=Tone.UNKNOWN, engine=self.name) for _ in subjects]

    def close(self) -> None:
        return None


def build(options: Options) -> Engine:
    return Silent()
