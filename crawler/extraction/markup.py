"""The bytes of one answer, decoded and parsed once, for all who read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crawler.extraction import charset, hygiene
from crawler.extraction.charset import Decoded
from crawler.extraction.outline import Element, Outline, outline


@dataclass(kw_only=True)
class Markup:
    """A page as its readers share it. Nobody changes the tree; who must, makes a `copy()`."""

    body: bytes
    content_type: str = ""
    known: dict[Any, Any] = field(default_factory=dict)  #: worked out before, kept by its readers

    @classmethod
    def of(cls, page: Markup | bytes | str, content_type: str = "") -> Markup:
        """The page itself where it is one already."""
        if isinstance(page, Markup):
            return page
        body = page.encode("utf-8", "replace") if isinstance(page, str) else page
        return cls(body=body, content_type=content_type)

    @cached_property
    def decoded(self) -> Decoded:
        return charset.decode(self.body, self.content_type)

    @property
    def text(self) -> str:
        """The markup as characters."""
        return self.decoded.text

    @cached_property
    def nodes(self) -> list[Element]:
        """All elements in document order. Kept, because lxml makes each anew for whoever asks."""
        return list(self.root.iter("*")) if self.root is not None else []

    @cached_property
    def root(self) -> Element | None:
        """The tree, or None where there is no element in it."""
        return hygiene.parse_html(self.text)

    @cached_property
    def outline(self) -> Outline:
        """Raises ValueError where there is no tree."""
        if self.root is None:
            raise ValueError("no tree")
        self.nodes  # noqa: B018 - held while the outline walks them
        return outline(self.root)

    def copy(self) -> Markup:
        """The same page with a tree of its own."""
        made = Markup(body=self.body, content_type=self.content_type)
        made.__dict__["decoded"] = self.decoded
        return made
