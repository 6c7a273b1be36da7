"""The default tone engine: character n-grams and int8 weights that ship with the product.

It needs NumPy only, knows three classes, gives calibrated probabilities and names the n-grams
that spoke most. How it was trained and what it is worth: `analysis/model/README.md`.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from analysis.engines import Engine, is_bulletin, neutral, unknown
from analysis.model import TONE_FILE
from analysis.model.weights import ModelBroken, Weights
from analysis.subject import Subject, Verdict, read_all, reading_of
from store.records import Tone

log = logging.getLogger(__name__)

_TONES: Final = {"neg": Tone.NEGATIVE, "neu": Tone.NEUTRAL, "pos": Tone.POSITIVE}


class Options(BaseModel):
    """How much of a text is read, and how sure the engine must be to call it negative."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    characters: int = Field(default=1_000, ge=20, le=20_000)  #: the rest is not looked at
    negative_from: float | None = Field(
        default=None, gt=0, lt=1
    )  #: share of negative that is enough; none: whichever class is largest
    model: Path | None = None  #: another model file, trained by `analysis.train`


def build(options: Options) -> Engine:
    return LinearEngine(options)


class LinearEngine:
    """Reads its model at the first text; a model that cannot be read makes every tone unknown."""

    name = "linear"

    def __init__(self, options: Options) -> None:
        self._options = options
        self._path = options.model or TONE_FILE
        self._lock = threading.Lock()
        self._loaded: tuple[Weights, str] | None = None
        self._is_broken = False

    def judge(self, subjects: Sequence[Subject]) -> list[Verdict]:
        loaded = self._model()
        if loaded is None:
            return [unknown(self.name)] * len(subjects)
        weights, digest = loaded
        nothing = neutral(self.name, digest)
        verdicts = [nothing] * len(subjects)
        places: list[int] = []
        texts: list[str] = []
        for i, subject in enumerate(read_all(subjects)):
            if is_bulletin(subject):
                continue
            text = reading_of(subject).own[: self._options.characters]
            if text and not text.isspace():
                places.append(i)
                texts.append(text)
        if texts:
            judged = self._judged(texts, weights, digest)
            for i, verdict in zip(places, judged, strict=True):
                verdicts[i] = verdict
        return verdicts

    def close(self) -> None:
        with self._lock:
            self._loaded = None
            self._is_broken = False

    def _judged(self, texts: Sequence[str], weights: Weights, digest: str) -> list[Verdict]:
        tones = [_TONES[name] for name in weights.classes]
        shares = weights.probabilities(texts)
        chosen = shares.argmax(axis=1)
        if self._options.negative_from is not None:
            chosen[shares[:, 0] >= self._options.negative_from] = 0
        columns: list[int] = chosen.tolist()
        # A neutral verdict needs no reasons, and most verdicts are neutral.
        loud = [i for i, column in enumerate(columns) if tones[column] is not Tone.NEUTRAL]
        spoken = weights.evidence([texts[i] for i in loud], [columns[i] for i in loud])
        evidence = dict(zip(loud, spoken, strict=True))
        made = []
        for i, (row, column) in enumerate(zip(shares.tolist(), columns, strict=True)):
            made.append(
                Verdict(
                    label=tones[column],
                    score=row[-1] - row[0],
                    probabilities=dict(zip(tones, row, strict=True)),
                    evidence=evidence.get(i, ()),
                    engine=self.name,
                    model=digest,
                )
            )
        return made

    def _model(self) -> tuple[Weights, str] | None:
        with self._lock:
            if self._loaded is None and not self._is_broken:
                try:
                    content = self._path.read_bytes()
                    weights = Weights.parse(content)
                    if set(weights.classes) != set(_TONES) or weights.classes[0] != "neg":
                        raise ModelBroken("not a tone model")
                except (OSError, ModelBroken) as error:
                    log.error("linear-model-broken file=%s why=%s", self._path.name, error)
                    self._is_broken = True
                else:
                    self._loaded = weights, hashlib.sha256(content).hexdigest()[:12]
            return self._loaded
