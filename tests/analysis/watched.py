"""An agency whose channels are read by the hour: what the stories of the watches begin with."""

from datetime import timedelta

import sqlalchemy as sa

from alerts.opening import open_items
from analysis.watching import Tools, build_watches, watch
from config.settings import Settings
from crawler import runs
from crawler.intake import Counts
from store import tables
from store.records import Outcome, RunState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PLENTY = 100 * 2**30


def settings(*channels, **watches):
    """Channels given as (id, name, kind)."""
    given = channels or (("weixin", "公众号", "wechat"),)
    return Settings.model_validate(
        {
            "agency": {"name": "示例市气象局", "contact": "https://www.example.gov.cn/contact"},
            "channels": [
                {"id": id, "name": name, "kind": kind, "every": "1h"} for id, name, kind in given
            ],
            "offices": [{"id": "duty", "name": "值班室", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["chief@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
            "watches": watches,
        }
    )


class Agency:
    """Reads its channels by the clock, and looks after each hour."""

    def __init__(self, database, clock, chosen=None, *, only=(), free=PLENTY):
        self.database = database
        self.clock = clock
        self.settings = chosen or settings()
        self.free = free
        self.only = only
        self.delivers = True
        self.start()

    def start(self):
        """The service (again)."""
        made = build_watches(
            self.settings.watches, Tools(started=self.clock.now(), free=lambda _folder: self.free)
        )
        self.watches = {
            name: one for name, one in made.items() if not self.only or name in self.only
        }

    def read(self, channel="weixin", outcome=Outcome.OK_UNCHANGED, *, seen=20, new=0, backlog=0,
             state=RunState.DONE, why=""):  # fmt: skip
        run = runs.start(
            self.database,
            channel,
            planned_at=self.clock.now(),
            now=self.clock.now,
            deadline=timedelta(minutes=10),
        )
        outcomes = outcome if isinstance(outcome, list) else [outcome] if outcome else []
        for number, one in enumerate(outcomes):
            url = f"https://api.example.com/{channel}/{number}"
            run.plan([url])
            run.settle(url, one, why=why)
        run.count(Counts(seen=seen, new=new))
        return run.finish(state, why=why, backlog=backlog)

    def fail(self, channel="weixin", outcome=Outcome.TIMEOUT, why="连接超时"):
        return self.read(channel, outcome, seen=0, state=RunState.FAILED, why=why)

    def look(self):
        """One look of all watches; answers the reasons that were written."""
        before = len(self.told())
        watch(self.database, self.watches, self.settings, self.clock.now())
        open_items(self.database, self.settings, self.clock.now())
        if self.delivers:
            with self.database.write() as connection:
                connection.execute(tables.notices.update().values(state="sent"))
        return [row["reason"] for row in self.told()[before:]]

    def hours(self, count, act, *given, **named):
        """Lets hours pass, with one act and one look in each; answers what was told."""
        told = []
        for _ in range(count):
            self.clock.advance(HOUR)
            act(*given, **named)
            told += self.look()
        return told

    def pass_by(self, count, *, channel="weixin", good=True, outcome="ok-unchanged", seen=20):
        """Lets hours pass with a run in each and nobody looking."""
        rows = []
        for _ in range(count):
            self.clock.advance(HOUR)
            at = self.clock.now()
            rows.append(
                {
                    "channel": channel, "planned_at": at, "started_at": at, "finished_at": at,
                    "state": "done" if good else "failed", "planned": 1, "failed": int(not good),
                    "seen": seen if good else 0,
                }
            )  # fmt: skip
        at = self.clock.now()
        after = {"last_attempt_at": at, "failures": 0 if good else count}
        with self.database.write() as connection:
            for row in rows:
                made = connection.execute(tables.runs.insert().values(**row)).inserted_primary_key
                connection.execute(
                    tables.fetches.insert().values(
                        run=made[0], channel=channel, url="u", at=row["planned_at"],
                        outcome=outcome if good else "timeout",
                    )
                )  # fmt: skip
            connection.execute(
                tables.channels.update().where(tables.channels.c.id == channel).values(**after)
            )

    def told(self):
        with self.database.read() as connection:
            query = sa.select(tables.findings).order_by(tables.findings.c.id)
            return list(connection.execute(query).mappings())

    def items(self):
        with self.database.read() as connection:
            query = sa.select(tables.items).order_by(tables.items.c.id)
            return list(connection.execute(query).mappings())

    def settle_items(self, state):
        with self.database.write() as connection:
            connection.execute(tables.items.update().values(state=state))
