"""Decides for a whole batch of texts which rules are met where, in arrays as far as it goes.

First which words stand where; then, for every pair of a text and a rule, what the whole text
allows (`must`, `none`, `excuses`, role, kind, channel); patterns are dear and only tried where they
can still settle something; at last the places that are left, of which only those with a telling
word nearby are read by a regular expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analysis import limits
from analysis.gaps import Gap
from analysis.literals import opening, required
from analysis.matcher import Hit
from analysis.normalise import spans
from analysis.packs import Resolved, compiled
from analysis.passage import AFTER, BEFORE, CUES_BEFORE, CUES_BEHIND, Passage, covering
from analysis.rows import rows_of
from analysis.sounds import Sounds
from analysis.subject import Reading, Subject, reading_of
from analysis.trie import Found, Ints, Trie, codes_of

Table = NDArray[np.bool_]

_BETWEEN: Final = "\U0010ffff"  #: normalised texts never hold it
_LISTS: Final = 3  #: of words a pattern asks for that are looked at
#: Words that stand in so many texts that looking for them costs more than it spares.
_EVERYWHERE: Final = frozenset(",，。!的一个在有到来")
_DEAR: Final = 16  #: characters: what can be as long as that takes RE2 long to look for
_AT_ONCE: Final = 100_000  #: characters: more at a time only fills the caches
_NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Pattern:
    written: str
    gap: Gap | None  #: where it is of that shape; otherwise …
    compiled: Any  #: for UTF-8: RE2 then need not count characters, which costs it half the time
    lists: tuple[int, ...]  #: it stands in
    rules: tuple[int, ...]  #: that begin with it

    @classmethod
    def of(cls, pattern: str, lists: Iterable[int], rules: Iterable[int]) -> Self:
        gap = Gap.of(pattern)
        by_re2 = compiled(pattern.encode()) if gap is None else None
        return cls(pattern, gap, by_re2, tuple(lists), tuple(rules))


class Met(NamedTuple):
    """One place where a rule is met, in original offsets."""

    rule: int
    start: int
    end: int
    is_quoted: bool


_MET: Final = rows_of(Met)


class _Rows:
    """Number → some other numbers, for many at a time."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.sizes = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        self._begins = np.cumsum(self.sizes) - self.sizes
        self._values = np.fromiter((v for row in rows for v in row), dtype=np.int64)

    def of(self, numbers: Ints) -> tuple[Ints, Ints]:
        """For each value that belongs to any of them: whose it is (its place), and the value."""
        sizes = self.sizes.take(numbers)
        whose = np.repeat(np.arange(len(numbers)), sizes)
        shift = self._begins.take(numbers) - (np.cumsum(sizes) - sizes)
        return whose, self._values.take(np.arange(len(whose)) + shift.take(whose))


@dataclass(slots=True)
class Look:
    """What stands in some texts."""

    texts: list[str]
    begins: Ints  #: of each text in the whole
    stops: Ints  #: where it ends
    starts: Ints  #: of each hit, in the whole …
    ends: Ints
    post: Ints  #: … and in which text
    #: for each list that a hit stands in: the hit, the list
    hit: Ints
    column: Ints
    has: Table  #: text, list → whether any of its words stands there
    size: int  #: of the whole

    def at(self, wanted: Table) -> tuple[Ints, Ints]:
        """(hit, list) of those that `wanted`, a table such as `has`, marks."""
        flat = self.post.take(self.hit) * self.has.shape[1] + self.column
        some = np.flatnonzero(wanted.ravel().take(flat))
        return self.hit.take(some), self.column.take(some)


#: (text, pattern) → where it matches
_Tried = dict[tuple[int, int], list[Hit]]


