"""The default tone engine: character n-grams and int8 weights that ship with the product.

It needs NumPy only, knows three classes, gives calibrated probabilities and names the n-grams
that spoke most. How it was trained and what it is worth: `analysis/model/README.md`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from analysis.engines import Engine, is_bulletin, neutral, unknown
from analysis.leaning import voices
from analysis.model import KIND_FILE, TONE_FILE
from analysis.model.blend import Blend
from analysis.model.weights import ModelBroken
from analysis.rows import rows_of
from analysis.subject import Subject, Verdict, read_all, reading_of
from store.records import Tone

log = logging.getLogger(__name__)

_TONES: Final = (Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE)  #: as the columns of `Blend`
_NEGATIVE: Final = _TONES.index(Tone.NEGATIVE)
_NEG, _NEU, _POS = _TONES
_VERDICT: Final = rows_of(Verdict)


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
        verdicts = [neutral(self.name, model.digest)] * len(subjects)
        read = read_all(subjects)
        places = [i for i, subject in enumerate(read) if not is_bulletin(subject)]
        spoken = voices([read[i] for i in places], self._options.characters)
        if not all(spoken):
            places = [i for i, voice in zip(places, spoken, strict=True) if voice]
            spoken = [voice for voice in spoken if voice]
        if places:
            judged = self._judged(spoken, [read[i] for i in places], model)
            for i, verdict in zip(places, judged, strict=True):
                verdicts[i] = verdict
        return verdicts

    def close(self) -> None:
        with self._lock:
            self._loaded = None
            self._is_broken = False

    def _judged(
        self, spoken: Sequence[str], subjects: Sequence[Subject], model: Blend
    ) -> list[Verdict]:
        """`spoken`: the texts in matching spelling, which is judged; shown is what was written."""
        heard = model.hear(spoken)
        shares = heard.tones
        chosen = shares.argmax(axis=1)
        if self._options.negative_from is not None:
            chosen[shares[:, 0] >= self._options.negative_from] = 0
        columns: list[int] = chosen.tolist()
        # Only what sounds negative is ever shown with its reasons, and few texts do.
        loud = [i for i, column in enumerate(columns) if column == _NEGATIVE]
        written = [reading_of(subjects[i]).own[: self._options.characters] for i in loud]
        words = model.evidence(written, heard.both[loud], _NEGATIVE)
        evidence = dict(zip(loud, words, strict=True))
        rows = shares.tolist()
        return list(
            map(
                _VERDICT,
                zip(
                    [_TONES[column] for column in columns],
                    [pos - neg for neg, _, pos in rows],
                    [{_NEG: neg, _NEU: neu, _POS: pos} for neg, neu, pos in rows],
                    [evidence.get(i, ()) for i in range(len(rows))],
                    repeat(self.name),
                    repeat(model.digest),
                    repeat(False),  # not degraded
                    heard.kinds.tolist(),
                    strict=False,  # what is repeated has no end
                ),
            )
        )

    def _model(self) -> Blend | None:
        with self._lock:
            if self._loaded is None and not self._is_broken:
                try:
                    self._loaded = Blend.load(*self._files)
                except (OSError, ModelBroken) as error:
                    log.error("linear-model-broken why=%s", error)
                    self._is_broken = True
            return self._loaded
