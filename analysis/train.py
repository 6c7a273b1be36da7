"""Trains the default tone engine and what hears groups: `python -m analysis.train PATH --date DAY`.

PATH is the folder with `train.jsonl.xz` (and, for scoring only, `domain_dev.tsv`). The same
inputs give the same bytes: one thread, a fixed order, no randomness at all. Needs SciPy, which
the product itself does not.
"""

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # sums in another order would be other bytes

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Final  # noqa: E402

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from analysis.dials import calibrated  # noqa: E402
from analysis.grading import group_scores, kind_scores, tone_scores  # noqa: E402
from analysis.lines import (  # noqa: E402
    CORPUS,
    FEELING_OF,
    LEARNT,
    OPINED,
    OPINIONS,
    Line,
    checksum,
    read_corpus,
    read_domain,
    read_opinions,
    read_shared,
    say,
)
from analysis.model import ngrams  # noqa: E402
from analysis.model.blend import FEELINGS, KINDS, OTHER_ODDS, Blend  # noqa: E402
from analysis.model.groups import GROUPS, Groups  # noqa: E402
from analysis.model.weights import Weights  # noqa: E402
from analysis.normalise import normalise_all  # noqa: E402
from analysis.recipes import (  # noqa: E402
    EITHER,
    FELT,
    GROUP_RECIPE,
    KIND_RECIPE,
    KIND_WEIGHTS,
    OWN_KINDS,
    TONE_RECIPE,
    UNSURE,
    Recipe,
)

HERE: Final = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["snownlp"]:
        return int(import_module("analysis.retrain").main(words[1:]))
    parser = argparse.ArgumentParser(prog="python -m analysis.train", description=__doc__)
    parser.add_argument("path", type=Path, help="folder with train.jsonl.xz")
    parser.add_argument("--out", type=Path, default=HERE / "model", help="where to write")
    parser.add_argument("--date", required=True, help="day for the card, e.g. 2026-11-22")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="our own corpus")
    parser.add_argument(
        "--opinions", type=Path, default=OPINIONS, help="made by `python -m analysis.teacher`"
    )
    given = parser.parse_args(words)
    train(given.path, corpus=given.corpus, out=given.out, date=given.date, opinions=given.opinions)
    return 0


def train(
    path: Path, *, corpus: Path, out: Path, date: str, opinions: Path = OPINIONS
) -> dict[str, Any]:
    """Writes tone.bin, kinds.bin, groups.bin and card.json; returns the card."""
    shared = path / "train.jsonl.xz"
    checksums = {p.name: checksum(p) for p in (shared, corpus)}  # of what is read, before it is
    fold = character_fold()
    opined = read_opinions(opinions, checksums[shared.name])
    if opined:
        checksums[opinions.name] = checksum(opinions)
    else:
        say(f"{opinions.name} speaks of another {shared.name}: trained without it")
    lines = [*read_shared(shared, opined), *read_corpus(corpus)]
    held = path / "domain_dev.tsv"
    domain = list(read_domain(held)) if held.exists() else []

    say(f"{len(lines)} lines")
    counted = Counted.of([line.text for line in lines], fold)
    of_kinds, rows = kind_lines(lines)
    own = [line for line in lines if line.corpus == "own"]
    groups = Groups(fit_groups(own, fold))
    uncalibrated = Blend(
        tone=fit_head(lines, counted, TONE_RECIPE, fold),
        kind=fit_head(of_kinds, counted.only(rows), KIND_RECIPE, fold),
    )
    blend = calibrated(uncalibrated, lines)

    out.mkdir(parents=True, exist_ok=True)
    card: dict[str, Any] = {
        "date": date,
        "data": checksums,
        "randomness": "none: fixed order, one thread, L-BFGS from zero",
        "longest_ngram": ngrams.LONGEST,
        "other_odds": OTHER_ODDS,
        "models": {},
        "scores": {
            "tone": tone_scores(blend, lines, domain),
            "kinds": kind_scores(blend, of_kinds),
            "groups": group_scores(groups, own),
        },
    }
    for name, head, recipe in (
        ("tone", blend.tone, TONE_RECIPE),
        ("kinds", blend.kind, KIND_RECIPE),
        ("groups", groups.weights, GROUP_RECIPE),
    ):
        content = head.dump()
        (out / f"{name}.bin").write_bytes(content)
        card["models"][name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "classes": list(head.classes),
            "ngrams": len(head.ids),
            "line_weights": dict(recipe.weights),
            "ridge": recipe.ridge,
            "rounds": [recipe.rounds, recipe.more_rounds],
            "steps": recipe.steps,
            "evenness": recipe.evenness,
            "contrast": recipe.contrast,
            "seen": recipe.seen,
            "common": recipe.common,
            "trust_in_opinions": recipe.trust,
            "weight_of_opinions": recipe.opined,
            "belief_in_emoticons": recipe.belief,
            "temperature": head.temperature,
        }
    text = json.dumps(card, ensure_ascii=False, indent=2) + "\n"
    (out / "card.json").write_text(text, encoding="utf-8")
    return card


