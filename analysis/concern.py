"""Weighs all that is known of a text: must somebody look, and is it complaint, danger or rumour?

One small logistic regression over what kind of post the models heard, which rules hit and a few
signs in the text. Its weights stand readable in `model/concern.json`, learnt by
`python -m analysis.judging` from texts that those models had not learnt from.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from math import log, log1p
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analysis.leaning import CHARACTERS, voices
from analysis.model import GROUP_FILE
from analysis.model.blend import KINDS
from analysis.model.groups import GROUPS, Groups
from analysis.model.weights import ModelBroken
from analysis.rows import rows_of
from analysis.subject import Leaning, Subject
from analysis.trie import Trie, codes_of
from store.records import Level, Role, Topic

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

FORMAT: Final = "tinglan-concern-2"
FILE: Final = Path(__file__).parent / "model" / "concern.json"
COMPLAINT, HAZARD, RUMOUR = OF_CONCERN = ("complaint", "hazard", "rumour")
#: Groups of the corpus that are of concern; every other group is calm.
CONCERN_OF: Final[Mapping[str, str]] = {
    "complaint_plain": COMPLAINT,
    "complaint_sarcastic": COMPLAINT,
    "complaint_formal": COMPLAINT,
    "hazard": HAZARD,
    "rumour": RUMOUR,
}
_FAMILY: Final[Mapping[Topic, str]] = {
    Topic.CASUALTY: HAZARD,
    Topic.ACCIDENT: HAZARD,
    Topic.FIRE: HAZARD,
    Topic.FLOOD: HAZARD,
    Topic.RUMOUR: RUMOUR,
}
#: How many times the odds of a concern count where a rule of such a pack hit. Rules are written
#: for more than the corpus holds. Of what is flagged for that alone few are complaints (47 of some
#: 250 training lines at odds of 3); without it one more of the outside development set was missed.
_SPOKEN_FOR: Final[Mapping[str, tuple[str, float]]] = {
    "complaint": (COMPLAINT, 2.0),
    "warning": (COMPLAINT, 2.0),
    "rumour": (RUMOUR, 10.0),
}
#: Rules of these packs whose words stand in thanks and talk as well: they count as learnt.
_WIDE: Final = frozenset({"complaint/poor-service", "complaint/mock-praise"})
_GRAVE: Final = frozenset({Level.I, Level.II})
_LEAST_SHARE: Final = 1e-4  #: what the model holds for less likely says no more
#: Characters of a danger told in a few words, and in a word or two: fewer than these. Of 67 reports
#: of six to nine, none learnt from, the least likely had a share of 0.12; of 21 lines of talk that
#: met a rule of danger as well 16 had less than 0.03.
_VOICE: Final = 10
_WORD: Final = 6
_MARK: Final = "concern"

_DANGER: Final = frozenset(
    "火烟烧炸爆漏泄裂塌倒歪断坠滑滚砸压埋困淹冲溺晕伤死血毒锈撞翻沉晃鼓堵锁焊悬吊卡冒喷溅呛咳抽掉倾斜松脱缺烂朽渗"
    "涨涌灌漫陷垮颤摇抖烫冻救危险堆绑洞坑桥楼墙井坡坝堤河罐杆棚"
)
_HEARSAY: Final = frozenset("瞒删封压快别转囤抢死毒癌病核坝炸塌断涨听据传")
#: Signs of who speaks and how, in this order, and the words that are such signs.
_TELLING: Final[Mapping[str, Collection[str]]] = {
    "danger": _DANGER,
    "hearsay": _HEARSAY,
    "question": "?吗",
    "exclamation": "!",
    "length": (),
    "I": "我",
    "you": "你",
    "You": "您",
    "you all": ("你们",),
    # Somebody who was there, asks for help or passes on.
    "witness": (*"俺咱救求", *(f"我{one}" for one in "家们看在住"),
                "亲眼", "快来", "派人", "没人", "听说", "网传"),
    "wave": "~",
    "bracket": "[",
    "laughter": "哈",
    "digit": "0123456789",
}  # fmt: skip
SIGNS: Final = tuple(_TELLING)
_LENGTH: Final = SIGNS.index("length")
_LENGTHS: Final = np.array([log1p(size) - 3 for size in range(CHARACTERS + 1)])
#: So many different words of a sign are counted, others once …
_MOST: Final = np.array([6 if sign in ("danger", "hearsay") else 1 for sign in SIGNS])
#: … and weigh less each.
_SHARE: Final = np.array([3 if sign in ("danger", "hearsay") else 1 for sign in SIGNS])
_WORDS: Final = tuple(dict.fromkeys(chain.from_iterable(_TELLING.values())))
#: One row a word, one column a sign.
_SIGN_OF: Final = np.array([[word in some for some in _TELLING.values()] for word in _WORDS], float)


class Cuts(NamedTuple):
    """Shares from which somebody is told."""

    complaint: float
    hazard: float
    rumour: float
    grave: float  #: of danger, where a rule of Ⅰ or Ⅱ hit


class Opinion(NamedTuple):
    """Each share is 0 … 1, against all that is calm together."""

    complaint: float
    hazard: float
    rumour: float
    told: tuple[str, ...]  #: what somebody is to be told of, the likeliest first; mostly nothing
    likeness: str  #: the calm group of the corpus that the text resembles most
    cuts: Cuts
    #: How much each concern weighs, as in OF_CONCERN; together 1 or more, and somebody is told.
    #: A share at its cut is reason enough; two that come near theirs are as well.
    risks: tuple[float, float, float]

    @classmethod
    def all_of(cls, shares: Floats, likeness: Sequence[str], cuts: Sequence[Cuts]) -> list[Self]:
        """`shares`: one row a text, columns as in OF_CONCERN."""
        alike = cuts[:1] if cuts.count(cuts[0]) == len(cuts) else cuts  # one channel: one row
        risks = _odds(shares) / _odds(np.array([some[: len(OF_CONCERN)] for some in alike]))
        told: list[tuple[str, ...]] = [()] * len(shares)
        for i in np.flatnonzero(risks.sum(axis=1) >= 1).tolist():
            told[i] = _told(shares[i].tolist(), risks[i].tolist())
        weighed = zip(*risks.T.tolist(), strict=True)
        columns = (*shares.T.tolist(), told, likeness, cuts, weighed)
        return list(map(rows_of(cls), zip(*columns, strict=True)))

    def with_complaint_from(self, least: float) -> Self:
        """The same, had that been the cut for complaints."""
        cuts = self.cuts._replace(complaint=least)
        return self.all_of(np.array([self[: len(OF_CONCERN)]]), [self.likeness], [cuts])[0]

    @property
    def complaint_up_to(self) -> float | None:
        """The highest cut for complaints with which it is told of; None where that is no matter."""
        _, hazard, rumour = self.risks
        left = 1 - hazard - rumour
        if left <= 0:
            return None
        odds = self.complaint / max(1 - self.complaint, 1e-9) / left
        return odds / (1 + odds)


def _told(shares: Sequence[float], risks: Sequence[float]) -> tuple[str, ...]:
    heaviest = min(1.0, max(risks))
    ranked = sorted(zip(shares, risks, OF_CONCERN, strict=True), reverse=True)
    return tuple(kind for _, risk, kind in ranked if risk >= heaviest)


def _odds(shares: Floats) -> Floats:
    return shares / np.maximum(1 - shares, 1e-9)


@dataclass(frozen=True, eq=False)
class Scales:
    """What `concern.json` holds, and the model of the groups that it was made with."""

    groups: tuple[str, ...]
    rules: Mapping[str, int]  #: name → row of `weights`
    weights: Floats  #: one row a feature, one column a group; the last row stands alone
    cuts: Cuts
    model: Groups

    @classmethod
    def load(cls, path: Path = FILE, model: Path = GROUP_FILE) -> Self:
        """Raises OSError; ValueError where it is not such a file, `ModelBroken` for the model."""
        given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        try:
            if given["format"] != FORMAT:
                raise ValueError(f"unknown format {given['format']!r}")
            groups, table = tuple(given["groups"]), given["weights"]
            names = list(table)
            rules = [name.removeprefix("rule ") for name in names if name.startswith("rule ")]
            if names != feature_names(KINDS, GROUPS, rules):
                raise ValueError("features are missing or out of order")
            weights = np.array(list(table.values()), dtype=np.float64)
            if weights.shape != (len(names), len(groups)):
                raise ValueError("not one weight for each group")
            first = names.index(f"rule {rules[0]}") if rules else 0
            cuts = Cuts(**{name: float(cut) for name, cut in given["cuts"].items()})
            places = {name: first + i for i, name in enumerate(rules)}
            return cls(groups, places, weights, cuts, Groups.load(model))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path.name}: {error!r}") from error

    def weigh(
        self,
        leanings: Sequence[Leaning],
        texts: Sequence[str],
        hits: Sequence[Collection[str]],
        cuts: Sequence[Cuts],
    ) -> list[Opinion]:
        """`texts` in matching spelling, their beginnings; `hits`: names of the rules each met."""
        rules = self.rules
        known = [[name for name in some if name in rules] if some else () for some in hits]
        rows = [sorted([rules[name] for name in some]) if some else () for some in known]
        heard = np.fromiter(chain.from_iterable(leanings), dtype=np.float64)
        voiced = of_voice(heard.reshape(len(texts), -1), self.model.hear(texts), texts)
        scores = voiced @ self.weights[: voiced.shape[1]] + self.weights[-1]
        # Of hundreds of rules a text meets one or two: a column for each would cost far more.
        whose = [i for i, some in enumerate(rows) if some]
        if whose:
            met = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
            begins = np.cumsum([0, *(len(rows[i]) for i in whose[:-1])])
            scores[whose] += np.add.reduceat(self.weights.take(met, axis=0), begins)
        shares = 1 / (1 + np.exp(-spoken_for(logits_of(scores, self.groups), known)))
        calm = [i for i, group in enumerate(self.groups) if group not in CONCERN_OF]
        likest = scores[:, calm].argmax(axis=1).tolist()
        return Opinion.all_of(shares, [self.groups[calm[like]] for like in likest], cuts)


def feature_names(kinds: Sequence[str], groups: Sequence[str], rules: Sequence[str]) -> list[str]:
    """Columns of `features`: log-odds and shares of the kinds, log-odds of the groups of our
    corpus, signs, rules, and 1.
    """
    return [
        *(f"log {kind}" for kind in kinds),
        *(f"share {kind}" for kind in kinds),
        *(f"group {group}" for group in groups),
        *(f"sign {sign}" for sign in SIGNS),
        *(f"rule {rule}" for rule in rules),
        "always",
    ]


def features(
    heard: Floats,
    likeness: Floats,
    texts: Sequence[str],
    rows: Sequence[Sequence[int]],
    width: int,
) -> Floats:
    """One row a text, one column a feature; `rows`: the columns of the rules that it met."""
    voiced = of_voice(heard, likeness, texts)
    made = np.zeros((len(texts), width))
    made[:, : voiced.shape[1]] = voiced
    owners = np.repeat(np.arange(len(texts)), [len(some) for some in rows])
    made[owners, np.fromiter(chain.from_iterable(rows), dtype=np.int64)] = 1
    made[:, -1] = 1
    return made


def of_voice(heard: Floats, likeness: Floats, texts: Sequence[str]) -> Floats:
    """The columns of `features` before the rules.

    One row a text; `heard`, `likeness`: its shares of the kinds and of the groups.
    """
    return np.hstack((_log_odds(heard), heard * 2 - 0.5, _log_odds(likeness), signs(texts)))


def _log_odds(shares: Floats) -> Floats:
    """Halved, each against the geometric mean of all."""
    made = np.log(np.maximum(shares, _LEAST_SHARE)) / 2
    made -= made.mean(axis=1, keepdims=True)
    return made


def signs(texts: Sequence[str]) -> Floats:
    """One row a text of at most CHARACTERS, columns as named in SIGNS."""
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    found = _finder().find(codes_of("\n".join([*texts, ""])))
    stands = np.zeros((len(texts), len(_WORDS)))
    stands[np.cumsum(sizes + 1).searchsorted(found.starts, side="right"), found.words] = 1
    made: Floats = np.minimum(stands @ _SIGN_OF, _MOST) / _SHARE
    made[:, _LENGTH] = _LENGTHS.take(sizes)
    return made


@cache
def _finder() -> Trie:
    return Trie(_WORDS)


def logits_of(scores: Floats, groups: Sequence[str]) -> Floats:
    """Columns as OF_CONCERN: log-odds of that concern against all calm groups together."""
    calm = [i for i, group in enumerate(groups) if group not in CONCERN_OF]
    at_ease = np.logaddexp.reduce(scores[:, calm], axis=1)
    made = np.empty((len(scores), len(OF_CONCERN)))
    for i, kind in enumerate(OF_CONCERN):
        these = [j for j, group in enumerate(groups) if CONCERN_OF.get(group) == kind]
        made[:, i] = np.logaddexp.reduce(scores[:, these], axis=1) - at_ease
    return made


def spoken_for(logits: Floats, hits: Sequence[Collection[str]]) -> Floats:
    """The log-odds, raised where a rule of that concern hit; `hits`: names of rules, a set each."""
    raised = np.zeros(logits.shape)
    for row, names in enumerate(hits):
        for name in names:
            told = _speaks_for(name)
            if told is not None:
                column, more = told
                raised[row, column] = more
    return logits + raised


@lru_cache(maxsize=50_000)
def _speaks_for(rule: str) -> tuple[int, float] | None:
    """The column of `logits_of` that rises where this rule hit, and by how much."""
    told = None if rule in _WIDE else _SPOKEN_FOR.get(rule.partition("/")[0])
    return told and (OF_CONCERN.index(told[0]), log(told[1]))


@cache
def scales() -> Scales | None:
    """The shipped ones; None, and a line in the log, where they cannot be read."""
    try:
        return Scales.load()
    except (OSError, ValueError, ModelBroken) as error:
        logger.error("concern-unreadable why=%s", error)
        return None


def shipped_cuts() -> Cuts:
    """Shares that none reaches where there are no scales."""
    known = scales()
    return Cuts(1.0, 1.0, 1.0, 1.0) if known is None else known.cuts


def weigh_all(
    subjects: Sequence[Subject],
    hits: Sequence[Collection[str]],
    cuts: Callable[[str], Cuts],
) -> None:
    """Notes an opinion on each text that the model has heard; the agency's own are not weighed.

    `cuts`: those of a channel.
    """
    known = scales()
    if known is None:
        return
    some = [
        (subject, names)
        for subject, names in zip(subjects, hits, strict=True)
        if subject.leaning and subject.role is not Role.OWN
    ]
    if not some:
        return
    cuts_of = {channel: cuts(channel) for channel in {subject.channel for subject, _ in some}}
    made = known.weigh(
        [subject.leaning for subject, _ in some],
        voices([subject for subject, _ in some]),
        [names for _, names in some],
        [cuts_of[subject.channel] for subject, _ in some],
    )
    for (subject, _), opinion in zip(some, made, strict=True):
        subject.marks[_MARK] = opinion


def opinion_on(subject: Subject) -> Opinion | None:
    found: Opinion | None = subject.marks.get(_MARK)
    return found


def is_known(rule: str) -> bool:
    """False for a rule that the scales were not made with, such as an office's own."""
    known = scales()
    return known is not None and rule in known.rules


