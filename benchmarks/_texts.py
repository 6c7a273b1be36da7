"""Seeded posts and rule words to measure with: sentences of our own corpus, put together anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import analysis

_CORPUS: Final = Path(analysis.__file__).parent / "corpus" / "domain.tsv"
_LONG: Final = 55  #: characters of a post on average
_TALK: Final = frozenset({"chatter", "advert", "thanks", "enquiry"})
_SHARE: Final = 0.8  #: of posts that are such talk, as in the comments an agency gets


def posts(count: int, seed: int = 1) -> list[str]:
    """Posts of about 55 characters, each of sentences of one sort; most are everyday talk."""
    chance = Random(seed)
    rows = [line.split("\t") for line in _CORPUS.read_text(encoding="utf-8").splitlines()[1:]]
    talk = [row[6] for row in rows if row[2] in _TALK]
    rest = [row[6] for row in rows if row[2] not in _TALK]
    made = []
    for _ in range(count):
        sentences = talk if chance.random() < _SHARE else rest
        post = chance.choice(sentences)
        while len(post) < _LONG - 10:
            post = f"{post}{chance.choice('，。！')}{chance.choice(sentences)}"
        made.append(post)
    return made


def words(count: int, texts: Sequence[str], seed: int = 2) -> list[str]:
    """Different words of two to six Han characters; one in fifty stands in the texts."""
    chance = Random(seed)
    pool = [c for c in "".join(texts[:2_000]) if "一" <= c <= "鿿"]
    joined = "".join(texts)
    made: dict[str, None] = {}
    while len(made) < count:
        long = chance.choice((2, 2, 3, 3, 4, 4, 5, 6))
        if chance.random() < 0.02:
            start = chance.randrange(len(joined) - 8)
            word = joined[start : start + max(3, long)]
        else:
            word = "".join(chance.choices(pool, k=max(long, 3 if count > 20_000 else long)))
        if all("一" <= c <= "鿿" for c in word):
            made[word] = None
    return list(made)


def pack(some: Sequence[str], each: int = 100) -> str:
    """A rule pack in TOML that has these words, so many a rule."""
    rules = ['[pack]\nname = "测速"\ntopic = "complaint"\n']
    for number in range(0, len(some), each):
        listed = ", ".join(f'"{word}"' for word in some[number : number + each])
        rules.append(
            f'[[rules]]\nid = "r{number}"\nname = "测速"\nlevel = "IV"\nweak = true\n'
            f'reason = "测速用的词“{{word}}”。"\nreview = 2099-01-01\nany = [{listed}]\n'
        )
    return "\n".join(rules)
