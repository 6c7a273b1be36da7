"""Containers of a page told apart by the names of the boxes around them."""

from __future__ import annotations

import re

from crawler.discovery.page import Element

#: Names templates give to what stands around a list.
_ROLES_AROUND = re.compile(
    r"(?:\A|[\s_-])(?:nav\w*|menu\w*|foot\w*|header|top(?:bar|nav|menu)|crumbs?|breadcrumbs?|position|location"
    r"|dqwz|friend\w*|links|yqlj|copyright|side\w*|aside|left(?:nav|menu)|lanmu|hot\w*|rank\w*|recommend\w*"
    r"|related|share|pag(?:e|er|es|ing|ination)|fenye|tags?|banner|slide\w*|swiper\w*)(?:\Z|[\s_-])",
    re.I,
)
_UNSTEADY = re.compile(
    r"\d+|(?:\A|(?<=[\s_-]))(?:odd|even|first|last|active|current|cur|on|new|top|hover|selected)(?=\Z|[\s_-])",
    re.I,
)
_BOXES = frozenset(
    {
        "body", "div", "ul", "ol", "dl", "table", "section", "main", "article", "aside", "nav",
        "header", "footer", "form", "center",
    }
)  # fmt: skip


class Groups:
    """Containers by the names of the boxes around them; two lists built alike are one list.

    Government templates break a list into several <ul> of five; what tells it from a menu is
    the chain of boxes, not the single element.
    """

    def __init__(self) -> None:
        self._known: dict[Element, int] = {}
        self._interned: dict[tuple[int, str], int] = {}
        self.around: dict[int, bool] = {0: False}

    def of(self, element: Element) -> int:
        chain: list[Element] = []
        group = 0
        for parent in element.iterancestors():
            known = self._known.get(parent)
            if known is not None:
                group = known
                break
            chain.append(parent)
        for parent in reversed(chain):
            if parent.tag in _BOXES:
                name, around = _name(parent)
                key = (group, name)
                fresh = self._interned.setdefault(key, len(self._interned) + 1)
                self.around[fresh] = self.around[group] or around
                group = fresh
            self._known[parent] = group
        return group


def _name(box: Element) -> tuple[str, bool]:
    marks = f"{(box.get('class') or '')[:200]} {(box.get('id') or '')[:100]}"
    around = box.tag in {"nav", "footer", "aside"} or bool(_ROLES_AROUND.search(marks))
    return f"{box.tag} {' '.join(_UNSTEADY.sub('', marks).split())}", around
