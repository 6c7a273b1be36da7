"""Where the next page of a list is, by the habits of each content-management system."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qsl

from crawler.discovery import limits
from crawler.discovery.links import canonical, path_of
from crawler.discovery.page import Element, Page, words
from crawler.discovery.rows import chosen_by

_NEXT = re.compile(
    r"[\[(【<《\s]*(?:下\s*一?\s*[页頁]|后\s*一?\s*页|next(?:\s*page)?)[\s\])】>》»›→.]*", re.I
)
_ARROW = re.compile(r"[>›→]")
_LAST = re.compile(r"[\[(【\s]*(?:尾\s*页|末\s*[页頁]|最后一?[页頁]|last)[\s\])】>»]*", re.I)
_PAGER = re.compile(r"首\s*页|上一?页|下一?页|尾\s*页|末\s*页|next|prev", re.I)
_CLASS_NEXT = re.compile(r"(?:\A|[\s_-])next(?:\Z|[\s_-])|(?:\A|\s)p_next(?:\Z|\s)", re.I)
_PARAMETER = re.compile(
    r"(?:page|page_?no|page_?num(?:ber)?|page_?index|curr?_?page|current_?page|curpage|pn|p)\Z",
    re.I,
)
_CALL = re.compile(r"(function\s+)?\bcreatePageHTML\s*\(([^()]{1,300})\)", re.I)
_TOTAL = re.compile(
    r"\b(?:countPage|count_page|totalPages?|total_pages?|pageCount|page_count|pageTotal|maxPage|allPages?)\b"
    r"[\"']?\s*[:=]\s*[\"']?(\d{1,6})\b",
    re.I,
)
_SAID = re.compile(r"共\s*(\d{1,6})\s*页")
_FRACTION = re.compile(r"[第页码次:：\s]{0,8}(\d{1,6})\s*/\s*(\d{1,6})\s*页?")
_SCRIPTED = re.compile(r"\(\s*['\"]?(\d{1,6})['\"]?\s*[,)]")
_DIGITS = re.compile(r"[0-9]{1,6}")
_NUMBERED = re.compile(r"(\d{1,6})(?=\.[A-Za-z]{3,5}\Z|\Z|/\Z)")
_ENOUGH = 20_000  #: text pieces searched for 共 12 页


@dataclass(frozen=True, slots=True)
class NextPage:
    """How to ask for the page after this one."""

    url: str
    method: str = "GET"
    form: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """One line that is the same for the same request; what `seen` holds."""
        body = "&".join(f"{name}={value}" for name, value in self.form)
        return f"{self.method} {self.url} {body}".rstrip()


def unseen(page: Page, candidate: NextPage | None, seen: Collection[str]) -> NextPage | None:
    """The candidate, unless it leads off the site, to this very page, or in a circle."""
    if candidate is None or not page.own(candidate.url):
        return None
    if candidate.method == "GET" and candidate.url == page.url:
        return None
    if candidate.key in seen or (candidate.method == "GET" and candidate.url in seen):
        return None
    return candidate


def next_page(
    page: Page, *, style: str, number: int, seen: Collection[str]
) -> tuple[NextPage | None, int | None]:
    """The request for the following page, and how many pages there are where it is said."""
    scripts = page.scripts()
    pager = _Pager(page, max(number, 1), _total(page, scripts, max(number, 1)))
    call = _called(scripts) if style in {"trs", "ucap", "plain"} else None
    if call is not None:
        return unseen(page, pager.by_call(call, style), seen), pager.total
    for candidate in (
        pager.by_link(), pager.by_number(), pager.by_query(), pager.by_last(),
        pager.by_form(), pager.by_name(style),
    ):  # fmt: skip
        fresh = unseen(page, candidate, seen)
        if fresh is not None:
            return fresh, pager.total
    return None, pager.total


def selected_next(opened: Page, selector: str, seen: Collection[str]) -> NextPage | None:
    """The next page a configured selector points at."""
    for element in islice(chosen_by(opened.root, selector), 1):
        url = opened.resolve(element.get("href") or "")
        return unseen(opened, NextPage(url), seen) if url else None
    return None


@dataclass(frozen=True, slots=True)
class _Call:
    total: int
    current: int | None
    name: str
    extension: str


class _Pager:
    """Looks for the next page in one way after another; each may find nothing."""

    def __init__(self, page: Page, number: int, total: int | None) -> None:
        self.page, self.number, self.total = page, number, total
        self.link: str | None = None
        self.last: str | None = None
        self.numbered: str | None = None
        self.neighbours: list[str] = []
        self.scripted = False
        self.ended = False
        self._look()

    def _look(self) -> None:
        pager = False
        path = path_of(self.page.url)
        arrow: str | None = None
        for anchor in islice(self.page.root.iter("a"), limits.LINKS):
            said = words(anchor, 20) or (anchor.get("title") or "")[:20]
            url = self.page.resolve(anchor.get("href") or "")
            pager = pager or bool(_PAGER.search(said))
            if _NEXT.fullmatch(said) or _is_next(anchor):
                self._next(anchor, url)
            elif _ARROW.fullmatch(said):
                arrow = arrow or url
            elif _LAST.fullmatch(said):
                self.last = self.last or url
            elif said == str(self.number + 1):
                self.numbered = self.numbered or url
            if url and "?" in url and path_of(url) == path:
                self.neighbours.append(url)
        for link in islice(self.page.root.iter("link"), 100):
            if (link.get("rel") or "").lower() == "next":
                self._next(link, self.page.resolve(link.get("href") or ""))
        if self.link is None and arrow and self.numbered:
            self.link = arrow
        if not pager and not self.neighbours:
            self.numbered = None

    def _next(self, anchor: Element, url: str | None) -> None:
        if url is not None and not (anchor.get("href") or "").startswith("#"):
            self.link = self.link or url
            return
        acts = f"{anchor.get('href') or ''} {anchor.get('onclick') or ''}"[:500]
        wanted = _SCRIPTED.search(acts)
        self.scripted = self.scripted or (wanted is not None and int(wanted[1]) == self.number + 1)
        self.ended = self.ended or "void(0)" in acts.replace(" ", "")

    @property
    def over(self) -> bool:
        return self.total is not None and self.number >= self.total

    def by_call(self, call: _Call, style: str) -> NextPage | None:
        """createPageHTML(total, current, name, extension): the name of a page is its index.

        TRS counts from 0, so index_1 is the second page; UCAP counts from 1. On the first page
        `current` itself tells which, and the next file is always current + 1.
        """
        self.total = call.total
        base = 1 if style == "ucap" else 0
        named = re.search(
            rf"(?:\A|/){re.escape(call.name)}([_-])(\d{{1,6}})\.[A-Za-z]{{3,5}}\Z",
            path_of(self.page.url),
        )
        mark = named[1] if named else "-" if "-" in call.name else "_"
        current = call.current if call.current is not None else base
        if named:  # some servers leave `current` as it was on the first page
            current = int(named[2])
        shift = current - (self.number - 1)
        base = shift if shift in {0, 1} else base
        if current + 1 - base >= call.total:
            return None
        href = f"{call.name}{mark}{current + 1}.{call.extension}"
        url = self.page.resolve(href) if self.page.base == self.page.url else None
        url = url or canonical(f"{self.page.url.split('?')[0].rpartition('/')[0]}/{href}")
        return NextPage(url) if url else None

    def by_link(self) -> NextPage | None:
        return NextPage(self.link) if self.link else None

    def by_number(self) -> NextPage | None:
        return NextPage(self.numbered) if self.numbered else None

    def by_query(self) -> NextPage | None:
        """?page=2 counted on, where something says that there is a page to come."""
        wanted = self.number + 1
        for url in self.neighbours:
            if any(value == str(wanted) for _, value in _parameters(url)):
                return NextPage(url)
        if self.over or not (self.scripted or self.total):
            return None
        for name, value in _parameters(self.page.url):
            if _DIGITS.fullmatch(value):
                ahead = canonical(_with(self.page.url, name, value, str(int(value) + 1)))
                return NextPage(ahead) if ahead else None
        return None

    def by_last(self) -> NextPage | None:
        """尾页 names the last page; put our number in its place."""
        if not self.last or self.over:
            return None
        head, mark, _ = self.last.partition("?")
        if mark:
            for name, value in _parameters(self.last):
                if _DIGITS.fullmatch(value) and int(value) > self.number:
                    self.total = self.total or int(value)
                    url = canonical(_with(self.last, name, value, str(self.number + 1)))
                    return NextPage(url) if url else None
            return None
        found = _NUMBERED.search(head)
        if not found or int(found[1]) < self.number:
            return None
        last = int(found[1])
        base = 0 if self.total is not None and last == self.total - 1 else 1
        if last < self.number + base:
            return None
        self.total = self.total or last
        url = canonical(f"{head[: found.start()]}{self.number + base}{head[found.end() :]}")
        return NextPage(url) if url else None

    def by_form(self) -> NextPage | None:
        """A paging form that a script would fill in and send."""
        if self.over or not (self.scripted or self.total):
            return None
        for form in islice(self.page.root.iter("form"), 20):
            fields = _fields(form)
            named = next((name for name in fields if _PARAMETER.match(name)), None)
            if named is None:
                continue
            fields[named] = str(self.number + 1)
            url = self.page.resolve(form.get("action") or self.page.url)
            if url is None:
                continue
            if (form.get("method") or "get").lower() == "post":
                return NextPage(url, "POST", tuple(fields.items()))
        return None

    def by_name(self, style: str) -> NextPage | None:
        """Only the number of pages is told; the file names follow from the system."""
        if self.total is None or self.over or self.ended:
            return None
        head, _, name = self.page.url.split("?")[0].rpartition("/")
        stem, dot, extension = (name or "index.html").rpartition(".")
        if not dot or style not in {"trs", "ucap", "webplus"}:
            return None
        if style == "webplus":
            stem = re.sub(r"\d+\Z", "", stem)
            href = f"{stem}{self.number + 1}"
        else:
            mark = "-" if "-" in stem else "_"
            stem = re.sub(r"[_-]\d+\Z", "", stem)
            href = f"{stem}{mark}{self.number + (1 if style == 'ucap' else 0)}"
        url = canonical(f"{head}/{href}.{extension}")
        return NextPage(url) if url else None


def _is_next(anchor: Element) -> bool:
    if (anchor.get("rel") or "").lower() == "next":
        return True
    own = (anchor.get("class") or "")[:100]
    parent = anchor.getparent()
    around = (parent.get("class") or "")[:100] if parent is not None else ""
    if not (_CLASS_NEXT.search(own) or ("p_next" in around and _CLASS_NEXT.search(around))):
        return False
    return "slide" not in own and "swiper" not in own


def _called(scripts: str) -> _Call | None:
    for match in islice(_CALL.finditer(scripts), 20):
        if match[1]:
            continue  # the function's own definition
        arguments = [part.strip() for part in match[2].split(",")]
        numbers: list[int] = []
        names: list[str] = []
        for part in arguments:
            value = _value(part, scripts)
            if value is not None:
                numbers.append(value)
            elif len(part) > 1 and part[0] in "'\"" and part[-1] == part[0]:
                names.append(part[1:-1])
        if not numbers or not 0 < numbers[0] < 1_000_000:
            continue
        safe = [name for name in names if re.fullmatch(r"[\w.-]{1,60}", name)]
        if len(safe) < 2:
            continue
        return _Call(numbers[0], numbers[1] if len(numbers) > 1 else None, safe[-2], safe[-1])
    return None


def _value(part: str, scripts: str) -> int | None:
    """A number, or the number a variable of that name was given."""
    if re.fullmatch(r"\d{1,6}", part):
        return int(part)
    if not re.fullmatch(r"[A-Za-z_$][\w$]{0,40}", part):
        return None
    given = re.search(rf"(?<![\w$]){re.escape(part)}\s*=\s*[\"']?(\d{{1,6}})\b", scripts)
    return int(given[1]) if given else None


def _total(page: Page, scripts: str, number: int) -> int | None:
    found = _TOTAL.search(scripts)
    if found:
        return int(found[1]) or None
    for element in islice(page.root.iter("em", "input", "span"), limits.LINKS):
        marks = (
            f"{element.get('class') or ''} {element.get('id') or ''} {element.get('name') or ''}"
        )
        if re.search(
            r"\b(?:all_?pages?|total_?pages?|page_?count|count_?page)\b", marks[:200], re.I
        ):
            said = element.get("value") or words(element, 20)
            if re.fullmatch(r"\d{1,6}", said):
                return int(said) or None
    for piece in islice(page.root.itertext(), _ENOUGH):
        if len(piece) > 200 or not piece.strip():
            continue
        told = _SAID.search(piece)
        if told:
            return int(told[1]) or None
        part = _FRACTION.fullmatch(piece.strip())
        if part and int(part[1]) == number <= int(part[2]):
            return int(part[2])
    return None


def _parameters(url: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    return [(name, value) for name, value in pairs if _PARAMETER.match(name)]


def _with(url: str, name: str, old: str, new: str) -> str:
    return re.sub(
        rf"(?<=[?&]){re.escape(name)}={re.escape(old)}(?=&|\Z)", f"{name}={new}", url, count=1
    )


def _fields(form: Element) -> dict[str, str]:
    """What a browser would send unasked: hidden and text fields, never a password."""
    fields: dict[str, str] = {}
    for field in islice(form.iter("input"), limits.FORM_FIELDS):
        name, kind = field.get("name") or "", (field.get("type") or "text").lower()
        value = field.get("value") or ""
        if kind in {"hidden", "text", "number"} and 0 < len(name) <= 60:
            if len(value) > limits.FORM_VALUE:
                return {}  # a view state: the page keeps its own session, not for us
            fields[name] = value
    return fields
