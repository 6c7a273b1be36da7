"""Every cap of the crawler, in one file: bytes, characters, seconds, counts."""

from __future__ import annotations

from typing import Final

#: Bytes of one answer, as sent and after decompression.
BODY: Final = 8 * 1024 * 1024
#: Seconds for one fetch in all, from connecting to the last byte; not per read.
FETCH_SECONDS: Final = 30.0
#: Seconds for one name to be resolved.
DNS_SECONDS: Final = 10.0
#: Hops of one fetch; each is checked like a first request.
REDIRECTS: Final = 5
#: Tries of one fetch where the other side is overloaded; a broken link gets two.
TRIES: Final = 3
#: Seconds a run waits because a server asked for it; a longer wait is left to a later run.
RETRY_AFTER: Final = 30.0
#: Seconds between tries where the server does not say.
RETRY_PAUSE: Final = 0.5
#: Seconds between two requests to one host that is not this machine, at the least.
DELAY: Final = 1.0
#: Seconds of Crawl-delay that are honoured in full; a site that asks for more gets this.
CRAWL_DELAY: Final = 60.0

#: Bytes of robots.txt that are read (RFC 9309 asks for 500 KiB at least).
ROBOTS: Final = 512 * 1024
#: Seconds for which a copy of robots.txt is not asked for again.
ROBOTS_FRESH: Final = 3600.0
#: Seconds for which a copy may stand in while robots.txt cannot be read.
ROBOTS_STALE: Final = 24 * 3600.0

#: Seconds for one page to be parsed.
PARSE_SECONDS: Final = 2.0
#: Characters of an address; longer ones are not followed.
URL: Final = 2_000
#: Pages of one list in one run, whatever the settings say.
LIST_PAGES: Final = 50
#: Pages of one feed in one run.
FEED_PAGES: Final = 10
#: Entries taken from one list page or feed.
LIST_ENTRIES: Final = 1_000
#: Answers in a row with nothing in them after which a list counts as broken.
EMPTY_IN_A_ROW: Final = 3
#: Refusals (403, 412, challenges) in a row after which a host is left alone for a while.
BLOCKED_IN_A_ROW: Final = 3

#: Characters of a post's fields.
KEY: Final = 2_000
TITLE: Final = 500
TEXT: Final = 100_000
REPLY: Final = 50_000
SHORT: Final = 200
NOTE: Final = 300
#: Characters of the reason kept with a fetch or a run.
WHY: Final = 300
