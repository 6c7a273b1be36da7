"""Which links of a page are its list: article-like, dated, standing in the same container."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from cssselect import SelectorError
from lxml import etree
from lxml.cssselect import CSSSelector

from crawler.discovery import limits
from crawler.discovery.boxes import Groups
from crawler.discovery.broken import ListBroken
from crawler.discovery.daymarks import date_in, marked
from crawler.discovery.links import path_of
from crawler.discovery.page import Element, Page, words

#: Addresses of articles by content-management system, facts of public sites.
ARTICLE = {
    "trs": re.compile(r"(?:\A|/)t\d{8}_\d+\.s?html?\Z", re.I),
    "jpage": re.compile(r"(?:\A|/)art/\d{4}/\d{1,2}/\d{1,2}/art_[\w-]+\.html?\Z", re.I),
    "vsb": re.compile(r"(?:\A|/)info/\d+/\d+\.s?html?\Z", re.I),
    "ucap": re.compile(r"(?:\A|/)content_\d+\.s?html?\Z", re.I),
    "webplus": re.compile(r"(?:\A|/)c\d+a\d+/page\.(?:htm|psp)\Z", re.I),
    "gkmlpt": re.compile(r"(?:\A|/)content/post_\d+\.html?\Z", re.I),
}
_VSB_OLD = "wbnewsid="

_HAN = re.compile("[\u3400-\u9fff]")
_WRAPPED = re.compile(r"[\[(（【]\s*[\])）】]")
_LABEL = re.compile(r"\A(?:标题|题目|文章标题|信息标题)\s*[:：]\s*")
#: Links that lead around, not to an article.
_AROUND = re.compile(
    r"[\[(【<《«\s]*(?:首\s*页|上一?[页頁]|前一页|下一?[页頁]|后一?页|尾页|末页|最后一页|更多|查看更多|more"
    r"|返回(?:首页|上一级|顶部|列表)?|网站首页|设为首页|加入收藏|联系我们|网站地图|无障碍(?:浏览|阅读)?"
    r"|登录|注册|搜索|打印|关闭|跳转|确定|详情|查看(?:详情|全文)?|阅读全文|\d{1,5}|[<>«»›‹.…+]*)[\s\])】>》»…+]*",
    re.I,
)
_COLUMN = re.compile(
    r"(?:\A|/)(?:(?:index|list|default|main)(?:[_-]?\d+)?\.[a-z]{3,5})?\Z|(?:\A|/)col/col\d+/", re.I
)
_DOWN = 6  #: how many elements a row may enclose its link
_STOP = 4  #: siblings searched for the date of a link that has no row of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """Configured ways to the parts of a row: CSS, or XPath 1.0 where it starts with / or ( or ./

    `row` without `link` takes the first link of each row; `link` alone takes the links.
    """

    row: str = ""
    link: str = ""
    title: str = ""
    date: str = ""
    next: str = ""


@dataclass(slots=True)
class Row:
    """One line of a list."""

    url: str
    title: str
    date_raw: str
    element: Element  #: the widest element that holds this link and no other
    own: bool  #: on the site

    def text(self) -> str:
        """All that the line says."""
        return words(self.element, limits.ROW, " ")


@dataclass(slots=True)
class Reading:
    """The list of a page, and how it was told from the rest."""

    rows: list[Row] = field(default_factory=list)
    refused: int = 0  #: links that lead nowhere safe: javascript:, backslashes, user names…
    truncated: bool = False
    by: str = "density"  #: selectors, pattern or density


@dataclass(slots=True)
class _Link:
    element: Element
    url: str
    own: bool
    text: str
    hint: str
    column: bool
    group: int = 0
    dated: str = ""
    row: Element = None
    article: bool = False

    @property
    def title(self) -> str:
        return _title(self.text, self.hint, self.dated)


def is_article(url: str, style: str = "auto") -> bool:
    """Whether an address has the form a known system gives its articles."""
    path = path_of(url)
    pattern = ARTICLE.get(style)
    if pattern is not None:
        return bool(pattern.search(path)) or (style == "vsb" and _VSB_OLD in url)
    return any(known.search(path) for known in ARTICLE.values()) or _VSB_OLD in url


def read_rows(page: Page, style: str = "auto") -> Reading:
    """The rows of the densest list, in the order of the page, each address once."""
    reading = Reading()
    links = _links(page, reading)
    _measure(links, page, style)
    chosen = _chosen(links, page)
    if any(link.article for link in chosen):
        reading.by = "pattern"
    _keep(chosen, reading)
    return reading


def rows_of(page: Page, elements: Iterable[Element]) -> Reading:
    """One row for each element: its most telling link. For answers that come as records."""
    reading = Reading(by="pattern")
    found: list[_Link] = []
    for element in elements:
        best: _Link | None = None
        for anchor in islice(element.iter("a"), 20):
            link = _link(page, anchor, reading)
            if link and not link.column and (best is None or len(link.title) > len(best.title)):
                best = link
        if best is not None:
            best.row = element
            best.dated = date_in(words(element, limits.ROW, " "), best.text)
            found.append(best)
    _keep(found, reading)
    return reading


def select_rows(page: Page, selectors: Selectors) -> Reading:
    """Rows by configured selectors; `ListBroken` names a selector that cannot be read."""
    reading = Reading(by="selectors")
    found: list[_Link] = []
    way = selectors.row or selectors.link
    for element in islice(chosen_by(page.root, way), limits.LINKS):
        anchor = element
        if selectors.row and element.tag != "a":
            anchor = next(iter(chosen_by(element, selectors.link or "a")), None)
        if anchor is None:
            continue
        if anchor.tag != "a":
            anchor = next(iter(anchor.iter("a")), None)
        link = _link(page, anchor, reading) if anchor is not None else None
        if link is None:
            continue
        link.row = element if selectors.row else anchor
        told = selected_text(element, selectors.title)
        if told:
            link.text, link.hint = told, ""
        link.dated = selected_text(element, selectors.date)[: limits.DATE] or date_in(
            words(link.row, limits.ROW, " "), link.text
        )
        found.append(link)
    _keep(found, reading)
    return reading


def chosen_by(root: Element, selector: str) -> Iterator[Element]:
    """Elements a CSS or XPath selector picks below `root`."""
    for found in _found(root, selector):
        if isinstance(getattr(found, "tag", None), str):
            yield found


def _found(root: Element, selector: str) -> list[Any]:
    try:
        if selector.lstrip().startswith(("/", "./", "(")):
            found = etree.XPath(selector)(root)
        else:
            found = CSSSelector(selector, translator="html")(root)
    except (SelectorError, etree.LxmlError, ValueError, TypeError, RecursionError):
        raise ListBroken(f"选择器无法识别：{selector[:80]}") from None
    return found if isinstance(found, list) else [found]


def selected_text(root: Element, selector: str) -> str:
    """Text of the first thing a selector picks below `root`, "" where there is none."""
    if not selector:
        return ""
    for found in _found(root, selector)[:1]:
        return words(found) if hasattr(found, "itertext") else str(found)[: limits.TITLE].strip()
    return ""


def _links(page: Page, reading: Reading) -> list[_Link]:
    links: list[_Link] = []
    for count, anchor in enumerate(page.root.iter("a")):
        if count >= limits.LINKS:
            reading.truncated = True
            break
        link = _link(page, anchor, reading)
        if link is not None:
            links.append(link)
    return links


def _link(page: Page, anchor: Element, reading: Reading) -> _Link | None:
    href = anchor.get("href")
    if not href or href.startswith("#"):
        return None
    url = page.resolve(href)
    if url is None:
        reading.refused += 1
        return None
    text = words(anchor)
    hint = (anchor.get("title") or "")[: 2 * limits.TITLE]
    if _leads_around(text) and (not hint or _leads_around(hint)):
        return None
    if not text and not hint:
        hint = next((image.get("alt") or "" for image in islice(anchor.iter("img"), 1)), "")
    if len(text) < 2 and len(hint) < 2:
        return None
    if url == page.url:
        return None
    column = bool(_COLUMN.search(path_of(url))) and "?" not in url
    return _Link(anchor, url, page.own(url), text, hint[: limits.TITLE], column)


def _leads_around(text: str) -> bool:
    return len(text) <= 20 and _AROUND.fullmatch(text) is not None


def _measure(links: list[_Link], page: Page, style: str) -> None:
    """Gives every link its row, its date and its group."""
    held: dict[Element, set[str]] = {}
    for link in links:
        if link.column and len(link.text) <= 8:
            continue
        for parent in islice(link.element.iterancestors(), _DOWN):
            held.setdefault(parent, set()).add(link.url)
    anchors = {link.element for link in links}
    groups = Groups()
    for link in links:
        link.row = _row(link.element, lambda e, url=link.url: held.get(e, {url}) == {url})  # type: ignore[misc]
        said = words(link.row, limits.ROW, " ")
        link.dated = date_in(said, link.text) or date_in(_beside(link.row, anchors))
        link.article = is_article(link.url, style) or (
            style not in ARTICLE and is_article(link.url)
        )
        link.group = groups.of(link.element)
    for link in links:
        link.column = link.column and not link.article


def _row(anchor: Element, alone: Callable[[Element], bool]) -> Element:
    """The widest element around a link that holds no second one."""
    row = anchor
    for parent in islice(anchor.iterancestors(), _DOWN):
        if parent.tag in {"body", "html"} or not alone(parent):
            break
        row = parent
        if parent.tag in {"li", "tr"}:
            break
    return row


def _beside(row: Element, anchors: set[Element]) -> str:
    """What stands between a link without a row of its own and its neighbours."""
    pieces = [(row.tail or "")[: limits.ROW]]
    for sibling in islice(row.itersiblings(), _STOP):
        if sibling in anchors or any(inner in anchors for inner in islice(sibling.iter("a"), 2)):
            break
        pieces.append(words(sibling, limits.ROW, " "))
        pieces.append((sibling.tail or "")[: limits.ROW])
    after = " ".join(pieces)
    if marked(after):
        return after
    previous = row.getprevious()
    if previous is not None and previous not in anchors and next(previous.iter("a"), None) is None:
        return words(previous, limits.ROW, " ")
    return ""


def _chosen(links: list[_Link], page: Page) -> list[_Link]:
    groups: dict[int, list[_Link]] = {}
    for link in links:
        groups.setdefault(link.group, []).append(link)
    around = _around(links)
    folder = page.url.rpartition("/")[0] + "/"
    scores = {
        group: sum(_worth(link, folder) for link in _once(members))
        * (0.15 if group in around else 1)
        for group, members in groups.items()
    }
    if not scores or max(scores.values()) <= 0:
        return []
    # one dated article is a list; twenty undated links around it are a menu without a name
    best = max(
        scores, key=lambda group: (group not in around and _telling(groups[group]), scores[group])
    )
    mean = _mean(groups[best], folder)
    taken = {best} | {
        group
        for group, members in groups.items()
        if group not in around
        and _dated_share(members) >= 0.5
        and _mean(members, folder) >= 0.8 * mean
    }
    # a list may have one odd box, say for the item on top: siblings share its articles' form
    return [link for group in taken for link in _tidied(groups[group])]


def _around(links: list[_Link]) -> set[int]:
    groups = Groups()
    return {
        group for link in links for group in (groups.of(link.element),) if groups.around.get(group)
    }


def _once(members: list[_Link]) -> list[_Link]:
    return list({link.url: link for link in members if link.own}.values())


def _worth(link: _Link, folder: str) -> float:
    if link.column and not link.dated:
        return 0.1
    worth = min(len(_HAN.findall(link.title)) + len(link.title) / 8, 24) / 8
    worth += 4 if link.article else 0
    worth += 3 if link.dated else 0
    worth += 1 if link.url.startswith(folder) else 0
    return worth


def _mean(members: list[_Link], folder: str) -> float:
    own = _once(members)
    return sum(_worth(link, folder) for link in own) / len(own) if own else 0.0


def _telling(members: list[_Link]) -> bool:
    own = _once(members)
    return bool(own) and sum(1 for link in own if link.dated or link.article) * 2 >= len(own)


def _dated_share(members: list[_Link]) -> float:
    own = _once(members)
    return sum(1 for link in own if link.dated) / len(own) if own else 0.0


def _tidied(members: list[_Link]) -> list[_Link]:
    """Without the category links in front of titles and the menu that shares a layout table."""
    plain = [link for link in members if not link.column or link.dated]
    if len(plain) * 2 < len(members):
        plain = members
    repeated = Counter(link.url for link in plain)
    dated = sum(1 for link in plain if link.dated or link.article)
    if dated * 2 < len(plain):
        return plain
    return [
        link
        for link in plain
        if link.dated or link.article or (len(link.title) >= 8 and repeated[link.url] < 3)
    ]


def _keep(links: list[_Link], reading: Reading) -> None:
    """Each address once, with the fullest title and date any of its links has."""
    kept: dict[str, Row] = {}
    for link in links:
        row = kept.get(link.url)
        title = link.title[: limits.TITLE]
        if row is None:
            if len(kept) >= limits.ENTRIES:
                reading.truncated = True
                break
            kept[link.url] = Row(link.url, title, link.dated, link.row, link.own)
            continue
        if len(title) > len(row.title) and not _leads_around(title):
            row.title = title
        row.date_raw = row.date_raw or link.dated
    reading.rows = list(kept.values())


def _title(text: str, hint: str, dated: str) -> str:
    hint = _LABEL.sub("", hint.strip().split("\n", 1)[0].split("\r", 1)[0]).strip()
    told = text
    if dated:
        told = _WRAPPED.sub(" ", text.replace(dated, " ", 1)) if _edge(text, dated) else text
        told = " ".join(told.split())
    told = told.lstrip("·•●■◆>» ")
    if not hint:
        return told
    stem = told.rstrip(".…")
    if _leads_around(told) or (stem != told and hint.startswith(stem[:4])):
        return hint
    return hint if len(hint) >= len(told) else told


def _edge(text: str, dated: str) -> bool:
    """A date at either end of a link is a column of the list; inside it belongs to the title."""
    bare = text.strip("[]()（）【】 ")
    return bare.startswith(dated) or bare.endswith(dated)
