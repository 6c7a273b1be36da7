"""How a post sounds, as the tone engine heard it: shown beside the rules, never in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from analysis.subject import Stage, Subject
from analysis.tools import StageOptions, Tools
from store.records import Finding, Role, Tone

ORDER = 30


class Options(StageOptions):
    engine: str = "linear"  #: a module of `analysis.engines`
    options: Mapping[str, Any] = Field(default_factory=dict)  #: that engine's own options


def build(options: Options, tools: Tools) -> Stage:
    def stage(subject: Subject) -> Iterable[Finding]:
        verdict = subject.verdict
        if verdict is None or subject.role is Role.OWN:
            return ()
        if verdict.label is Tone.NEGATIVE:
            evidence = f"，依据：{'、'.join(verdict.evidence[:5])}" if verdict.evidence else ""
            reason = f"语气偏负面（{verdict.score:+.2f}{evidence}），仅作排序参考。"
        elif verdict.label is Tone.UNKNOWN and verdict.degraded:
            reason = "情感判断未能完成，已按规则研判。"
        else:
            return ()
        return (Finding(stage="tone", rule=verdict.engine, reason=reason),)

    return stage
