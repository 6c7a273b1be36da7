"""What the discovery parsers raise, and nothing besides."""

from __future__ import annotations


class Broken(ValueError):
    """A document that could not be read as a whole; `reason` is Chinese, fit to be shown.

    A single bad entry never raises: it is counted where it was skipped.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ListBroken(Broken):
    """A column or message-board page that is no list page, or a selector that is no selector."""


class FeedBroken(Broken):
    """Not RSS, Atom or JSON Feed, or refused for its DOCTYPE or size."""


class SitemapBroken(Broken):
    """Not a sitemap, or one that inflates beyond the cap."""
