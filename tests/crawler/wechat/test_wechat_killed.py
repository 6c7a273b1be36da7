"""kill -9 in the middle of a walk, and start again: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from config.clock import SystemClock
from crawler import runs
from demo.serving import serve
from demo.wechat import Article, Comment, WechatStandIn
from store.records import RunState

CHILD = """
import sys
from crawler.command import crawl
from config.clock import SystemClock
from config.loading import check
from config.plugins import Catalogue
from crawler.catalogue import channel_options
from store.engine import Database

url, base = sys.argv[1:3]
settings = check(
    {
        "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
        "channels": [
            {
                "id": "wx", "name": "公众号", "kind": "wechat", "app_id": "wxdemo0123456789",
                "app_secret_env": "WX_SECRET", "base_url": base, "watch": "300d",
                "quotas": {"published": 2000, "comments": 2000},
            }
        ],
        "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
        "roster": {"fallback": ["leader@example.gov.cn"]},
        "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
    },
    "tinglan.toml",
    Catalogue(channels=channel_options()),
)
environ = {"TINGLAN_AUTHOR_KEY": "k" * 32, "WX_SECRET": "demo-secret-0123456789abcdef"}
database = Database(url)
result = crawl(settings, database, SystemClock(), environ=environ)[0]
print(result.state, result.new, result.why)
"""


class Tripwire(WechatStandIn):
    """Tells when the nth call of a kind has come in, and answers it late."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.wire: tuple[str, int] = ("", 0)
        self.tripped = threading.Event()

    def _note(self, path, body, code):
        super()._note(path, body, code)
        name, number = self.wire
        if name and path.endswith(name) and len(self.asked(name)) >= number:
            self.tripped.set()


@pytest.mark.parametrize("where", [("batchget", 9), ("comment/list", 5)])
def test_five_hundred_of_each_survive_a_kill(database, database_url, where):
    now = datetime.now(UTC)
    articles = [
        Article(mid=1000 + n, title=f"第{n}号", at=now - timedelta(minutes=10 * (500 - n)))
        for n in range(500)
    ]
    articles[250].comments = [
        Comment(id=n + 1, text=f"第{n}条", at=now - timedelta(seconds=500 - n), openid=f"o{n}")
        for n in range(500)
    ]
    for other in articles:
        other.comments_open = other is articles[250]
    api = Tripwire(SystemClock(), articles=articles, quotas={"/cgi-bin/freepublish/batchget": 2000})
    api.wire = where
    with serve(api.app) as base:
        arguments = [sys.executable, "-c", CHILD, database_url, base]
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        try:
            assert api.tripped.wait(60)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate()
        (dead,) = runs.reap(database, datetime.now(UTC))
        kept = count(database)
        again = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)

    assert dead.state is RunState.KILLED
    assert dead.planned == sum(dead.outcomes.values())
    assert 0 < kept < 1000
    assert again.stdout.startswith("done"), again.stderr
    assert count(database) == 1000
    assert count(database, "select count(distinct key) from posts") == 1000
    assert count(database, "select count(*) from posts where version > 1") == 0
    assert int(again.stdout.split()[1]) == 1000 - kept


def count(database, question="select count(*) from posts"):
    with database.read() as connection:
        return connection.exec_driver_sql(question).scalar()
