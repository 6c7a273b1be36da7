"""Trains what decides: `python -m analysis.judging PATH --date DAY`, after `analysis.train`.

PATH is the folder with `train.jsonl.xz`. Every line of the training part of our corpus is heard
by models of the kinds and of the groups that had not learnt it (cross-fitting), so that the
weights learn how far these can be trusted with what is new. The same inputs give the same bytes.
Needs SciPy.
"""

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # sums in another order would be other bytes

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator, Mapping, Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402
from importlib import import_module  # noqa: E402
from itertools import product  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Final  # noqa: E402

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from analysis import concern  # noqa: E402
from analysis.leaning import voices  # noqa: E402
from analysis.lines import CORPUS, LEARNT, Line, checksum, read_corpus, read_shared, say  # noqa: E402
from analysis.model import GROUP_FILE, KIND_FILE, TONE_FILE  # noqa: E402
from analysis.model.blend import KINDS, Blend  # noqa: E402
from analysis.model.groups import GROUPS, Groups  # noqa: E402
from analysis.recipes import KIND_RECIPE  # noqa: E402
from analysis.stages import rules  # noqa: E402
from analysis.subject import Subject, read_all  # noqa: E402
from analysis.train import (  # noqa: E402
    Counted,
    character_fold,
    fit_groups,
    fit_head,
    kind_lines,
)
from store.records import Level  # noqa: E402

Floats = NDArray[np.float64]

FOLDS: Final = 5
RIDGE: Final = 3.0
ROUNDS: Final = 300
#: Of these collections every n-th line is used, and counts n-fold: they only set the scene, and our
#: own lines alone keep the cross-fitting busy for twenty minutes.
THINNED: Final[Mapping[str, int]] = {
    "smp_usual": 2, "os10": 6, "waimai": 4, "thuc": 4, "gov_title": 2, "gov_msg": 2, "gov_reply": 2,
}  # fmt: skip

#: What the cuts should reach, as (group, share, price of falling short of it by one).
AT_LEAST: Final = (
    ("hazard", 0.985, 6.0),
    ("rumour", 0.95, 3.0),
    ("complaint_formal", 0.93, 1.5),
    ("complaint_plain", 0.96, 20.0),
    ("complaint_sarcastic", 1.0, 0.1),
)
AT_MOST: Final = (
    ("bulletin", 0.01, 6.0),
    ("informal", 0.05, 1.0),
    ("thanks", 0.03, 2.3),
    ("chatter", 0.03, 2.3),
    ("advert", 0.03, 1.0),
    ("reply", 0.0, 0.1),
    ("enquiry", 0.0, 0.1),
    ("suggestion", 0.0, 0.1),
)
#: Where a rule of Ⅰ or Ⅱ hit, people may be in danger: less than three in a hundred is sure enough
#: that they are not. Of reports not learnt from that loses one in a thousand more than one in a
#: hundred would, and spares a tenth of the false alarms in thanks.
GRAVE: Final = 0.03
#: What is tried out as cuts: misses among a group, from, to, how many.
_STEPS: Final = {
    concern.COMPLAINT: ("complaint_plain", 0.03, 0.3, 28),
    concern.HAZARD: ("hazard", 0.01, 0.08, 15),
    concern.RUMOUR: ("rumour", 0.03, 0.15, 13),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m analysis.judging", description=__doc__)
    parser.add_argument("path", type=Path, help="folder with train.jsonl.xz")
    parser.add_argument("--out", type=Path, default=concern.FILE, help="the file to write")
    parser.add_argument("--date", required=True, help="day for the file, e.g. 2026-11-22")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="our own corpus")
    parser.add_argument("--heard", type=Path, help="keep the cross-fitted shares here, or use them")
    given = parser.parse_args(arguments)
    own = [line for line in read_corpus(given.corpus) if line.split in LEARNT]
    lines = [line for line in own if line.split == "train"]
    if given.heard is not None and given.heard.exists():
        heard = np.load(given.heard)
        if len(heard) != len(lines):
            parser.error(f"{given.heard}: {len(heard)} lines, the corpus has {len(lines)}")
    else:
        heard = cross_fitted(read_shared(given.path / "train.jsonl.xz"), own)
        if given.heard is not None:
            np.save(given.heard, heard)
    made = learn(lines, heard)
    made["made"] = {
        "date": given.date,
        "with": "python -m analysis.judging",
        "corpus": checksum(given.corpus),
        "kinds": checksum(KIND_FILE),
        "groups": checksum(GROUP_FILE),
        "lines": len(lines),
    }
    given.out.write_text(written(made), encoding="utf-8")
    return 0


