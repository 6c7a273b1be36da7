"""Run as a process of its own: one `crawl`, told on stdin, answered on stdout as JSON.

A Twisted reactor runs once in a process, so no test may start one in pytest's own. With
`--many` it stays: it has everything imported, and forks for each line it is told.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
from datetime import timedelta

from config.clock import SystemClock
from config.loading import check
from config.plugins import Catalogue
from crawler.catalogue import channel_options
from crawler.command import crawl
from store.engine import Database


class Ahead(SystemClock):
    """The real clock, some seconds on."""

    def __init__(self, seconds):
        self.by = timedelta(seconds=seconds)

    def now(self):
        return super().now() + self.by


def many():
    import crawler.site.worker  # noqa: F401 - what costs the time, and starts no reactor

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.update(asked.get("environ") or {})
            with open(asked["out"] + ".err", "w") as err, open(asked["out"], "w") as out:
                os.dup2(err.fileno(), 2)
                status = 1
                try:
                    one(asked, out)
                    status = 0
                except BaseException:
                    logging.exception("crawl")
                out.flush()
                err.flush()
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def one(asked, out):
    logging.basicConfig(level=logging.ERROR)
    settings = check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            "channels": asked["channels"],
            "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["leader@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "tinglan.toml",
        Catalogue(channels=channel_options()),
    )
    results = crawl(
        settings,
        Database(asked["database"]),
        Ahead(asked.get("ahead", 0)),
        asked.get("only", ()),
        progress=lambda line: print(line, file=sys.stderr),
        environ={"TINGLAN_AUTHOR_KEY": "k" * 32},
    )
    print(
        json.dumps(
            {
                "results": [
                    {
                        name: getattr(r, name)
                        for name in (
                            "channel", "state", "planned", "seen", "new", "changed", "failed",
                            "backlog", "outcomes", "why",
                        )
                    }
                    for r in results
                ],
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            },
            ensure_ascii=False,
        ),
        file=out,
    )  # fmt: skip


if "--many" in sys.argv:
    many()
else:
    one(json.load(sys.stdin), sys.stdout)