# What is read.


def kind_lines(lines: Sequence[Line]) -> tuple[list[Line], list[int]]:
    """What trains the kind model, and the rows they have among all lines."""
    made: list[Line] = []
    rows: list[int] = []
    for i, line in enumerate(lines):
        if line.corpus not in KIND_WEIGHTS:
            continue
        if line.corpus == "own":
            kind = OWN_KINDS[line.group]
        elif line.corpus in ("gov_title", "gov_msg"):
            kind = "complaint" if line.label == "neg" else "request"
        else:
            kind = "official" if line.corpus in ("gov_reply", "thuc") else "other"
        made.append(replace(line, label=kind))
        rows.append(i)
    return made, rows


def character_fold() -> ngrams.Fold:
    """code → code as the rules spell it (NFKC, lower case, simplified), every digit a 0."""
    done = [n.text for n in normalise_all([chr(c) for c in range(ngrams.BASIC)])]
    codes = [ord(text[0]) if text else ngrams.GONE for text in done]
    fold = np.array(
        [c if c < ngrams.BASIC else ngrams.PRIVATE + (c & ngrams.SPREAD) for c in codes]
    )
    fold[(fold >= ord("0")) & (fold <= ord("9"))] = ord("0")
    fold[[9, 10, 13, 32, 0xA0, 0x3000]] = 32
    fold[0] = ngrams.PAD
    return fold.astype(np.uint16)


