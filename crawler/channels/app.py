"""The agency's own app: feeds, lists of its interface, exported tables, signed feedback."""

from __future__ import annotations

from dataclasses import dataclass

from config.secrets import SecretMissing, read_secret
from config.settings import ChannelSettings
from crawler.app.hook import FeedbackReceiver
from crawler.app.options import JsonList, Options
from crawler.app.pages import Unreadable, feed_page, json_page
from crawler.app.walk import Source, Walk
from crawler.asking import Asker, Unanswered, unfit
from crawler.catalogue import PlannedCall, Preview, Reading, Tools
from crawler.runs import RunLog
from store.records import Capture, RunState

__all__ = ["Options", "build", "preview", "receiver"]


@dataclass(frozen=True, slots=True)
class AppChannel:
    name: str
    settings: ChannelSettings
    options: Options
    tools: Tools

    def read(self, run: RunLog) -> Reading:
        try:
            token = _token(self.options, self.tools)
        except SecretMissing as error:
            return Reading(state=RunState.FAILED, why=f"没有接口令牌：{error}")
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
                asker=asker,
                token=token,
            ).read()


def build(settings: ChannelSettings, tools: Tools) -> AppChannel:
    return AppChannel(settings.id, settings, settings.options, tools)


def receiver(settings: ChannelSettings, tools: Tools) -> FeedbackReceiver | None:
    """What takes the app's feedback; None where settings name no webhook. Raises SecretMissing."""
    options: Options = settings.options
    if options.webhook is None:
        return None
    secret = read_secret(options.webhook.secret_env, tools.environ).get_secret_value()
    if len(secret) < 16:
        raise SecretMissing(f"${options.webhook.secret_env}: expected 16 characters or more")
    return FeedbackReceiver(
        channel=settings.id, options=options.webhook, tools=tools, secret=secret
    )


def preview(settings: ChannelSettings, tools: Tools) -> Preview:
    """What a pass would fetch; the first list is really asked, for the samples."""
    options: Options = settings.options
    sources: list[Source] = [*options.feeds, *options.lists]
    calls = [PlannedCall(what=one.name or one.url, calls=1) for one in sources]
    calls += [PlannedCall(what=f"{one.name}（{one.folder}）", calls=0) for one in options.exports]
    if options.webhook is not None:
        what = f"{options.webhook.name}（推送，不用轮询）"
        calls.append(PlannedCall(what=what, calls=0))
    if not sources:
        return Preview(calls=tuple(calls), why="没有需要轮询的列表")
    try:
        samples, why = _samples(settings, tools, sources[0])
    except (Unanswered, Unreadable) as error:
        return Preview(calls=tuple(calls), why=error.why, unread=True)
    except SecretMissing as error:
        return Preview(calls=tuple(calls), why=f"没有接口令牌：{error}", unread=True)
    return Preview(calls=tuple(calls), samples=samples, why=why)


def _samples(
    settings: ChannelSettings, tools: Tools, source: Source
) -> tuple[tuple[Capture, ...], str]:
    """Three posts, and what is odd. Raises Unanswered, Unreadable, SecretMissing."""
    options: Options = settings.options
    now = tools.clock.now()
    token = _token(options, tools)
    with _asker(options, tools) as asker:
        said = f"{options.token_scheme} {token}".strip()
        wanted = bool(token) and isinstance(source, JsonList)
        headers = {options.token_header: said} if wanted else {}
        answer = asker.ask(source.url, headers=headers, redirects=3)
    trouble = unfit(answer, now)
    if trouble is not None:
        raise trouble
    kind = answer.headers.get("content-type", "")
    if isinstance(source, JsonList):
        page = json_page(
            source, answer.body, url=source.url, content_type=kind, now=now, channel=settings.id
        )
    else:
        page = feed_page(
            source,
            answer.body,
            url=source.url,
            content_type=kind,
            now=now,
            hosts=(),
            channel=settings.id,
        )
    return page.captures[:3], page.skipped[0] if page.skipped else ""


def _token(options: Options, tools: Tools) -> str:
    if options.token_env is None:
        return ""
    return read_secret(options.token_env, tools.environ).get_secret_value()


def _asker(options: Options, tools: Tools) -> Asker:
    return Asker(
        options.allowed(),
        user_agent=tools.user_agent,
        seconds=options.timeout.total_seconds(),
        delay=options.delay.total_seconds(),
        ca_file=options.ca_file,
    )
