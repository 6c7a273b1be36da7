"""The default tone engine: character n-grams and int8 weights that ship with the product.

It needs NumPy only, knows three classes, gives calibrated probabilities and names the n-grams
that spoke most. How it was trained and what it is worth: `analysis/model/README.md`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from analysis.engines import Engine, is_bulletin, neutral, unknown
from analysis.leaning import leaning_of, voices
from analysis.model import KIND_FILE, TONE_FILE
from analysis.model.blend import Blend
from analysis.model.weights import ModelBroken
from analysis.subject import Subject, Verdict, read_all, reading_of
from store.records import Tone

log = logging.getLogger(__name__)

_TONES: Final = (Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE)  #: as the columns of `Blend`


class Options(BaseModel):
    """How much of a text is read, and how sure the engine must be to call it negative."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    characters: int = Field(default=1_000, ge=20, le=20_000)  #: the rest is not looked at
    negative_from: float | None = Field(
        default=None, gt=0, lt=1
    )  #: share of negative that is enough; none: whichever class is largest
    models: Path | None = None  #: folder with models of one's own, made by `analysis.train`


def build(options: Options) -> Engine:
    return LinearEngine(options)


class LinearEngine:
    """Reads its model at the first text; a model that cannot be read makes every tone unknown."""

    name = "linear"

    def __init__(self, options: Options) -> None:
        self._options = options
        self._files = tuple(
            options.models / file.name if options.models else file
            for file in (TONE_FILE, KIND_FILE)
        )
        self._lock = threading.Lock()
        self._loaded: Blend | None = None
        self._is_broken = False

    def judge(self, subjects: Sequence[Subject]) -> list[Verdict]:
        model = self._model()
        if model is None:
            return [unknown(self.name)] * len(subjects)
        nothing = neutral(self.name, model.digest)
        verdicts = [nothing] * len(subjects)
        read = [(i, s) for i, s in enumerate(read_all(subjects)) if not is_bulletin(s)]
        spoken = voices([subject for _, subject in read], self._options.characters)
        heard = [(i, s, voice) for (i, s), voice in zip(read, spoken, strict=True) if voice]
        if heard:
            own = [reading_of(s).own[: self._options.characters] for _, s, _ in heard]
            judged = self._judged([voice for _, _, voice in heard], own, model)
            for (i, _, _), verdict in zip(heard, judged, strict=True):
                verdicts[i] = verdict
        return verdicts

    def close(self) -> None:
        with self._lock:
            self._loaded = None
            self._is_broken = False

    def _judged(self, spoken: Sequence[str], texts: Sequence[str], model: Blend) -> list[Verdict]:
        """`spoken`: in matching spelling, which is judged; `texts`: as written, which is shown."""
        heard = model.hear(spoken)
        shares = heard.tones
        chosen = shares.argmax(axis=1)
        if self._options.negative_from is not None:
            chosen[shares[:, 0] >= self._options.negative_from] = 0
        columns: list[int] = chosen.tolist()
        # Only what sounds negative is ever shown with its reasons, and few texts do.
        loud = [i for i, column in enumerate(columns) if _TONES[column] is Tone.NEGATIVE]
        words = model.evidence([texts[i] for i in loud], [columns[i] for i in loud])
        evidence = dict(zip(loud, words, strict=True))
        return [
            Verdict(
                label=_TONES[column],
                score=row[2] - row[0],
                probabilities=dict(zip(_TONES, row, strict=True)),
                evidence=evidence.get(i, ()),
                engine=self.name,
                model=model.digest,
                leaning=leaning_of(kinds, row[0]),
            )
            for i, (row, column, kinds) in enumerate(
                zip(shares.tolist(), columns, heard.kinds.tolist(), strict=True)
            )
        ]

    def _model(self) -> Blend | None:
        with self._lock:
            if self._loaded is None and not self._is_broken:
                try:
                    self._loaded = Blend.load(*self._files)
                except (OSError, ModelBroken) as error:
                    log.error("linear-model-broken why=%s", error)
                    self._is_broken = True
            return self._loaded
