"""Decides which rules a text meets, and can say for each why or why not."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final, NamedTuple

from analysis import limits
from analysis.literals import Hints, bits
from analysis.matcher import Hit, matcher
from analysis.packs import Resolved, compiled, is_pattern
from analysis.quoted import is_quoted
from analysis.sounds import Sounds
from analysis.subject import Reading, Subject, reading_of


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


@dataclass(frozen=True, slots=True)
class Trace:
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


#: A negator, then only words that fill the gap to what is denied.
_NEGATOR: Final = re.compile(
    r"(?:没有?|未|无|並非|并非|并未|不是|不会|不可能|不存在|未见|避免|防止|预防|谨防|严防|"
    r"防范|杜绝|以防|禁止|严禁|如果|如遇|若遇|如有|倘若|假如|万一|一旦|若是|假设|遇到?)"
    r"(?:造成|发生|出现|存在|任何|人员|有人|收到|接到|发现|导致|引起|引发|听说|看到|见到|什么|"
    r"有|被|再|人|大的?|的|了|过|是|因|此类|类似|一切|重特大)*$"
)
#: 淹没, 出没 … end like a negator; 有没有, 是不是 ask.
_NOT_A_NEGATOR: Final = re.compile(r"(?:淹|沉|埋|出|吞|覆|湮|隐|有)没$|(?:是|会|可)不$")
#: Fear of what has not happened, in front of the words …
_FEARED: Final = re.compile(
    r"(?:容易|极易|易|(?<!恐)怕|担心|以免|免得|省得|要是|真要|假使|哪天|"
    r"会不会|别等|等到|不要等|才不会|以后|将来|再)"
    r"(?:发生|出现|造成|引发|引起|导致|有人|有|会|再|又|被|要|得|真|把|的|了|孩子|老人|人)*$"
)
#: … or behind them: 着火了怎么办.
_SUPPOSED: Final = re.compile(
    r"(?:了|的时候|时|以后|之后|的话|起来|到人|人)*[,，]?"
    r"(?:怎么办|咋办|咋整|怎么跑|往哪|是往|谁负责|谁担|算谁|就晚了|就来不及|先打|应该|该怎么|"
    r"如何|怎样|咋)"
)
_BEHIND: Final = 14  #: characters read for it
_BEFORE: Final = 12  #: characters read for a negator
_QUESTION: Final = re.compile(
    r"[?？]|请问|吗(?:[,。!]|$)|是否|有没有|是不是|会不会|能不能|可不可以|如何|怎么办理|哪里|"
    r"什么时候|何时|多少|为何|为什么"
)
_SENTENCE_END: Final = re.compile(r"[。!?;…\n]|(?<!\d)\.(?!\d)")
_CLAUSE_END: Final = re.compile(r"[,，。!?;:…\n、]")


class Sifted(NamedTuple):
    """What a first look leaves of a text."""

    has_begun: bool  #: some rule's first words or patterns may be there
    hits: Sequence[Hit]
    patterns: Sequence[int]  #: that may match
    sounds: Sequence[tuple[int, Hit]] = ()  #: (rule, place) of words written by their sound
    said: int = 0  #: by the words that stand there, as `_Gate` writes it
    hints: Sequence[Hit] = ()  #: words that patterns ask for


_NOTHING: Final = Sifted(False, (), ())
_NO_HITS: Final[list[Hit]] = []


class Rulebook:
    """All rules of all packs, ready to match. Building one compiles; matching never raises."""

    def __init__(self, rules: Sequence[Resolved]) -> None:
        self.rules = tuple(rules)
        self._words: list[str] = []
        number_of: dict[str, int] = {}
        # Lists are shared: one list that sixty rules name is looked up once.
        self._lists_of: list[list[int]] = []
        list_number: dict[tuple[str, ...], int] = {}
        self._starters: list[list[int]] = []  #: list → rules that begin with it
        self._slots: list[dict[str, int]] = []  #: rule → slot → list
        for index, rule in enumerate(self.rules):
            slots: dict[str, int] = {}
            for name, words in rule.lists.items():
                if not words:
                    continue
                number = list_number.get(words)
                if number is None:
                    number = list_number[words] = len(self._starters)
                    self._starters.append([])
                    for word in words:
                        if is_pattern(word):
                            continue
                        if word not in number_of:
                            number_of[word] = len(self._words)
                            self._words.append(word)
                            self._lists_of.append([])
                        self._lists_of[number_of[word]].append(number)
                slots[name] = number
                if name == "any":
                    self._starters[number].append(index)
            self._slots.append(slots)
        self._matcher = matcher(self._words)
        # Where a pattern is found: the lists it stands in, and the rules that begin with it.
        places: dict[str, tuple[list[int], list[int]]] = {}
        for words, number in list_number.items():
            for word in filter(is_pattern, words):
                places.setdefault(word[1:-1], ([], []))[0].append(number)
        for index, rule in enumerate(self.rules):
            for pattern in rule.rule.patterns:
                places.setdefault(pattern, ([], []))[1].append(index)
        self._patterns = [
            _Pattern(compiled(pattern), tuple(lists), tuple(rules))
            for pattern, (lists, rules) in places.items()
        ]
        self._hints = Hints(list(places))
        self._sounds = Sounds(
            [
                (index, word, frozenset(rule.rule.sound))
                for index, rule in enumerate(self.rules)
                if rule.rule.sound
                for word in rule.lists["any"]
                if not is_pattern(word)
            ]
        )
        #: Patterns that begin a rule; the others only matter where a rule has begun.
        self._openers = sum(
            1 << number
            for number, (lists, rules) in enumerate(places.values())
            if rules or any(self._starters[one] for one in lists)
        )
        self._plans = [
            _Plan.of(rule, slots) for rule, slots in zip(self.rules, self._slots, strict=True)
        ]
        self._gate = _Gate(self.rules, self._slots, len(self._starters))
        # Words that stand in the same lists say the same.
        alike: dict[tuple[int, ...], int] = {}
        self._group_of = [alike.setdefault(tuple(some), len(alike)) for some in self._lists_of]
        self._groups = [
            _Said(lists, self._gate.said(lists, ()), self._gate.owners(lists, ()))
            for lists in alike
        ]
        self._group_says = [group.said for group in self._groups]
        self._pattern_says = [
            _Said(p.lists, self._gate.said(p.lists, p.rules), self._gate.owners(p.lists, p.rules))
            for p in self._patterns
        ]

    @property
    def word_count(self) -> int:
        return len(self._words)

    def hits(self, subject: Subject, sifted: Sifted | None = None) -> list[Trace]:
        """Only the places where a rule is met; `sifted` as for `traces`."""
        sifted = sifted or self.sift([subject])[0]
        if not sifted.has_begun:
            return []
        begun, found = self._begun(subject, sifted)
        if not begun:
            return []
        by_list: dict[int, list[Hit]] = {}
        wanted = {number for index in bits(begun) for number in self._slots[index].values()}
        here: dict[int, list[int]] = {}  # group → lists of it that are wanted
        for hit in sifted.hits:
            group = self._group_of[hit[2]]
            lists = here.get(group)
            if lists is None:
                some = self._groups[group]
                lists = here[group] = (
                    [one for one in some.lists if one in wanted] if some.owners & begun else []
                )
            for number in lists:
                hits = by_list.setdefault(number, [])
                if len(hits) < limits.HITS_PER_LIST:
                    hits.append(hit)
        started: dict[int, list[Hit]] = {}
        for number, places in found.items():
            for one in self._patterns[number].lists:
                by_list.setdefault(one, []).extend(places)
            for index in self._patterns[number].rules:
                started.setdefault(index, []).extend(places)
        for index, hit in sifted.sounds:
            started.setdefault(index, []).append(hit)
        page = _Page(reading_of(subject))
        made: list[Trace] = []
        for index in bits(begun):
            anchors = by_list.get(self._plans[index].any, _NO_HITS)
            if index in started:
                anchors = anchors + started[index]
            made += self._met(index, page, anchors, by_list)
        return made

    def _begun(self, subject: Subject, sifted: Sifted) -> tuple[int, dict[int, list[Hit]]]:
        """A bit for each rule that the whole text allows; and where their patterns match.

        Patterns are dear: only those are looked for that can still settle something, first those
        that a rule begins with or must have.
        """
        gate, says = self._gate, self._pattern_says
        concerned = gate.concerned(subject)
        said = sifted.said
        for index, _ in sifted.sounds:
            said |= 1 << index
        maybe = said
        for number in sifted.patterns:
            maybe |= says[number].said & gate.helps
        begun = gate.open(maybe) & concerned
        found: dict[int, list[Hit]] = {}
        if not begun or not sifted.patterns:
            return begun, found
        text = reading_of(subject).normalised.text
        left: list[int] = []
        for number in sifted.patterns:
            if not says[number].owners & begun:
                continue
            if says[number].said & gate.needs:
                places = self._search(number, text, sifted.hints)
                if places:
                    found[number] = places
                    said |= says[number].said
            else:
                left.append(number)
        maybe = said
        for number in left:
            maybe |= says[number].said & gate.helps
        begun = gate.open(maybe) & concerned
        for number in left:
            if says[number].owners & begun:
                places = self._search(number, text, sifted.hints)
                if places:
                    found[number] = places
                    said |= says[number].said
        return gate.open(said) & begun, found

    def _search(self, number: int, text: str, hints: Sequence[Hit]) -> list[Hit]:
        """Where a pattern matches: tried only where its first word stands, if that is known.

        RE2 is many times quicker at one place than at all: a gap such as .{0,24} then has one
        beginning to keep in mind, not one for each character.
        """
        pattern = self._patterns[number].compiled
        starts = self._hints.starts(number, hints)
        if starts is None:
            found = ((m.start(), m.end(), -1) for m in pattern.finditer(text))
            return [hit for hit in islice(found, limits.HITS_PER_RULE) if hit[1] > hit[0]]
        far, begins = starts
        made: list[Hit] = []
        behind = 0
        for begin in begins:
            if begin < behind:
                continue
            # One more character, so that $ never takes the end of the slice for that of the text.
            match = pattern.match(text[begin : begin + far + 1])
            if match is not None:
                behind = begin + match.end()
                made.append((begin, behind, -1))
                if len(made) == limits.HITS_PER_RULE:
                    break
        return made

    def traces(self, subject: Subject, sifted: Sifted | None = None) -> Iterable[Trace]:
        """Every place where a rule's first words stand, with what became of it.

        `sifted` as `sift` answered for this text; none: worked out here.
        """
        sifted = sifted or self.sift([subject])[0]
        if not sifted.has_begun:
            return
        started, by_list = self._places(subject, sifted)
        page = _Page(reading_of(subject))
        for index in sorted(started):
            yield from self._judge(index, subject, page, started[index], by_list)

    def sift(self, subjects: Sequence[Subject]) -> list[Sifted]:
        """What of each text is worth a closer look."""
        return [self._sifted(reading_of(subject).normalised.text) for subject in subjects]

    def _sifted(self, text: str) -> Sifted:
        if not text:
            return _NOTHING
        hits, hints = self._matcher.find(text), self._hints.find(text)
        patterns = self._hints.of(hints)
        sounds = self._sounds.find(text) if self._sounds else []
        said, group_of, says = 0, self._group_of, self._group_says
        for group in {group_of[hit[2]] for hit in hits}:
            said |= says[group]
        if not sounds and not patterns & self._openers and not said & self._gate.all:
            return _NOTHING
        return Sifted(True, hits, tuple(bits(patterns)), sounds, said, hints)

    def _places(
        self, subject: Subject, sifted: Sifted
    ) -> tuple[dict[int, list[Hit]], dict[int, list[Hit]]]:
        """Where rules begin, by rule; and where the words of lists stand, by list."""
        by_list: dict[int, list[Hit]] = {}
        started: dict[int, list[Hit]] = {}
        for hit in sifted.hits:
            for number in self._lists_of[hit[2]]:
                hits = by_list.setdefault(number, [])
                if len(hits) < limits.HITS_PER_LIST:
                    hits.append(hit)
        if sifted.patterns:
            text = reading_of(subject).normalised.text
            self._add_patterns(text, sifted, by_list, started)
        for number, hits in by_list.items():
            for index in self._starters[number]:
                started.setdefault(index, []).extend(hits)
        for index, hit in sifted.sounds:
            started.setdefault(index, []).append(hit)
        return started, by_list

    def _add_patterns(
        self,
        text: str,
        sifted: Sifted,
        by_list: dict[int, list[Hit]],
        started: dict[int, list[Hit]],
    ) -> None:
        for number in sifted.patterns:
            pattern = self._patterns[number]
            found = self._search(number, text, sifted.hints)
            if found:
                for owner in pattern.lists:
                    by_list.setdefault(owner, []).extend(found)
                for index in pattern.rules:
                    started.setdefault(index, []).extend(found)

    def _judge(
        self,
        index: int,
        subject: Subject,
        page: _Page,
        anchors: list[Hit],
        by_list: dict[int, list[Hit]],
    ) -> Iterable[Trace]:
        rule, slots = self.rules[index], self._slots[index]

        def hits(slot: str) -> list[Hit]:
            return by_list.get(slots[slot], []) if slot in slots else []

        elsewhere = not _concerns(rule, subject)
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
            elif within := _covering(hits("inside"), start, end):
                outcome, because = Outcome.INSIDE, page.words(within)
            elif rule.rule.negation == "void" and page.is_negated(start):
                outcome = Outcome.NEGATED
            elif rule.rule.negation == "void" and page.is_supposed(start, end):
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

    def _met(
        self, index: int, page: _Page, anchors: list[Hit], by_list: dict[int, list[Hit]]
    ) -> Iterable[Trace]:
        """As `_judge` for a rule the whole text allows, only what is met."""
        resolved, plan = self.rules[index], self._plans[index]
        rule = resolved.rule
        inside = by_list.get(plan.inside, _NO_HITS)
        unless = by_list.get(plan.unless, _NO_HITS) if plan.despite not in by_list else _NO_HITS
        for start, end, _ in _widest(anchors):
            if inside and _covering(inside, start, end):
                continue
            if plan.is_negatable and (page.is_negated(start) or page.is_supposed(start, end)):
                continue
            if plan.is_askable and page.is_question(start):
                continue
            if unless and page.in_sentence(unless, start):
                continue
            if rule.near and not all(
                any(h[0] - end <= rule.near and start - h[1] <= rule.near for h in by_list[number])
                for number in plan.must
            ):
                continue
            span = page.span(start, end)
            quoted = page.is_quoted(span[0])
            if not quoted or not plan.is_own:
                yield Trace(resolved, Outcome.HIT, *span, is_quoted=quoted)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What `_met` asks of a rule, as numbers of lists; -1 where it has no such list."""

    any: int
    inside: int
    unless: int
    despite: int
    must: tuple[int, ...]
    is_own: bool  #: quoted words do not count
    is_negatable: bool
    is_askable: bool

    @classmethod
    def of(cls, resolved: Resolved, slots: dict[str, int]) -> _Plan:
        rule = resolved.rule
        return cls(
            any=slots.get("any", -1),
            inside=slots.get("inside", -1),
            unless=slots.get("unless", -1),
            despite=slots.get("despite", -1),
            must=tuple(slots.get(f"must.{n}", -1) for n in range(len(rule.must))),
            is_own=rule.quoted == "void",
            is_negatable=rule.negation == "void",
            is_askable=rule.question == "void",
        )


