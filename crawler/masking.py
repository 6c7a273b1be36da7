"""Takes phone, identity, bank-card numbers and mail addresses out of texts before they are kept.

Digits are starred in place, so a text keeps its length and what is around a number can be
read. Numbers are looked for in a shadow of the text in which every kind of digit, blank and
dash is plain and invisible characters are gone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date

from store.records import Role

_GAP = r"[ \-.·/]{1,3}"  # between groups of digits
_MOBILE = re.compile(
    rf"(?<![\d*])(?:\+?(?:00)?86[ \-)]{{0,2}})?"
    rf"(1[3-9]\d{{9}}"
    rf"|1[3-9]\d{_GAP}\d{{4}}{_GAP}?\d{{4}}"
    rf"|1[3-9]\d{{5}}{_GAP}\d{{4}}"
    rf"|1[3-9]\d{{2}}{_GAP}\d{{3}}{_GAP}\d{{4}}"
    rf"|1[3-9]\d{_GAP}\d{{3}}{_GAP}\d{{5}}"
    rf"|1([ \-])[3-9](?:\2\d){{9}})"
    rf"(?![\d*])"
)
_LANDLINE = re.compile(
    r"(?<![\d*.])(?:\+?(?:00)?86[ \-]?)?\(?(0(?:10|2\d|[3-9]\d{2}))\)?[ \-]{0,3}"
    r"([2-9]\d{2,3}[ \-]?\d{4})(?:[ \-]{1,2}\d{1,6})?(?![\d*.])"
)
_LOCAL = re.compile(
    r"(?:电话|座机|致电|来电|联系|拨打|固话|号码|[Tt][Ee][Ll])[^\d\n]{0,6}"
    r"([2-9]\d{2,3}[ \-]?\d{4})(?![\d*])"
)
_IDENTITY = re.compile(
    rf"(?<![\dA-Za-z*])(\d{{6}}(?:{_GAP})?\d{{8}}(?:{_GAP})?\d{{3}}[\dXx])(?![\dA-Za-z*])"
)
_OLD_IDENTITY = re.compile(
    rf"(?<![\dA-Za-z*])(\d{{6}}(?:{_GAP})?\d{{6}}(?:{_GAP})?\d{{3}})(?![\d*])"
)
_CARD = re.compile(r"(?<![\d*])(\d{16,19}|\d{4}(?:[ \-]\d{4}){3}(?:[ \-]\d{1,3})?)(?![\d*])")
_MAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-])([A-Za-z0-9._%+\-]{1,64})@"
    r"((?:[A-Za-z0-9\-]{1,63}\.){1,5}[A-Za-z]{2,24})(?![A-Za-z0-9])"
)
_SPELT = re.compile(r"[〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]{11}")
_SEVEN_DIGITS = re.compile(r"\d(?:[^\d\n]{0,3}\d){6}")  # the fewest that could be personal
_INVISIBLE = "\u200b"  # stands for every invisible character in a shadow
_SPELT_DIGIT = {c: str(i % 10) for i, c in enumerate("零一二三四五六七八九")} | {
    "〇": "0", "幺": "1", "壹": "1", "贰": "2", "叁": "3", "肆": "4", "伍": "5", "陆": "6",
    "柒": "7", "捌": "8", "玖": "9",
}  # fmt: skip
_NUMBERED = re.compile(r"(?:编号|文号|单号|流水号|批次号|序列号|代码|标识|信用代码)[^\d\n]{0,6}$")
_NAMED_IDENTITY = re.compile(r"(?:身份证|证件号|公民身份)[^\d\n]{0,10}$")
_CARD_STARTS = re.compile(r"62|60|4|5[1-5]|2[3-6]|35|9[0-9]{3}")
_PROVINCES = frozenset(
    f"{n}" for n in (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47),
                     *range(50, 55), *range(61, 66), 71, 81, 82, 83, 91)
)  # fmt: skip
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_DASHES = frozenset("-‐‑‒–—―−－﹣~～_")
_KEPT_AS_THEY_ARE = {"（": "(", "）": ")", "＋": "+", "＠": "@", "．": ".", "。": "。"}


def mask(text: str, role: Role = Role.PUBLIC) -> str:
    """The text with personal numbers starred; masking twice changes nothing more.

    Agencies publish their landlines on purpose, so those stay where the agency speaks.
    Service numbers (110, 12345, 400-…), dates and document numbers are no personal numbers.
    """
    shadow, places = _shadow(text)
    if not _worth_a_look(shadow):
        return text
    hidden: set[int] = set()
    for start, end in _found(shadow, role):
        if not any(places[i] in hidden for i in range(start, end)):
            hidden.update(places[i] for i in range(start, end))
    if not hidden:
        return text
    return "".join("*" if i in hidden else c for i, c in enumerate(text))


def _worth_a_look(plain: str) -> bool:
    return "@" in plain or bool(_SEVEN_DIGITS.search(plain) or _SPELT.search(plain))


class _Plain(dict[int, str]):
    """How each character looks in the shadow; filled as texts need it."""

    def __missing__(self, code: int) -> str:
        seen = self[code] = _seen(chr(code))
        return seen


def _seen(char: str) -> str:
    if char in "\t" or unicodedata.category(char) == "Zs":
        return " "
    if char in _DASHES:
        return "-"
    if char in _KEPT_AS_THEY_ARE:
        return _KEPT_AS_THEY_ARE[char]
    kind = unicodedata.category(char)
    if kind == "Cf":
        return _INVISIBLE
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    return unicodedata.normalize("NFKC", char) if "Ａ" <= char <= "ｚ" else char


_PLAIN = _Plain()


def _shadow(text: str) -> tuple[str, Sequence[int]]:
    """A plain copy without invisible characters, and where each of its characters came from."""
    plain = text.translate(_PLAIN)
    if _INVISIBLE not in plain:
        return plain, range(len(plain))
    places = [i for i, char in enumerate(plain) if char != _INVISIBLE]
    return plain.replace(_INVISIBLE, ""), places


def _found(shadow: str, role: Role) -> Iterator[tuple[int, int]]:
    """Spans of the shadow to be starred, digit by digit where blanks and dashes are to stay."""
    for match in _IDENTITY.finditer(shadow):
        if _is_identity(match[1], named=bool(_NAMED_IDENTITY.search(shadow, 0, match.start()))):
            yield from _middle(shadow, match.span(1), head=4, tail=2)
    for match in _OLD_IDENTITY.finditer(shadow):
        if _is_old_identity(match[1]):
            yield from _middle(shadow, match.span(1), head=4, tail=2)
    for match in _CARD.finditer(shadow):
        if _is_card(match[1]) and not _NUMBERED.search(
            shadow[max(0, match.start() - 16) : match.start()]
        ):
            yield from _middle(shadow, match.span(1), head=4, tail=4)
    for match in _MOBILE.finditer(shadow):
        yield from _middle(shadow, match.span(1), head=3, tail=4)
    for match in _SPELT.finditer(shadow):
        digits = "".join(_SPELT_DIGIT[c] for c in match[0])
        if re.fullmatch(r"1[3-9]\d{9}", digits):
            yield match.start() + 3, match.end() - 4
    if role is not Role.OWN:
        for pattern, group in ((_LANDLINE, 2), (_LOCAL, 1)):
            for match in pattern.finditer(shadow):
                yield from _middle(shadow, match.span(group), head=0, tail=4)
    for match in _MAIL.finditer(shadow):
        start, end = match.span(1)
        yield min(start + 1, end - 1) if end - start > 1 else start, end


def _middle(
    shadow: str, span: tuple[int, int], *, head: int, tail: int
) -> Iterator[tuple[int, int]]:
    digits = [i for i in range(*span) if shadow[i].isalnum()]
    for index in digits[head : len(digits) - tail]:
        yield index, index + 1


def _bare(found: str) -> str:
    return "".join(c for c in found if c.isalnum()).upper()


def _is_identity(found: str, *, named: bool) -> bool:
    """GB 11643: region, date of birth, sequence, ISO 7064 MOD 11-2 check character.

    A number that is called an identity number is taken for one even with a slip in it.
    """
    number = _bare(found)
    if number[:2] not in _PROVINCES or not _is_birthday(number[6:14]):
        return False
    check = "10X98765432"[sum(int(d) * w for d, w in zip(number, _WEIGHTS, strict=False)) % 11]
    return named or number[17] == check


def _is_old_identity(found: str) -> bool:
    number = _bare(found)
    return number[:2] in _PROVINCES and _is_birthday("19" + number[6:12])


def _is_birthday(digits: str) -> bool:
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return 1900 <= born.year <= 2100


def _is_card(found: str) -> bool:
    number = _bare(found)
    return bool(_CARD_STARTS.match(number)) and _luhn(number)


def _luhn(number: str) -> bool:
    digits = [int(d) for d in reversed(number)]
    doubled = (d * 2 - 9 if d > 4 else d * 2 for d in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