class Sieve:
    def __init__(
        self,
        rules: Sequence[Resolved],
        lists: Sequence[Sequence[str]],
        slots: Sequence[dict[str, int]],
        patterns: dict[str, Pattern],
    ) -> None:
        """`lists`: words by number of list; `slots`: for each rule its lists by name."""
        self._rules = rules
        self.patterns = tuple(patterns.values())
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
        self._hint(list(patterns))
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
        self._standing = _Rows(list(groups))
        self._gate = _Gate(rules, slots, self.always, self.never)
        begun: list[list[int]] = [[] for _ in range(len(self._lists))]
        for index, some_slots in enumerate(slots):
            if "any" in some_slots:
                begun[some_slots["any"]].append(index)
        self._begun = _Rows(begun)  #: list → rules that begin with it
        self._pattern_lists = _Rows([p.lists for p in self.patterns])
        self._begun_by = [
            sorted({*p.rules, *(index for one in p.lists for index in begun[one])})
            for p in self.patterns
        ]
        self._pattern_rules = _Rows(self._begun_by)
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

    def _hint(self, patterns: Sequence[str]) -> None:
        """Notes for each pattern which words any match must hold."""
        asked, opens, reach, firsts = [], [], [], []
        self._is_dear: list[bool] = []
        for pattern in patterns:
            telling = [words for words in required(pattern) if words.isdisjoint(_EVERYWHERE)]
            some = [self._column(words) for words in telling[:_LISTS]]
            begin = opening(pattern)
            asked.append(some + [-1] * (_LISTS - len(some)))
            opens.append(self._column(begin.words) if begin.words else -1)
            reach.append(begin.reach or limits.TEXT)
            firsts.append(begin.is_first)
            self._is_dear.append(begin.is_first or begin.reach >= _DEAR)
        self._asked = np.array(asked, dtype=np.int64).reshape(len(patterns), _LISTS)
        self._opens = np.array(opens, dtype=np.int64)
        self._is_first = np.array(firsts, dtype=np.bool_)
        self._reach = reach
        self._reaches = np.array(reach, dtype=np.int64)

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

    def possible(self, look: Look) -> tuple[Ints, Ints]:
        """(text, pattern) where the words stand that the pattern asks for."""
        if not self.patterns:
            return _NONE, _NONE
        asked = np.where(self._asked < 0, self.always, self._asked)
        may = look.has.take(asked[:, 0], axis=1)
        for place in range(1, _LISTS):
            may &= look.has.take(asked[:, place], axis=1)
        return _places_in(may)

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
        posts, numbers = self.possible(look)
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
                for post, number, places in self.search(look, posts.take(now), numbers.take(now))
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

    def search(
        self, look: Look, posts: Ints, numbers: Ints
    ) -> Iterable[tuple[int, int, list[Hit]]]:
        """(text, pattern, places) where patterns match; those without any are left out.

        RE2 is many times quicker at one place than at all: a gap such as .{0,24} then has one
        beginning to keep in mind, not one for each character.
        """
        is_near = self._opens.take(numbers) >= 0
        far = np.flatnonzero(~is_near)
        for post, number in zip(posts.take(far).tolist(), numbers.take(far).tolist(), strict=True):
            places = _searched(self.patterns[number].compiled, look.texts[post])
            if places:
                yield post, number, places
        near = np.flatnonzero(is_near)
        if not len(near):
            return
        for post, number, begins in self._beginnings(look, posts.take(near), numbers.take(near)):
            pattern, text = self.patterns[number], look.texts[post]
            if pattern.gap is not None or self._is_dear[number]:
                places = _matched(pattern, text, begins, self._reach[number])
            else:
                places = _searched(pattern.compiled, text)
            if places:
                yield post, number, places

    def _beginnings(
        self, look: Look, posts: Ints, numbers: Ints
    ) -> Iterable[tuple[int, int, list[int]]]:
        """(text, pattern, where a match can begin); those where none can are left out.

        All its words stand behind such a place, as near as a match reaches.
        """
        asked, opens = self._asked.take(numbers, axis=0), self._opens.take(numbers)
        wanted = np.zeros_like(look.has)
        wanted[posts, opens] = True
        for place in range(_LISTS):
            column = asked[:, place]
            there = np.flatnonzero(column >= 0)
            wanted[posts.take(there), column.take(there)] = True
        hits, columns = look.at(wanted)
        size = look.size + limits.WORD_CHARS
        starts = columns * size + look.starts.take(hits)
        order = np.argsort(starts)
        starts = starts.take(order)
        ends = (columns * size + look.ends.take(hits)).take(order)
        # How early a word of the list ends that begins here or later; other lists are far away.
        soonest = np.minimum.accumulate(ends[::-1])[::-1]
        first = starts.searchsorted(opens * size + look.begins.take(posts))
        after = starts.searchsorted(opens * size + look.stops.take(posts))
        counts = after - first
        row = np.repeat(np.arange(len(posts)), counts)
        at = np.arange(len(row)) + (first - (np.cumsum(counts) - counts)).take(row)
        begin = starts.take(at) - opens.take(row) * size
        may = begin == look.begins.take(posts.take(row))
        may |= ~self._is_first.take(numbers.take(row))
        row, begin = row[may], begin[may]
        limit = np.minimum(
            begin + self._reaches.take(numbers).take(row), look.stops.take(posts.take(row))
        )
        for place in range(_LISTS):
            column = asked[:, place].take(row)
            base = column * size
            next_one = starts.searchsorted(base + begin)
            inside = np.minimum(next_one, len(starts) - 1)
            ok = (next_one < len(starts)) & (soonest.take(inside) <= base + limit)
            ok = np.flatnonzero(ok | (column < 0))
            row, begin, limit = row.take(ok), begin.take(ok), limit.take(ok)
        within = (begin - look.begins.take(posts.take(row))).tolist()
        post_of, number_of = posts.tolist(), numbers.tolist()
        return [(post_of[i], number_of[i], within[low:high]) for i, low, high in _runs(row)]

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
        for post, begin, stop in _runs(posts):
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
    plan: _Plan, by_list: dict[tuple[int, int], list[Hit]], post: int, start: int, end: int
) -> bool:
    near = plan.near
    return all(
        any(h[0] - end <= near and start - h[1] <= near for h in by_list[post, column])
        for column in plan.must
    )