def counts(
    opinion: Opinion,
    topic: Topic | None,
    level: Level,
    text: str,
    *,
    is_grave: bool = False,
    is_known: bool = True,
) -> bool:
    """Whether what a rule found should be told, or only noted.

    `is_grave`: a rule of Ⅰ or Ⅱ about a danger was met in the text as well; `is_known`: the scales
    were made with the rule that found it.

    Verdicts may have moved the cut for complaints: that holds for complaints alone, so that it
    quietens no danger. What tells of people in danger is noted only where next to nothing
    speaks for it, and so is a danger told in a few words: they have little voice to judge by.
    One told in a word or two always counts, and so do few words that met a rule unknown here.
    """
    family = family_of(topic)
    if family == COMPLAINT:
        return bool(opinion.told)
    least = shipped_cuts().complaint
    if least < opinion.cuts.complaint:
        opinion = opinion.with_complaint_from(least)
    of_concern = bool(opinion.told)
    if family == RUMOUR:
        if opinion.likeness == "enquiry":
            return True  # 网传…是真的吗: who asks tells that it goes round
        return of_concern or (is_grave and opinion.rumour >= opinion.cuts.grave)
    if len(text) < (_WORD if is_known else _VOICE):
        return True
    told_of = max(opinion.hazard, opinion.rumour)  # 听说溃坝了: no less grave for being hearsay
    is_enough = of_concern or level in _GRAVE or len(text) < _VOICE
    return told_of >= opinion.cuts.grave and is_enough


def is_grave(topic: Topic | None, level: Level | None) -> bool:
    """A danger to people, as rules see it."""
    return level in _GRAVE and family_of(topic) == HAZARD


def family_of(topic: Topic | None) -> str:
    return COMPLAINT if topic is None else _FAMILY.get(topic, COMPLAINT)
