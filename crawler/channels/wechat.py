"""The agency's WeChat official account: its articles, their comments, messages sent to it.

Read by official interfaces only, and only read: nothing is ever posted, answered or deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import httpx

from config.secrets import SecretMissing, read_secret
from config.settings import ChannelSettings
from crawler.catalogue import Preview, Reading, Tools
from crawler.quota import Governor, Plan
from crawler.runs import RunLog
from crawler.tokens import TokenStore
from crawler.wechat.callback import PushReceiver
from crawler.wechat.caller import Caller, Ledger, Unwritten
from crawler.wechat.desk import Desk
from crawler.wechat.options import Options
from crawler.wechat.places import Places
from crawler.wechat.preview import plans as planned
from crawler.wechat.preview import previewed
from crawler.wechat.reading import read_account
from crawler.wechat.sealing import aes_key
from crawler.wechat.wire import Wire
from store.engine import Database
from store.records import RunState

__all__ = ["Options", "build", "plans", "preview", "receiver"]

Transport = Callable[[], httpx.BaseTransport]


@dataclass(frozen=True, slots=True)
class WechatChannel:
    name: str
    options: Options
    tools: Tools
    every: timedelta
    transport: Transport | None = None

    def read(self, run: RunLog) -> Reading:
        try:
            with self._calling(run) as caller:
                return read_account(
                    Desk(
                        channel=self.name,
                        options=self.options,
                        tools=self.tools,
                        run=run,
                        caller=caller,
                        places=self.places,
                        every=self.every,
                    )
                )
        except SecretMissing as error:
            return Reading(state=RunState.FAILED, why=f"没有公众号密钥：{error}")

    def preview(self) -> Preview:
        """Counts the one call it makes; writes nothing else down."""
        tools = replace(self.tools, manual=True)
        try:
            with replace(self, tools=tools)._calling(
                Unwritten(tools.database, self.name)
            ) as caller:
                return previewed(
                    caller,
                    self.options,
                    self.places,
                    self.governor,
                    every=self.every,
                    tools=tools,
                )
        except SecretMissing as error:
            return Preview(why=f"没有公众号密钥：{error}", unread=True)

    @property
    def places(self) -> Places:
        return Places(self.tools.database, self.name)

    @property
    def governor(self) -> Governor:
        return Governor(self.tools.database, self.name, self.options.quotas.allowances())

    @contextmanager
    def _calling(self, ledger: Ledger) -> Iterator[Caller]:
        """Raises SecretMissing."""
        secret = read_secret(self.options.app_secret_env, self.tools.environ).get_secret_value()
        wire = Wire(
            self.options.base_url,
            user_agent=self.tools.user_agent,
            seconds=self.options.timeout.total_seconds(),
            transport=self.transport() if self.transport else None,
        )
        tokens = TokenStore(
            self.tools.database,
            self.tools.clock,
            channel=self.name,
            secret=secret,
            account=self.options.app_id,
        )
        with closing(wire):
            yield Caller(
                run=ledger,
                tools=self.tools,
                wire=wire,
                tokens=tokens,
                governor=self.governor,
                places=self.places,
                app_id=self.options.app_id,
                secret=secret,
            )


def build(
    settings: ChannelSettings, tools: Tools, *, transport: Transport | None = None
) -> WechatChannel:
    return WechatChannel(settings.id, settings.options, tools, settings.every, transport)


def receiver(settings: ChannelSettings, tools: Tools) -> PushReceiver | None:
    """What takes the account's pushes; None where settings name no push token.

    Raises config.secrets.SecretMissing for a secret that is missing or cannot be right.
    """
    options: Options = settings.options
    if options.token_env is None:
        return None
    key = None
    if options.aes_key_env is not None:
        try:
            key = aes_key(read_secret(options.aes_key_env, tools.environ).get_secret_value())
        except ValueError as error:
            raise SecretMissing(f"${options.aes_key_env}: {error}") from None
    return PushReceiver(
        channel=settings.id,
        tools=tools,
        token=read_secret(options.token_env, tools.environ).get_secret_value(),
        app_id=options.app_id,
        key=key,
        plain=key is None or options.plain_pushes,
    )


def plans(settings: ChannelSettings, database: Database, now: datetime) -> list[Plan]:
    """What `status` shows of the quotas; asks nobody."""
    options: Options = settings.options
    governor = Governor(database, settings.id, options.quotas.allowances())
    return planned(governor, options, settings.every, now)


def preview(settings: ChannelSettings, tools: Tools) -> Preview:
    """What a pass would ask for now and what it costs, with three posts; one call is made."""
    return build(settings, tools).preview()