def _places_in(table: Table) -> tuple[Ints, Ints]:
    """(row, column) of what is true: as `np.nonzero`, in a third of the time."""
    rows, columns = np.divmod(np.flatnonzero(table), table.shape[1])
    return rows, columns


def _runs(ordered: Ints) -> Iterable[tuple[int, int, int]]:
    """(number, first, behind the last) of each run of equal numbers."""
    if not len(ordered):
        return ()
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    stops = [*first[1:].tolist(), len(ordered)]
    return zip(ordered.take(first).tolist(), first.tolist(), stops, strict=True)


def _searched(by_re2: Any, text: str) -> list[Hit]:
    made: list[Hit] = []
    data = text.encode()
    for match in by_re2.finditer(data):
        first, last = match.span()
        if last > first:
            start = len(data[:first].decode())
            made.append((start, start + len(data[first:last].decode()), -1))
            if len(made) == limits.HITS_PER_RULE:
                break
    return made


def _matched(pattern: Pattern, text: str, begins: Sequence[int], reach: int) -> list[Hit]:
    made: list[Hit] = []
    behind, last = 0, -1
    for begin in begins:
        if begin < behind or begin == last:
            continue
        last = begin
        gap = pattern.gap
        end = _end(pattern.compiled, text, begin, reach) if gap is None else gap.end(text, begin)
        if end >= 0:
            behind = end
            made.append((begin, end, -1))
            if len(made) == limits.HITS_PER_RULE:
                break
    return made


