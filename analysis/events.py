"""Puts posts that tell of the same event together: near-copies and forwards, within a window.

Likeness is the share of common three-character shingles, found exactly through an index. Alike is
not the same, though: 橙色 and 红色, 发布 and 解除, 3人 and 13人, 没有 and 有 differ by a character
and by everything. So two texts also have to agree on every number, colour, level, place, day,
negation and act they name.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from analysis.normalise import normal, normalise_all

LIKENESS: Final = 0.7
WINDOW: Final = timedelta(days=3)
#: Posts kept at most; the oldest go first.
MOST_POSTS: Final = 50_000
_SHINGLE: Final = 3
_CHARACTERS: Final = 2_000  #: of a text that are compared
_CUT_LIKENESS: Final = 0.9  #: of the shingles of a text whose end is missing
_CUT_SHORTEST: Final = 10  #: shingles; less of a text says too little
_OPENING: Final = 8  #: shingles a text begins with; by the least …
_LEADS: Final = 2  #: … of them a text whose end is missing finds the whole one
_LOOKED: Final = 200  #: posts under one shingle that are looked at, the latest
_OF_EVENT: Final = 20  #: posts of one event that are compared with
_SAME: Final = 0.95  #: alike enough to look no further

_FORWARD: Final = re.compile(r"(?://|／／)\s?[@＠][^:：,，。\s]{1,40}\s?[:：,，]?\s?")
_NOISE: Final = re.compile(
    r"https?://[^\s，。]+|www\.[^\s，。]+|[#＃][^#＃\n]{1,40}[#＃]|[@＠][\w\-一-鿿]{1,30}[:：]?"
    r"|\[[^\[\]\s]{1,8}\]|(?:转发微博|转发|repost)\s*$|^(?:转发微博|转发|repost)[:：\s]*"
)
#: What a reposter puts in front; 【辟谣】 and 【解除】 are no such thing.
_LABEL: Final = re.compile(
    r"^\s*[【\[](?:最新|紧急|扩散|转发?|提醒|提示|关注|快讯|通知|公告|通报|官方|权威|天气|气象|预警|信号|信息|消息|速看|注意)+[】\]]"
)
_CUT: Final = re.compile(
    r"(?:(?:\.{2,}|…+|。{2,})\s*(?:全文|展开|查看全文)?|(?:展开|查看)全文)\s*$"
)
_MARKS: Final = re.compile(r"[^\w一-鿿]+|_+")

_NUMBER: Final = re.compile(
    r"\d+(?:\.\d+)?|[一二两三四五六七八九十百千几半]+(?=[级人名死伤个点时日月号年米毫公里层栋次万亿度户头具条家辆间口位岁块元袋起处])"
)
_COLOUR: Final = re.compile(r"[红橙黄蓝白](?=色|码|警|$)|特别重大|重大|较大|[ivⅰ-ⅳ]{1,3}(?=级)")
_ACT: Final = re.compile(
    r"发布|解除|撤销|撤回|取消|升级|降级|升为|降为|变更|更正|维持|继续|恢复|暂停|停止|停课|复课|"
    r"停运|结束|扑灭|误发|作废|辟谣|属实|开始|封闭|开放|通车|延长"
)
_ASKING: Final = re.compile(
    r"(?:是|有|能|会|要|该|可)[不没](?:是|有|能|会|要|该|可)|真的?(?:还是)?假的?"
)
_NEGATION: Final = re.compile(r"没有?|未|无|不|非|别|勿|莫|否|假")
_DAY: Final = re.compile(
    r"今[天日早晚晨夜]|明[天日早晚晨]|昨[天日晚夜]|前天|后天|凌晨|清晨|上午|中午|下午|傍晚|晚上|半夜|[周星][期]?[一二三四五六日末]"
)
_PLACE: Final = re.compile(
    r"[一-鿿]{2}(?:路|街|巷|桥|村|镇|乡|县|区|市|省|河|江|湖|山|库|站|道|园|厂|矿|校|院|庄|湾|岭|沟)"
    r"|[东南西北](?=[门侧边面路街区部站])|(?<=[城村镇县市区桥路街河湖江山厂校站港])[东南西北]|[a-z]?\d*[栋幢单元号楼层](?=[一-鿿])"
)
#: What struck, and how far the water stood: 暴雨橙色 is not 雷电橙色, 膝盖 is not 车顶.
_WHAT: Final = re.compile(
    r"暴雨|雷电|雷暴|大风|台风|高温|寒潮|暴雪|大雾|冰雹|霜冻|结冰|沙尘|干旱|山洪|滑坡|泥石流|地震"
    r"|(?:到|过|没|齐|漫)了?(?:脚踝|脚脖子|小腿|膝盖|大腿|腰|胸口?|脖子|头顶|轮胎|车窗|车顶|窗台|一楼|二楼)"
)


@dataclass(frozen=True)
class Facts:
    """What two tellings of one event agree on."""

    numbers: Counter[str]
    words: frozenset[str]  #: colours, levels, acts, days, places, what struck
    negations: int

    @cached_property
    def key(self) -> int:
        """Equal for equal facts, in this process."""
        return hash((frozenset(self.numbers.items()), self.words, self.negations))

    def agrees(self, other: Facts) -> bool:
        return self == other

    def within(self, whole: Facts) -> bool:
        """True where nothing here is missing from, or against, a longer telling."""
        return (
            self.numbers <= whole.numbers
            and self.words <= whole.words
            and self.negations <= whole.negations
        )


@dataclass(frozen=True, slots=True)
class Telling:
    """One text made ready to be compared."""

    shingles: frozenset[int]  #: hashes, of this process only
    facts: Facts
    is_cut: bool  #: ends in …全文
    lead: tuple[int, ...] = ()  #: by which a text whose end is missing finds the whole one

    @property
    def size(self) -> int:
        return len(self.shingles)


def tellings(texts: Sequence[str], places: Sequence[str] = ()) -> list[Telling]:
    """Each text made ready, in order; never raises for a text."""
    # Marks are taken off first: to the normaliser //@ between characters is an evasion.
    bodies = [_body(text[:_CHARACTERS]) for text in texts]
    normalised = normalise_all([body for body, _ in bodies])
    names = [name for name in map(normal, places) if name]
    return [
        _telling(one.text, is_cut, names)
        for one, (_, is_cut) in zip(normalised, bodies, strict=True)
    ]


def telling(text: str, places: Sequence[str] = ()) -> Telling:
    """One text made ready; see `tellings`."""
    return tellings([text], places)[0]


def _body(text: str) -> tuple[str, bool]:
    """What is forwarded, or what was written where nothing is; and whether its end is missing."""
    parts = _FORWARD.split(text)
    # 评论//@甲:原文: the last part is what was said first, unless it is a mere word.
    body = parts[-1] if len(parts) > 1 and len(parts[-1]) >= _CUT_SHORTEST else text
    body = _LABEL.sub("", body)
    whole = _CUT.sub("", body)
    return _NOISE.sub(" ", whole), whole != body


def _telling(body: str, is_cut: bool, places: Sequence[str]) -> Telling:
    plain = _MARKS.sub("", body)
    count = max(1, len(plain) - _SHINGLE + 1)
    hashes = [hash(plain[i : i + _SHINGLE]) for i in range(count)] if plain else []
    shingles = frozenset(hashes)
    lead = tuple(sorted(hashes[:_OPENING])[:_LEADS]) if len(shingles) >= _CUT_SHORTEST else ()
    return Telling(shingles, _facts(body, plain, places), is_cut, lead)


def _facts(body: str, plain: str, places: Sequence[str]) -> Facts:
    words = {w for kind in (_COLOUR, _ACT, _DAY, _PLACE, _WHAT) for w in kind.findall(plain)}
    words |= {place for place in places if place in plain}
    negations = len(_NEGATION.findall(_ASKING.sub("", plain)))
    return Facts(Counter(_NUMBER.findall(body)), frozenset(words), negations)


@dataclass(frozen=True, slots=True)
class Joined:
    """Where a post belongs: `event` is the key of the first post of the event."""

    event: Hashable
    like: Hashable | None  #: the post it resembles most; none: it opens an event
    likeness: float


@dataclass(slots=True, eq=False)
class _Event:
    key: Hashable
    facts: Facts
    is_cut: bool
    size: int


class _Kept:
    """A filed post: its shingles in ascending order, as numbers without an object each."""

    __slots__ = ("at", "event", "facts", "filed", "is_cut", "key", "lead", "shingles")

    def __init__(
        self,
        key: Hashable,
        at: datetime | None,
        filed: datetime | None,
        made: Telling,
        event: _Event,
    ) -> None:
        self.key = key
        self.at = at
        self.filed = filed
        self.shingles = array("q", sorted(made.shingles))
        self.lead = array("q", made.lead)
        self.facts = made.facts
        self.is_cut = made.is_cut
        self.event = event


class _Places:
    """hash → posts filed under it, the latest last; most have one, which needs no list."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: dict[int, _Kept | list[_Kept]] = {}

    def __bool__(self) -> bool:
        return bool(self._at)

    def add(self, place: int, kept: _Kept) -> None:
        there = self._at.setdefault(place, kept)
        if isinstance(there, list):
            there.append(kept)
        elif there is not kept:
            self._at[place] = [there, kept]

    def remove(self, place: int, kept: _Kept) -> None:
        there = self._at.get(place)
        if there is kept:
            del self._at[place]
        elif isinstance(there, list) and kept in there:
            there.remove(kept)
            if not there:
                del self._at[place]

    def latest(self, places: Iterable[int]) -> Iterator[_Kept]:
        """What is filed under any of these, each once."""
        seen: set[int] = set()
        for place in places:
            there = self._at.get(place)
            if there is None:
                continue
            for kept in reversed(there[-_LOOKED:]) if isinstance(there, list) else (there,):
                if id(kept) not in seen:
                    seen.add(id(kept))
                    yield kept


