"""The columns of the invented site: each in the markup, paging and addresses of another CMS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from config.clock import SHANGHAI
from demo.stories import Entry

T = TypeVar("T")

UNIT = "423656"  #: the jpage unit whose records dataproxy.jsp hands out


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    section: str
    name: str
    stack: str  #: trs, jpage, vsb, ucap, plain, letters or comments: also the template's name
    home: str  #: path of the first page
    size: int  #: posts on a page
    about: str

    def page_path(self, page: int, pages: int) -> str:
        """Path of page 1 … `pages`, as that CMS numbers them."""
        if page == 1:
            return self.home
        folder = self.home.rsplit("/", 1)[0]
        match self.stack:
            case "trs":  # index_1 is the second page
                return f"{folder}/index_{page - 1}.html"
            case "jpage":
                return f"{self.home}?uid={UNIT}&pageNum={page}"
            case "vsb":  # counts down: the last page is 1
                return f"{self.home.removesuffix('.htm')}/{pages - page + 1}.htm"
            case "ucap":
                return f"{folder}/index_{page}.html"
            case _:
                return f"{self.home}?page={page}"


COLUMNS = (
    Column(
        section="notices", name="通知公告", stack="trs", home="/tzgg/index.html", size=5,
        about="公告、通知、采购信息",
    ),
    Column(
        section="news", name="工作动态", stack="jpage", home="/col/col1201/index.html", size=5,
        about="气象工作要闻",
    ),
    Column(
        section="science", name="科普园地", stack="vsb", home="/kpyd.htm", size=4,
        about="气象科学知识",
    ),
    Column(
        section="warnings", name="预警信息", stack="ucap", home="/yjxx/index.html", size=5,
        about="气象灾害预警信号的发布与解除",
    ),
    Column(
        section="policy", name="政策解读", stack="plain", home="/zcjd/", size=3,
        about="政策文件解读与问答",
    ),
    Column(
        section="letters", name="局长信箱", stack="letters", home="/jzxx/index.html", size=10,
        about="来信选登，办理结果公开",
    ),
    Column(
        section="comments", name="网友留言", stack="comments", home="/wyly/index.html", size=10,
        about="文章下方的公众留言",
    ),
)  # fmt: skip
BY_SECTION = {column.section: column for column in COLUMNS}
OWN = ("notices", "news", "science", "warnings", "policy")  #: written by the agency itself


def path_of(entry: Entry) -> str:
    """The address of one story, in the manner of its column's CMS."""
    day, number = entry.at.astimezone(SHANGHAI), entry.story.id
    match entry.story.section:
        case "notices":
            return f"/tzgg/{day:%Y%m}/t{day:%Y%m%d}_{number}.html"
        case "news":
            return f"/art/{day.year}/{day.month}/{day.day}/art_1201_{number}.html"
        case "science":
            return f"/info/1031/{number}.htm"
        case "warnings":
            return f"/yjxx/content_{number}.html"
        case "policy":
            return f"/zcjd/{number}.html"
        case "letters":
            return f"/jzxx/letter/{number}.html"
        case _:
            return f"/wyly/{number}.html"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `number` counts from 1."""

    items: list[T]
    number: int
    pages: int
    total: int


def paged(items: Sequence[T], number: int, size: int) -> Page[T]:
    """Cuts out one page; raises IndexError where there is no such page."""
    pages = max(1, -(-len(items) // size))
    if not 1 <= number <= pages:
        raise IndexError(f"page {number} of {pages}")
    chosen = list(items[(number - 1) * size : number * size])
    return Page(chosen, number, pages, len(items))
