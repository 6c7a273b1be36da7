"""Trains the default tone engine, both of its models: `python -m analysis.train PATH --date DAY`.

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
import lzma  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterable, Iterator, Mapping, Sequence  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Final  # noqa: E402

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from analysis.model import ngrams  # noqa: E402
from analysis.model.blend import FEELINGS, KINDS, OTHER_ODDS, TONES, Blend  # noqa: E402
from analysis.model.scores import expected_error, macro_f1, recall_threshold  # noqa: E402
from analysis.model.weights import Weights  # noqa: E402
from analysis.normalise import normalise_all  # noqa: E402

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus" / "domain.tsv"

#: How much one line of each source counts. Our own corpus is small and is what the model is for;
#: reviews of shops and hotels are many and far from it.
TONE_WEIGHTS: Final[Mapping[str, float]] = {
    "own": 20.0,
    "smp_usual": 9.0,
    "ws100k": 0.1,
    "os10": 0.1,
    "chnsenti": 0.1,
    "waimai": 0.1,
    "nlpcc14": 0.1,
    "thuc": 0.1,
    "gov_title": 0.2,
    "gov_msg": 0.2,
    "gov_reply": 0.2,
}
KIND_WEIGHTS: Final[Mapping[str, float]] = {
    "own": 45.0,
    "smp_usual": 0.7,
    "os10": 0.1,
    "waimai": 0.2,
    "thuc": 0.3,
    "gov_title": 0.6,
    "gov_msg": 0.3,
    "gov_reply": 0.6,
}
#: Emotion of a Weibo post → feeling. Negative lines of other sources may be either: angry and sad
#: posts have little in common, and one class for both blurs it.
_FEELINGS: Final[Mapping[str, str]] = {"angry": "angry", "sad": "sad", "fear": "sad"}
#: Sources that may be talk to an agency or any other.
_EITHER: Final = ("thuc", "gov_title", "gov_msg", "gov_reply")
#: Group of a line of our own corpus → kind.
OWN_KINDS: Final[Mapping[str, str]] = {
    "bulletin": "official",
    "informal": "official",
    "reply": "official",
    "advert": "official",
    "chatter": "other",
    "complaint_plain": "complaint",
    "complaint_sarcastic": "complaint",
    "complaint_formal": "complaint",
    "enquiry": "request",
    "suggestion": "request",
    "thanks": "thanks",
    "hazard": "hazard",
    "rumour": "rumour",
}

_CHARACTERS: Final = 300  #: of a text that training reads
_SEEN: Final = 3  #: n-grams in fewer texts are not learnt
_FELT: Final = 2.0  #: nor those whose texts together count less
_ASK: Final = re.compile(
    "咨询|请问|想问|问一下|想了解|是否|吗[？?。！!]*$|什么时候|何时|如何|怎么办理|怎样|多少|哪里|[？?]$"
)
_SUGGEST: Final = re.compile("建议|希望|能否|可否")
#: The labels of ws100k were made from these; a model that may see them learns nothing else.
_EMOTICON: Final = re.compile(r"\[[^\[\]]{1,8}\]|[\U0001F000-\U0001FAFF☀-➿️]")


@dataclass(frozen=True, slots=True)
class Line:
    corpus: str
    split: str
    group: str
    label: str
    text: str
    feeling: str = ""  #: which of FEELINGS, where the source tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a head is trained with; written to the card."""

    classes: tuple[str, ...]
    weights: Mapping[str, float]
    ridge: float
    rounds: int
    more_rounds: int  #: after pruning; talk is better without: it is not learnt by heart
    keep: int  #: n-grams
    steps: int  #: from the largest weight to zero; few, as they decide how large the file is
    temperature: float = 1.0


TONE_RECIPE: Final = Recipe(
    classes=FEELINGS,
    weights=TONE_WEIGHTS,
    ridge=3.0,
    rounds=60,
    more_rounds=0,
    keep=190_000,
    steps=9,
)
KIND_RECIPE: Final = Recipe(
    classes=KINDS,
    weights=KIND_WEIGHTS,
    ridge=1.0,
    rounds=50,
    more_rounds=50,
    keep=55_000,
    steps=15,
    temperature=1.5,
)


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["snownlp"]:
        return int(import_module("analysis.retrain").main(words[1:]))
    parser = argparse.ArgumentParser(prog="python -m analysis.train", description=__doc__)
    parser.add_argument("path", type=Path, help="folder with train.jsonl.xz")
    parser.add_argument("--out", type=Path, default=HERE / "model", help="where to write")
    parser.add_argument("--date", required=True, help="day for the card, e.g. 2026-11-22")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="our own corpus")
    given = parser.parse_args(words)
    train(given.path, corpus=given.corpus, out=given.out, date=given.date)
    return 0


