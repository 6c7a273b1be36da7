"""What the models are trained with: how much each source counts, and how each head is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analysis.model.blend import FEELINGS, KINDS
from analysis.model.groups import GROUPS

#: How much one line of each source counts. Our own corpus is what the models are for;
#: reviews of shops and hotels are many and far from it.
TONE_WEIGHTS: Final[Mapping[str, float]] = {
    "own": 2.1,
    "smp_usual": 22.0,
    "ws100k": 0.1,
    "os10": 0.1,
    "chnsenti": 0.1,
    "waimai": 0.1,
    "nlpcc14": 0.1,
    "thuc": 0.1,
    "gov_title": 0.2,
    "gov_msg": 0.2,
    "gov_reply": 0.2,
}
KIND_WEIGHTS: Final[Mapping[str, float]] = {
    "own": 4.3,
    "smp_usual": 1.0,
    "os10": 0.1,
    "waimai": 0.2,
    "thuc": 0.3,
    "gov_title": 0.6,
    "gov_msg": 0.3,
    "gov_reply": 0.6,
}
#: Sources that may be talk to an agency or any other.
EITHER: Final = ("thuc", "gov_title", "gov_msg", "gov_reply")
#: Sources whose labels are worth less than a second opinion: emoticons made them.
UNSURE: Final = ("ws100k",)
#: Group of a line of our own corpus → kind.
OWN_KINDS: Final[Mapping[str, str]] = {
    "bulletin": "official",
    "informal": "official",
    "reply": "official",
    "advert": "official",
    "chatter": "other",
    "complaint_plain": "complaint",
    "complaint_sarcastic": "complaint",
    "complaint_formal": "complaint",
    "enquiry": "request",
    "suggestion": "request",
    "thanks": "thanks",
    "hazard": "hazard",
    "rumour": "rumour",
}


FELT: Final = 2.0  #: n-grams whose texts together count less are not learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a head is trained with; written to the card."""

    classes: tuple[str, ...]
    weights: Mapping[str, float]
    ridge: float
    rounds: int
    more_rounds: int  #: after pruning
    keep: int  #: n-grams
    steps: int  #: from the largest weight to zero; few, as they decide how large the file is
    temperature: float = 1.0
    evenness: float = 0.0  #: 0: lines of our own count alike; 1: groups of them do
    contrast: float = 0.5  #: how much a line of contrast counts, beside others of our own
    seen: int = 3  #: n-grams in fewer texts are not learnt
    common: float = 0.0  #: n-grams in more texts than this count less and less; 0: they do not
    trust: float = 0.0  #: of a second opinion against a person's label
    opined: float = 0.0  #: how much a line counts whose label is worth less than an opinion
    belief: float = 0.5  #: in such a label: 0.5 is none, 1 takes what it rules out for wrong


TONE_RECIPE: Final = Recipe(
    classes=FEELINGS,
    weights=TONE_WEIGHTS,
    ridge=10.0,
    rounds=100,
    more_rounds=40,
    keep=150_000,
    steps=9,
    trust=0.75,
    opined=7.0,
    belief=0.85,
)
KIND_RECIPE: Final = Recipe(
    classes=KINDS,
    weights=KIND_WEIGHTS,
    ridge=2.0,
    rounds=50,
    more_rounds=120,
    keep=74_000,
    steps=15,
    temperature=1.5,
    evenness=0.5,
)
GROUP_RECIPE: Final = Recipe(
    classes=GROUPS,
    weights={"own": 15.0},
    ridge=2.0,
    rounds=60,
    more_rounds=200,
    keep=166_000,
    steps=10,
    evenness=0.25,
    seen=2,
    common=300.0,
)
