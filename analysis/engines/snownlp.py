"""SnowNLP as a tone engine: in a worker process, lazily, within a budget, and never trusted.

It is never imported by the process that asks (430 MB, seconds of CPU, exceptions, minutes on
long texts). A text that is late costs the worker its life and gets the verdict `unknown`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from analysis import limits
from analysis.engines import Engine, _bands, _package, is_bulletin, neutral, unknown
from analysis.subject import Subject, Verdict, reading_of

log = logging.getLogger(__name__)

_READ: Final = 65_536
#: -I: neither the current directory nor PYTHONPATH can put a false `snownlp` or `json` in.
COMMAND: Final = (
    sys.executable,
    "-I",
    str(Path(__file__).with_name("_snownlp_worker.py")),
    str(limits.SNOWNLP_MEMORY),
)


class Options(BaseModel):
    """How much of SnowNLP to allow, and which of its scores to believe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    characters: int = Field(
        default=limits.SNOWNLP_TEXT_DEFAULT, ge=20, le=limits.SNOWNLP_TEXT
    )  #: of a text; the rest is not looked at
    model: str = ""  #: a sentiment model trained by `analysis.train snownlp`; empty: the package's
    seconds: float = Field(default=limits.SNOWNLP_SECONDS, gt=0, le=limits.SNOWNLP_SECONDS)
    start_seconds: float = Field(default=limits.SNOWNLP_START_SECONDS, gt=0, le=300)
    negative_below: float = Field(default=_bands.NEGATIVE_BELOW, ge=0, le=0.5)
    positive_above: float = Field(default=_bands.POSITIVE_ABOVE, ge=0.5, le=1)


def build(options: Options) -> Engine:
    return SnowNLPEngine(options)


class WorkerLost(Exception):
    """The worker died, was late or said something that is no answer."""


class SnowNLPEngine:
    """One worker, started at the first text and again after it is lost."""

    name = "snownlp"

    def __init__(self, options: Options, command: Sequence[str] = COMMAND) -> None:
        self._options = options
        self._command = (*command, options.model) if options.model else tuple(command)
        self._worker: _Worker | None = None
        self._lock = threading.Lock()

    def judge(self, subjects: Sequence[Subject]) -> list[Verdict]:
        model = _package.model_hash(self._options.model)
        failures = 0
        verdicts: list[Verdict] = []
        with self._lock:
            for subject in subjects:
                text = reading_of(subject).own[: self._options.characters].strip()
                if is_bulletin(subject) or not text:
                    verdicts.append(neutral(self.name, model))
                    continue
                if failures >= limits.SNOWNLP_FAILURES:
                    verdicts.append(unknown(self.name, model))
                    continue
                try:
                    score = self._ask(text)
                except WorkerLost as error:
                    log.warning("snownlp-worker-lost why=%s", error)
                    self._end()
                    failures += 1
                    verdicts.append(unknown(self.name, model))
                    continue
                failures = 0
                verdicts.append(self._verdict(score, model))
        return verdicts

    def close(self) -> None:
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """Of the worker, while there is one."""
        return self._worker.pid if self._worker else None

    def _ask(self, text: str) -> float | None:
        if self._worker is None:
            self._worker = _Worker(self._command, self._options.start_seconds)
        return self._worker.score(text, self._options.seconds)

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _verdict(self, score: float | None, model: str) -> Verdict:
        if score is None:
            return unknown(self.name, model)
        return Verdict(
            label=_bands.label(score, self._options.negative_below, self._options.positive_above),
            score=_bands.scaled(score),
            probabilities=_bands.shares(score),
            engine=self.name,
            model=model,
        )


class _Worker:
    """The process and its two pipes; every wait has an end."""

    def __init__(self, command: Sequence[str], start_seconds: float) -> None:
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                close_fds=True,
            )
        except OSError as error:
            raise WorkerLost(f"could not be started: {error.strerror}") from error
        self._rest = b""
        self._asked = 0
        try:
            if self._answer(time.monotonic() + start_seconds).get("ready") is not True:
                raise WorkerLost("did not say that it is ready")
        except WorkerLost:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def score(self, text: str, seconds: float) -> float | None:
        """0 … 1; None where SnowNLP itself failed. Raises WorkerLost."""
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
        if answer.get("id") != self._asked:
            raise WorkerLost("answered something else")
        score = answer.get("score")
        if score is None:
            return None
        if not isinstance(score, int | float) or not math.isfinite(score) or not 0 <= score <= 1:
            raise WorkerLost("gave a score that is none")
        return float(score)

    def kill(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # unsent bytes to a dead process
                    continue
        self._process.wait()

    def _answer(self, end: float) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - we asked for a pipe
        channel = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([channel], [], [], left)[0]:
                raise WorkerLost("was late")
            more = os.read(channel, _READ)
            if not more:
                raise WorkerLost("has died")
            self._rest += more
            if len(self._rest) > _READ:
                raise WorkerLost("talks too much")
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            said = json.loads(line)
        except ValueError as error:
            raise WorkerLost("answered no JSON") from error
        if not isinstance(said, dict):
            raise WorkerLost("answered no object")
        return said
