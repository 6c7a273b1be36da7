"""SnowNLP's own words and score, computed from its model files in NumPy, in batches.

The same second-order Viterbi and the same naive Bayes as the package, some fifty times faster
and without importing it; a test compares the two. Bounded by its input cap: time grows with
the text and with nothing else.
"""

from __future__ import annotations

import logging
import math
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from analysis import limits
from analysis.engines import Engine, _bands, _package, is_bulletin, neutral, unknown
from analysis.subject import Subject, Verdict, reading_of

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HAN: Final = re.compile("([\u4e00-\u9fa5]+)")  # as the package has it
_CHUNK: Final = 8_000  #: characters whose transitions are in memory at once (64 numbers each)
_EVIDENCE: Final = 5


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    characters: int = Field(default=limits.SNOWNLP_TEXT_DEFAULT, ge=20, le=limits.SNOWNLP_TEXT)
    start_seconds: float = Field(default=limits.SNOWNLP_START_SECONDS, gt=0, le=300)
    model: str = ""  #: a sentiment model trained by `analysis.train snownlp`; empty: the package's
    cache: str = ""  #: a file to keep the converted model in; empty: converted at each start
    negative_below: float = Field(default=_bands.NEGATIVE_BELOW, ge=0, le=0.5)
    positive_above: float = Field(default=_bands.POSITIVE_ABOVE, ge=0.5, le=1)


def build(options: Options) -> Engine:
    return NumpySnowNLP(options)


class ModelMissing(Exception):
    """The package's model could not be read; the text says why."""


class NumpySnowNLP:
    name = "snownlp_numpy"

    def __init__(self, options: Options) -> None:
        self._options = options
        self._model: Model | None = None
        self._failed = ""
        self._lock = threading.Lock()

    def judge(self, subjects: Sequence[Subject]) -> list[Verdict]:
        hashed = _package.model_hash(self._options.model)
        texts = [
            "" if is_bulletin(s) else reading_of(s).own[: self._options.characters].strip()
            for s in subjects
        ]
        model = self._loaded()
        if model is None:
            return [
                unknown(self.name, hashed) if text else neutral(self.name, hashed) for text in texts
            ]
        heard = iter(model.judge([text for text in texts if text]))
        return [
            self._verdict(*next(heard), hashed) if text else neutral(self.name, hashed)
            for text in texts
        ]

    def close(self) -> None:
        with self._lock:
            self._model, self._failed = None, ""

    def _loaded(self) -> Model | None:
        with self._lock:
            if self._model is None and not self._failed:
                try:
                    self._model = load(
                        self._options.cache, self._options.start_seconds, self._options.model
                    )
                except ModelMissing as error:
                    self._failed = str(error)
                    log.warning("snownlp-model-missing why=%s", error)
            return self._model

    def _verdict(self, score: float, words: tuple[str, ...], hashed: str) -> Verdict:
        return Verdict(
            label=_bands.label(score, self._options.negative_below, self._options.positive_above),
            score=_bands.scaled(score),
            probabilities=_bands.shares(score),
            evidence=words,
            engine=self.name,
            model=hashed,
        )


