"""Decides which rules a text meets, and can say for each why or why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from analysis import limits
from analysis.gate import concerns
from analysis.matcher import Hit
from analysis.packs import Resolved, is_pattern
from analysis.passage import Passage, covering
from analysis.patterns import Pattern
from analysis.sieve import Met, Sieve
from analysis.subject import Subject, reading_of


class Outcome(StrEnum):
    """What became of one place where a rule's words stand."""

    HIT = "hit"
    NEGATED = "negated"  #: 没有着火, 严防火灾, 如遇火灾
    SUPPOSED = "supposed"  #: 容易着火, 万一着火了怎么办: it has not happened
    ASKED = "asked"  #: only asked after
    INSIDE = "inside"  #: part of a longer word: 火灾 in 火灾自动报警
    UNLESS = "unless"  #: an exception stands in the same sentence
    NONE = "none"  #: an exception stands in the text
    ALONE = "alone"  #: a `must` word is missing, or too far away
    QUOTED = "quoted"  #: somebody else's words
    ELSEWHERE = "elsewhere"  #: not this role, kind or channel


class Trace(NamedTuple):
    """One rule at one place of a text; `because` holds the word that decided, where one did."""

    rule: Resolved
    outcome: Outcome
    start: int  #: original offsets
    end: int
    is_quoted: bool = False
    because: str = ""

    @property
    def is_hit(self) -> bool:
        return self.outcome is Outcome.HIT


