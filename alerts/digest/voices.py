"""What people said, in their own words: representative posts, chosen and never rewritten."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.headers import clean_text, cut
from store.records import Tone

_LOOKED_AT = 120  #: posts of one item
_SAME = 0.55  #: share of common character pairs from which two posts say the same
_ORDER = (Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE, Tone.UNKNOWN)
_EXCERPT = 120


@dataclass(frozen=True, slots=True)
class Voice:
    """One post that stands for `like` posts which say nearly the same, itself included."""

    post: Mapping[str, Any]
    tone: Tone
    excerpt: str
    like: int


def voices(posts: Sequence[Mapping[str, Any]], most: int = 5) -> list[Voice]:
    """The largest groups of like posts; critical ones first, then the others by size.

    Each post has id, tone, title, text. At least one critical voice is among them where there
    is one, and at least one of another tone.
    """
    groups: list[list[tuple[Mapping[str, Any], frozenset[str]]]] = []
    for post in sorted(posts, key=lambda one: one["id"])[:_LOOKED_AT]:
        pairs = _pairs(f"{post['title']}{post['text']}")
        if not pairs:
            continue
        for group in groups:
            if group[0][0]["tone"] == post["tone"] and _alike(pairs, group[0][1]) >= _SAME:
                group.append((post, pairs))
                break
        else:
            groups.append([(post, pairs)])
    found = [
        Voice(group[0][0], _tone(group[0][0]["tone"]), excerpt(group[0][0]), len(group))
        for group in groups
    ]
    found.sort(key=lambda one: (-one.like, _ORDER.index(one.tone), one.post["id"]))
    critical = [one for one in found if one.tone is Tone.NEGATIVE]
    others = [one for one in found if one.tone is not Tone.NEGATIVE]
    room = max(most - min(len(others), most // 2), 1)
    chosen = critical[:room]
    return chosen + others[: most - len(chosen)]


def excerpt(post: Mapping[str, Any], limit: int = _EXCERPT) -> str:
    """The beginning of what it says, cut at the end of a sentence where there is one."""
    text = re.sub(r"\s+", " ", clean_text(str(post["text"] or post["title"])[:4000])).strip()
    if len(text) <= limit:
        return text
    ends = [found.end() for found in re.finditer(r"[。！？!?；]", text[:limit])]
    return text[: ends[-1]] if ends and ends[-1] >= limit // 2 else cut(text, limit)


def _pairs(text: str) -> frozenset[str]:
    plain = re.sub(r"\W+", "", text[:600])
    return frozenset(plain[at : at + 2] for at in range(len(plain) - 1)) or frozenset(
        {plain} - {""}
    )


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _tone(value: Any) -> Tone:
    return Tone(value) if value in set(Tone) else Tone.UNKNOWN
