"""What no rule foresaw: where a text as a whole is of concern, its topic and level without a rule.

The rules speak first. Where they told nothing of what the text most resembles, this points at
it; it says so, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from analysis import concern
from analysis.concern import COMPLAINT, HAZARD, RUMOUR, Cuts, family_of, shipped_cuts
from analysis.leaning import Listener
from analysis.model.blend import KINDS
from analysis.subject import Stage, Subject, reading_of
from analysis.thresholds import Thresholds
from analysis.tools import StageOptions, Tools
from store.records import Finding, Kind, Level, Role, Topic

ORDER = 20

_LEAST: Final = 2  #: different characters: aaaa tells nothing, whatever it resembles
#: Where something else says that all is well, the model alone calls it a complaint from that share
#: on: of praise in the corpus one line in ten is meant bitterly, in life far fewer.
_DOUBTED: Final = 0.9
_OFFICIAL: Final = KINDS.index("official")
#: Share of a kind. Of training lines not learnt from that the model alone would call a complaint,
#: and held for official at 0.5 to 0.6, 41 were complaints and 37 not; above 0.8 most were not.
_SURE: Final = 0.6
_TOPIC: Final[Mapping[str, tuple[Topic, Level, str]]] = {
    COMPLAINT: (Topic.COMPLAINT, Level.IV, "投诉或不满"),
    HAZARD: (Topic.ACCIDENT, Level.III, "险情报告"),
    RUMOUR: (Topic.RUMOUR, Level.III, "传闻"),
}


class Options(StageOptions):
    pass


def build(options: Options, tools: Tools) -> Stage:
    return TopicStage(tools.thresholds)


class TopicStage:
    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self._thresholds = thresholds or Thresholds()
        self._listener = Listener()

    def prepare(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Weighs what the rules stage did not weigh, as texts that met no rule."""
        read = self._listener.lean(subjects)
        left = [subject for subject in read if concern.opinion_on(subject) is None]
        concern.weigh_all(left, [()] * len(left), self._cuts)
        return read

    def _cuts(self, channel: str) -> Cuts:
        cuts = shipped_cuts()
        moved = self._thresholds.of(channel, "rules.complaint_from", cuts.complaint)
        return cuts._replace(complaint=moved)

    def __call__(self, subject: Subject) -> Iterable[Finding]:
        if subject.role is Role.OWN:
            return ()
        kind = _pointed(subject)
        if kind is not None:
            topic, level, called = _TOPIC[kind]
            pointed = Finding(
                stage="topic",
                rule=f"like-{kind}",
                topic=topic,
                level=level,
                reason=f"行文与{called}相近，而没有规则说到；这是模型的提示，请由人判断。",
            )
            return (pointed,)
        if subject.kind is Kind.LETTER and not any(one.topic for one in subject.found):
            letter = Finding(
                stage="topic", rule="letter", topic=Topic.ENQUIRY,
                reason="来信，内容未归入其他类别，按诉求咨询登记。",
            )  # fmt: skip
            return (letter,)
        return ()


def _pointed(subject: Subject) -> str | None:
    """The likeliest concern, unless a rule has told of it, or of something as grave."""
    opinion = concern.opinion_on(subject)
    of_concern = opinion.told if opinion is not None else ()
    if not of_concern or len(set(reading_of(subject).voice)) < _LEAST:
        return None
    likeliest = of_concern[0]
    told = {family_of(one.topic) for one in subject.found if one.level is not None}
    if told and (likeliest in told or likeliest == COMPLAINT):
        return None
    if likeliest == COMPLAINT and opinion is not None and opinion.complaint < _DOUBTED:
        return None if _sounds_calm(subject) else COMPLAINT
    return likeliest


def _sounds_calm(subject: Subject) -> bool:
    """A rule found praise, or the kinds hold it for official words."""
    if any(one.topic is Topic.THANKS for one in subject.found):
        return True
    return bool(subject.leaning) and subject.leaning[_OFFICIAL] >= _SURE
