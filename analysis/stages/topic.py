"""Topics that follow from more than words: what kind of post it is, and what it resembles.

The rules speak first. Where they found nothing, the trained model may still point at a post, with
shares that settings can move; it says so, and a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from pydantic import Field

from analysis.leaning import ANGRY, Listener, concern
from analysis.model import threshold
from analysis.subject import Stage, Subject, reading_of
from analysis.thresholds import Thresholds
from analysis.tools import StageOptions, Tools
from store.records import Finding, Kind, Level, Role, Tone, Topic

ORDER = 20

_TOPIC: Final[Mapping[str, tuple[Topic, Level, str]]] = {
    "complaint": (Topic.COMPLAINT, Level.IV, "投诉或不满"),
    "hazard": (Topic.ACCIDENT, Level.III, "险情报告"),
    "rumour": (Topic.RUMOUR, Level.III, "传闻"),
}
_CHARACTERS: Final = 1_000  #: of a text that are looked at for stems


#: Danger and rumours are rare in what the model learnt from, so its shares for them are small
#: and only their order means something; with these stems beside them, still smaller ones count.
_DANGER: Final = re.compile(
    "[火烟烧炸爆漏泄裂塌倒歪断坠滑滚砸压埋困淹冲溺晕伤死血毒锈撞翻沉晃鼓堵锁焊悬吊卡冒喷溅呛咳抽"
    "掉倾斜松脱缺烂朽渗涨涌灌漫陷垮颤摇抖烫冻救危险堆绑洞坑桥楼墙井坡坝堤河罐杆棚]"
    "|触电|漏电|刺鼻|味道|气味|闻到|没出来|吓人|害怕|看着就怕|露天|没盖|没围|小孩|孩子|老人|高压|电线"
    "|燃气|煤气|汽油|酒精|农药|化工|烟花|鞭炮|水库|电梯|工地|学校"
)
_HEARSAY: Final = re.compile(
    "听说|据说|说是|都说|说的|内部|可靠|朋友|亲戚|同学|表哥|我哥|我叔|我姑|群里|网上|视频|截图|亲眼|亲耳"
    "|有人|已经有|其实|真的|不让|偷偷|悄悄|故意|赶紧|赶快|千万|扩散|大家|注意|小心|辐射|地震|专家|官方"
    "|上面|上头|医生|疫苗|感染|外星|今晚|明天|下周|[瞒删封压快别转囤抢死毒癌病核坝炸塌断涨]"
)
_STEMS: Final = 2  #: different ones


class Options(StageOptions):
    """Shares from which a post that met no rule is pointed at; 1 never points.

    The defaults stand in the shipped model's own file: another model needs others.
    """

    #: Words that speak to the agency: with a very negative tone they point at a complaint. Words
    #: *about* it will not do: every bulletin names the agency.
    cues: tuple[str, ...] = ("你们", "贵局", "贵单位", "贵台", "你局", "你单位", "尔等")
    below: float = Field(default=-0.8, ge=-1, le=0)  #: tone score that counts as very negative
    #: Complaint, danger and rumour together; `calm_from` where the tone engine hears no anger.
    pointed_from: float = Field(default_factory=lambda: threshold("pointed_from"), gt=0, le=1)
    calm_from: float = Field(default_factory=lambda: threshold("calm_from"), gt=0, le=1)
    #: Danger × anger, and rumour, alone; the smaller ones where telling stems stand in the text.
    danger_from: float = Field(default_factory=lambda: threshold("danger_from"), gt=0, le=1)
    danger_with_stems: float = Field(
        default_factory=lambda: threshold("danger_with_stems"), gt=0, le=1
    )
    rumour_from: float = Field(default_factory=lambda: threshold("rumour_from"), gt=0, le=1)
    rumour_with_stems: float = Field(
        default_factory=lambda: threshold("rumour_with_stems"), gt=0, le=1
    )


def build(options: Options, tools: Tools) -> Stage:
    return TopicStage(options, tools.thresholds)


class TopicStage:
    def __init__(self, options: Options, thresholds: Thresholds | None = None) -> None:
        self._options = options
        self._thresholds = thresholds or Thresholds()
        self._listener = Listener()

    def prepare(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Hears the whole batch at once; the rules stage reads the leaning too."""
        return self._listener.lean(subjects)

    def __call__(self, subject: Subject) -> Iterable[Finding]:
        if subject.role is Role.OWN:
            return
        topics = {finding.topic for finding in subject.found if finding.topic}
        if not any(finding.level for finding in subject.found):
            pointed = None if Topic.THANKS in topics else self._pointed(subject, topics)
            if pointed is not None:
                yield pointed
                return
            if not topics and _is_harsh(subject, self._options.below):
                cue = _first(reading_of(subject).own, self._options.cues)
                if cue:
                    start = subject.text.find(cue)
                    yield Finding(
                        stage="topic", rule="harsh", topic=Topic.COMPLAINT, level=Level.IV,
                        reason=f"语气强烈负面，且提到“{cue}”，疑似不满；请由人判断。",
                        text=cue, start=start, end=start + len(cue),
                    )  # fmt: skip
                    return
        if subject.kind is Kind.LETTER and not topics:
            yield Finding(
                stage="topic", rule="letter", topic=Topic.ENQUIRY,
                reason="来信，内容未归入其他类别，按诉求咨询登记。",
            )  # fmt: skip

    def _pointed(self, subject: Subject, topics: Collection[Topic]) -> Finding | None:
        kind = self._kind(subject, topics)
        if kind is None:
            return None
        topic, level, called = _TOPIC[kind]
        return Finding(
            stage="topic",
            rule=f"like-{kind}",
            topic=topic,
            level=level,
            reason=f"行文与{called}相近，没有规则命中；这是模型的提示，请由人判断。",
        )

    def _kind(self, subject: Subject, topics: Collection[Topic]) -> str | None:
        leaning, options = subject.leaning, self._options
        if not leaning:
            return None
        if leaning.get("thanks", 0.0) > concern(leaning):
            return None
        text = reading_of(subject).own
        danger = leaning.get("hazard", 0.0) * leaning.get(ANGRY, 0.0)
        rumour = leaning.get("rumour", 0.0)
        if danger >= options.danger_from or (
            danger >= options.danger_with_stems and _has(_DANGER, text)
        ):
            return "hazard"
        if leaning.get("official", 0.0) >= 0.5:
            return None
        if rumour >= options.rumour_from or (
            rumour >= options.rumour_with_stems and _has(_HEARSAY, text)
        ):
            return "rumour"
        angry = subject.verdict is not None and subject.verdict.label is Tone.NEGATIVE
        # Whoever plainly asks names what is broken, and means no harm by it.
        is_calm = not angry or Topic.ENQUIRY in topics
        name = "calm_from" if is_calm else "pointed_from"
        enough = self._thresholds.of(subject.channel, f"topic.{name}", getattr(options, name))
        return "complaint" if concern(leaning) >= enough else None


def _has(stems: re.Pattern[str], text: str) -> bool:
    return len(set(stems.findall(text[:_CHARACTERS]))) >= _STEMS


def _is_harsh(subject: Subject, below: float) -> bool:
    verdict = subject.verdict
    return verdict is not None and verdict.label is Tone.NEGATIVE and verdict.score <= below


def _first(text: str, words: Iterable[str]) -> str:
    found = [(at, word) for word in words if (at := text.find(word)) >= 0]
    return min(found)[1] if found else ""