class Rulebook:
    """All rules of all packs, ready to match. Building one compiles; matching never raises."""

    def __init__(self, rules: Sequence[Resolved]) -> None:
        self.rules = tuple(rules)
        # Lists are shared: one list that sixty rules name is looked up once.
        numbers: dict[tuple[str, ...], int] = {}
        self._slots: list[dict[str, int]] = [
            {
                name: numbers.setdefault(words, len(numbers))
                for name, words in rule.lists.items()
                if words
            }
            for rule in self.rules
        ]
        #: pattern → the lists it stands in, and the rules that begin with it
        places: dict[str, tuple[list[int], list[int]]] = {}
        plain: list[list[str]] = []
        for words, number in numbers.items():
            plain.append([word for word in words if not is_pattern(word)])
            if len(plain[-1]) < len(words):
                for word in filter(is_pattern, words):
                    places.setdefault(word[1:-1], ([], []))[0].append(number)
        for index, rule in enumerate(self.rules):
            for pattern in rule.rule.patterns:
                places.setdefault(pattern, ([], []))[1].append(index)
        self._starters: dict[int, list[int]] = {}  #: list → rules that begin with it
        for index, slots in enumerate(self._slots):
            if "any" in slots:
                self._starters.setdefault(slots["any"], []).append(index)
        self.word_count = len({word for some in plain for word in some})
        self.sieve = Sieve(
            self.rules,
            plain,
            self._slots,
            [Pattern.of(one, lists, indices) for one, (lists, indices) in places.items()],
        )

    def sift(self, subjects: Sequence[Subject]) -> list[list[Met]]:
        """For each text the places where rules are met, by rule, then from left to right."""
        return self.sieve.met(subjects)

    def hits(self, subject: Subject, sifted: Sequence[Met] | None = None) -> list[Trace]:
        """Only the places where a rule is met; `sifted` as `sift` answered for this text."""
        if sifted is None:
            sifted = self.sift([subject])[0]
        rules = self.rules
        return [
            Trace(rules[rule], Outcome.HIT, start, end, is_quoted)
            for rule, start, end, is_quoted in sifted
        ]

    def traces(self, subject: Subject) -> Iterable[Trace]:
        """Every place where a rule's first words stand, with what became of it."""
        reading = reading_of(subject)
        started, by_list = self._places(reading.normalised.text)
        page = Passage(reading)
        for index in sorted(started):
            yield from self._judge(index, subject, page, started[index], by_list)

    def _places(self, text: str) -> tuple[dict[int, list[Hit]], dict[int, list[Hit]]]:
        """Where rules begin, by rule; and where the words of lists stand, by list."""
        look = self.sieve.look([text])
        starts, ends = look.starts.tolist(), look.ends.tolist()
        hits = sorted((ends[hit], starts[hit], column) for hit, column in
                      zip(look.hit.tolist(), look.column.tolist(), strict=True))  # fmt: skip
        by_list: dict[int, list[Hit]] = {}
        for end, start, column in hits:
            by_list.setdefault(column, []).append((start, end, 0))
        started: dict[int, list[Hit]] = {}
        patterns = self.sieve.patterns
        for _, number, found in sorted(patterns.search(look, *patterns.possible(look))):
            pattern = patterns[number]
            for column in pattern.lists:
                by_list.setdefault(column, []).extend(found)
            for index in pattern.rules:
                started.setdefault(index, []).extend(found)
        for column, indices in self._starters.items():
            if column in by_list:
                for index in indices:
                    started.setdefault(index, []).extend(by_list[column])
        for index, hit in self.sieve.by_sound(text):
            started.setdefault(index, []).append(hit)
        return started, by_list

    def _judge(
        self,
        index: int,
        subject: Subject,
        page: Passage,
        anchors: list[Hit],
        by_list: dict[int, list[Hit]],
    ) -> Iterable[Trace]:
        rule, slots = self.rules[index], self._slots[index]

        def hits(slot: str) -> list[Hit]:
            return by_list.get(slots[slot], []) if slot in slots else []

        elsewhere = not concerns(rule, subject)
        despite = hits("despite")
        veto = hits("none")[:1] if not despite else []
        for number in range(len(rule.rule.excuses)):
            if not hits(f"excuses.{number}.despite"):
                veto += hits(f"excuses.{number}.words")[:1]
        for start, end, _ in _widest(anchors):
            span = page.span(start, end)
            outcome, because = Outcome.HIT, ""
            quoted = page.is_quoted(span[0])
            if elsewhere:
                outcome = Outcome.ELSEWHERE
            elif quoted and rule.rule.quoted == "void":
                outcome = Outcome.QUOTED
            elif within := covering(hits("inside"), start, end):
                outcome, because = Outcome.INSIDE, page.words(within)
            elif rule.rule.negation == "void" and page.is_negated(start):
                outcome = Outcome.NEGATED
            elif rule.rule.negation == "void" and (page.is_feared(start) or page.is_supposed(end)):
                outcome = Outcome.SUPPOSED
            elif rule.rule.question == "void" and page.is_question(start):
                outcome = Outcome.ASKED
            elif veto:
                outcome, because = Outcome.NONE, page.words(veto[0])
            elif not despite and (excuse := page.in_sentence(hits("unless"), start)):
                outcome, because = Outcome.UNLESS, page.words(excuse)
            else:
                far = _missing(rule, hits, start, end)
                if far is not None:
                    outcome, because = Outcome.ALONE, far
            yield Trace(rule, outcome, *span, is_quoted=quoted, because=because)


def _widest(anchors: list[Hit]) -> list[Hit]:
    """Hits that lie in no other hit, from left to right, at most as many as the cap says."""
    kept: list[Hit] = []
    for hit in sorted(set(anchors), key=lambda h: (h[0], -h[1])):
        if kept and hit[1] <= kept[-1][1]:
            continue
        kept.append(hit)
        if len(kept) == limits.HITS_PER_RULE:
            break
    return kept


def _missing(rule: Resolved, hits: Any, start: int, end: int) -> str | None:
    """The first `must` list that is not met at this place; None where all are."""
    near = rule.rule.near
    for number in range(len(rule.rule.must)):
        found = hits(f"must.{number}")
        if near:
            found = [h for h in found if h[0] - end <= near and start - h[1] <= near]
        if not found:
            return f"must.{number}"
    return None
