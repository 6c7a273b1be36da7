"""Run as a process of its own, to be stopped: one crawl as the service's child makes it."""

from __future__ import annotations

import json
import sys

import crawler.channels
from config.clock import SystemClock
from config.loading import check
from config.plugins import Catalogue
from crawler.attended import attend
from crawler.catalogue import channel_options
from crawler.command import crawl
from store.engine import Database

if __name__ == "__main__":
    folder, file, channel = sys.argv[1:]
    crawler.channels.__path__.append(folder)
    attend()
    settings = check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            "channels": [json.loads(channel)],
            "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["leader@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "tinglan.toml",
        Catalogue(channels=channel_options()),
    )
    crawl(settings, Database(f"sqlite:///{file}"), SystemClock())
