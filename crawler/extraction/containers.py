"""Where the content systems of Chinese agencies put the body of an article."""

from __future__ import annotations

from crawler.extraction.outline import Outline, Span

#: System → class names and ids, lower case. Order is trust.
SYSTEMS: dict[str, frozenset[str]] = {
    "wechat": frozenset({"js_content", "rich_media_content"}),
    "ucap": frozenset({"ucap-content", "ucapcontent", "pages_content"}),
    "trs": frozenset(
        {"trs_editor", "trs_editor_view", "trs_uedit", "trs_web", "trs_preappend", "view trs_uedit"}
    ),
    "vsb": frozenset(
        {"v_news_content", "vsb_content", "vsb_content_2", "vsb_content_4", "vsb_content_500"}
    ),
    "webplus": frozenset({"wp_articlecontent"}),
    "jpage": frozenset({"zoom", "zoomcon", "fontzoom", "bt-content"}),
    "jpaas": frozenset({"jpaas-article", "jpaas_content", "article-conter", "xxgk-content"}),
    "gkmlpt": frozenset({"gkmlpt-content", "content-article"}),
    "easysite": frozenset({"easysitetext", "easysite-news-text", "easysite-news-content-text"}),
}
#: Names many hand-made templates share; believed only where prose is found inside.
COMMON = frozenset(
    {
        "article-content", "article_content", "articlecontent", "article-body", "articlebody",
        "article_body", "article-con", "article_con", "articlecon", "arti_content", "art_content",
        "art-content", "news_content", "news-content", "newscontent", "newscon", "news_con",
        "newsbody", "news_text", "detail_content", "detail-content", "detailcontent",
        "detail_con", "detail-con", "detailcon", "content_text", "text_content", "text-content",
        "con_txt", "contxt", "conttext", "content-text", "xxgk_content", "xxgkcontent",
        "info_content", "info-content", "infocontent", "content_body", "content-body",
        "main_content", "main-content", "maincontent", "maintext", "main_text", "contentbox",
        "content_box", "content-box", "contentcon", "content_con", "content-con", "bodylabel",
        "txtcontent", "artibody", "art_con", "wzcon", "wz_con", "wznr", "zwnr", "nr", "zhengwen",
        "content", "con", "articletext", "article-text", "article_text", "print-content",
        "cas_content", "custom_unionstyle", "txt", "neirong", "entry-content", "post-content",
    }
)  # fmt: skip
_EXACT = {name: system for system, names in SYSTEMS.items() for name in names}
_ENOUGH = 24  #: size of text that makes a container more than a frame


def named(span: Span) -> str:
    """The content system whose body container an element is named like, or ""."""
    for mark in span.marks.split():
        system = _EXACT.get(mark)
        if system:
            return system
        if mark.startswith("vsb_content"):
            return "vsb"
    return ""


def known(page: Outline) -> list[tuple[str, Span]]:
    """Containers of known systems, outermost only, the fullest first."""
    found: list[tuple[str, Span]] = []
    until = 0
    for span in page.spans:
        system = named(span)
        if system and span.first >= until and span.last > span.first:
            found.append((system, span))
            until = span.last
    return sorted(found, key=lambda pair: -_size(page, pair[1]))


def empty_known(page: Outline) -> Span | None:
    """A known container without text: the body is a picture, a file or a script's work."""
    return next((span for span in page.spans if named(span) and span.first == span.last), None)


def common(page: Outline) -> list[Span]:
    """Elements with a customary name and some text, document order."""
    return [
        span
        for span in page.spans
        if any(mark in COMMON for mark in span.marks.split()) and _size(page, span) >= _ENOUGH
    ]


def _size(page: Outline, span: Span) -> int:
    return sum(block.size - block.linked for block in page.blocks[span.first : span.last])