# What is learnt.


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Which n-grams occur in each text."""

    matrix: Any  #: scipy CSR, float32
    ids: NDArray[np.uint32]  #: of the columns, ascending

    @classmethod
    def of(cls, texts: Sequence[str], fold: ngrams.Fold, least: int = 3) -> Counted:
        """`least`: n-grams in fewer texts are left out."""
        sparse = import_module("scipy.sparse")
        owners: list[NDArray[np.int32]] = []
        found: list[NDArray[np.uint32]] = []
        for start in range(0, len(texts), 4_096):
            made = ngrams.batch(texts[start : start + 4_096], fold)
            sizes = np.diff(made.begins, append=len(made.codes))
            owner = np.repeat(np.arange(start, start + len(sizes), dtype=np.int32), sizes)
            lead = int(made.begins[0])
            grams = ngrams.ids(made.codes)
            slots = (grams >> np.uint64(ngrams.TAG_BITS)).view(np.int64)
            once = ngrams.once(slots, made.begins)
            for gram, new, real in zip(grams, once, ngrams.is_ngram(made.codes), strict=True):
                use = (real & new)[lead:]
                owners.append(owner[use])
                found.append(gram[lead:][use].astype(np.uint32))
        rows = np.concatenate(owners)
        known, columns, often = np.unique(
            np.concatenate(found), return_inverse=True, return_counts=True
        )
        kept = often >= least
        told = kept[columns]
        place = np.cumsum(kept, dtype=np.int32) - 1
        ones = np.ones(int(told.sum()), dtype=np.float32)
        entries = (ones, (rows[told], place[columns[told]]))
        matrix = sparse.csr_matrix(entries, shape=(len(texts), int(kept.sum())))
        matrix.sum_duplicates()
        return cls(matrix, known[kept])

    def only(self, rows: Sequence[int]) -> Counted:
        return Counted(self.matrix[np.asarray(rows)], self.ids)

    def columns(self, chosen: NDArray[np.int64]) -> Counted:
        return Counted(self.matrix[:, chosen], self.ids[chosen])


def fit_groups(own: Sequence[Line], fold: ngrams.Fold) -> Weights:
    """`own`: lines of our own corpus; it learns from the training part."""
    counted = Counted.of([line.text for line in own], fold, GROUP_RECIPE.seen)
    return fit_head(own, counted, GROUP_RECIPE, fold)


def fit_head(lines: Sequence[Line], counted: Counted, recipe: Recipe, fold: ngrams.Fold) -> Weights:
    """Fits on everything, keeps the n-grams that matter, fits those again, rounds."""
    weighed = _weighed(lines, recipe)
    train_rows: list[int] = np.flatnonzero(weighed > 0).tolist()
    truth = np.array([_fitting(lines[i], recipe) for i in train_rows], dtype=np.float32)
    weights = weighed[train_rows].astype(np.float32)
    counts = counted.only(train_rows)

    seen = np.bincount(counts.matrix.indices, minlength=len(counts.ids))
    borne = np.repeat(weights, np.diff(counts.matrix.indptr))
    felt = np.bincount(counts.matrix.indices, weights=borne, minlength=len(counts.ids))
    is_known = (seen >= recipe.seen) & (felt >= FELT)
    counts, seen = counts.columns(np.flatnonzero(is_known)), seen[is_known]
    rarity = np.log((1 + len(train_rows)) / (1 + seen)) / 4
    if recipe.common:
        rarity /= np.sqrt(1 + seen / recipe.common)
    wide, biases = _fit(_scaled(counts.matrix, rarity), truth, weights, recipe)
    spread = (wide.max(axis=1) - wide.min(axis=1)) * rarity * np.sqrt(seen)
    chosen = _one_a_slot(counts.ids, spread, recipe.keep)
    say(f"{len(counts.ids)} n-grams fitted, {len(chosen)} kept")

    fitted, rarity = wide[chosen], rarity[chosen]
    if recipe.more_rounds:
        begin = np.concatenate((fitted.ravel(), biases)).astype(np.float64)
        small = _scaled(counts.columns(chosen).matrix, rarity)
        fitted, biases = _fit(small, truth, weights, recipe, begin)
    exact = fitted * rarity[:, None]
    exact -= exact.mean(axis=1, keepdims=True)
    scales = np.round(np.quantile(np.abs(exact), 0.999, axis=0) / recipe.steps, 9)
    rounded = np.clip(np.rint(exact / scales), -127, 127).astype(np.int8)
    return Weights(
        classes=recipe.classes,
        fold=fold,
        ids=counts.ids[chosen],
        weights=rounded,
        scales=scales,
        biases=np.asarray(np.round(biases, 6), dtype=np.float64),
        temperature=recipe.temperature,
    )


def _fitting(line: Line, recipe: Recipe) -> list[float]:
    """How far each class fits a line: shares that make 1, or a 1 for each that it may be."""
    if recipe.classes == GROUPS:
        return [float(name == line.group) for name in GROUPS]
    if recipe.classes != FEELINGS:
        return [float(name == line.label) for name in recipe.classes]
    if line.corpus == "own":
        return [float(name == f"local_{line.label}") for name in FEELINGS]
    may = {line.feeling} if line.feeling else {line.label}
    if may == {"neg"}:
        may = set(FEELING_OF.values())
    if line.corpus in EITHER:
        may.add(f"local_{line.label}")
    fitting = [float(name in may) for name in FEELINGS]
    if not line.opinion:
        return fitting
    shares = [*line.opinion, *[0.0] * (len(FEELINGS) - len(OPINED))]
    if line.corpus in UNSURE:
        belief = recipe.belief
        shares = [
            share * (belief if fits else 1 - belief)
            for fits, share in zip(fitting, shares, strict=True)
        ]
        return [share / sum(shares) for share in shares]
    known = sum(fitting)
    return [
        (1 - recipe.trust) * fits / known + recipe.trust * share
        for fits, share in zip(fitting, shares, strict=True)
    ]


def _weighed(lines: Sequence[Line], recipe: Recipe) -> NDArray[np.float64]:
    """How much each line counts; 0 where it is not for training."""
    own = Counter(line.group for line in lines if line.corpus == "own" and line.split in LEARNT)
    mean = own.total() / max(1, len(own))
    even = {group: (mean / many) ** recipe.evenness for group, many in own.items()}
    return np.array(
        [
            _weight(line, recipe) * even.get(line.group, 1.0) if line.split in LEARNT else 0.0
            for line in lines
        ]
    )


def _weight(line: Line, recipe: Recipe) -> float:
    if line.opinion and line.corpus in UNSURE and recipe.opined:
        return recipe.opined
    weight = recipe.weights.get(line.corpus, 0.0)
    if line.split == "contrast":
        weight *= recipe.contrast
    if line.corpus == "own" and line.group in ("hazard", "rumour"):
        # Their tone says nothing about how grave they are; as kinds they are few, and matter.
        if recipe.classes == FEELINGS:
            return 0.0
        return 2 * weight if recipe.classes == KINDS else weight
    return weight


def _scaled(matrix: Any, rarity: NDArray[Any]) -> Any:
    """Rare n-grams count more; a text's length does not."""
    sparse = import_module("scipy.sparse")
    known = np.asarray(matrix.sum(axis=1)).ravel()
    even = sparse.diags((1 / np.sqrt(np.maximum(1, known))).astype(np.float32))
    return (even @ matrix @ sparse.diags(rarity.astype(np.float32))).tocsr()


