"""One page of a message board (局长信箱, 网上咨询): the letters and how far each has come."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

from crawler.discovery import limits
from crawler.discovery.page import cut_short, open_page, text_from, words
from crawler.discovery.paging import NextPage, next_page, selected_next
from crawler.discovery.rows import Row, Selectors, read_rows, select_rows, selected_text

_OPEN = (
    "待办理", "待处理", "待受理", "待回复", "待答复", "待审核", "未办理", "未办结", "未回复",
    "未答复", "未处理", "未受理", "办理中", "处理中", "受理中", "正在办理", "正在处理", "已受理",
    "已转办", "已转交", "已交办", "转办中", "已提交", "新信件",
)  # fmt: skip
_DONE = (
    "已办结", "办理完毕", "办理完成", "处理完毕", "办结", "已回复", "已答复", "已处理", "已办理",
    "已反馈", "已解决", "已完成", "回复完毕", "不予受理",
)  # fmt: skip
_STATE = re.compile("|".join(sorted((*_OPEN, *_DONE), key=len, reverse=True)))
_CELL = re.compile(
    rf"[\[(（【\s]*(?:办理状态|处理状态|状态|办理情况)?[:：\s]*({_STATE.pattern})[\])）】\s]*"
)


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """A letter as the board lists it. Who wrote it is not read."""

    url: str
    title: str
    state: str  #: in the board's own words, 办理中, 已办结 …; "" where it tells none
    date_raw: str

    @property
    def closed(self) -> bool:
        """Whether nothing more is to come; an unknown state is open."""
        return self.state in _DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPage:
    """What one page of a board holds."""

    entries: tuple[BoardEntry, ...]
    next: NextPage | None
    total_pages: int | None
    offsite: tuple[BoardEntry, ...] = ()
    refused: int = 0
    truncated: bool = False


def read_board(
    source: str | bytes,
    *,
    url: str,
    page: int = 1,
    selectors: Selectors | None = None,
    state: str = "",
    content_type: str = "",
    hosts: Iterable[str] = (),
    seen: Collection[str] = (),
) -> BoardPage:
    """Reads one board page; `state` selects the cell of a row that tells the state.

    Raises `ListBroken` and nothing else. The other arguments are those of `read_list`.
    """
    opened = open_page(text_from(source, content_type), url, hosts)
    reading = read_rows(opened, "plain")
    if selectors is not None and (selectors.row or selectors.link):
        chosen = select_rows(opened, selectors)
        reading = chosen if chosen.rows else reading
    reading.truncated |= cut_short(opened) or len(source) > limits.PAGE
    letters = [(row, _letter(row, state)) for row in reading.rows]
    following, total = next_page(opened, style="plain", number=page, seen=seen)
    if selectors is not None and selectors.next:
        following = selected_next(opened, selectors.next, seen) or following
    return BoardPage(
        entries=tuple(letter for row, letter in letters if row.own),
        offsite=tuple(letter for row, letter in letters if not row.own),
        next=following,
        total_pages=total,
        refused=reading.refused,
        truncated=reading.truncated,
    )


def _letter(row: Row, selector: str) -> BoardEntry:
    told = selected_text(row.element, selector) if selector else ""
    return BoardEntry(row.url, row.title, told or state_of(row), row.date_raw)


def state_of(row: Row) -> str:
    """The state of a letter: a cell that says nothing else, else a word outside the title."""
    for piece in islice(row.element.itertext(), 100):
        cell = _CELL.fullmatch(piece[: limits.DATE])
        if cell:
            return cell[1]
    for image in islice(row.element.iter("img"), 5):
        cell = _CELL.fullmatch((image.get("alt") or image.get("title") or "")[: limits.DATE])
        if cell:
            return cell[1]
    rest = row.text().replace(row.title, " ", 1)
    for link in islice(row.element.iter("a"), 5):  # a title cut short with … is still a title
        said = words(link)
        rest = rest.replace(said, " ", 1) if said else rest
    found = _STATE.search(rest)
    return found[0] if found else ""
