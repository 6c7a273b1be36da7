"""How fast and how right is `linear` against SnowNLP, stock and retrained, on the same texts?

SnowNLP works in a child process and times itself there, its 4 s of import left out. Without a
data path the held-out part of our own corpus and the lines by strangers are there to judge with.
"""

from __future__ import annotations

import argparse
import json
import lzma
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import analysis
from analysis.assess import assess
from analysis.catalogue import build_engine, build_stages
from analysis.engines import _bands, linear
from analysis.model import KIND_FILE, TONE_FILE
from analysis.model.blend import Blend
from analysis.model.scores import expected_error, macro_f1, recall_threshold
from analysis.subject import Subject, read_all
from analysis.tools import Tools
from benchmarks import Figure, _texts
from store.records import Role, Tone

TITLE = "情感判断：自带引擎与 SnowNLP 同场比速度与准确"

_TONES: Final = ("neg", "neu", "pos")
_GROUPS: Final = {
    "complaint": ("com", "fco", "complaint_plain", "complaint_sarcastic", "complaint_formal"),
    "bulletin": ("bul", "bulletin"),
    "informal": ("ibl", "informal"),
}
_OF_GROUP: Final = {
    "bul": "neu",
    "ibl": "neu",
    "com": "neg",
    "fco": "neg",
    "pos": "pos",
    "qry": "neu",
}
_LEFT_OUT: Final = ("rum", "haz", "rumour", "hazard")
_ROUNDS: Final = 3  #: of timing
_CORPUS: Final = Path(analysis.__file__).parent / "corpus" / "domain.tsv"

