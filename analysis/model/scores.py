"""The figures of the model card: macro-F1, calibration error, the threshold for a recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 15


def macro_f1(truth: NDArray[Any], said: NDArray[Any], labels: Sequence[int]) -> float:
    """Mean over the labels of the harmonic mean of precision and recall."""
    each = []
    for label in labels:
        both = int(np.sum((truth == label) & (said == label)))
        each.append(2 * both / max(1, int(np.sum(truth == label) + np.sum(said == label))))
    return float(np.mean(each))


def expected_error(shares: NDArray[Any], truth: NDArray[Any]) -> float:
    """How far the confidence of the label is from how often it is right, over equal bins."""
    sure = shares.max(axis=1)
    right = shares.argmax(axis=1) == truth
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = [
        np.mean(bins == b) * abs(float(sure[bins == b].mean()) - float(right[bins == b].mean()))
        for b in range(_BINS)
        if np.any(bins == b)
    ]
    return float(np.sum(gaps))


def recall_threshold(scores: NDArray[Any], recall: float) -> float:
    """The highest threshold that at least this share of the scores reaches."""
    ranked = np.sort(scores)
    return float(ranked[int(np.floor(len(ranked) * (1 - recall)))])