def _fit(
    matrix: Any,
    truth: NDArray[np.float32],
    weights: NDArray[np.float32],
    recipe: Recipe,
    begin: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Multinomial logistic regression with a ridge, by L-BFGS.

    `truth`: what the shares of a row should be; or, where that makes more than 1, a 1 for every
    class that it may belong to: their shares together should be 1.
    """
    minimize = import_module("scipy.optimize").minimize
    columns, classes = matrix.shape[1], len(recipe.classes)
    rounds = recipe.rounds if begin is None else recipe.more_rounds
    turned = matrix.T
    total = float(weights.sum(dtype=np.float64))
    is_open = truth.sum(axis=1, keepdims=True) > 1.5
    tiny = np.float32(1e-30)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        short = point.astype(np.float32)
        logits = matrix @ short[:-classes].reshape(columns, classes) + short[-classes:]
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(axis=1, keepdims=True)
        right = np.where(is_open, shares * truth, truth)
        rights = np.maximum(right.sum(axis=1, keepdims=True), tiny)
        each = (truth * np.log(np.maximum(shares, tiny))).sum(axis=1)
        said = np.where(is_open[:, 0], np.log(rights[:, 0]), each)
        value = -float((weights * said).sum(dtype=np.float64))
        shares -= right / rights
        shares *= weights[:, None]
        slope = np.empty_like(point)
        slope[:-classes] = (turned @ shares).ravel()
        slope[-classes:] = shares.sum(axis=0, dtype=np.float64)
        value += 0.5 * recipe.ridge * float(np.square(point[:-classes]).sum())
        slope[:-classes] += recipe.ridge * point[:-classes]
        return value / total, slope / total

    done = minimize(
        loss,
        np.zeros((columns + 1) * classes) if begin is None else begin,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": rounds, "maxfun": rounds * 2, "maxcor": 6},
    )
    short = done.x.astype(np.float32)
    return short[:-classes].reshape(columns, classes), short[-classes:]


def _one_a_slot(ids: NDArray[np.uint32], worth: NDArray[Any], keep: int) -> NDArray[np.int64]:
    """The columns worth most, no two in one slot of the table, in ascending order of id."""
    order = np.argsort(-worth, kind="stable")
    _, first = np.unique((ids >> ngrams.TAG_BITS)[order], return_index=True)
    return np.sort(order[np.sort(first)[:keep]])


if __name__ == "__main__":
    sys.exit(main())