class _Said(NamedTuple):
    """What it says about rules that a word or a pattern stands in a text."""

    lists: tuple[int, ...]
    said: int  #: as `_Gate` writes it
    owners: int  #: a bit for each rule that has it in any list


class _Gate:
    """Settles for all rules at once what a whole text allows: a bit a rule, a column a condition.

    The first column says where a rule begins; the rest which of its other lists have a word there.
    """

    def __init__(
        self, rules: Sequence[Resolved], slots: Sequence[dict[str, int]], lists: int
    ) -> None:
        self._size = size = len(rules)
        self.all = (1 << size) - 1
        names = {"any": 0}
        for rule in rules:
            for name in rule.lists:
                if name in {"none", "despite"} or name.startswith(("must.", "excuses.")):
                    names.setdefault(name, len(names))
        self._said = [0] * lists
        self._owners = [0] * lists
        has = dict.fromkeys(names, 0)  #: rules that have such a list
        for index, some in enumerate(slots):
            for name, number in some.items():
                self._owners[number] |= 1 << index
                if name in names:
                    self._said[number] |= 1 << (names[name] * size + index)
        for index, rule in enumerate(rules):
            for name in rule.lists:
                if name in names and (rule.lists[name] or name.startswith("must.")):
                    has[name] |= 1 << index
        must = [name for name in names if name.startswith("must.")]
        #: (column, rules that do not ask for it)
        self._must = [(names[name] * size, self.all & ~has[name]) for name in must]
        vetoes = [("none", "despite")] if has.get("none") else []
        vetoes += [
            (name, name.removesuffix("words") + "despite")
            for name in names
            if name.endswith(".words")
        ]
        #: (column, column of what overrules it)
        self._vetoes = [
            (names[name] * size, names[despite] * size if despite in names else None)
            for name, despite in vetoes
        ]
        self.needs = self.all  #: columns without which a rule is not met …
        for column, _ in self._must:
            self.needs |= self.all << column
        self.helps = self.needs  #: … and those that can only bring a rule nearer to being met
        for _, overrules in self._vetoes:
            if overrules is not None:
                self.helps |= self.all << overrules
        self._roles = _by_condition((r.rule.roles for r in rules), all_if_empty=False)
        self._kinds = _by_condition((r.rule.kinds for r in rules), all_if_empty=True)
        self._channels = _by_condition((r.rule.channels for r in rules), all_if_empty=True)

    def said(self, lists: Iterable[int], rules: Iterable[int]) -> int:
        """By what stands in these lists, and begins these rules by itself."""
        made = 0
        for number in lists:
            made |= self._said[number]
        for index in rules:
            made |= 1 << index
        return made

    def owners(self, lists: Iterable[int], rules: Iterable[int]) -> int:
        made = 0
        for number in lists:
            made |= self._owners[number]
        for index in rules:
            made |= 1 << index
        return made

    def open(self, said: int) -> int:
        """A bit for each rule that may be met."""
        rules = said & self.all
        if not rules:
            return 0
        for column, free in self._must:
            rules &= (said >> column) | free
        for column, overrules in self._vetoes:
            veto = (said >> column) & rules
            if veto:
                rules &= ~veto if overrules is None else ~veto | (said >> overrules)
        return rules

    def concerned(self, subject: Subject) -> int:
        """A bit for each rule that looks at this role, kind and channel."""
        return (
            self._roles.get(subject.role, self._roles[None])
            & self._kinds.get(subject.kind, self._kinds[None])
            & self._channels.get(subject.channel, self._channels[None])
        )


