"""Puts posts that tell of the same event together: near-copies and forwards, within a window.

Likeness is the share of common three-character shingles, found exactly through an index. Alike is
not the same, though: 橙色 and 红色, 发布 and 解除, 3人 and 13人, 没有 and 有 differ by a character
and by everything. So two texts also have to agree on every number, colour, level, place, day,
negation and act they name.
"""

from __future__ import annotations

import math
import re
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from analysis.normalise import normal, normalise_all
from store.engine import Database
from store.records import Role, text_of
from store.tables import posts

LIKENESS: Final = 0.7
WINDOW: Final = timedelta(days=3)
#: Posts kept at most; the oldest go first.
MOST_POSTS: Final = 50_000
_SHINGLE: Final = 3
_CHARACTERS: Final = 2_000  #: of a text that are compared
_CUT_LIKENESS: Final = 0.9  #: of the shingles of a text whose end is missing
_CUT_SHORTEST: Final = 10  #: shingles; less of a text says too little

_FORWARD: Final = re.compile(r"(?://|／／)\s?[@＠][^:：,，。\s]{1,40}\s?[:：,，]?\s?")
_NOISE: Final = re.compile(
    r"https?://[^\s，。]+|www\.[^\s，。]+|[#＃][^#＃\n]{1,40}[#＃]|[@＠][\w\-一-鿿]{1,30}[:：]?"
    r"|\[[^\[\]\s]{1,8}\]|(?:转发微博|转发|repost)\s*$|^(?:转发微博|转发|repost)[:：\s]*"
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
    r"|[东南西北](?=[门侧边面路街区部站])|[a-z]?\d*[栋幢单元号楼层](?=[一-鿿])"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What two tellings of one event agree on."""

    numbers: Counter[str]
    words: frozenset[str]  #: colours, levels, acts, days, places
    negations: int

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

    shingles: frozenset[str]
    facts: Facts
    is_cut: bool  #: ends in …全文

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
    whole = _CUT.sub("", body)
    return _NOISE.sub(" ", whole), whole != body


def _telling(body: str, is_cut: bool, places: Sequence[str]) -> Telling:
    plain = _MARKS.sub("", body)
    count = max(1, len(plain) - _SHINGLE + 1)
    shingles = frozenset(plain[i : i + _SHINGLE] for i in range(count)) if plain else frozenset()
    return Telling(shingles, _facts(body, plain, places), is_cut)


def _facts(body: str, plain: str, places: Sequence[str]) -> Facts:
    words = {w for kind in (_COLOUR, _ACT, _DAY, _PLACE) for w in kind.findall(plain)}
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
class _Kept:
    key: Hashable
    at: datetime | None
    telling: Telling
    event: _Event


@dataclass(slots=True, eq=False)
class _Event:
    key: Hashable
    facts: Facts
    is_cut: bool
    size: int


@dataclass(slots=True, eq=False)
class EventIndex:
    """All posts of a window, findable by what they say. Not for several threads at once."""

    places: Sequence[str] = ()
    window: timedelta = WINDOW
    likeness: float = LIKENESS
    most: int = MOST_POSTS
    _kept: deque[_Kept] = field(default_factory=deque)
    _whole: dict[str, list[_Kept]] = field(default_factory=dict)
    _cut: dict[str, list[_Kept]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, key: Hashable, text: str, at: datetime | None = None) -> Joined:
        """Files one post. `at` is aware; posts without a time are compared with all."""
        return self.add_telling(key, telling(text, self.places), at)

    def add_telling(self, key: Hashable, made: Telling, at: datetime | None = None) -> Joined:
        best, share = self._best(made, at)
        if best is None:
            event = _Event(key, made.facts, made.is_cut, made.size)
        else:
            event = best.event
            if event.is_cut and (not made.is_cut or made.size > event.size):
                # The fuller telling is what later ones have to agree with.
                event.facts, event.is_cut, event.size = made.facts, made.is_cut, made.size
        kept = _Kept(key, at, made, event)
        self._kept.append(kept)
        index = self._cut if made.is_cut else self._whole
        for shingle in made.shingles:
            index.setdefault(shingle, []).append(kept)
        while len(self._kept) > self.most:
            self._forget(self._kept.popleft())
        return Joined(event.key, best.key if best else None, share)

    def forget(self, before: datetime) -> int:
        """Drops what is older; how many. Posts without a time stay until the index is full."""
        old = [kept for kept in self._kept if kept.at is not None and kept.at < before]
        for kept in old:
            self._forget(kept)
        if old:
            gone = set(map(id, old))
            self._kept = deque(kept for kept in self._kept if id(kept) not in gone)
        return len(old)

    def _forget(self, kept: _Kept) -> None:
        index = self._cut if kept.telling.is_cut else self._whole
        for shingle in kept.telling.shingles:
            some = index[shingle]
            some.remove(kept)
            if not some:
                del index[shingle]

    def _best(self, made: Telling, at: datetime | None) -> tuple[_Kept | None, float]:
        best: _Kept | None = None
        top = 0.0
        for kept in self._candidates(made):
            share = _likeness(made, kept.telling, self.likeness)
            if share <= top or not self._is_near(kept.at, at):
                continue
            if _agree(made, kept.telling) and _joins(made, kept.event):
                best, top = kept, share
        return best, top

    def _candidates(self, made: Telling) -> Iterable[_Kept]:
        """Whatever could be alike enough, each once.

        Two sets that share 70 % cannot avoid each other in all of the 30 % rarest shingles of
        one of them, so only those are looked up.
        """
        needed = _CUT_LIKENESS if made.is_cut else self.likeness
        rare = sorted(made.shingles, key=lambda s: len(self._whole.get(s, ())))
        looked = rare[: made.size - math.ceil(needed * made.size) + 1]
        seen: dict[int, _Kept] = {}
        for shingle in looked:
            for kept in self._whole.get(shingle, ()):
                seen.setdefault(id(kept), kept)
        if self._cut:
            for shingle in made.shingles:
                for kept in self._cut.get(shingle, ()):
                    seen.setdefault(id(kept), kept)
        return seen.values()

    def _is_near(self, a: datetime | None, b: datetime | None) -> bool:
        return a is None or b is None or abs(a - b) <= self.window


def _likeness(a: Telling, b: Telling, enough: float) -> float:
    """0 where it is not enough. A text whose end is missing is measured by what is there."""
    small, large = (a, b) if a.size <= b.size else (b, a)
    common = len(small.shingles & large.shingles)
    if not common:
        return 0.0
    share = common / (a.size + b.size - common)
    if share >= enough:
        return share
    if small.is_cut and small.size >= _CUT_SHORTEST and common / small.size >= _CUT_LIKENESS:
        return common / small.size * 0.99  # a whole copy is always preferred
    return 0.0


def _agree(a: Telling, b: Telling) -> bool:
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


def rebuilt(
    sessions: Database,
    *,
    now: datetime,
    places: Sequence[str] = (),
    window: timedelta = WINDOW,
    role: Role = Role.PUBLIC,
) -> EventIndex:
    """The index as it stood, from the posts of the last `window`: for after a restart.

    Keys are post ids, in the order in which posts came in; so events have the keys they had.
    """
    index = EventIndex(places=places, window=window)
    since = now - window
    with sessions.read() as connection:
        rows = connection.execute(
            sa.select(
                posts.c.id, posts.c.title, posts.c.text, posts.c.published_at, posts.c.captured_at
            )
            .where(posts.c.role == role.value, posts.c.captured_at >= since)
            .order_by(posts.c.id)
        ).all()
    made = tellings([text_of(row.title, row.text) for row in rows], places)
    for row, one in zip(rows, made, strict=True):
        index.add_telling(row.id, one, row.published_at or row.captured_at)
    return index


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
    count = sum(timedelta(0) <= age < hour for age in ages)
    usual = sum(hour <= age < 13 * hour for age in ages) / 12
    return Growth(count=count, usual=usual, is_spike=_stands_out(count, usual))


def by_day(times: Iterable[datetime], now: datetime) -> Growth:
    """The last 24 hours against the mean of the 14 days before, and the same day last week.

    A Monday is not a spike for being busier than a Sunday: the day a week ago has to be
    exceeded as well.
    """
    day = timedelta(days=1)
    ages = [now - at for at in times]
    count = sum(timedelta(0) <= age < day for age in ages)
    usual = sum(day <= age < 15 * day for age in ages) / 14
    week_ago = sum(7 * day <= age < 8 * day for age in ages)
    spike = _stands_out(count, usual) and _stands_out(count, float(week_ago))
    return Growth(count=count, usual=usual, week_ago=week_ago, is_spike=spike)


def _stands_out(count: int, usual: float) -> bool:
    return count >= SPIKE_POSTS and count > usual + _SPREAD * math.sqrt(max(usual, 1.0))