def train(path: Path, *, corpus: Path, out: Path, date: str) -> dict[str, Any]:
    """Writes tone.bin, kinds.bin and card.json; returns the card."""
    shared = path / "train.jsonl.xz"
    checksums = {p.name: _checksum(p) for p in (shared, corpus)}  # of what is read, before it is
    fold = character_fold()
    lines = [*read_shared(shared), *read_corpus(corpus)]
    held = path / "domain_dev.tsv"
    domain = list(read_domain(held)) if held.exists() else []

    say(f"{len(lines)} lines")
    counted = Counted.of([line.text for line in lines], fold)
    kind_lines, rows = _kind_lines(lines)
    uncalibrated = Blend(
        tone=fit_head(lines, counted, TONE_RECIPE, fold),
        kind=fit_head(kind_lines, counted.only(rows), KIND_RECIPE, fold),
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
            "kinds": kind_scores(blend, kind_lines),
        },
    }
    for name, head, recipe in (
        ("tone", blend.tone, TONE_RECIPE),
        ("kinds", blend.kind, KIND_RECIPE),
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
            "temperature": head.temperature,
        }
    text = json.dumps(card, ensure_ascii=False, indent=2) + "\n"
    (out / "card.json").write_text(text, encoding="utf-8")
    return card


# What is read.


def read_shared(path: Path) -> Iterator[Line]:
    """Raises ValueError naming the line that is not what the format says."""
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for number, raw in enumerate(file, 1):
            try:
                row = json.loads(raw)
                corpus, split, text = row["corpus"], row["split"], str(row["text"])
                label = _label(corpus, row["label"], text)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}: line {number}: {error!r}") from error
            if label is None:
                continue
            if corpus == "ws100k":
                if split == "dev":
                    yield Line("ws100k_emoticons", split, "", label, text[:_CHARACTERS])
                text = _EMOTICON.sub("", text)
            feeling = _FEELINGS.get(row.get("detail"), "")
            yield Line(corpus, split, "", label, text[:_CHARACTERS], feeling)


def _label(corpus: str, label: str, text: str) -> str | None:
    """Messages to the mayor are complaints, unless they ask; those that suggest are left out."""
    if label in TONES:
        return label
    if label != "msg":
        return None
    if corpus == "gov_title":
        if _ASK.search(text):
            return "neu"
        return None if _SUGGEST.search(text) else "neg"
    if _SUGGEST.search(text):
        return None
    asks = len(text) < 200 and (_ASK.search(text[:60]) or _ASK.search(text[-40:]))
    return "neu" if asks else "neg"


def read_corpus(path: Path) -> Iterator[Line]:
    for _, split, group, tone, _, _, text in _rows(path):
        yield Line("own", split, group, tone, text[:_CHARACTERS])


