"""Every cap of the discovery parsers, in one place, so that `doctor` can print them."""

from __future__ import annotations

#: Bytes of a feed or sitemap as fetched.
FEED_BYTES = 8 * 1024 * 1024
#: Bytes a gzipped sitemap may inflate to; the protocol allows 50 MB, our machine does not.
SITEMAP_BYTES = 16 * 1024 * 1024
#: Bytes or characters of a list page; a long one with inlined records has 400 kB.
PAGE = 2_000_000
#: Elements deep at which libxml2 silently stops reading a page is 256; from here we call it cut.
DEPTH = 250
#: Characters of a page searched for the marks of its system.
MARKS = 400_000

#: Links of one list page that are looked at.
LINKS = 5_000
#: Articles taken from one list page.
ENTRIES = 1_000
#: Entries taken from one feed document.
FEED_ENTRIES = 1_000
#: URLs taken from one sitemap document (the protocol's own cap).
SITEMAP_ENTRIES = 50_000

#: Characters.
URL = 2_000
TITLE = 300
DATE = 100
KEY = 500
AUTHOR = 200
TEXT = 100_000
HTML = 200_000
#: HTML characters of one feed that are read as a tree; what exceeds them is stripped by pattern.
HTML_TOTAL = 1_500_000
#: Characters of a row of a list that are searched for a date or a state.
ROW = 1_000
#: Characters of inline script searched for paging.
SCRIPT = 500_000

#: Reasons kept of the entries that were skipped.
REASONS = 50
#: Field count and value length of a paging form that is sent back.
FORM_FIELDS = 40
FORM_VALUE = 500
