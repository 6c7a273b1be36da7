"""What the trained models are worth: the figures of their card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.dials import dials_for, is_first_half, talk, turned
from analysis.lines import LEFT_OUT, Line
from analysis.model.blend import KINDS, TONES, Blend
from analysis.model.groups import GROUPS, Groups
from analysis.model.scores import expected_error, macro_f1, recall_threshold


def tone_scores(model: Blend, lines: Sequence[Line], domain: Sequence[Line]) -> dict[str, Any]:
    """Figures of the files as they are written, by the code that will read them."""
    scores: dict[str, Any] = {}
    dev: dict[str, list[Line]] = {}
    for line in lines:
        if line.split == "dev" and line.corpus != "own":
            dev.setdefault(line.corpus, []).append(line)
    for corpus, some in sorted(dev.items()):
        scores[corpus] = _three(model, some)
    if some := talk(lines):
        scores["smp_usual"]["by_halves"] = _by_halves(model, some)
    own = [line for line in lines if line.corpus == "own" and line.split == "held"]
    scores["own_held"] = domain_scores(model, own)
    if domain:
        scores["domain_dev"] = domain_scores(model, domain)
    return scores


def _by_halves(blend: Blend, lines: Sequence[Line]) -> dict[str, float]:
    """Figures where each half of the lines is judged with the dials that the other asks for."""
    halves = (
        [line for line in lines if is_first_half(line.text)],
        [line for line in lines if not is_first_half(line.text)],
    )
    shares: list[NDArray[np.float64]] = [np.zeros((0, len(TONES)))]
    truth: list[int] = []
    for here, there in (halves, halves[::-1]):
        dials = dials_for(blend, there)
        if dials is None or not here:
            continue
        shares.append(turned(blend, dials).probabilities([line.text for line in here]))
        truth += [TONES.index(line.label) for line in here]
    every, known = np.concatenate(shares), np.array(truth, dtype=np.int64)
    said = every.argmax(axis=1)
    return {
        "accuracy": _r(np.mean(said == known)),
        "macro_f1": _r(macro_f1(known, said, range(len(TONES)))),
        "calibration_error": _r(expected_error(every, known)),
    }


def _three(model: Blend, lines: Sequence[Line]) -> dict[str, Any]:
    shares = model.probabilities([line.text for line in lines])
    truth = np.array([TONES.index(line.label) for line in lines])
    labels = sorted(set(truth.tolist()))
    guess = np.array(labels)[shares[:, labels].argmax(axis=1)] if len(labels) == 2 else None
    said = shares.argmax(axis=1) if guess is None else guess
    made: dict[str, Any] = {"n": len(lines), "accuracy": _r(np.mean(said == truth))}
    made["called_negative"] = _r(np.mean(shares.argmax(axis=1) == 0))
    if len(labels) > 1:
        made["macro_f1"] = _r(macro_f1(truth, said, labels))
    return made


#: Groups of both domain sets.
COMPLAINTS: Final = ("com", "fco", "complaint_plain", "complaint_sarcastic", "complaint_formal")


def domain_scores(model: Blend, lines: Sequence[Line]) -> dict[str, Any]:
    scored = [line for line in lines if line.group not in LEFT_OUT]
    made = _three(model, scored)
    groups = np.array([line.group for line in lines])
    shares = model.probabilities([line.text for line in lines])
    at = recall_threshold(shares[np.isin(groups, COMPLAINTS), 0], 0.95)
    named = sorted(set(groups.tolist()))
    made["called_negative_by_group"] = {
        g: _r(np.mean(shares[groups == g].argmax(axis=1) == 0)) for g in named
    }
    made["threshold_for_95_percent_of_complaints"] = _r(at)
    made["flagged_there_by_group"] = {g: _r(np.mean(shares[groups == g, 0] >= at)) for g in named}
    return made


def kind_scores(model: Blend, lines: Sequence[Line]) -> dict[str, Any]:
    """On the held-out part of our own corpus."""
    held = [line for line in lines if line.corpus == "own" and line.split == "held"]
    said = model.hear([line.text for line in held]).kinds.argmax(axis=1)
    return _told_apart(KINDS, [line.label for line in held], said)


def group_scores(model: Groups, lines: Sequence[Line]) -> dict[str, Any]:
    """On the held-out part of our own corpus."""
    held = [line for line in lines if line.split == "held"]
    said = model.hear([line.text for line in held]).argmax(axis=1)
    return _told_apart(GROUPS, [line.group for line in held], said)


def _told_apart(
    names: Sequence[str], labels: Sequence[str], said: NDArray[np.int64]
) -> dict[str, Any]:
    truth = np.array([names.index(label) for label in labels], dtype=np.int64)
    known = sorted(set(truth.tolist()))
    return {
        "n": len(truth),
        "accuracy": _r(np.mean(said == truth)),
        "macro_f1": _r(macro_f1(truth, said, known)),
        "recall": {names[i]: _r(np.mean(said[truth == i] == i)) for i in known},
        "precision": {
            names[i]: _r(np.mean(truth[said == i] == i)) for i in known if np.any(said == i)
        },
    }


def _r(value: Any) -> float:
    return round(float(value), 4)
