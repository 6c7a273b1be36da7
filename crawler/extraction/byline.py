"""The lines around a body that say when it was published and who signs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from crawler.extraction import dates
from crawler.extraction.dates import Moment
from crawler.extraction.hygiene import one_line
from crawler.extraction.outline import Block, Element, Outline, Span

_PUBLISH = (
    r"(?:信息|文章|内容|网站)?(?:发布|发表|发稿|发文|公开|公布|刊发|上传|添加|录入|上网|发帖|发信)"
    r"\s*(?:时间|日期|于)"
)
_OTHER = (
    r"(?:更新|修改|成文|生成|印发|创建|撰写|编辑)\s*(?:时间|日期|于)"
    r"|(?<![\u4e00-\u9fff])(?:日\s*期|时\s*间)"
)
_LABELS = (
    (re.compile(rf"({_PUBLISH})\s*[:：]?|(?:Published|Posted)(?:\s+on)?\s*:", re.I), "published"),
    (re.compile(rf"({_OTHER})\s*[:：]|(?:Updated|Date)\s*:", re.I), "other"),
)
#: Where a value ends: the next label of the line.
_NEXT = re.compile(
    r"(?:信息|文章|稿件|新闻|内容)?(?:来\s*源|稿\s*源|出处|作\s*者|发布(?:机构|单位|人|者)|供稿"
    r"|编\s*辑|责\s*编"
    r"|责任编辑|浏\s*览|点\s*击|阅\s*读|访\s*问|查看|人气|字\s*号|字\s*体|打\s*印|分\s*享|收藏"
    r"|关闭|大\s*中\s*小|审核"
    r"|撰稿|文号|索引号|主题|有效性|关键词|保护视力|视力保护|【|\[|｜|\||来自|信息分类|更新时间"
    r"|语音播报)"
)
_SOURCE = re.compile(
    r"(?:信息|文章|稿件|新闻|内容|资料)?(?:来\s*源|稿\s*源|出\s*处)\s*[:：]\s*"
    r"|(?:发布|公开|发文|制发|供稿|信息提供)(?:机构|单位|部门|处室)\s*[:：]\s*"
)
_SOURCE_END = re.compile(
    r"\s*(?:作\s*者|浏\s*览|点\s*击|阅\s*读|访\s*问|发布|发表|更新|时\s*间|日\s*期|字\s*号"
    r"|字\s*体|打\s*印|分\s*享|编\s*辑"
    r"|责\s*编|责任编辑|审核|人气|查看|收藏|关闭|文号|索引号|主题|次数|【|\[|｜|\|"
    r"|\d{4}\s*[-年/.]|$)"
)
_UNLABELLED_SOURCE = re.compile(
    r"\d(?:日|[:：]\d{2})?\s+([\u4e00-\u9fff（）()]{2,24}?(?:局|办|办公室|厅|委|台|中心|政府|科"
    r"|处|站|网|报|社|院|队"
    r"|部|会|公司|大学|学院))(?=\s|$|点击|浏览|阅读|作者|字)"
)
_BODIES = r"局|办|办公室|厅|委|台|中心|政府|科|处|站|网|报|社|院|队|部|会|公司|大学|学院"
#: Templates that set label and value apart by looks alone: 来源<b>区应急局</b>.
_UNPUNCTUATED = re.compile(
    rf"^(?:信息|文章|稿件|新闻)?来源\s*([\u4e00-\u9fff（）()]{{2,24}}?(?:{_BODIES}))$"
)
#: A table's cell that is nothing but the label.
_SOURCE_CELL = re.compile(r"(?:信息|文章|稿件)?来源|(?:发布|公开|发文|制发)(?:机构|机关|单位|部门)")
#: Where English templates keep author and day when they keep them inside the article.
_BYLINE_NAMED = re.compile(
    r"byline|meta|dateline|timestamp|(?:^|[\s_-])(?:date|posted|info)(?:$|[\s_-])"
)
_TIME_NAMED = re.compile(
    r"(?:^|[\s_-])(?:time|date|datetime|pubtime|pubdate|pub[_-]time|pub[_-]date"
    r"|publish[_-]?(?:time|date|on)?"
    r"|published|posted|pages[_-]date|sj|rq|fbsj|post[_-]?(?:time|date)|article[_-]?(?:time|date)"
    r"|arti[_-]update|update|arti_metas|news_meta|entry-date)(?:$|[\s_-])"
)
_SHORT = 260  #: size above which a block is prose, not a byline


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A visible date; `moment` is None where a date was announced but cannot be read."""

    moment: Moment | None
    raw: str
    how: str  #: label, name, near


