"""Trains SnowNLP's sentiment by its own API: `python -m analysis.train snownlp FOLDER --out FILE`.

The file is made where it is used and never shipped: it belongs to the package's licence and to
texts whose licences are not stated. `model` in the options of `snownlp` and `snownlp_numpy`
names it. SnowNLP knows two classes, so neutral lines are of no use to it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from analysis.lines import CORPUS, LEFT_OUT, Line, read_corpus, read_shared

#: Lines of each class of each source, in the order of a hash of their text; our own all count.
_MOST: Final = {"smp_usual": 2_500, "gov_title": 500, "nlpcc14": 500, "waimai": 300, "own": 10_000}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m analysis.train snownlp", description=__doc__)
    parser.add_argument("path", type=Path, help="folder with train.jsonl.xz")
    parser.add_argument("--out", type=Path, required=True, help="e.g. tone.marshal.3")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="our own corpus")
    given = parser.parse_args(arguments)
    lines = [
        *read_shared(given.path / "train.jsonl.xz"),
        *read_corpus(given.corpus),
    ]
    negative, positive = (chosen(lines, label) for label in ("neg", "pos"))
    out = given.out if given.out.suffix == ".3" else given.out.with_name(f"{given.out.name}.3")
    retrain(negative, positive, out)
    print(f"{out}: {len(negative)} negative, {len(positive)} positive", file=sys.stderr)
    return 0


def chosen(lines: Iterable[Line], label: str) -> list[str]:
    """Texts of one class, the same ones each time; dangers and rumours have no tone to learn."""
    by_corpus: dict[str, list[str]] = {}
    for line in lines:
        is_meant = line.split == "train" and line.label == label
        if is_meant and line.corpus in _MOST and line.group not in LEFT_OUT:
            by_corpus.setdefault(line.corpus, []).append(" ".join(line.text.split()))
    made: list[str] = []
    for corpus, texts in sorted(by_corpus.items()):
        made += sorted(filter(None, texts), key=_order)[: _MOST[corpus]]
    return made


def retrain(negative: Sequence[str], positive: Sequence[str], out: Path) -> None:
    """`train` and `save` of the package; `out` ends in .3 as the package has it.

    Raises ImportError where the package is not installed.
    """
    sentiment = import_module("snownlp.sentiment")
    with tempfile.TemporaryDirectory(prefix="tinglan-") as folder:
        files = [Path(folder, name) for name in ("neg.txt", "pos.txt")]
        for file, texts in zip(files, (negative, positive), strict=True):
            file.write_text("\n".join(texts), encoding="utf-8", errors="replace")
        sentiment.train(*map(str, files))
    sentiment.save(str(out).removesuffix(".3"))


def _order(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
