"""Run as a process of its own, to be killed: one `crawl` of the settings in a JSON file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from config.clock import SystemClock
from config.loading import check
from config.plugins import Catalogue
from crawler.catalogue import channel_options
from crawler.command import crawl
from store.engine import Database

if __name__ == "__main__":
    raw = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    crawl(
        check(raw, "tinglan.toml", Catalogue(channels=channel_options())),
        Database(sys.argv[2]),
        SystemClock(),
        progress=lambda line: print(line, flush=True),
    )