def _end(by_re2: Any, text: str, begin: int, reach: int) -> int:
    """Where the match ends that begins there; -1 where none does."""
    # One more character, so that $ never takes the end of the slice for that of the text.
    data = text[begin : begin + reach + 1].encode()
    match = by_re2.match(data)
    return -1 if match is None else begin + len(data[: match.end()].decode())


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


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked of a place of a rule, as numbers of lists; `never` where it has none."""

    any: int
    inside: int
    unless: int
    must: tuple[int, ...]
    near: int
    is_own: bool  #: quoted words do not count
    is_askable: bool


class _Gate:
    """What a whole text allows, for many rules and texts at once."""

    def __init__(
        self, rules: Sequence[Resolved], slots: Sequence[dict[str, int]], always: int, never: int
    ) -> None:
        self._rules = rules
        self.plans = [
            _Plan(
                any=some.get("any", never),
                inside=some.get("inside", never),
                unless=some.get("unless", never),
                must=tuple(some.get(f"must.{n}", never) for n in range(len(one.rule.must))),
                near=one.rule.near,
                is_own=one.rule.quoted == "void",
                is_askable=one.rule.question == "void",
            )
            for one, some in zip(rules, slots, strict=True)
        ]
        self.is_negatable = np.array([one.rule.negation == "void" for one in rules], dtype=np.bool_)
        self.is_askable = np.array([plan.is_askable for plan in self.plans], dtype=np.bool_)
        self.near = np.array([plan.near for plan in self.plans], dtype=np.int64)
        self.inside, self.unless, self.despite = (
            np.array([some.get(name, never) for some in slots], dtype=np.int64)
            for name in ("inside", "unless", "despite")
        )
        most = max((len(plan.must) for plan in self.plans), default=0)
        self._must = [
            np.array(
                [plan.must[n] if n < len(plan.must) else always for plan in self.plans],
                dtype=np.int64,
            )
            for n in range(most)
        ]
        names = {name for some in slots for name in some if name.endswith(".words")}
        pairs = [("none", "despite")] + [
            (name, f"{name.removesuffix('words')}despite") for name in sorted(names)
        ]
        #: (list that silences a rule, list that speaks against it)
        self._vetoes = [
            tuple(np.array([s.get(n, never) for s in slots], dtype=np.int64) for n in pair)
            for pair in pairs
        ]
        #: rules that ask for something of the whole text
        self._asks: Table = np.zeros(len(rules), dtype=np.bool_)
        for column in self._must:
            self._asks |= column != always
        for silences, _ in self._vetoes:
            self._asks |= silences != never
        self._known: dict[tuple[str, str, str], Table] = {}

    def open(self, begun: Table, has: Table, hoped: Table) -> Table:
        """Of these (text, rule) those that are not ruled out; `hoped` as `has`, and what may be."""
        posts, rules = _places_in(begun & self._asks)
        made = begun.copy()
        width = has.shape[1]
        base, has, hoped = posts * width, has.ravel(), hoped.ravel()
        ok = np.ones(len(posts), dtype=np.bool_)
        for column in self._must:
            ok &= hoped.take(base + column.take(rules))
        for silences, speaks in self._vetoes:
            some = np.flatnonzero(has.take(base + silences.take(rules)))  # few are silenced
            there = rules.take(some)
            ok[some] &= hoped.take(base.take(some) + speaks.take(there))
        made.ravel()[posts * begun.shape[1] + rules] = ok
        return made

    def allowed(self, subjects: Sequence[Subject]) -> Table:
        """Text, rule → whether it looks at this role, kind and channel."""
        if len(self._known) > 10_000:  # whoever sends names of channels must not fill the memory
            self._known.clear()
        keys = [(one.role, one.kind, one.channel) for one in subjects]
        if keys.count(keys[0]) == len(keys):
            return np.tile(self._allowed(keys[0], subjects[0]), (len(keys), 1))
        return np.stack(list(map(self._allowed, keys, subjects)))

    def _allowed(self, key: tuple[str, str, str], subject: Subject) -> Table:
        row = self._known.get(key)
        if row is None:
            row = self._known[key] = np.array(
                [concerns(rule, subject) for rule in self._rules], dtype=np.bool_
            )
        return row


def concerns(rule: Resolved, subject: Subject) -> bool:
    written = rule.rule
    return (
        subject.role in written.roles
        and (not written.kinds or subject.kind in written.kinds)
        and (not written.channels or subject.channel in written.channels)
    )