def cross_fitted(shared: Iterator[Line], own: Sequence[Line]) -> Floats:
    """Shares of the kinds, then of the groups, for each own line, by models without its fold.

    Lines of contrast are learnt from in every fold and not heard.
    """
    seen: dict[str, int] = {}
    lines: list[Line] = []
    for line in shared:
        if line.split == "train" and line.corpus in KIND_RECIPE.weights:
            number = seen[line.corpus] = seen.get(line.corpus, -1) + 1
            if number % THINNED.get(line.corpus, 1) == 0:
                lines.append(line)
    lines, _ = kind_lines([*lines, *own])
    weights = {
        corpus: weight * THINNED.get(corpus, 1) for corpus, weight in KIND_RECIPE.weights.items()
    }
    recipe = replace(KIND_RECIPE, weights=weights)
    folds = [_fold(line) if line.corpus == "own" else -1 for line in lines]
    fold = character_fold()
    counted = Counted.of([line.text for line in lines], fold)
    tone = Blend.load(TONE_FILE, KIND_FILE).tone
    own_folds = [_fold(line) for line in own]
    judged = [line for line in own if line.split == "train"]
    spoken = voices(read_all([Subject(text=line.text) for line in judged]))
    places = np.array([fold_of(line.text) for line in judged])
    made = np.zeros((len(judged), len(KINDS) + len(GROUPS)))
    for number in range(FOLDS):
        kind = fit_head(_without(number, lines, folds), counted, recipe, fold)
        groups = Groups(fit_groups(_without(number, own, own_folds), fold))
        rows = np.flatnonzero(places == number)
        texts = [spoken[i] for i in rows]
        kinds = Blend(tone=tone, kind=kind).hear(texts).kinds
        made[rows] = np.hstack((kinds, groups.hear(texts)))
    return made


def _without(number: int, lines: Sequence[Line], folds: Sequence[int]) -> list[Line]:
    return [
        replace(line, split="left out") if here == number else line
        for line, here in zip(lines, folds, strict=True)
    ]


def _fold(line: Line) -> int:
    return fold_of(line.text) if line.split == "train" else -1


def fold_of(text: str) -> int:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[1] % FOLDS


def learn(lines: Sequence[Line], heard: Floats) -> dict[str, Any]:
    """The content of `concern.json`; cuts are chosen where each fold is judged by the others."""
    book = rules.rulebook(rules.Options())
    names = [rule.name for rule in book.rules if "public" in rule.rule.roles]
    columns = concern.feature_names(KINDS, GROUPS, names)
    first = columns.index(f"rule {names[0]}")
    row_of = {name: first + i for i, name in enumerate(names)}
    subjects = read_all([Subject(text=line.text) for line in lines])
    met = [sorted({one.rule for one in some}) for some in book.sift(subjects)]
    rows = [[row_of[book.rules[number].name] for number in some] for some in met]
    is_grave = [rule.rule.level in (Level.I, Level.II) for rule in book.rules]
    grave = np.array([any(is_grave[number] for number in some) for some in met])
    kinds, likeness = heard[:, : len(KINDS)], heard[:, len(KINDS) :]
    values = concern.features(kinds, likeness, voices(subjects), rows, len(columns))

    where = np.array([line.group for line in lines])
    groups = tuple(sorted({line.group for line in lines}))
    truth = np.array([groups.index(group) for group in where])
    folds = np.array([fold_of(line.text) for line in lines])
    logits = np.zeros((len(lines), len(concern.OF_CONCERN)))
    for number in range(FOLDS):
        there, here = folds != number, folds == number
        weights = fitted(values[there], truth[there], len(groups))
        logits[here] = concern.logits_of(values[here] @ weights, groups)
    logits = concern.spoken_for(logits, [[book.rules[one].name for one in some] for some in met])
    cuts = chosen_cuts(logits, where, grave)
    shown = {
        group: round(float(flagged(logits, cuts, grave)[where == group].mean()), 3)
        for group in groups
    }
    say("flagged of lines not learnt:", shown)
    weights = np.round(fitted(values, truth, len(groups)), 2)
    return {
        "format": concern.FORMAT,
        "groups": groups,
        "cuts": {name: round(float(1 / (1 + np.exp(-cut))), 3) for name, cut in cuts.items()},
        "flagged_of_lines_not_learnt": shown,
        "weights": dict(zip(columns, weights.tolist(), strict=True)),
    }


