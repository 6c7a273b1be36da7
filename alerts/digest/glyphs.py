"""Which characters the shipped fonts can draw, and how the others are shown on paper.

A PDF or Word page must not have empty boxes that nobody explains: a known emoji becomes the
word [表情], anything else outside the fonts becomes □, and the page says so. HTML and CSV keep
what was written.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

MISSING = "□"
EMOJI = "[表情]"

#: Beside GB 2312 and Latin: Roman numerals and numbered marks that offices write.
_MORE = (
    "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ①②③④⑤⑥⑦⑧⑨⑩〇〔〕【"
    "】「」『』—–‐‑…·•℃％‰°±×÷≤≥≈≠→←↑↓↗↘▲△▼▽●○■□◆◇★"
    "☆√✓※€£¥￥™®©"
)

#: Not in GB 2312, yet met in the names of people and places.
_NAMES = "镕堃喆昇珺玥翀曌赟旻暐昉晞囧祎婳嫚嬿珮瑭璟璘琤瑀玹堺垚埇坨淏湉滢溁潆洺烜焜煊熠燊犇猇"

_PICTURES = (
    (0x1F000, 0x1FAFF),
    (0x2600, 0x27BF),
    (0x2B00, 0x2BFF),
    (0x2300, 0x23FF),
    (0xE0000, 0xE007F),
)
_JOINERS = "\u200d\ufe0e\ufe0f\u20e3"


@cache
def covered() -> frozenset[str]:
    """Every character that a shipped font must draw: GB 2312, Latin, and a few more."""
    han = {
        bytes((row, cell)).decode("gb2312", "ignore")
        for row in range(0xA1, 0xF8)
        for cell in range(0xA1, 0xFF)
    }
    latin = {chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x100))}
    return frozenset((han | latin | set(_MORE) | set(_NAMES)) - {"", "\u00ad"})


def printable(text: str) -> str:
    """The text as a printed page can show it; lines are kept, controls and bidi marks are gone."""
    known = covered()
    text = visible(text)
    if all(one in known or one == "\n" for one in text):
        return text
    made = "".join(_shown(one, known) for one in text)
    # One face made of several code points (skin, family, flag) is one face.
    return re.sub(rf"(?:{re.escape(EMOJI)})+", EMOJI, made)


def is_changed(text: str) -> bool:
    """Whether a printed page shows this otherwise than it was written."""
    return printable(text) != visible(text)


def visible(text: str) -> str:
    """Without controls, bidi marks and lone surrogates; blanks stay as they were set."""
    kept = (
        " " if one in "\t\r\v\f\x85" else "\n" if one in "\u2028\u2029" else one
        for one in text
        if one in "\t\r\v\f\x85\n" or unicodedata.category(one) not in {"Cc", "Cf", "Cs"}
    )
    return unicodedata.normalize("NFC", "".join(kept))


def _shown(one: str, known: frozenset[str]) -> str:
    if one in known or one == "\n":
        return one
    if one in _JOINERS:
        return ""
    code = ord(one)
    if any(first <= code <= last for first, last in _PICTURES):
        return EMOJI
    if unicodedata.combining(one):
        return ""
    plain = unicodedata.normalize("NFKC", one)
    if plain != one and all(part in known for part in plain):
        return plain
    return MISSING
