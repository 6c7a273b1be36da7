"""Makes three classes of SnowNLP's one number, with a wide neutral band.

SnowNLP knows only negative and positive and was trained on shop reviews: it calls half of all
factual bulletins and most official replies negative, and most of its scores lie at the ends of
the scale. Only the very ends are believed, and what is said there is not a probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from store.records import Tone

NEGATIVE_BELOW: Final = 0.10
POSITIVE_ABOVE: Final = 0.95


def label(score: float, negative_below: float, positive_above: float) -> Tone:
    """`score` as SnowNLP gives it: 0 negative … 1 positive."""
    if score < negative_below:
        return Tone.NEGATIVE
    return Tone.POSITIVE if score > positive_above else Tone.NEUTRAL


def shares(score: float) -> Mapping[Tone, float]:
    """Uncalibrated: what is neither end goes to neutral."""
    negative, positive = (1 - score) ** 2, score**2
    return {
        Tone.NEGATIVE: negative,
        Tone.NEUTRAL: 1 - negative - positive,
        Tone.POSITIVE: positive,
    }


def scaled(score: float) -> float:
    """0 … 1 to -1 … 1."""
    return max(-1.0, min(1.0, 2 * score - 1))
