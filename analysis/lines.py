"""What the models are trained on and judged by: labelled lines, ours and others'."""

from __future__ import annotations

import hashlib
import json
import lzma
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from analysis.model.blend import FEELINGS, TONES

CORPUS: Final = Path(__file__).parent / "corpus" / "domain.tsv"
#: Groups of both domain sets that do not count for the three tones: they have their own detectors.
LEFT_OUT: Final = ("rum", "haz", "rumour", "hazard")
#: Made by `analysis.teacher`.
OPINIONS: Final = CORPUS.with_name("second_opinions.npz")
#: Parts that models learn from. `contrast` holds lines of our own that share their words and not
#: their group: harder than what people write, so what weighs and cuts is not fitted to them.
LEARNT: Final = frozenset({"train", "contrast"})
#: Feelings of everyday talk, of which a second opinion holds a share each.
OPINED: Final = FEELINGS[:4]

#: Emotion of a Weibo post → feeling. Negative lines of other sources may be either: angry and sad
#: posts have little in common, and one class for both blurs it.
FEELING_OF: Final[Mapping[str, str]] = {"angry": "angry", "sad": "sad", "fear": "sad"}
_CHARACTERS: Final = 300  #: of a text that training reads
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
    opinion: tuple[float, ...] = ()  #: shares of OPINED that a larger model gives it, if asked
    number: int = 0  #: of its line in `train.jsonl.xz`, from 1


def read_shared(
    path: Path, opinions: Mapping[int, tuple[float, ...]] | None = None
) -> Iterator[Line]:
    """`opinions`: by number of the line, from 1.

    Raises ValueError naming the line that is not what the format says.
    """
    known = opinions or {}
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
            feeling = FEELING_OF.get(row.get("detail"), "")
            opinion = known.get(number, ())
            yield Line(corpus, split, "", label, text[:_CHARACTERS], feeling, opinion, number)


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


def checksum(path: Path) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_opinions(path: Path, about: str) -> dict[int, tuple[float, ...]]:
    """Number of a line of `train.jsonl.xz` → shares of OPINED; empty where they are of another.

    `about`: `checksum` of that file. Raises OSError, ValueError or KeyError where `path`
    is not what `write_opinions` makes.
    """
    with np.load(path, allow_pickle=False) as held:
        if held["data"].item() != about:
            return {}
        numbers = np.cumsum(held["steps"], dtype=np.int64).tolist()
        shares = held["shares"].astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    return dict(zip(numbers, map(tuple, shares.tolist()), strict=True))


def write_opinions(path: Path, about: str, opinions: Mapping[int, Sequence[float]]) -> None:
    """Each share in 255ths: a larger model is not surer of itself than that."""
    numbers = sorted(opinions)
    shares = np.array([opinions[number] for number in numbers]).reshape(-1, len(OPINED))
    np.savez_compressed(
        path,
        data=np.array(about),
        steps=np.diff(numbers, prepend=0).astype(np.uint32),
        shares=np.rint(shares * 255).astype(np.uint8),
    )


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


def say(*words: object) -> None:
    """How far it has come, to standard error."""
    print(*words, file=sys.stderr, flush=True)