class EventIndex:
    """All posts of a window, findable by what they say. Not for several threads at once.

    Two sets that share 70 % cannot avoid each other in the first 30 % of both, whatever the
    order, if it is the same. So each post is filed under those few shingles only, and together
    with its facts: what differs in a number or a place is never even looked at.
    """

    def __init__(
        self,
        places: Sequence[str] = (),
        window: timedelta = WINDOW,
        likeness: float = LIKENESS,
        most: int = MOST_POSTS,
    ) -> None:
        self.places = tuple(places)
        self.window = window
        self.likeness = likeness
        self.most = most
        self._kept: deque[_Kept] = deque()
        self._whole = _Places()
        self._leads = _Places()
        self._cut = _Places()
        self._facts: dict[int, Facts] = {}  # most posts name the same few facts, or none

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Hashable]:
        """The keys of the posts it still knows."""
        return (kept.key for kept in self._kept)

    def add(self, key: Hashable, text: str, at: datetime | None = None) -> Joined:
        """Files one post. `at` is aware; posts without a time are compared with all."""
        return self.add_telling(key, telling(text, self.places), at)

    def add_telling(
        self,
        key: Hashable,
        made: Telling,
        at: datetime | None = None,
        *,
        filed: datetime | None = None,
    ) -> Joined:
        """The same for a text made ready; `filed` is when it came in, where that is not `at`."""
        best, share = self._best(made, at)
        if best is None:
            event = _Event(key, made.facts, made.is_cut, made.size)
        else:
            event = best.event
            if event.is_cut and (not made.is_cut or made.size > event.size):
                # The fuller telling is what later ones have to agree with.
                event.facts, event.is_cut, event.size = made.facts, made.is_cut, made.size
        kept = _Kept(key, at, filed or at, made, event)
        self._kept.append(kept)
        self._share_facts(kept)
        for places, under in self._filed(kept):
            for place in under:
                places.add(place, kept)
        while len(self._kept) > self.most:
            self._forget(self._kept.popleft())
        return Joined(event.key, best.key if best else None, share)

    def forget(self, before: datetime) -> int:
        """Drops what was filed earlier; how many. What has no time stays while there is room."""
        old = [kept for kept in self._kept if kept.filed is not None and kept.filed < before]
        for kept in old:
            self._forget(kept)
        if old:
            gone = set(map(id, old))
            self._kept = deque(kept for kept in self._kept if id(kept) not in gone)
            self._facts = {kept.facts.key: kept.facts for kept in self._kept}
        return len(old)

    def _share_facts(self, kept: _Kept) -> None:
        kept.facts = self._facts.setdefault(kept.facts.key, kept.facts)

    def _forget(self, kept: _Kept) -> None:
        for places, under in self._filed(kept):
            for place in under:
                places.remove(place, kept)

    def _filed(self, kept: _Kept) -> Iterator[tuple[_Places, Iterable[int]]]:
        if kept.is_cut:
            yield self._cut, kept.shingles
        else:
            yield self._whole, self._doors(kept.shingles, kept.facts.key)
            yield self._leads, kept.lead

    def _doors(self, ordered: Sequence[int], facts: int) -> list[int]:
        """Of ascending shingles the first, as many as likeness demands, each with the facts."""
        count = len(ordered) - math.ceil(self.likeness * len(ordered)) + 1
        return [hash((shingle, facts)) for shingle in ordered[:count]]

    def _best(self, made: Telling, at: datetime | None) -> tuple[_Kept | None, float]:
        best: _Kept | None = None
        top = 0.0
        looked: Counter[int] = Counter()
        for kept in self._candidates(made):
            if looked[id(kept.event)] >= _OF_EVENT or not self._is_near(kept.at, at):
                continue
            looked[id(kept.event)] += 1
            share = _likeness(made, kept, self.likeness)
            if share > top and _agree(made, kept) and _joins(made, kept.event):
                best, top = kept, share
                if share >= _SAME:
                    break
        return best, top

    def _candidates(self, made: Telling) -> Iterator[_Kept]:
        """Whatever could be alike enough, the latest first."""
        if made.is_cut:
            yield from self._leads.latest(made.lead)
        else:
            yield from self._whole.latest(self._doors(sorted(made.shingles), made.facts.key))
        if self._cut:
            yield from self._cut.latest(made.shingles)

    def _is_near(self, a: datetime | None, b: datetime | None) -> bool:
        return a is None or b is None or abs(a - b) <= self.window


