"""Turns the installed snownlp package's model files into NumPy arrays, in a process of its own.

Reading them takes 300 MB for two seconds, which the service should not hold; the arrays take 30.
Runs none of the package's code. Started as a lone script: PACKAGE_FOLDER OUT.npz
"""

from __future__ import annotations

import gzip
import marshal
import sys
from pathlib import Path
from typing import Any

import numpy as np

TAGS = "bmes"


def main(argv: list[str]) -> int:
    package, out = Path(argv[1]), Path(argv[2])
    seg = read(package / "seg" / "seg.marshal.3")
    bayes = read(package / "sentiment" / "sentiment.marshal.3")
    stop = (package / "normal" / "stopwords.txt").read_text(encoding="utf-8")
    with out.open("wb") as file:
        np.savez(file, **segmentation(seg), **sentiment(bayes), stop=packed(stop.splitlines()))
    return 0


def read(file: Path) -> Any:
    """Trusted as the package itself is: installed, hashed by the lock, not writable by users."""
    raw = file.read_bytes()
    return marshal.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)  # noqa: S302


def packed(words: list[str]) -> Any:
    return np.frombuffer("\n".join(w.strip() for w in words).encode("utf-8"), dtype=np.uint8)


def segmentation(seg: dict[str, Any]) -> dict[str, Any]:
    """uni, bi, tri as the package's log_prob adds them up, divisions already done.

    A state is 4 × character + tag; the last state is the beginning of a sentence.
    """
    uni, bi, tri = seg["uni"]["d"], seg["bi"]["d"], seg["tri"]["d"]
    chars = sorted({c for c, tag in uni if "\u4e00" <= c <= "\u9fa5"})
    number = {c: i for i, c in enumerate(chars)}
    states = 4 * (len(chars) + 1) + 1  # one character more, for all that are not known
    ids = {(c, tag): 4 * number[c] + k for c in chars for k, tag in enumerate(TAGS)}
    ids[("", "BOS")] = states - 1

    single = np.zeros(states)
    for state, count in uni.items():
        if state in ids:
            single[ids[state]] = seg["l1"] * (float(count) / seg["uni"]["total"])
    pairs = sorted(
        (ids[a] * states + ids[b], seg["l2"] * count / uni[a] if uni.get(a) else 0.0, (a, b))
        for (a, b), count in bi.items()
        if a in ids and b in ids
    )
    place = {pair: i for i, (_, _, pair) in enumerate(pairs)}
    triples = sorted(
        (place[(a, b)] * states + ids[c], seg["l3"] * count / bi[(a, b)])
        for (a, b, c), count in tri.items()
        if (a, b) in place and c in ids and bi[(a, b)]
    )
    return {
        "chars": np.array([ord(c) for c in chars], dtype=np.int64),
        "single": single,
        "pair_keys": np.array([p[0] for p in pairs], dtype=np.int64),
        "pair": np.array([p[1] for p in pairs]),
        "triple_keys": np.array([t[0] for t in triples], dtype=np.int64),
        "triple": np.array([t[1] for t in triples]),
    }


def sentiment(bayes: dict[str, Any]) -> dict[str, Any]:
    """Word → log of its share of each class; the class's own words only, in the file's order."""
    names = list(bayes["d"])
    words = sorted({w for one in bayes["d"].values() for w in one["d"]})
    logs = np.empty((len(names), len(words) + 1))
    prior = np.empty(len(names))
    for i, name in enumerate(names):
        one = bayes["d"][name]
        counts = [float(one["d"].get(w, one["none"])) for w in words] + [float(one["none"])]
        logs[i] = np.log(np.array(counts) / one["total"])
        prior[i] = np.log(one["total"]) - np.log(bayes["total"])
    return {"names": packed(names), "words": packed(words), "logs": logs, "prior": prior}


if __name__ == "__main__":
    sys.exit(main(sys.argv))
