"""What stands around a place in a text: is it denied, feared, asked; in which sentence is it?"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from analysis.literals import required
from analysis.matcher import Hit
from analysis.quoted import is_quoted
from analysis.subject import Reading

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
AFTER: Final = 14  #: characters read for it
BEFORE: Final = 12  #: characters read for a negator
_QUESTION: Final = re.compile(
    r"[?？]|请问|吗(?:[,。!]|$)|是否|有没有|是不是|会不会|能不能|可不可以|如何|怎么办理|哪里|"
    r"什么时候|何时|多少|为何|为什么"
)
_SENTENCE_END: Final = re.compile(r"[。!?;…\n]|(?<!\d)\.(?!\d)")
_CLAUSE_END: Final = re.compile(r"[,，。!?;:…\n、]")
#: Where none of these stands in the characters before a place, nothing denies or fears it …
CUES_BEFORE: Final = frozenset(
    word for found in (_NEGATOR, _FEARED) for word in required(found.pattern)[0]
)
#: … and where none of these stands behind it, it is not supposed.
CUES_BEHIND: Final = required(_SUPPOSED.pattern)[0]


class Passage:
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

    def is_feared(self, start: int) -> bool:
        return _FEARED.search(self._clause_before(start)) is not None

    def is_supposed(self, end: int) -> bool:
        """True where what follows asks what to do in such a case."""
        return _SUPPOSED.match(self._text, end, end + AFTER) is not None

    def _clause_before(self, start: int) -> str:
        before = self._before.get(start)
        if before is None:
            before = _CLAUSE_END.split(self._text[max(0, start - BEFORE) : start])[-1]
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


def covering(hits: list[Hit], start: int, end: int) -> Hit | None:
    return next((h for h in hits if h[0] <= start and end <= h[1]), None)
