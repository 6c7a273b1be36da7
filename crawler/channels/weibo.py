"""The agency's own Weibo account, by the official interface: its posts, comments, mentions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from config.secrets import SecretMissing, read_secret
from config.settings import ChannelSettings
from crawler.asking import Asker, Unanswered
from crawler.catalogue import PlannedCall, Preview, Reading, Tools
from crawler.places import recall
from crawler.quota import Denied, Governor, Plan, Purpose
from crawler.runs import RunLog
from crawler.weibo.client import Client
from crawler.weibo.errors import Refusal
from crawler.weibo.lists import CALL, LABEL, allowance
from crawler.weibo.notation import Reader
from crawler.weibo.options import Options
from crawler.weibo.token import mark
from crawler.weibo.walk import Walk
from store.engine import Database
from store.records import Capture, RunState

__all__ = ["Options", "build", "plans", "preview"]


@dataclass(frozen=True, slots=True)
class WeiboChannel:
    name: str
    settings: ChannelSettings
    options: Options
    tools: Tools

    def read(self, run: RunLog) -> Reading:
        try:
            secret = read_secret(self.options.token_env, self.tools.environ).get_secret_value()
        except SecretMissing as error:
            return Reading(state=RunState.FAILED, why=f"没有访问令牌：{error}")
        try:
            asking = _asker(self.options, self.tools)
        except Unanswered as error:
            return Reading(state=RunState.FAILED, why=error.why)
        with asking as asker:
            return Walk(
                channel=self.name,
                title=self.settings.name,
                options=self.options,
                tools=self.tools,
                run=run,
                client=Client(self.options, secret, asker),
                mark=mark(secret, self.tools.author_key),
                every=self.settings.every,
            ).read()


def build(settings: ChannelSettings, tools: Tools) -> WeiboChannel:
    return WeiboChannel(settings.id, settings, settings.options, tools)


def plans(settings: ChannelSettings, database: Database, now: datetime) -> list[Plan]:
    """What `status` shows of the quota; asks nobody."""
    options: Options = settings.options
    every = settings.every / (len(options.lists) + options.posts_watched)
    return [_governor(settings, database).plan(CALL, every, now)]


def preview(settings: ChannelSettings, tools: Tools) -> Preview:
    """The calls of one pass and what they cost; one of them is made, for the samples."""
    options: Options = settings.options
    governor = _governor(settings, tools.database)
    samples, why = _samples(settings, tools, governor)  # a reason there is only for trouble
    (plan,) = plans(settings, tools.database, tools.clock.now())
    calls = tuple(
        PlannedCall(what=LABEL[name], calls=1, left=plan.left, note=plan.text)
        for name in options.lists
    )
    return Preview(calls=calls, samples=samples, why=why, unread=bool(why))


def _samples(
    settings: ChannelSettings, tools: Tools, governor: Governor
) -> tuple[tuple[Capture, ...], str]:
    options: Options = settings.options
    name = options.lists[0]
    try:
        secret = read_secret(options.token_env, tools.environ).get_secret_value()
    except SecretMissing as error:
        return (), f"没有访问令牌：{error}"
    granted = governor.take(CALL, Purpose.MANUAL, tools.clock.now())
    if isinstance(granted, Denied):
        return (), granted.why
    reader = Reader(
        channel=settings.id,
        column=LABEL[name],
        comments=name in {"comments", "comment_mentions"},
        own=name == "timeline",
        uid=options.uid,
        now=tools.clock.now(),
    )
    call: str = getattr(options.calls, name)
    try:
        with _asker(options, tools) as asker:
            found, _ = Client(options, secret, asker).get(call, {"count": "3"}, reader.now)
    except (Refusal, Unanswered) as error:
        return (), error.why
    return tuple(row.capture for row in reader.read(found).rows[:3]), ""


def _governor(settings: ChannelSettings, database: Database) -> Governor:
    with database.read() as connection:
        limit = recall(connection, settings.id, "account").get("per_day")
    known = limit if isinstance(limit, int) else None
    return Governor(database, settings.id, [allowance(settings.options, known)])


def _asker(options: Options, tools: Tools) -> Asker:
    return Asker(
        options.hosts(),
        user_agent=tools.user_agent,
        seconds=options.timeout.total_seconds(),
        delay=options.delay.total_seconds(),
        ca_file=options.ca_file,
    )
