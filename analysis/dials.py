"""Sets how sure the tone model is, and of what, on lines that it has not learnt from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from analysis.lines import Line
from analysis.model.blend import TONES, Blend

#: What is tried on each dial, in turn.
_ROUNDS: Final = 3
_DIALLED: Final = {
    "temperature": [round(0.6 + 0.04 * i, 2) for i in range(30)],
    "negative": [round(-0.8 + 0.1 * i, 1) for i in range(17)],
    "positive": [round(-0.8 + 0.1 * i, 1) for i in range(17)],
}


class Dials(NamedTuple):
    """What is set on lines not learnt from: how sure the tone model is, and of what."""

    temperature: float
    negative: float = 0.0  #: added to what speaks for either negative feeling
    positive: float = 0.0


def calibrated(blend: Blend, lines: Sequence[Line]) -> Blend:
    """With the dials that the development lines of everyday talk ask for."""
    dials = dials_for(blend, talk(lines))
    return blend if dials is None else turned(blend, dials)


def talk(lines: Sequence[Line]) -> list[Line]:
    """Development lines of everyday talk."""
    return [line for line in lines if line.corpus == "smp_usual" and line.split == "dev"]


def turned(blend: Blend, dials: Dials) -> Blend:
    """The same models with these dials; offsets come on top of those it has."""
    added = {"angry": dials.negative, "sad": dials.negative, "pos": dials.positive}
    moved = blend.tone.biases + [added.get(name, 0.0) for name in blend.tone.classes]
    tone = replace(blend.tone, temperature=dials.temperature, biases=np.round(moved, 6))
    return replace(blend, tone=tone)


def dials_for(blend: Blend, lines: Sequence[Line]) -> Dials | None:
    """Those under which the lines are least surprising, one after the other; None without lines."""
    if not lines:
        return None
    texts = [line.text for line in lines]
    truth = np.array([TONES.index(line.label) for line in lines])

    def cost(dials: Dials) -> float:
        shares = turned(blend, dials).probabilities(texts)[np.arange(len(truth)), truth]
        return -float(np.log(np.maximum(1e-12, shares)).mean())

    best = Dials(blend.tone.temperature)
    for _ in range(_ROUNDS):
        for name, steps in _DIALLED.items():
            best = min((best._replace(**{name: step}) for step in steps), key=cost)
    return best


def is_first_half(text: str) -> bool:
    """Either half of all texts, by a hash."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] < 128