def _likeness(made: Telling, kept: _Kept, enough: float) -> float:
    """0 where it is not enough. A text whose end is missing is measured by what is there."""
    common = len(made.shingles.intersection(kept.shingles))
    if not common:
        return 0.0
    share = common / (made.size + len(kept.shingles) - common)
    if share >= enough:
        return share
    size = min(made.size, len(kept.shingles))
    is_cut = made.is_cut if made.size <= len(kept.shingles) else kept.is_cut
    if is_cut and size >= _CUT_SHORTEST and common / size >= _CUT_LIKENESS:
        return common / size * 0.99  # a whole copy is always preferred
    return 0.0


def _agree(a: Telling, b: _Kept) -> bool:
    if a.is_cut and not b.is_cut:
        return a.facts.within(b.facts)
    if b.is_cut and not a.is_cut:
        return b.facts.within(a.facts)
    if a.is_cut and b.is_cut:
        return a.facts.within(b.facts) or b.facts.within(a.facts)
    return a.facts.agrees(b.facts)


def _joins(made: Telling, event: _Event) -> bool:
    """Through a cut text two events could flow together that its missing end would tell apart."""
    if event.is_cut:
        return event.facts.within(made.facts) or made.facts.within(event.facts)
    return made.facts.within(event.facts) if made.is_cut else made.facts.agrees(event.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How much is said now against how much usually is, in posts per hour or per day."""

    count: int
    usual: float
    week_ago: int | None = None
    is_spike: bool

    @property
    def times(self) -> float:
        """So many times the usual; the usual counts as at least one."""
        return self.count / max(1.0, self.usual)


#: Fewer posts than this are no spike, however quiet it was before.
SPIKE_POSTS: Final = 5
#: So many standard deviations of a Poisson count above the usual.
_SPREAD: Final = 3.0


def by_hour(times: Iterable[datetime], now: datetime) -> Growth:
    """The last hour against the mean of the 12 hours before it."""
    hour = timedelta(hours=1)
    ages = [now - at for at in times]
    return hourly(
        sum(timedelta(0) <= age < hour for age in ages),
        sum(hour <= age < 13 * hour for age in ages),
    )


def hourly(count: int, before: int) -> Growth:
    """`count` of the last hour, `before` of the 12 hours before it."""
    usual = before / 12
    return Growth(count=count, usual=usual, is_spike=_stands_out(count, usual))


def by_day(times: Iterable[datetime], now: datetime) -> Growth:
    """The last 24 hours against the mean of the 14 days before, and the same day last week."""
    day = timedelta(days=1)
    ages = [now - at for at in times]
    return daily(
        sum(timedelta(0) <= age < day for age in ages),
        sum(day <= age < 15 * day for age in ages),
        sum(7 * day <= age < 8 * day for age in ages),
    )


def daily(count: int, before: int, week_ago: int) -> Growth:
    """`count` of the last 24 hours, `before` of the 14 days before, one of them a week ago.

    A Monday is not a spike for being busier than a Sunday: the day a week ago has to be
    exceeded as well.
    """
    usual = before / 14
    spike = _stands_out(count, usual) and _stands_out(count, float(week_ago))
    return Growth(count=count, usual=usual, week_ago=week_ago, is_spike=spike)


def _stands_out(count: int, usual: float) -> bool:
    return count >= SPIKE_POSTS and count > usual + _SPREAD * math.sqrt(max(usual, 1.0))
