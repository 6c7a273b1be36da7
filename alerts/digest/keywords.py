"""Words that this period says more than the ones before it; counted, never made up."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_HAN = re.compile(r"[一-鿿]{2,}")
_LONGEST = 6  #: characters of a word
_READ = 160  #: characters of a post
_MORE = 1.5  #: times as many as before, at least
#: No word of interest begins or ends with one of these.
_LOOSE = frozenset(
    "的了是在和有就不也都很这那个们我你他她它吗呢吧啊与及或被把对为从到等让还又再没得地着过"
    "要会能可以请问说去来上下里中后前么什怎哪谁几一二三四五六七八九十两些每各某本该其之所"
)
_PLAIN = frozenset(
    {
        "可以",
        "没有",
        "什么",
        "怎么",
        "我们",
        "你们",
        "他们",
        "现在",
        "今天",
        "昨天",
        "明天",
        "已经",
        "还是",
        "就是",
        "不是",
        "因为",
        "所以",
        "但是",
        "如果",
        "希望",
        "谢谢",
        "感谢",
        "请问",
        "大家",
        "时候",
        "知道",
        "出来",
        "起来",
        "进行",
        "相关",
        "情况",
        "有关",
        "工作",
        "问题",
        "时间",
        "目前",
        "以及",
        "关于",
        "通过",
        "由于",
        "对于",
        "根据",
        "同时",
        "并且",
        "这样",
        "那样",
        "还有",
    }
)


@dataclass(frozen=True, slots=True)
class Keyword:
    word: str
    count: int  #: posts of this period that say it
    before: float  #: … of an average period before


def keywords(
    now: Iterable[str], before: Iterable[str], periods: int, most: int = 10, least: int = 3
) -> list[Keyword]:
    """Words said in at least `least` posts of now, those that stand out most first.

    `before` are the posts of `periods` earlier periods together. A word is a run of Han
    characters that people put between different neighbours; part of a longer word counts only
    where it also stands by itself.
    """
    runs = [_HAN.findall(text[:_READ]) for text in now]
    known = _counted(runs, least)
    sides = _sides(runs, set(known))
    kept = _longest([one for one in known if _good(one) and _stands(sides[one])], known)
    past = _count_known(before, set(kept))
    share = max(periods, 1)
    found = [Keyword(word, known[word], past[word] / share) for word in kept]
    found.sort(key=lambda one: (-_weight(one), one.word))
    return [one for one in found if one.count >= _MORE * one.before][:most]


def _weight(one: Keyword) -> float:
    return one.count * math.log((one.count + 0.5) / (one.before + 0.5)) * math.sqrt(len(one.word))


def _counted(posts: list[list[str]], least: int) -> dict[str, int]:
    """In how many posts each run of characters stands; a long one only where its parts do."""
    known: dict[str, int] = {}
    shorter: dict[str, int] | None = None
    for size in range(2, _LONGEST + 1):
        many: Counter[str] = Counter()
        for runs in posts:
            seen: set[str] = set()
            for run in runs:
                for at in range(len(run) - size + 1):
                    word = run[at : at + size]
                    if shorter is None or (word[1:] in shorter and word[:-1] in shorter):
                        seen.add(word)
            many.update(seen)
        shorter = {word: number for word, number in many.items() if number >= least}
        known |= shorter
    return known


def _sides(posts: list[list[str]], words: set[str]) -> dict[str, tuple[set[str], set[str]]]:
    """What stands to the left and right of each; at most three of each are kept."""
    sides: dict[str, tuple[set[str], set[str]]] = {word: (set(), set()) for word in words}
    for runs in posts:
        for run in runs:
            for size in range(2, _LONGEST + 1):
                for at in range(len(run) - size + 1):
                    both = sides.get(run[at : at + size])
                    if both is None:
                        continue
                    if len(both[0]) < 3:
                        both[0].add(run[at - 1] if at else "")
                    if len(both[1]) < 3:
                        both[1].add(run[at + size] if at + size < len(run) else "")
    return sides


def _count_known(texts: Iterable[str], words: set[str]) -> Counter[str]:
    many: Counter[str] = Counter()
    for text in texts:
        seen: set[str] = set()
        for run in _HAN.findall(text[:_READ]):
            for size in range(2, _LONGEST + 1):
                seen.update(
                    word
                    for at in range(len(run) - size + 1)
                    if (word := run[at : at + size]) in words
                )
        many.update(seen)
    return many


def _good(word: str) -> bool:
    return word[0] not in _LOOSE and word[-1] not in _LOOSE and word not in _PLAIN


def _stands(sides: tuple[set[str], set[str]]) -> bool:
    return all(len(side) > 1 or "" in side for side in sides)


def _longest(words: list[str], many: dict[str, int]) -> list[str]:
    """Without those that nearly always are a part of a longer one, or merely prolong a commoner."""
    kept: list[str] = []
    for word in sorted(words, key=lambda one: (-len(one), one)):
        covers = [one for one in kept if word in one]
        if any(many[one] >= 0.7 * many[word] for one in covers):
            continue
        kept.append(word)
    return kept