def load(cache: str, seconds: float, own: str = "") -> Model:
    """The installed package's model, its sentiment part `own` where given. Raises ModelMissing."""
    if cache and Path(cache).is_file():
        try:
            model = Model.of(Path(cache))
        except (OSError, ValueError, KeyError):
            log.warning("snownlp-cache-unusable file=%s", cache)
        else:
            if model.source == _package.model_hash(own):
                return model
    with tempfile.TemporaryDirectory(prefix="tinglan-") as folder:
        made = Path(folder, "snownlp.npz")
        script = Path(__file__).with_name("_snownlp_tables.py")
        try:
            command = [sys.executable, "-I", str(script), str(_package.file()), str(made)]
            if own:
                command.append(str(_package.sentiment_file(own)))
            subprocess.run(command, timeout=seconds, check=True, capture_output=True)
            model = Model.of(made, source=_package.model_hash(own))
        except subprocess.SubprocessError as error:
            raise ModelMissing(f"reading the model: {type(error).__name__}") from error
        except (OSError, ValueError, KeyError) as error:
            raise ModelMissing(f"{type(error).__name__}: {error}") from error
    if cache:
        model.save(Path(cache))
    return model


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    arrays: dict[str, Any]
    number: Ints  #: code point → character, for 一 … 龥
    words: dict[str, int]
    stop: frozenset[str]
    pos: int
    source: str  #: hash of the package's files

    @classmethod
    def of(cls, file: Path, source: str = "") -> Model:
        """From an .npz. Raises OSError, ValueError, KeyError."""
        with np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        chars = arrays["chars"]
        number = np.full(0x9FA6, len(chars), dtype=np.int64)
        number[chars] = np.arange(len(chars))
        return cls(
            arrays=arrays,
            number=number,
            words={word: i for i, word in enumerate(_unpacked(arrays["words"]))},
            stop=frozenset(_unpacked(arrays["stop"])),
            pos=_unpacked(arrays["names"]).index("pos"),
            source=source or "".join(_unpacked(arrays["source"])),
        )

    def save(self, file: Path) -> None:
        """Beside, then in place: a reader never sees half a file. Trouble is logged only."""
        beside = file.with_name(file.name + ".new")
        source = np.frombuffer(self.source.encode(), dtype=np.uint8)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as out:
                np.savez(out, **{**self.arrays, "source": source})
            beside.replace(file)
        except OSError as error:
            log.warning("snownlp-cache-not-written why=%s", error.strerror)

    def judge(self, texts: Sequence[str]) -> list[tuple[float, tuple[str, ...]]]:
        """(score 0 … 1, the words that weighed most) of each text; none may be empty."""
        return [self._classify(words) for words in self.cut(texts)]

    def cut(self, texts: Sequence[str]) -> list[list[str]]:
        """The package's words of each text."""
        pieces = [[s.strip() for s in _HAN.split(text)] for text in texts]
        runs = [p for piece in pieces for p in piece if p and _HAN.match(p)]
        done = iter(self._segmented(runs))
        made: list[list[str]] = []
        for piece in pieces:
            words: list[str] = []
            for part in piece:
                if part and _HAN.match(part):
                    words += next(done)
                elif part:
                    words += part.split()
            made.append(words)
        return made

    def _segmented(self, runs: Sequence[str]) -> list[list[str]]:
        done: list[list[str]] = [[] for _ in runs]
        # Longest first, so that runs that have ended fall off the end of the batch.
        order = sorted(range(len(runs)), key=lambda i: -len(runs[i]))
        for chunk in _chunks(order, runs):
            tags = self._viterbi([runs[i] for i in chunk])
            for i, tagged in zip(chunk, tags, strict=True):
                done[i] = _joined(runs[i], tagged)
        return done

    def _viterbi(self, runs: Sequence[str]) -> list[Ints]:
        """Tags of each run (0 b, 1 m, 2 e, 3 s); runs come longest first.

        Ties are broken as the package breaks them: the first candidate in its order stays.
        """
        lengths = np.array([len(r) for r in runs])
        longest, count = int(lengths[0]), len(runs)
        unknown_char = len(self.arrays["chars"])
        chars = np.full((longest, count), unknown_char, dtype=np.int64)
        for column, run in enumerate(runs):
            codes = np.frombuffer(run.encode("utf-32-le"), dtype="<u4").astype(np.int64)
            chars[: len(run), column] = self.number[codes]
        best = np.full((count, 4, 4), -np.inf)  # [run, tag before, tag]
        best[:, 0, 0] = 0.0
        back = np.zeros((longest, count, 4, 4), dtype=np.int8)
        states, begin = 4 * (unknown_char + 1) + 1, 4 * (unknown_char + 1)
        tags = np.arange(4)
        two = np.full((count, 4), begin)
        one = np.full((count, 4), begin)
        pair_before = self._pairs(two, one, states)
        is_unseen = self.arrays["single"][: unknown_char * 4 + 4].reshape(-1, 4).sum(axis=1) == 0
        ends = np.zeros((count, 4, 4))
        for at in range(longest):
            live = int(np.searchsorted(-lengths, -at, side="left"))  # runs longer than `at`
            now = 4 * chars[at, :live, None] + tags
            one, pair_before, best = one[:live], pair_before[:live], best[:live]
            pair = self._pairs(one, now, states)
            step = self._steps(pair_before, pair, now, states)
            ways = best[:, :, :, None] + step
            choice = ways.argmax(axis=1)
            fresh = np.take_along_axis(ways, choice[:, None], axis=1)[:, 0]
            lost = is_unseen[chars[at, :live]]
            if lost.any():
                # The package keeps the last way in, without comparing.
                last = 3 if at > 1 else 0
                choice[lost] = last
                fresh[lost] = best[lost, last][:, :, None]
            back[at, :live] = choice
            best, one, pair_before = fresh, now, pair
            ends[:live] = best
        return _traced(back, ends, lengths)

    def _pairs(self, first: Ints, second: Ints, states: int) -> Ints:
        """Places of [run, a, b] in the table of pairs; -1 where there is none."""
        wanted = first[:, :, None] * states + second[:, None, :]
        return _places(self.arrays["pair_keys"], wanted)

    def _steps(self, before: Ints, pair: Ints, now: Ints, states: int) -> Floats:
        """Log probabilities [run, a, b, c], added up in the package's order."""
        arrays = self.arrays
        single = arrays["single"][now][:, None, None, :]
        double = np.where(pair >= 0, arrays["pair"][pair], 0.0)[:, None, :, :]
        total = np.broadcast_to(single + double, (*before.shape, 4)).copy()
        rows, firsts, seconds = np.nonzero(before >= 0)
        wanted = before[rows, firsts, seconds][:, None] * states + now[rows]
        found = _places(arrays["triple_keys"], wanted)
        triple = np.where(found >= 0, arrays["triple"][found], 0.0)
        total[rows, firsts, seconds] += triple
        with np.errstate(divide="ignore"):
            logs: Floats = np.log(total)
        return logs

    def _classify(self, words: Sequence[str]) -> tuple[float, tuple[str, ...]]:
        logs, unseen = self.arrays["logs"], len(self.words)
        kept = [w for w in words if w not in self.stop]
        places = [self.words.get(w, unseen) for w in kept]
        sums = [float(self.arrays["prior"][i]) for i in range(len(logs))]
        for i, row in enumerate(logs):
            for place in places:
                sums[i] += float(row[place])
        winner, share = -1, 0.0
        for i, mine in enumerate(sums):
            try:
                now = 1 / sum(math.exp(other - mine) for other in sums)
            except OverflowError:
                now = 0.0
            if now > share:
                winner, share = i, now
        score = share if winner == self.pos else 1 - share
        lean = logs[self.pos] - logs[1 - self.pos]
        sign = 1 if score >= 0.5 else -1
        told = sorted({w: sign * float(lean[p]) for w, p in zip(kept, places, strict=True)}.items(),
                      key=lambda one: -one[1])  # fmt: skip
        return score, tuple(w for w, weight in told[:_EVIDENCE] if weight > 0)


