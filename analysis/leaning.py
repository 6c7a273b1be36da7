"""What kind of post a text most resembles, as the trained model heard it: a second opinion.

What it says decides nothing by itself: `analysis.concern` weighs it with all else that is known.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.model import KIND_FILE, TONE_FILE
from analysis.model.blend import Blend
from analysis.model.weights import ModelBroken
from analysis.subject import Subject, read_all, reading_of
from store.records import Role

log = logging.getLogger(__name__)

CHARACTERS: Final = 1_000  #: the rest of a text is not looked at


class Listener:
    """Reads its model at the first text; without a model every leaning stays empty."""

    def __init__(self, tone: Path = TONE_FILE, kind: Path = KIND_FILE) -> None:
        self._files = (tone, kind)
        self._lock = threading.Lock()
        self._model: Blend | None = None
        self._is_broken = False

    def lean(self, subjects: Sequence[Subject]) -> list[Subject]:
        """The same subjects, in order, with their leaning; those that have one keep it."""
        made = read_all(subjects)
        places = [
            i
            for i, subject in enumerate(made)
            if subject.role is not Role.OWN and not subject.leaning
        ]
        texts = voices([made[i] for i in places])
        places = [i for i, text in zip(places, texts, strict=True) if text]
        # Who has no words of his own left the engine silent too: no reason to read a model.
        model = self._loaded() if places else None
        if model is not None:
            heard = model.hear([text for text in texts if text])
            for i, leaning in zip(places, heard.kinds.tolist(), strict=True):
                made[i] = made[i].having(leaning=leaning)
        return made

    def _loaded(self) -> Blend | None:
        with self._lock:
            if self._model is None and not self._is_broken:
                try:
                    self._model = Blend.load(*self._files)
                except (OSError, ModelBroken) as error:
                    log.error("leaning-model-broken why=%s", error)
                    self._is_broken = True
            return self._model


def voices(subjects: Sequence[Subject], characters: int = CHARACTERS) -> list[str]:
    """The beginnings of the writers' own words, in matching spelling; empty where there are none.

    Characters set apart to evade must not change the voice.
    """
    return [reading_of(subject).voice[:characters] for subject in subjects]
