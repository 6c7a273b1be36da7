"""What the default tone engine needs at run time: n-grams, weights, the trained files."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
TONE_FILE: Final = _HERE / "tone.bin"
KIND_FILE: Final = _HERE / "kinds.bin"
CARD_FILE: Final = _HERE / "card.json"


@cache
def threshold(name: str) -> float:
    """As the shipped kind model says; 1, which no share reaches, where it cannot be read."""
    try:
        with KIND_FILE.open("rb") as file:
            return float(json.loads(file.readline())["thresholds"][name])
    except (OSError, ValueError, KeyError, TypeError):
        return 1.0