def _rows(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    for number, row in enumerate(rows, 2):
        if len(row) != 7:
            raise ValueError(f"{path}: line {number}: {len(row)} columns, expected 7")
    return rows


def read_domain(path: Path) -> Iterator[Line]:
    tones = {"bul": "neu", "ibl": "neu", "com": "neg", "fco": "neg", "pos": "pos", "qry": "neu"}
    for raw in path.read_text(encoding="utf-8").splitlines():
        group, _, text = raw.partition("\t")
        yield Line("domain_dev", "dev", group, tones.get(group, ""), text)


def _kind_lines(lines: Sequence[Line]) -> tuple[list[Line], list[int]]:
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
    def of(cls, texts: Sequence[str], fold: ngrams.Fold) -> Counted:
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
        kept = often >= _SEEN
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


def fit_head(lines: Sequence[Line], counted: Counted, recipe: Recipe, fold: ngrams.Fold) -> Weights:
    """Fits on everything, keeps the n-grams that matter, fits those again, rounds."""
    weighed = np.array([_weight(line, recipe) if line.split == "train" else 0 for line in lines])
    train_rows: list[int] = np.flatnonzero(weighed > 0).tolist()
    truth = np.array([_fitting(lines[i], recipe.classes) for i in train_rows], dtype=np.float32)
    weights = weighed[train_rows].astype(np.float32)
    counts = counted.only(train_rows)

    seen = np.bincount(counts.matrix.indices, minlength=len(counts.ids))
    borne = np.repeat(weights, np.diff(counts.matrix.indptr))
    felt = np.bincount(counts.matrix.indices, weights=borne, minlength=len(counts.ids))
    is_known = (seen >= _SEEN) & (felt >= _FELT)
    counts, seen = counts.columns(np.flatnonzero(is_known)), seen[is_known]
    rarity = np.log((1 + len(train_rows)) / (1 + seen)) / 4
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


def _fitting(line: Line, classes: Sequence[str]) -> list[bool]:
    """The classes a line may belong to: one, or several feelings."""
    if classes != FEELINGS:
        return [name == line.label for name in classes]
    if line.corpus == "own":
        return [name == f"local_{line.label}" for name in classes]
    may = {line.feeling} if line.feeling else {line.label}
    if may == {"neg"}:
        may = set(_FEELINGS.values())
    if line.corpus in _EITHER:
        may.add(f"local_{line.label}")
    return [name in may for name in classes]


def _weight(line: Line, recipe: Recipe) -> float:
    weight = recipe.weights.get(line.corpus, 0.0)
    if line.corpus == "own" and line.group in ("hazard", "rumour"):
        # Their tone says nothing about how grave they are; as kinds they are few, and matter.
        return 0.0 if recipe.classes == FEELINGS else 2 * weight
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

    `truth` has a 1 for every class that a row may belong to: their shares together are its share.
    """
    minimize = import_module("scipy.optimize").minimize
    columns, classes = matrix.shape[1], len(recipe.classes)
    rounds = recipe.rounds if begin is None else recipe.more_rounds
    turned = matrix.T
    total = float(weights.sum(dtype=np.float64))

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        short = point.astype(np.float32)
        logits = matrix @ short[:-classes].reshape(columns, classes) + short[-classes:]
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        sums = shares.sum(axis=1, keepdims=True)
        right = shares * truth
        rights = np.maximum(right.sum(axis=1, keepdims=True), np.float32(1e-30))
        value = -float((weights * np.log(rights / sums)[:, 0]).sum(dtype=np.float64))
        shares /= sums
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


def calibrated(blend: Blend, lines: Sequence[Line]) -> Blend:
    """One temperature, found on the development lines of everyday talk."""
    temperature = _warmth(blend, _talk(lines))
    return blend if temperature is None else _warmed(blend, temperature)


def calibration_error(blend: Blend, lines: Sequence[Line]) -> float:
    """Each half of the lines is judged with the temperature that the other half asks for."""
    halves = (
        [line for line in lines if _is_first_half(line.text)],
        [line for line in lines if not _is_first_half(line.text)],
    )
    shares, truth = [], []
    for here, there in (halves, halves[::-1]):
        temperature = _warmth(blend, there)
        if temperature is None or not here:
            continue
        shares.append(_warmed(blend, temperature).probabilities([line.text for line in here]))
        truth += [TONES.index(line.label) for line in here]
    return expected_error(np.concatenate(shares), np.array(truth)) if shares else 0.0


def _talk(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.corpus == "smp_usual" and line.split == "dev"]


def _warmed(blend: Blend, temperature: float) -> Blend:
    return replace(blend, tone=replace(blend.tone, temperature=temperature))


def _warmth(blend: Blend, lines: Sequence[Line]) -> float | None:
    """The temperature under which the lines are least surprising; None without lines."""
    if not lines:
        return None
    texts = [line.text for line in lines]
    truth = np.array([TONES.index(line.label) for line in lines])

    def cost(temperature: float) -> float:
        shares = _warmed(blend, temperature).probabilities(texts)[np.arange(len(truth)), truth]
        return -float(np.log(np.maximum(1e-12, shares)).mean())

    return min((round(0.6 + 0.02 * i, 2) for i in range(50)), key=cost)


def _is_first_half(text: str) -> bool:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] < 128


# What it is worth.


def tone_scores(model: Blend, lines: Sequence[Line], domain: Sequence[Line]) -> dict[str, Any]:
    """Figures of the files as they are written, by the code that will read them."""
    scores: dict[str, Any] = {}
    dev: dict[str, list[Line]] = {}
    for line in lines:
        if line.split == "dev" and line.corpus != "own":
            dev.setdefault(line.corpus, []).append(line)
    for corpus, some in sorted(dev.items()):
        scores[corpus] = _three(model, some)
    own = [line for line in lines if line.corpus == "own" and line.split == "held"]
    scores["own_held"] = domain_scores(model, own)
    if domain:
        scores["domain_dev"] = domain_scores(model, domain)
    return scores


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
    if len(labels) == 3:
        made["calibration_error"] = _r(calibration_error(model, lines))
        made["calibration_error_of"] = "each half, with the temperature of the other half"
    return made


#: Groups of both domain sets that count for the three classes; the rest has its own detectors.
COMPLAINTS: Final = ("com", "fco", "complaint_plain", "complaint_sarcastic", "complaint_formal")
LEFT_OUT: Final = ("rum", "haz", "rumour", "hazard")


def domain_scores(model: Blend, lines: Sequence[Line]) -> dict[str, Any]:
    scored = [line for line in lines if line.group not in LEFT_OUT]
    made = _three(model, scored)
    made.pop("calibration_error", None)
    made.pop("calibration_error_of", None)
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
    truth = np.array([KINDS.index(line.label) for line in held])
    labels = sorted(set(truth.tolist()))
    return {
        "n": len(held),
        "accuracy": _r(np.mean(said == truth)),
        "macro_f1": _r(macro_f1(truth, said, labels)),
        "recall": {KINDS[i]: _r(np.mean(said[truth == i] == i)) for i in labels},
        "precision": {
            KINDS[i]: _r(np.mean(truth[said == i] == i)) for i in labels if np.any(said == i)
        },
    }


def _r(value: Any) -> float:
    return round(float(value), 4)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def say(*words: Iterable[str]) -> None:
    print(*words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