_PEER: Final = """
import json, sys, time
from snownlp import sentiment
sentiment.classify("好")
if len(sys.argv) > 1:
    sentiment.classifier.load(sys.argv[1].removesuffix(".3"))
texts = json.load(sys.stdin)
began = time.process_time()
scores = [sentiment.classify(t) for t in texts]
json.dump({"cpu": time.process_time() - began, "scores": scores}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class _Set:
    name: str
    texts: list[str]
    tones: list[str]
    groups: list[str]
    for_peers: bool = True  #: small enough for SnowNLP, which needs seconds for a hundred


def run(argv: Sequence[str]) -> Iterable[Figure]:
    parser = argparse.ArgumentParser(prog="tinglan bench tone")
    parser.add_argument("--data", type=Path, help="folder with train.jsonl.xz, domain_dev.tsv")
    parser.add_argument("--posts", type=int, default=4_000, help="texts for the speed of linear")
    parser.add_argument("--peer-posts", type=int, default=300, help="of those also for SnowNLP")
    parser.add_argument("--judged", type=int, default=400, help="of a large set, for SnowNLP")
    parser.add_argument("--retrained", default="", help="made by `analysis.train snownlp`")
    given = parser.parse_args(argv)
    sets = [*_own(), *_strangers(), *(_shared(given.data, given.judged) if given.data else ())]
    model = Blend.load(TONE_FILE, KIND_FILE)
    yield from _speed(model, given.posts, given.peer_posts)
    peers = {"snownlp": "", "snownlp retrained": given.retrained}
    for some in sets:
        meant = {n: f for n, f in peers.items() if f or n == "snownlp"} if some.for_peers else {}
        yield from _quality(model, some, meant)
        yield from _decided(some)


def _speed(model: Blend, posts: int, peer_posts: int) -> Iterator[Figure]:
    texts = _texts.posts(posts)
    few = texts[:peer_posts]
    subjects = read_all([Subject(text=text) for text in texts])
    engine = linear.build(linear.Options())
    alone = texts[: min(1_000, posts)]
    works: tuple[tuple[str, Callable[[], object], int, int], ...] = (
        ("linear, one batch", lambda: model.probabilities(texts), posts, 1_000),
        ("linear, 64 at a time", lambda: _by(model, texts, 64), posts, 1_000),
        ("linear, one at a time", lambda: _by(model, alone, 1), len(alone), 100),
        ("linear, verdicts with evidence", lambda: engine.judge(subjects), posts, 0),
    )
    # In turn, and of each the quickest: on shared cores single timings are worthless.
    rounds = [
        (_snownlp(few)[0], *(min(_cpu(work), _cpu(work)) for _, work, _, _ in works))
        for _ in range(_ROUNDS)
    ]
    cost, *spent = (min(some) for some in zip(*rounds, strict=True))
    peer = len(few) / cost
    yield _rate("snownlp", peer, None, cost, "")
    for (name, _, count, goal), took in zip(works, spent, strict=True):
        yield _rate(name, count / took, count / took / peer, took, f">= {goal}x" if goal else "")


def _by(model: Blend, texts: Sequence[str], size: int) -> None:
    for i in range(0, len(texts), size):
        model.probabilities(texts[i : i + size])


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return max(1e-9, time.process_time() - began)


def _rate(name: str, rate: float, ratio: float | None, cost: float, goal: str) -> Figure:
    least = float(goal.strip(">= x")) if goal else 0.0
    return Figure(
        stage="tone-speed",
        candidate=name,
        rate=round(rate, 1),
        unit="posts/cpu-s",
        ratio=None if ratio is None else round(ratio, 1),
        peer="" if ratio is None else "snownlp",
        cpu_s=round(cost, 4),
        goal=goal,
        met=None if not goal or ratio is None else ratio >= least,
    )


def _quality(model: Blend, some: _Set, peers: Mapping[str, str]) -> Iterator[Figure]:
    truth = np.array([_TONES.index(tone) if tone else -1 for tone in some.tones])
    scored = truth >= 0
    ours = model.probabilities(some.texts)
    heard: list[tuple[str, NDArray[Any], NDArray[Any], float | None]] = [
        ("linear", ours, ours.argmax(axis=1), None)
    ]
    for name, file in peers.items():
        cost, raw = _snownlp(some.texts, file)
        theirs = np.array([list(_bands.shares(s).values()) for s in raw])
        heard.append((name, theirs, np.array([_place(s) for s in raw]), cost))
    for name, shares, labels, spent in heard:
        figures = {
            "macro_f1": macro_f1(truth[scored], labels[scored], (0, 1, 2)),
            "accuracy": float(np.mean(truth[scored] == labels[scored])),
            "negative recall": float(np.mean(labels[truth == 0] == 0)),
            "negative precision": float(np.mean(truth[scored & (labels == 0)] == 0)),
            "calibration error": expected_error(shares[scored], truth[scored]),
            **_flagged(shares[:, 0], some.groups),
        }
        for unit, value in figures.items():
            goal, met = _goal(some.name, unit, value) if name == "linear" else ("", None)
            yield Figure(
                stage=f"tone-quality {some.name}",
                candidate=name,
                rate=round(value, 4),
                unit=unit,
                cpu_s=None if spent is None else round(spent, 3),
                goal=goal,
                met=met,
            )


def _goal(which: str, unit: str, value: float) -> tuple[str, bool | None]:
    least = {"macro_f1": 0.85}
    if which.startswith("smp_usual"):
        least = {"macro_f1": 0.83, "accuracy": 0.855} if which == "smp_usual dev" else {}
    most = {"bulletin flagged at 95 % of complaints": 0.01}
    most["informal flagged at 95 % of complaints"] = 0.05
    if which == "smp_usual dev":
        most["calibration error"] = 0.02
    if unit in least:
        return f">= {least[unit]}", value >= least[unit]
    if unit in most:
        return f"<= {most[unit]}", value <= most[unit]
    return "", None


#: Group → share of it that the whole assessment should flag: at least, or at most.
_WANTED: Final = {
    "fco": 0.9, "complaint_formal": 0.9, "haz": 0.98, "hazard": 0.98, "rum": 0.9, "rumour": 0.9,
}  # fmt: skip
_UNWANTED: Final = {
    "bul": 0.01, "bulletin": 0.01, "ibl": 0.05, "informal": 0.05, "pos": 0.03, "thanks": 0.03,
    "chatter": 0.03, "advert": 0.03,
}  # fmt: skip


def _decided(some: _Set) -> Iterator[Figure]:
    """What rules, kinds and tone together flag, with the source role hidden; then given."""
    if not any(some.groups):
        return
    stages, engine = build_stages({}, Tools()), build_engine({})
    groups = np.array(some.groups)
    for role, named in ((Role.PUBLIC, ""), (Role.OWN, ", role given")):
        done = assess(
            [Subject(text=t, role=role) for t in some.texts], stages=stages, engine=engine
        )
        flagged = np.array([one.flagged for one in done])
        for group in sorted(set(some.groups)):
            is_own = group in _GROUPS["bulletin"] + _GROUPS["informal"]
            if role is Role.OWN and not is_own:
                continue
            share = float(flagged[groups == group].mean())
            most = 0.0 if role is Role.OWN else _UNWANTED.get(group)
            least = _WANTED.get(group)
            goal = f">= {least}" if least is not None else ("" if most is None else f"<= {most}")
            met = share >= least if least is not None else (None if most is None else share <= most)
            yield Figure(
                stage=f"flagged {some.name}",
                candidate="assess",
                rate=round(share, 4),
                unit=f"{group}{named}",
                goal=goal,
                met=met,
            )


def _flagged(negative: NDArray[Any], groups: list[str]) -> dict[str, float]:
    """Shares flagged where 95 % of the complaints are."""
    where = np.array(groups)
    complaints = np.isin(where, _GROUPS["complaint"])
    if not complaints.any():
        return {}
    least = recall_threshold(negative[complaints], 0.95)
    return {
        f"{name} flagged at 95 % of complaints": float(
            np.mean(negative[np.isin(where, _GROUPS[name])] >= least)
        )
        for name in ("bulletin", "informal")
    }


def _place(score: float) -> int:
    tone = _bands.label(score, _bands.NEGATIVE_BELOW, _bands.POSITIVE_ABOVE)
    return (Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE).index(tone)


def _snownlp(texts: Sequence[str], retrained: str = "") -> tuple[float, list[float]]:
    """CPU seconds and scores; texts the package would raise on or choke on are made tame."""
    tame = [text[:500] if text.strip() else "。" for text in texts]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PEER, *([retrained] if retrained else [])],
        input=json.dumps(tame).encode(),
        capture_output=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    return float(answer["cpu"]), [float(s) for s in answer["scores"]]


def _own() -> Iterator[_Set]:
    """All that was held out; then what the first hand wrote, and what three later hands did."""
    rows = [line.split("\t") for line in _CORPUS.read_text(encoding="utf-8").splitlines()[1:]]
    held = [row for row in rows if row[1] == "held"]
    for name, some in (
        ("own held-out", held),
        ("own held-out, first hand", [row for row in held if row[5] != "-"]),
        ("own held-out, later hands", [row for row in held if row[5] == "-"]),
    ):
        yield _Set(
            name,
            [row[6] for row in some],
            ["" if row[2] in _LEFT_OUT else row[3] for row in some],
            [row[2] for row in some],
            for_peers=some is held,
        )


def _strangers() -> Iterator[_Set]:
    """Lines by hands that saw neither the corpus nor the rules; tone where the group says it."""
    lines = (_CORPUS.parent / "strangers.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    tones = {"thanks": "pos", "chatter": "", "advert": "", "hazard": "", "rumour": ""}
    tones |= dict.fromkeys(("complaint_plain", "complaint_formal", "complaint_sarcastic"), "neg")
    for name, hands in (("strangers a, b", "ab"), ("strangers c", "c"), ("strangers d", "d")):
        some = [row for row in rows if row[0] in hands]
        yield _Set(
            name,
            [text for _, _, text in some],
            [tones.get(group, "neu") for _, group, _ in some],
            [group for _, group, _ in some],
        )


def _shared(path: Path, judged: int) -> Iterator[_Set]:
    domain = path / "domain_dev.tsv"
    if domain.exists():
        lines = [line.split("\t") for line in domain.read_text(encoding="utf-8").splitlines()]
        yield _Set(
            "domain_dev",
            [text for _, text in lines],
            [_OF_GROUP.get(group, "") for group, _ in lines],
            [group for group, _ in lines],
        )
    with lzma.open(path / "train.jsonl.xz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if '"smp_usual"' in line and '"dev"' in line]
    kept = [r for r in rows if r["corpus"] == "smp_usual" and r["split"] == "dev"]
    kept = [r for r in kept if r["label"] in _TONES]
    step = max(1, len(kept) // judged)
    for name, rows in (("smp_usual dev", kept), ("smp_usual dev sample", kept[::step][:judged])):
        texts = [r["text"] for r in rows]
        tones = [r["label"] for r in rows]
        yield _Set(name, texts, tones, [""] * len(rows), for_peers=rows is not kept)