def when(page: Outline, title: int, body: Span | None, now: datetime) -> When | None:
    """The visible publication time, or None where the page shows none.

    Labels are looked for above, inside the edges of and just below the body; what has no
    label only between title and body. 发布时间 wins over 更新时间 and a bare 时间.
    """
    near = list(_around(page, title, body))
    unreadable: When | None = None
    for kind in ("published", "other"):
        for block in near:
            found = _labelled(page, block, kind, now)
            if found and found.moment:
                return found
            unreadable = unreadable or found
    if unreadable:
        return unreadable
    above = [block for block in near if body is None or block.index < body.first]
    return (
        _time_named(page, above, now) or _unlabelled(above, now) or _signed_inside(page, body, now)
    )


def _around(page: Outline, title: int, body: Span | None) -> Iterator[Block]:
    if body is None:
        yield from (block for block in page.blocks[:400] if block.size <= _SHORT)
        return
    start = title if 0 <= title < body.last else max(0, body.first - 25)
    picked = [
        *page.blocks[start : body.first + 6],
        *page.blocks[max(body.last - 3, body.first + 6) : body.last + 8],
    ]
    if start > 0:
        picked += page.blocks[max(0, start - 12) : start]
    yield from (block for block in picked if block.size <= _SHORT)


def _labelled(page: Outline, block: Block, kind: str, now: datetime) -> When | None:
    for pattern, its_kind in _LABELS:
        if its_kind != kind:
            continue
        match = pattern.search(block.text)
        if not match:
            continue
        value = block.text[match.end() :]
        end = _NEXT.search(value)
        value = one_line(value[: end.start()] if end else value)[:80].lstrip(":： ")
        if not value and not end:
            value = _next_short(page, block)
        if not value:
            return None
        label = one_line(match.group())
        return When(moment=dates.parse(value, now), raw=f"{label}{value}", how="label")
    return None


def _next_short(page: Outline, block: Block) -> str:
    """The cell to the right of a label in a table."""
    following = page.blocks[block.index + 1 : block.index + 2]
    return following[0].text if following and following[0].size <= 60 else ""


def _time_named(page: Outline, above: Sequence[Block], now: datetime) -> When | None:
    for block in above:
        span = page.of(block.owner)
        named = span is not None and bool(_TIME_NAMED.search(span.marks))
        inner = next(filter(_tells_time, block.owner.iter("time", "span", "em", "i")), None)
        if inner is not None:
            stamp = inner.get("datetime") or "".join(inner.itertext())
            moment = dates.parse(stamp[:200], now)
            if moment:
                return When(moment=moment, raw=moment.raw, how="name")
        if named and block.size <= 120:
            end = _NEXT.search(block.text)
            value = block.text[: end.start()] if end and end.start() else block.text
            moment = dates.parse(value, now)
            if moment:
                return When(moment=moment, raw=moment.raw, how="name")
    return None


def _tells_time(element: Element) -> bool:
    return element.tag == "time" or bool(_TIME_NAMED.search((element.get("class") or "").lower()))


def _unlabelled(above: Sequence[Block], now: datetime) -> When | None:
    """A full date on a short line of its own between title and body."""
    for block in above[1:] if len(above) > 1 else above:
        if block.size > 200 or block.density > 0.5:
            continue
        moment = dates.full_date(block.text, now)
        if moment and not re.search(r"[。；]", block.text):
            return When(moment=moment, raw=moment.raw, how="near")
    return None


def _signed_inside(page: Outline, body: Span | None, now: datetime) -> When | None:
    """A byline that the body's own element encloses, by its name and its place at the top."""
    if body is None:
        return None
    for block in page.blocks[body.first : body.first + 4]:
        span = page.of(block.owner)
        if span is not None and block.size <= 160 and _BYLINE_NAMED.search(span.marks):
            moment = dates.full_date(block.text, now)
            if moment:
                return When(moment=moment, raw=moment.raw, how="name")
    return None


def source(page: Outline, title: int, body: Span | None) -> str:
    """Who signs, by a label such as 来源： or 发布机构：; "" where nobody does."""
    near = list(_around(page, title, body))
    for block in near:
        match = _SOURCE.search(block.text)
        if match:
            value = block.text[match.end() :]
            if not value.strip():
                value = _next_short(page, block)
            end = _SOURCE_END.search(value)
            cleaned = one_line(value[: end.start()] if end else value).strip("：:；;，,。.()（）")
            if 2 <= len(cleaned) <= 40:
                return cleaned
    for block in near:
        bare = _UNPUNCTUATED.match(block.text)
        if bare:
            return bare[1]
        if _SOURCE_CELL.fullmatch(block.text):
            named = _next_short(page, block).strip()
            if 2 <= len(named) <= 40 and not named[0].isdigit():
                return named
    for block in near:
        if block.size <= 160 and (body is None or block.index < body.first):
            bare = _UNLABELLED_SOURCE.search(block.text)
            if bare:
                return bare[1]
    return ""