def _unpacked(array: Any) -> list[str]:
    return bytes(array).decode("utf-8").split("\n")


def _chunks(order: Sequence[int], runs: Sequence[str]) -> Iterable[list[int]]:
    chunk: list[int] = []
    size = 0
    for i in order:
        if chunk and size + len(runs[i]) > _CHUNK:
            yield chunk
            chunk, size = [], 0
        chunk.append(i)
        size += len(runs[i])
    if chunk:
        yield chunk


def _places(keys: Ints, wanted: Ints) -> Ints:
    found = np.searchsorted(keys, wanted)
    found[found == len(keys)] = 0
    return np.where(keys[found] == wanted, found, -1)


def _traced(back: NDArray[np.int8], ends: Floats, lengths: Ints) -> list[Ints]:
    """Walks back from each run's best end."""
    made: list[Ints] = []
    for run, length in enumerate(lengths):
        tag, before = divmod(int(ends[run].T.argmax()), 4)  # in the package's order: tag first
        path = np.empty(int(length), dtype=np.int64)
        for at in range(int(length) - 1, -1, -1):
            path[at] = tag
            tag, before = before, int(back[at, run, before, tag])
        made.append(path)
    return made


def _joined(run: str, tags: Ints) -> list[str]:
    words: list[str] = []
    held = ""
    for char, tag in zip(run, tags, strict=True):
        if tag == 2:
            words.append(held + char)
            held = ""
        elif tag == 1:
            held += char
        else:
            if held:
                words.append(held)
            held = char
    if held:
        words.append(held)
    return words