def _by_condition(
    conditions: Iterable[Iterable[str]], *, all_if_empty: bool
) -> dict[str | None, int]:
    """Value → rules that look at it; None: any value that no rule names."""
    made: dict[str | None, int] = {None: 0}
    named = [frozenset(some) for some in conditions]
    made.update(dict.fromkeys(frozenset[str]().union(*named), 0))
    for index, some in enumerate(named):
        for value in some or (made if all_if_empty else ()):
            made[value] |= 1 << index
    return made


@dataclass(frozen=True, slots=True)
class _Pattern:
    compiled: Any
    lists: tuple[int, ...]
    rules: tuple[int, ...]


class _Page:
    """A reading with what rules ask about places in it, worked out once and only when asked."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._text = reading.normalised.text
        self._ends: list[int] | None = None
        self._asked: dict[int, bool] = {}
        self._before: dict[int, str] = {}
        self._denied: dict[int, bool] = {}

    def span(self, start: int, end: int) -> tuple[int, int]:
        return self._reading.normalised.span(start, end)

    def is_quoted(self, original: int) -> bool:
        return is_quoted(self._reading.quoted, original)

    def words(self, hit: Hit) -> str:
        return self._text[hit[0] : hit[1]]

    def is_negated(self, start: int) -> bool:
        known = self._denied.get(start)
        if known is not None:
            return known
        found = _NEGATOR.search(self._clause_before(start))
        is_denied = False
        if found is not None:
            head = found.string[: found.start() + 1]
            is_denied = _NOT_A_NEGATOR.search(head) is None
        self._denied[start] = is_denied
        return is_denied

    def is_supposed(self, start: int, end: int) -> bool:
        """True where the words name a fear, or a case somebody asks about."""
        before = self._clause_before(start)
        if _FEARED.search(before) is not None:
            return True
        return _SUPPOSED.match(self._text, end, end + _BEHIND) is not None

    def _clause_before(self, start: int) -> str:
        before = self._before.get(start)
        if before is None:
            before = _CLAUSE_END.split(self._text[max(0, start - _BEFORE) : start])[-1]
            self._before[start] = before
        return before

    def sentence(self, at: int) -> tuple[int, int]:
        if self._ends is None:
            self._ends = [m.end() for m in _SENTENCE_END.finditer(self._text)]
        i = bisect_left(self._ends, at + 1)
        begin = self._ends[i - 1] if i else 0
        return begin, self._ends[i] if i < len(self._ends) else len(self._text)

    def is_question(self, at: int) -> bool:
        begin, end = self.sentence(at)
        if begin not in self._asked:
            self._asked[begin] = _QUESTION.search(self._text[begin:end]) is not None
        return self._asked[begin]

    def in_sentence(self, hits: list[Hit], at: int) -> Hit | None:
        if not hits:
            return None
        begin, end = self.sentence(at)
        return next((h for h in hits if begin <= h[0] < end), None)


def _concerns(rule: Resolved, subject: Subject) -> bool:
    written = rule.rule
    return (
        subject.role in written.roles
        and (not written.kinds or subject.kind in written.kinds)
        and (not written.channels or subject.channel in written.channels)
    )


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


def _covering(hits: list[Hit], start: int, end: int) -> Hit | None:
    return next((h for h in hits if h[0] <= start and end <= h[1]), None)


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
