"""局长信箱: letters that reach the office's public mailbox, read by IMAP without a trace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from config.clock import shown
from config.duration import spoken
from config.secrets import SecretMissing, read_secret
from config.settings import ChannelSettings
from crawler.catalogue import PlannedCall, Preview, Reading, Tools
from crawler.mailbox.imap import Unreadable, opened
from crawler.mailbox.letter import capture, read_letter
from crawler.mailbox.options import CALL, Options
from crawler.mailbox.reader import Reader
from crawler.quota import Denied, Governor, Plan, Purpose
from crawler.runs import RunLog
from store.engine import Database
from store.records import Capture, Outcome, RunState

__all__ = ["Options", "build", "plans", "preview"]


@dataclass(frozen=True, slots=True)
class MailboxChannel:
    name: str
    settings: ChannelSettings
    options: Options
    tools: Tools

    def read(self, run: RunLog) -> Reading:
        try:
            password = read_secret(self.options.password_env, self.tools.environ)
        except SecretMissing as error:
            return Reading(state=RunState.FAILED, why=f"没有信箱口令：{error}")
        now = self.tools.clock.now()
        purpose = Purpose.MANUAL if self.tools.manual else Purpose.POLL
        governor = _governor(self.settings, self.tools.database)
        granted = governor.take(CALL, purpose, now)
        if isinstance(granted, Denied):
            return _left_for_now(run, granted, governor.plan(CALL, self.settings.every, now))
        return Reader(
            channel=self.name,
            title=self.settings.name,
            options=self.options,
            tools=self.tools,
            run=run,
            password=password.get_secret_value(),
        ).read()


def build(settings: ChannelSettings, tools: Tools) -> MailboxChannel:
    return MailboxChannel(settings.id, settings, settings.options, tools)


def plans(settings: ChannelSettings, database: Database, now: datetime) -> list[Plan]:
    """What `status` shows of the logins; asks nobody."""
    return [_governor(settings, database).plan(CALL, settings.every, now)]


def preview(settings: ChannelSettings, tools: Tools) -> Preview:
    """Looks into the folder and reads its three newest letters; changes nothing there."""
    options: Options = settings.options
    samples: list[Capture] = []
    governor = _governor(settings, tools.database)
    granted = governor.take(CALL, Purpose.MANUAL, tools.clock.now())
    (plan,) = plans(settings, tools.database, tools.clock.now())
    login = PlannedCall(what="登录信箱", calls=1, left=plan.left, note=plan.text)
    if isinstance(granted, Denied):
        return Preview(calls=(login,), why=granted.why, unread=True)
    calls: tuple[PlannedCall, ...] = (login,)
    try:
        secret = read_secret(options.password_env, tools.environ).get_secret_value()
        with opened(options, secret) as folder:
            numbers = folder.after(0)
            what = f"信箱“{options.folder}”，现有 {len(numbers)} 封"
            calls = (login, PlannedCall(what=what, calls=len(numbers[-options.max_letters :])))
            for number in reversed(numbers[-3:]):
                fetched = folder.fetch(number)
                if fetched is not None:
                    samples.append(
                        capture(
                            read_letter(fetched.raw),
                            channel=settings.id,
                            column=options.column,
                            received_at=fetched.received_at,
                        )
                    )
    except SecretMissing as error:
        return Preview(why=f"没有信箱口令：{error}", unread=True)
    except Unreadable as error:
        return Preview(calls=calls, samples=tuple(samples), why=error.why, unread=True)
    return Preview(calls=calls, samples=tuple(samples))


def _left_for_now(run: RunLog, denied: Denied, plan: Plan) -> Reading:
    """Not looked at: thinned out is as it should be; used up is no quiet, and stands in the
    ledger."""
    if denied.thinned:
        why = f"按额度摊匀：每天 {plan.per_day} 次，约每{spoken(plan.spread)}登录一次"
        return Reading(why=why)
    look = f"imap://{run.channel}/login"
    run.plan([look])
    run.settle(look, Outcome.QUOTA, why=denied.why)
    return Reading(state=RunState.FAILED, why=f"{denied.why}，{shown(denied.until)} 起恢复")


def _governor(settings: ChannelSettings, database: Database) -> Governor:
    options: Options = settings.options
    return Governor(database, settings.id, [options.allowance()])
