"""What do rules cost over the bare automaton, and normalising over the usual stack?

`words` is what rules are matched with; `rules` adds lists, negation, questions, quotations and
spans into the original. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Final

from analysis import limits
from analysis.normalise import normalise_all
from analysis.packs import Resolved, Rule
from analysis.rules import Rulebook
from analysis.subject import Subject, read_all
from analysis.trie import Trie, codes_of
from benchmarks import Figure, _texts
from store.records import Level, Topic

TITLE = "关键词与规则：一千、一万、十万个词，与裸自动机同场比"

_BATCH: Final = limits.BATCH_LINES
_BETWEEN: Final = "\U0010ffff"
_GONE: Final = dict.fromkeys(
    map(ord, "\u200b\u200c\u200d\u2060\ufeff\u202a\u202b\u202c\u202d\u202e")
)


def run(argv: Sequence[str]) -> Iterable[Figure]:
    parser = argparse.ArgumentParser(prog="tinglan bench keywords")
    parser.add_argument("--posts", type=int, default=4_000)
    parser.add_argument("--words", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    given = parser.parse_args(argv)
    texts = _texts.posts(given.posts)
    yield from _normalising(texts)
    plain = [one.text for one in normalise_all(texts)]
    subjects = read_all([Subject(text=text) for text in texts])
    for count in given.words:
        yield from _matching(count, plain, subjects)


def _matching(count: int, plain: list[str], subjects: list[Subject]) -> Iterator[Figure]:
    stage, words = f"keywords {count:,}", _texts.words(count, plain)
    bare = _bare(words)
    peer_s = _cpu(lambda: [bare(text) for text in plain])
    yield _rate(stage, "daachorse alone", len(plain), peer_s)
    with suppress(ImportError):
        old = importlib.import_module("ahocorasick").Automaton()
        for number, word in enumerate(words):
            old.add_word(word, number)
        old.make_automaton()
        old_s = _cpu(lambda: [list(old.iter(text)) for text in plain])
        yield _rate(stage, "pyahocorasick alone", len(plain), old_s, peer_s)

    ours = Trie(words)
    agree = _agreement(ours, words, plain)

    def find() -> None:
        for i in range(0, len(plain), _BATCH):
            ours.find(codes_of(_BETWEEN.join(plain[i : i + _BATCH])))

    yield _rate(stage, "words", len(plain), _cpu(find), peer_s, least=0.5, agreement=agree)

    began = time.process_time()
    book = Rulebook(_rules(words))
    built = time.process_time() - began
    yield Figure(
        stage=stage, candidate="build of the rules", rate=round(built, 3), unit="cpu-s",
        goal="<= 1 s" if count >= 100_000 else "", met=built <= 1 if count >= 100_000 else None,
    )  # fmt: skip

    def judge() -> None:
        for i in range(0, len(subjects), _BATCH):
            some = subjects[i : i + _BATCH]
            for subject, sifted in zip(some, book.sift(some), strict=True):
                book.hits(subject, sifted)

    yield _rate(stage, "rules", len(plain), _cpu(judge), peer_s)


def _normalising(texts: list[str]) -> Iterator[Figure]:
    def stack() -> None:
        for text in texts:
            unicodedata.normalize("NFKC", text).casefold().translate(_GONE)

    def ours(size: int) -> Callable[[], None]:
        def work() -> None:
            for i in range(0, len(texts), size):
                normalise_all(texts[i : i + size])

        return work

    # OpenCC, which the stack needs besides, costs another 150 to 200 µs a post (facts of 2026).
    peer_s = _cpu(stack)
    name = "NFKC + casefold + zero-width, no OpenCC"
    yield _rate("normalise", name, len(texts), peer_s)
    for size in (64, 256):
        yield _rate(
            "normalise", f"ours, {size} at a time, with t2s and offsets", len(texts),
            _cpu(ours(size)), peer_s, peer="the stack without OpenCC",
        )  # fmt: skip


def _bare(words: Sequence[str]) -> Callable[[str], Any]:
    import daachorse

    found: Callable[[str], Any] = daachorse.CharwiseDoubleArrayAhoCorasick(
        list(words)
    ).find_overlapping
    return found


def _agreement(trie: Trie, words: Sequence[str], plain: Sequence[str]) -> float:
    """Share of posts where the words found are those that `in` finds, on a sample."""
    few = list(plain[:: max(1, len(plain) // 60)])
    same = sum(
        {words[number] for number in trie.find(codes_of(text)).words.tolist()}
        == {word for word in words if word in text}
        for text in few
    )
    return same / len(few)


def _rules(words: Sequence[str], each: int = 100) -> list[Resolved]:
    made = []
    for number in range(0, len(words), each):
        some = tuple(words[number : number + each])
        rule = Rule(
            id=f"r{number}", name="测速", reason="测速用的词。", level=Level.IV, any=some,
            review=date(2099, 1, 1),
        )  # fmt: skip
        lists: dict[str, tuple[str, ...]] = {"any": some}
        made.append(Resolved("bench", rule, Topic.COMPLAINT, lists))
    return made


def _cpu(work: Callable[[], object]) -> float:
    """The quickest of three: two shared cores make single timings worthless."""
    took = []
    for _ in range(3):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return max(1e-9, min(took))


def _rate(
    stage: str,
    name: str,
    count: int,
    took: float,
    peer_s: float | None = None,
    *,
    least: float | None = None,
    agreement: float | None = None,
    peer: str = "daachorse alone",
) -> Figure:
    ratio = None if peer_s is None else peer_s / took
    return Figure(
        stage=stage,
        candidate=name,
        rate=round(count / took, 1),
        unit="posts/cpu-s",
        ratio=None if ratio is None else round(ratio, 2),
        peer="" if peer_s is None else peer,
        agreement=agreement,
        cpu_s=round(took, 4),
        goal="" if least is None else f">= {least:g}x, same words",
        met=None if least is None or ratio is None else ratio >= least and agreement in {None, 1.0},
    )
