"""局长信箱: letters that reach the office's public mailbox, read by IMAP without a trace."""

from __future__ import annotations

from dataclasses import dataclass

from config.secrets import SecretMissing, read_secret
from config.settings import ChannelSettings
from crawler.catalogue import PlannedCall, Preview, Reading, Tools
from crawler.mailbox.imap import Unreadable, opened
from crawler.mailbox.letter import capture, read_letter
from crawler.mailbox.options import Options
from crawler.mailbox.reader import Reader
from crawler.runs import RunLog
from store.records import Capture, RunState

__all__ = ["Options", "build", "preview"]


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


def preview(settings: ChannelSettings, tools: Tools) -> Preview:
    """Looks into the folder and reads its three newest letters; changes nothing there."""
    options: Options = settings.options
    samples: list[Capture] = []
    calls: tuple[PlannedCall, ...] = ()
    try:
        secret = read_secret(options.password_env, tools.environ).get_secret_value()
        with opened(options, secret) as folder:
            numbers = folder.after(0)
            what = f"信箱“{options.folder}”，现有 {len(numbers)} 封"
            calls = (PlannedCall(what=what, calls=1),)
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
        return Preview(why=f"没有信箱口令：{error}")
    except Unreadable as error:
        return Preview(calls=calls, samples=tuple(samples), why=error.why)
    return Preview(calls=calls, samples=tuple(samples))
