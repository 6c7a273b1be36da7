"""The date in a row of a list, in the ways lists write it; what it means is read elsewhere."""

from __future__ import annotations

import re

from crawler.discovery import limits

DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d{2}\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}(?!\d)日?"
    r"(?:[\sT]{0,3}\d{1,2}[:：]\d{2}(?:[:：]\d{2})?(?!\d))?"
    r"|\d{1,2}月\d{1,2}日(?:\s?\d{1,2}[:：]\d{2})?"
    r"|(?:今天|昨天|前天)(?:\s?\d{1,2}[:：]\d{2})?"
    r"|\d{1,3}\s?(?:分钟|小时|天)前"
    r"|刚刚)"
)
_SHORT_DATE = re.compile(r"(?<![\d/.-])(?:0?[1-9]|1[0-2])[-/](?:0[1-9]|[12]\d|3[01])(?![\d/.-])")
#: A calendar leaf: the day large, year and month small, or month-day and year.
_LEAF = re.compile(
    r"(?<![\d-])(?:(?P<d1>\d{1,2})日?\s+(?P<y1>20\d{2})\s?[-/.年]\s?(?P<m1>\d{1,2})月?(?![\d/.-])"
    r"|(?P<y2>20\d{2})\s?[-/.年]\s?(?P<m2>\d{1,2})月?\s+(?P<d2>\d{1,2})(?![\d:：/.-])"
    r"|(?P<m3>\d{1,2})[-/.月](?P<d3>\d{1,2})日?\s+(?P<y3>20\d{2})(?![\d/.-]))"
)


def date_in(text: str, title: str = "") -> str:
    """The date of a row as it stands there; a date inside the title counts last."""
    rest = text.replace(title, " ", 1) if title and title in text else text
    for candidate in (rest, text):
        leaf = _LEAF.search(candidate)
        plain = DATE.search(candidate)
        if plain and not (leaf and leaf.start() < plain.start()):
            return plain[0].strip()[: limits.DATE]
        if leaf:
            day = next(
                (leaf[f"d{i}"], leaf[f"m{i}"], leaf[f"y{i}"]) for i in "123" if leaf[f"y{i}"]
            )
            return f"{day[2]}-{int(day[1]):02d}-{int(day[0]):02d}"
        short = _SHORT_DATE.search(candidate)
        if short and candidate is rest:
            return short[0]
    return ""


def marked(text: str) -> bool:
    """Whether a date stands in `text`, be it only month and day."""
    return bool(DATE.search(text) or _SHORT_DATE.search(text))
