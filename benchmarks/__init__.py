"""`tinglan bench`: each module here answers one question; figures are ratios against a peer.

A module brings `TITLE` (one line, Chinese) and `run(argv) -> Iterable[Figure]`.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from types import ModuleType


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One candidate of one stage."""

    stage: str
    candidate: str
    rate: float
    unit: str
    ratio: float | None = None  #: to the named peer
    peer: str = ""
    agreement: float | None = None  #: share of the peer's answers met, 0..1
    cpu_s: float | None = None
    peak_mb: float | None = None
    goal: str = ""
    met: bool | None = None


def stages() -> dict[str, ModuleType]:
    """Every benchmark by name."""
    return {
        entry.name: importlib.import_module(f"benchmarks.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
        if not entry.name.startswith("_")
    }


def run(stage: str, rest: Sequence[str], *, as_json: bool) -> int:
    """Runs one stage (or lists them); 1 where a stated goal is missed, 2 for an unknown stage."""
    known = stages()
    if not stage:
        for name, module in known.items():
            print(f"{name:<12}{module.TITLE}")
        return 0
    if stage not in known:
        print(f"没有 {stage}；可用的有：{'、'.join(known)}")
        return 2
    return _show(known[stage].run(list(rest)), as_json=as_json)


def _show(figures: Iterable[Figure], *, as_json: bool) -> int:
    missed = False
    for figure in figures:
        missed = missed or figure.met is False
        if as_json:
            print(json.dumps(asdict(figure), ensure_ascii=False), flush=True)
        else:
            ratio = "" if figure.ratio is None else f"  {figure.ratio:.2f} × {figure.peer}"
            goal = figure.goal and f"  目标 {figure.goal}：{'达到' if figure.met else '未达到'}"
            rate = f"{figure.rate:,.3f} {figure.unit}"
            print(f"{figure.stage}  {figure.candidate}  {rate}{ratio}{goal}", flush=True)
    return 1 if missed else 0
