"""Turns the installed snownlp package's model files into NumPy arrays, in a process of its own.

Reading them takes 300 MB for two seconds, which the service should not hold; the arrays take 30.
Runs none of the package's code. Started as a lone script: PACKAGE_FOLDER OUT.npz
[SENTIMENT_MODEL], the last one saved by the package's own training.
"""

from __future__ import annotations

import gc
import gzip
import marshal
import sys
from pathlib import Path
from typing import Any

import numpy as np

_TAG = np.full(256, -1, dtype=np.int64)
_TAG[list(b"bmes")] = range(4)


def main(argv: list[str]) -> int:
    gc.disable()  # millions of small tuples, all alive to the end: collecting is most of the time
    package, out = Path(argv[1]), Path(argv[2])
    seg = read(package / "seg" / "seg.marshal.3")
    own = Path(argv[3]) if len(argv) > 3 else package / "sentiment" / "sentiment.marshal.3"
    bayes = read(own)
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

    A state is 4 × character + tag; the last state is the beginning of a sentence. Everything
    is done on whole columns: looking 900,000 nested keys up one by one takes seven seconds.
    """
    uni, bi, tri = seg["uni"]["d"], seg["bi"]["d"], seg["tri"]["d"]
    chars = np.array(sorted({ord(c) for c, _ in uni if "\u4e00" <= c <= "\u9fa5"}), dtype=np.int64)
    states = 4 * (len(chars) + 1) + 1  # one character more, for all that are not known

    def state(keys: list[Any]) -> Any:
        """Numbers of (character, tag) keys; -1 for what a run of Han never holds."""
        codes = np.frombuffer("".join(map(_letter, keys)).encode("utf-32-le"), dtype="<u4")
        place = np.searchsorted(chars, codes)
        place[place == len(chars)] = 0
        tags = np.frombuffer("".join([key[1][:1] for key in keys]).encode(), dtype=np.uint8)
        number = 4 * place + _TAG[tags]
        number[(chars[place] != codes) | (_TAG[tags] < 0)] = -1
        number[codes == 0] = states - 1
        return number

    counts = np.zeros(states)
    found, times = state(list(uni)), np.array(list(uni.values()), dtype=float)
    counts[found[found >= 0]] = times[found >= 0]
    single = seg["l1"] * (counts / seg["uni"]["total"])
    single[states - 1] = 0.0

    firsts, seconds = state([k[0] for k in bi]), state([k[1] for k in bi])
    times = np.array(list(bi.values()), dtype=float)
    good = (firsts >= 0) & (seconds >= 0)
    firsts, seconds, times = firsts[good], seconds[good], times[good]
    keys = firsts * states + seconds
    order = np.argsort(keys)
    pair_keys, pair_times = keys[order], times[order]
    below = counts[firsts[order]]
    pair = np.divide(seg["l2"] * pair_times, below, out=np.zeros(len(order)), where=below > 0)

    ones, twos, threes = (state([k[i] for k in tri]) for i in range(3))
    times = np.array(list(tri.values()), dtype=float)
    place = np.searchsorted(pair_keys, ones * states + twos)
    place[place == len(pair_keys)] = 0
    good = (ones >= 0) & (twos >= 0) & (threes >= 0) & (pair_keys[place] == ones * states + twos)
    good &= pair_times[place] > 0
    keys = place[good] * states + threes[good]
    values = seg["l3"] * times[good] / pair_times[place[good]]
    order = np.argsort(keys)
    return {
        "chars": chars,
        "single": single,
        "pair_keys": pair_keys,
        "pair": pair,
        "triple_keys": keys[order],
        "triple": values[order],
    }


def _letter(key: Any) -> str:
    """The one character of a key; NUL for the beginning of a sentence, U+FFFF for anything odd."""
    if key[1] == "BOS":
        return "\0"
    letter: str = key[0]
    return letter if len(letter) == 1 and letter != "\0" else "\uffff"


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
