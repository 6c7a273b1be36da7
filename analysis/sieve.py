"""Decides for a whole batch of texts which rules are met where, in arrays as far as it goes.

First which words stand where; then, for every pair of a text and a rule, what the whole text
allows (`must`, `none`, `excuses`, role, kind, channel); patterns are dear and only tried where they
can still settle something; at last the places that are left, of which only those with a telling
word nearby are read by a regular expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from analysis import limits
from analysis.gate import Gate, Plan
from analysis.look import Look, Rows, Table, runs
from analysis.matcher import Hit
from analysis.normalise import spans
from analysis.packs import Resolved
from analysis.passage import AFTER, BEFORE, CUES_BEFORE, CUES_BEHIND, Passage, covering
from analysis.patterns import Pattern, Patterns
from analysis.rows import rows_of
from analysis.sounds import Sounds
from analysis.subject import Reading, Subject, reading_of
from analysis.trie import Found, Ints, Trie, codes_of

_BETWEEN: Final = "\U0010ffff"  #: normalised texts never hold it
_AT_ONCE: Final = 100_000  #: characters: more at a time only fills the caches


class Met(NamedTuple):
    """One place where a rule is met, in original offsets."""

    rule: int
    start: int
    end: int
    is_quoted: bool


_MET: Final = rows_of(Met)


#: (text, pattern) → where it matches
_Tried = dict[tuple[int, int], list[Hit]]


class Sieve:
    def __init__(
        self,
        rules: Sequence[Resolved],
        lists: Sequence[Sequence[str]],
        slots: Sequence[dict[str, int]],
        patterns: Sequence[Pattern],
    ) -> None:
        """`lists`: words by number of list; `slots`: for each rule its lists by name."""
        self._rules = rules
        self._sounds = Sounds(
            [
                (index, word, frozenset(rule.rule.sound))
                for index, rule in enumerate(rules)
                if rule.rule.sound and "any" in slots[index]
                for word in lists[slots[index]["any"]]
            ]
        )
        self._columns: dict[frozenset[str], int] = {}
        self._lists = [tuple(some) for some in lists]
        self.patterns = Patterns(patterns, self._column)
        self._before = self._column(CUES_BEFORE)
        self._behind = self._column(CUES_BEHIND)
        self.always, self.never = len(self._lists), len(self._lists) + 1
        numbers: dict[str, int] = {}
        standing: list[list[int]] = []
        for column, some in enumerate(self._lists):
            for word in some:
                number = numbers.setdefault(word, len(numbers))
                if number == len(standing):
                    standing.append([])
                standing[number].append(column)
        self._trie = Trie(list(numbers))
        # Words that stand in the same lists are one group: most of an office's words.
        groups: dict[tuple[int, ...], int] = {}
        self._group = np.fromiter(
            (groups.setdefault(tuple(some), len(groups)) for some in standing), dtype=np.int64
        )
        self._standing = Rows(list(groups))
        self._gate = Gate(rules, slots, self.always, self.never)
        begun: list[list[int]] = [[] for _ in range(len(self._lists))]
        for index, some_slots in enumerate(slots):
            if "any" in some_slots:
                begun[some_slots["any"]].append(index)
        self._begun = Rows(begun)  #: list → rules that begin with it
        self._pattern_lists = Rows([p.lists for p in self.patterns])
        self._begun_by = [
            sorted({*p.rules, *(index for one in p.lists for index in begun[one])})
            for p in self.patterns
        ]
        self._pattern_rules = Rows(self._begun_by)
        self._owners = np.zeros((len(self.patterns), len(rules)), dtype=np.bool_)
        owner_of: dict[int, list[int]] = {}
        for index, some_slots in enumerate(slots):
            for column in some_slots.values():
                owner_of.setdefault(column, []).append(index)
        for number, pattern in enumerate(self.patterns):
            for index in (*pattern.rules, *(i for one in pattern.lists for i in owner_of[one])):
                self._owners[number, index] = True
        needed = {column for plan in self._gate.plans for column in (plan.any, *plan.must)}
        self._is_needed = np.fromiter(
            (bool(p.rules) or not needed.isdisjoint(p.lists) for p in self.patterns),
            dtype=np.bool_,
            count=len(self.patterns),
        )

    @property
    def word_count(self) -> int:
        return len(self._group)

    def _column(self, words: frozenset[str]) -> int:
        """The number of a list beside those of the rules."""
        if words not in self._columns:
            self._columns[words] = len(self._lists)
            self._lists.append(tuple(words))
        return self._columns[words]

    def met(self, subjects: Sequence[Subject]) -> list[list[Met]]:
        """For each text the places where rules are met, by rule, then from left to right."""
        readings = [reading_of(subject) for subject in subjects]
        texts = [one.normalised.text for one in readings]
        made: list[list[Met]] = []
        begin = size = 0
        for end, long in enumerate(map(len, texts), start=1):
            size += long
            if size >= _AT_ONCE or end == len(texts):
                here = slice(begin, end)
                made += self._met(subjects[here], readings[here], texts[here])
                begin, size = end, 0
        return made

    def _met(
        self, subjects: Sequence[Subject], readings: Sequence[Reading], texts: list[str]
    ) -> list[list[Met]]:
        made: list[list[Met]] = [[] for _ in subjects]
        look = self.look(texts)
        rows, rules = self._begun.of(look.column)
        hits = look.hit.take(rows)
        posts = look.post.take(hits)
        begun = np.zeros((len(subjects), len(self._rules)), dtype=np.bool_)
        begun.ravel()[posts * len(self._rules) + rules] = True
        sounds = self._by_sound(look, begun)
        tried: _Tried = {}
        alive = self._gate.allowed(subjects)
        alive &= self._patterned(look, begun, alive, tried)
        if not alive.any():
            return made
        keep = np.flatnonzero(alive.ravel().take(posts * len(self._rules) + rules))
        hits = hits.take(keep)
        more = [one for one in sounds if alive[one[0], one[1]]]
        for (post, number), places in tried.items():
            for index in self._begun_by[number]:
                if alive[post, index]:
                    begin = int(look.begins[post])
                    more += [(post, index, begin + p[0], begin + p[1]) for p in places]
        added = np.array(more, dtype=np.int64).reshape(-1, 4)
        anchors = _widest(
            np.concatenate((posts.take(keep), added[:, 0])),
            np.concatenate((rules.take(keep), added[:, 1])),
            np.concatenate((look.starts.take(hits), added[:, 2])),
            np.concatenate((look.ends.take(hits), added[:, 3])),
        )
        self._settle(readings, look, tried, anchors, made)
        return made

    def look(self, texts: list[str]) -> Look:
        """Which words stand where."""
        whole = _BETWEEN.join(texts) + _BETWEEN
        sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        stops = np.cumsum(sizes + 1) - 1
        found = self._trie.find(codes_of(whole))
        post = np.repeat(np.arange(len(texts)), sizes + 1).take(found.starts)
        most = limits.HITS_PER_LIST
        is_much = len(post) > most and bool(np.bincount(post).max() > most)
        if is_much:  # of many the first are those that count
            order = np.lexsort((found.starts, found.ends))
            found, post = Found(*(one.take(order) for one in found)), post.take(order)
        hit, column = self._standing.of(self._group.take(found.words))
        has = np.zeros((len(texts), self.never + 1), dtype=np.bool_)
        has[:, self.always] = True
        flat = post.take(hit) * has.shape[1] + column
        has.ravel()[flat] = True
        if is_much:
            kept = _first(flat, most)
            hit, column = hit.take(kept), column.take(kept)
        begins = stops - sizes
        return Look(
            texts, begins, stops, found.starts, found.ends, post, hit, column, has, len(whole)
        )  # fmt: skip

    def by_sound(self, text: str) -> list[tuple[int, Hit]]:
        return self._sounds.find(text) if self._sounds else []

    def _by_sound(self, look: Look, begun: Table) -> list[tuple[int, int, int, int]]:
        made: list[tuple[int, int, int, int]] = []
        if not self._sounds:
            return made
        for post, text in enumerate(look.texts):
            begin = int(look.begins[post])
            for index, hit in self._sounds.find(text):
                begun[post, index] = True
                made.append((post, index, begin + hit[0], begin + hit[1]))
        return made

    def _patterned(self, look: Look, begun: Table, alive: Table, tried: _Tried) -> Table:
        """The rules a whole text allows, once the patterns are tried that can settle it."""
        posts, numbers = self.patterns.possible(look)
        if not len(posts):
            return self._gate.open(begun & alive, look.has, look.has)
        for is_last in (False, True):
            # What may still be found counts for a rule, never against it.
            hoped, maybe = look.has.copy(), begun.copy()
            self._note(posts, numbers, hoped, maybe)
            maybe = self._gate.open(maybe & alive, look.has, hoped)
            asks = (self._owners.take(numbers, axis=0) & maybe.take(posts, axis=0)).any(axis=1)
            turn = asks if is_last else asks & self._is_needed.take(numbers)
            now = np.flatnonzero(turn)
            found = {
                (post, number): places
                for post, number, places in self.patterns.search(
                    look, posts.take(now), numbers.take(now)
                )
            }
            if found:
                where = np.array(list(found), dtype=np.int64)
                self._note(where[:, 0], where[:, 1], look.has, begun)
                tried |= found
            left = np.flatnonzero(asks & ~turn)
            posts, numbers = posts.take(left), numbers.take(left)
            if not len(posts):
                break
        return self._gate.open(begun & alive, look.has, look.has)

    def _note(self, posts: Ints, numbers: Ints, has: Table, begun: Table) -> None:
        """What these patterns say of these texts where they match: lists stand, rules begin."""
        rows, columns = self._pattern_lists.of(numbers)
        has.ravel()[posts.take(rows) * has.shape[1] + columns] = True
        rows, indices = self._pattern_rules.of(numbers)
        begun.ravel()[posts.take(rows) * begun.shape[1] + indices] = True

    def _settle(
        self,
        readings: Sequence[Reading],
        look: Look,
        tried: _Tried,
        anchors: _Anchors,
        made: list[list[Met]],
    ) -> None:
        """Asks of each place what its surroundings say, and notes where the rule is met."""
        posts, rules, starts, ends = anchors
        gate = self._gate
        cues = np.sort(look.starts.take(look.hit[look.column == self._before]))
        before = _between(cues, starts - BEFORE, starts) & gate.is_negatable.take(rules)
        cues = np.sort(look.starts.take(look.hit[look.column == self._behind]))
        behind = _between(cues, ends, ends + AFTER) & gate.is_negatable.take(rules)
        width = look.has.shape[1]
        has = look.has.ravel()
        inside = has.take(posts * width + gate.inside.take(rules))
        unless = has.take(posts * width + gate.unless.take(rules))
        unless &= ~has.take(posts * width + gate.despite.take(rules))
        near = gate.near.take(rules)
        by_list = self._positional(look, tried, anchors, (inside, unless, near > 0))
        slow = inside | unless | before | behind | (near > 0) | gate.is_askable.take(rules)
        base = look.begins.take(posts)
        first, last = spans([one.normalised for one in readings], posts, starts - base, ends - base)
        quoted = [i for i, one in enumerate(readings) if one.quoted]
        if quoted:
            slow |= np.isin(posts, quoted)
        is_quoted = np.zeros(len(posts), dtype=np.bool_)
        lost: list[int] = []
        passages: dict[int, Passage] = {}
        which = np.flatnonzero(slow)
        asked = (posts, rules, starts - base, ends - base, first, inside, before, behind, unless)
        rows = zip(which.tolist(), *(one.take(which).tolist() for one in asked), strict=True)
        for i, post, rule, start, end, at, inner, cued, cued_behind, excused in rows:
            plan = gate.plans[rule]
            passage = passages.get(post)
            if passage is None:
                passage = passages[post] = Passage(readings[post])
            if passage.is_quoted(at):
                is_quoted[i] = True
                if plan.is_own:
                    lost.append(i)
                    continue
            if (
                (inner and covering(by_list[post, plan.inside], start, end))
                or (cued and (passage.is_negated(start) or passage.is_feared(start)))
                or (cued_behind and passage.is_supposed(end))
                or (plan.is_askable and passage.is_question(start))
                or (excused and passage.in_sentence(by_list[post, plan.unless], start))
                or (plan.near and not _is_near(plan, by_list, post, start, end))
            ):
                lost.append(i)
        kept = np.ones(len(posts), dtype=np.bool_)
        kept[lost] = False
        some = np.flatnonzero(kept)
        columns = (one.take(some).tolist() for one in (rules, first, last, is_quoted))
        met = list(map(_MET, zip(*columns, strict=True)))
        posts = posts.take(some)
        for post, begin, stop in runs(posts):
            made[post] = met[begin:stop]

    def _positional(
        self, look: Look, tried: _Tried, anchors: _Anchors, asked: tuple[Table, ...]
    ) -> dict[tuple[int, int], list[Hit]]:
        """Where the words stand that rules ask for in a certain place: (text, list) → hits.

        `asked`: the places for which `inside`, `unless`, `must` are looked at.
        """
        made: dict[tuple[int, int], list[Hit]] = {}
        posts, rules = anchors[:2]
        for name, which in zip(("inside", "unless", "must"), asked, strict=True):
            for i in np.flatnonzero(which).tolist():
                plan = self._gate.plans[rules[i]]
                columns: Any = getattr(plan, name)
                for column in columns if name == "must" else (columns,):
                    made[int(posts[i]), column] = []
        if not made:
            return made
        wanted = np.zeros_like(look.has)
        for post, column in made:
            wanted[post, column] = True
        hits, found = look.at(wanted)
        post_of = look.post.take(hits)
        begin = look.begins.take(post_of)
        for post, column, start, end in zip(
            post_of.tolist(), found.tolist(), (look.starts.take(hits) - begin).tolist(),
            (look.ends.take(hits) - begin).tolist(), strict=True,
        ):  # fmt: skip
            made[post, column].append((start, end, 0))
        for (post, number), places in tried.items():
            for column in self.patterns[number].lists:
                if (post, column) in made:
                    made[post, column] += places
        return made


_Anchors = tuple[Ints, Ints, Ints, Ints]  #: text, rule, start and end in the whole


def _is_near(
    plan: Plan, by_list: dict[tuple[int, int], list[Hit]], post: int, start: int, end: int
) -> bool:
    near = plan.near
    return all(
        any(h[0] - end <= near and start - h[1] <= near for h in by_list[post, column])
        for column in plan.must
    )


def _between(sorted_places: Ints, low: Ints, high: Ints) -> Table:
    """Whether any of the places lies in [low, high)."""
    return sorted_places.searchsorted(low) < sorted_places.searchsorted(high)


def _first(keys: Ints, most: int) -> Ints:
    """The places of the first so many of each key."""
    order = np.argsort(keys, kind="stable")
    return np.sort(order[_nth(keys.take(order)) < most])


def _nth(ordered: Ints) -> Ints:
    """For each of some ordered numbers how many equal ones stand before it."""
    places = np.arange(len(ordered))
    is_first = np.ones(len(ordered), dtype=np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    made: Ints = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return made


def _widest(posts: Ints, rules: Ints, starts: Ints, ends: Ints) -> _Anchors:
    """By text and rule those that lie in no other, from left to right, as many as the cap says."""
    order = np.lexsort((-ends, starts, rules, posts))
    posts, rules = posts.take(order), rules.take(order)
    starts, ends = starts.take(order), ends.take(order)
    turn = np.ones(len(posts), dtype=np.bool_)
    turn[1:] = (posts[1:] != posts[:-1]) | (rules[1:] != rules[:-1])
    group: Ints = np.cumsum(turn)
    far = ends + group * (int(ends.max(initial=0)) + 1)
    kept = np.ones(len(far), dtype=np.bool_)
    kept[1:] = far[1:] > np.maximum.accumulate(far)[:-1]
    keep = np.flatnonzero(kept)
    if len(keep) > limits.HITS_PER_RULE:
        keep = keep[_nth(group.take(keep)) < limits.HITS_PER_RULE]
    return posts.take(keep), rules.take(keep), starts.take(keep), ends.take(keep)
