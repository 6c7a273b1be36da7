"""Tone engines behind one interface: texts in, verdicts out, never an exception.

One module an engine, with `Options` and `build(options) -> Engine`; a module whose name begins
with an underscore is none. The verdict may order what people look at; it never decides whether
they look.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from analysis.subject import Subject, Verdict
from store.records import Role, Tone

log = logging.getLogger(__name__)


class Engine(Protocol):
    """Judges the writer's own words; own posts of the agency are neutral by construction."""

    name: str

    def judge(self, subjects: Sequence[Subject]) -> list[Verdict]:
        """One verdict a subject, in order. Trouble of any kind is the label `unknown`."""
        ...

    def close(self) -> None:
        """Gives back what the engine holds; it may be used again afterwards."""
        ...


def unknown(engine: str, model: str = "") -> Verdict:
    """What an engine says when it cannot say: late, dead, refused."""
    return Verdict(label=Tone.UNKNOWN, engine=engine, model=model, degraded=True)


def neutral(engine: str, model: str = "") -> Verdict:
    """Nothing to judge: no words of the writer's own, or the agency's own bulletin."""
    return Verdict(
        label=Tone.NEUTRAL, engine=engine, model=model, probabilities={Tone.NEUTRAL: 1.0}
    )


def is_bulletin(subject: Subject) -> bool:
    return subject.role is Role.OWN


def judged(engine: Engine, subjects: Sequence[Subject]) -> list[Verdict]:
    """What the engine says, held to its promise: one verdict each, no exception."""
    if not subjects:
        return []
    try:
        verdicts = engine.judge(subjects)
        if len(verdicts) != len(subjects):
            raise ValueError(f"{len(verdicts)} verdicts for {len(subjects)} texts")
    except Exception:  # a broken engine must not cost an alert
        log.exception("engine-failed engine=%s texts=%d", engine.name, len(subjects))
        return [unknown(engine.name)] * len(subjects)
    return verdicts
