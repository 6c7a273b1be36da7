"""What the default tone engine needs at run time: n-grams, weights, the trained files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
TONE_FILE: Final = _HERE / "tone.bin"
KIND_FILE: Final = _HERE / "kinds.bin"
GROUP_FILE: Final = _HERE / "groups.bin"
CARD_FILE: Final = _HERE / "card.json"