def fitted(values: Floats, truth: NDArray[Any], groups: int) -> Floats:
    """Multinomial logistic regression with a ridge on all but the last column, which is 1."""
    minimize = import_module("scipy.optimize").minimize
    every, width = np.arange(len(truth)), values.shape[1]

    def loss(point: Floats) -> tuple[float, Floats]:
        weights = point.reshape(width, groups)
        scores = values @ weights
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        sums = shares.sum(axis=1, keepdims=True)
        right = scores[every, truth] - np.log(sums[:, 0])
        shares /= sums
        shares[every, truth] -= 1
        slope = values.T @ shares
        slope[:-1] += RIDGE * weights[:-1]
        value = -float(right.sum()) + 0.5 * RIDGE * float(np.square(weights[:-1]).sum())
        return value, slope.ravel()

    start = np.zeros(width * groups)
    done = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS})
    return np.asarray(done.x, dtype=np.float64).reshape(width, groups)


def chosen_cuts(logits: Floats, where: NDArray[Any], grave: NDArray[np.bool_]) -> dict[str, float]:
    """Log-odds: those of least cost among a grid, beside the one for rules of Ⅰ and Ⅱ."""
    told = {"grave": float(np.log(GRAVE / (1 - GRAVE)))}
    tried = []
    for kind, (group, low, high, steps) in _STEPS.items():
        some = logits[where == group, concern.OF_CONCERN.index(kind)]
        tried.append(np.quantile(some, np.linspace(low, high, steps)).tolist())
    choices = (dict(zip(_STEPS, some, strict=True)) | told for some in product(*tried))
    of_group = {group: where == group for group, _, _ in AT_LEAST + AT_MOST if group in where}
    return min(choices, key=lambda cuts: cost(flagged(logits, cuts, grave), of_group))


def flagged(
    logits: Floats, cuts: Mapping[str, float], grave: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    at = np.array([cuts[kind] for kind in concern.OF_CONCERN])
    over = np.exp(np.minimum(logits - at, 50)).sum(axis=1) >= 1
    return np.asarray(over | (grave & (danger(logits) >= cuts["grave"])), dtype=np.bool_)


def danger(logits: Floats) -> Floats:
    """As `concern.counts` has it: danger, or hearsay of danger."""
    kinds = [concern.OF_CONCERN.index(kind) for kind in (concern.HAZARD, concern.RUMOUR)]
    return np.asarray(logits[:, kinds].max(axis=1))


def cost(told: NDArray[np.bool_], of_group: Mapping[str, NDArray[np.bool_]]) -> float:
    share_of = {group: float(told[rows].mean()) for group, rows in of_group.items()}
    short = sum(
        price * max(0.0, share - share_of[group])
        for group, share, price in AT_LEAST
        if group in share_of
    )
    over = sum(
        price * max(0.0, share_of[group] - share)
        for group, share, price in AT_MOST
        if group in share_of
    )
    return short + over


def written(made: Mapping[str, Any]) -> str:
    """JSON with one feature a line, for people to read and to compare."""
    head = {name: value for name, value in made.items() if name != "weights"}
    lines = [
        f"    {json.dumps(name, ensure_ascii=False)}: {json.dumps(some)}"
        for name, some in made["weights"].items()
    ]
    start = json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}")
    return start + ',\n  "weights": {\n' + ",\n".join(lines) + "\n  }\n}\n"


if __name__ == "__main__":
    sys.exit(main())
