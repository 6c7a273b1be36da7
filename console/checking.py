"""`tinglan check`: proves the settings against the real database, mail server and channels."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

import httpx

from analysis.catalogue import EngineUnknown, build_engine, build_stages
from analysis.packs import PacksWrong
from analysis.rules_command import overdue
from analysis.stages.rules import rulebook
from analysis.tools import Tools as StageTools
from config.clock import SystemClock
from config.keydates import thin_shifts
from config.keys import author_key, link_keys
from config.plugins import PluginBroken
from config.rosterfile import load_roster
from config.secrets import SecretMissing, read_secret
from config.settings import ChannelSettings, Mail, Settings
from config.workdays import load_calendar, local_day
from console.packs import options_of
from console.soundness import unsound
from crawler.catalogue import Preview, Tools, channel_kinds
from crawler.command import user_agent
from crawler.mailbox.imap import Unreadable, opened
from crawler.mailbox.options import Options
from store.engine import Database, StoreError, located, self_check
from store.schema import upgrade

log = logging.getLogger("console.checking")

OUR_NAMES = (
    "tinglan",
    "scheduler",
    "config",
    "store",
    "crawler",
    "analysis",
    "alerts",
    "console",
    "service",
    "demo",
    "benchmarks",
)
PATIENCE = 10.0  #: seconds for one answer


@dataclass(frozen=True, slots=True)
class Result:
    what: str
    state: Literal["ok", "warn", "bad"]
    text: str


def check(
    settings: Settings,
    base: Path,
    environ: Mapping[str, str],
    *,
    now: datetime,
    offline: bool = False,
) -> list[Result]:
    """Every part in turn; one part's trouble never hides another's."""
    parts: list[Callable[[], Iterator[Result]]] = [
        lambda: iter(
            [Result("设置", "ok", f"{len(settings.channels)}个渠道，{len(settings.offices)}个处室")]
        ),
        _names,
        lambda: (Result(*line) for line in unsound(settings, environ)),
        lambda: _database(settings, base),
        lambda: _secrets(settings, environ),
        lambda: _stages(settings, now),
        lambda: _duty(settings, base, now),
    ]
    if not offline:
        parts.append(lambda: _mail(settings, environ))
        parts.append(lambda: _returned(settings, environ))
        parts += [
            lambda c=c: _channel(settings, c, base, environ)  # type: ignore[misc]
            for c in settings.channels
        ]
    results: list[Result] = []
    for part in parts:
        results += part()
    return results


def _names() -> Iterator[Result]:
    """Our top-level names are plain words: another package may own one and shadow ours."""
    owners = metadata.packages_distributions()
    taken = {
        name: sorted(set(owners[name]) - {"tinglan"})
        for name in OUR_NAMES
        if set(owners.get(name, ())) - {"tinglan"}
    }
    if not taken:
        yield Result("模块名", "ok", "没有别的软件包占用我们的顶层模块名")
    for name, others in taken.items():
        yield Result(
            "模块名", "bad", f"{name} 也属于 {'、'.join(others)}：请把听澜装在自己的虚拟环境里"
        )


def _database(settings: Settings, base: Path) -> Iterator[Result]:
    try:
        database = Database(located(settings.database.url, base))
    except StoreError as error:
        yield Result("数据库", "bad", str(error))
        return
    try:
        self_check(database)
        _, revision = upgrade(database)
        yield Result("数据库", "ok", f"{database.shown}，结构版本 {revision}")
        if database.file is not None and database.file.stat().st_mode & 0o077:
            yield Result("数据库", "warn", f"别人也能读 {database.file}：请 chmod 600")
    except StoreError as error:
        yield Result("数据库", "bad", str(error))
    except Exception as error:  # drivers raise their own kinds
        yield Result("数据库", "bad", f"{database.shown}：{_first_line(error)}")
    finally:
        database.close()


def _secrets(settings: Settings, environ: Mapping[str, str]) -> Iterator[Result]:
    try:
        author_key(settings.privacy, environ)
        yield Result("作者假名密钥", "ok", "可用")
    except SecretMissing as error:
        yield Result("作者假名密钥", "bad", str(error))
    name = settings.mail.password_env
    if name:
        try:
            read_secret(name, environ)
            yield Result("邮箱口令", "ok", f"已从 {name} 读到")
        except SecretMissing as error:
            yield Result("邮箱口令", "bad", str(error))
    if settings.console.public_url:
        try:
            link_keys(settings.console, environ)
            yield Result("签收链接密钥", "ok", "可用")
        except SecretMissing as error:
            yield Result("签收链接密钥", "bad", str(error))
    else:
        yield Result(
            "签收链接", "warn", "没有写 [console] public_url，邮件里没有签收链接和值班台链接"
        )


def _stages(settings: Settings, now: datetime) -> Iterator[Result]:
    """Rule packs are read and every pattern compiled, as the service would."""
    try:
        made = build_stages(settings.stages, StageTools())
        build_engine(settings.stages).close()
    except PacksWrong as error:
        yield from (Result("规则", "bad", line) for line in str(error).splitlines())
    except (EngineUnknown, PluginBroken) as error:
        yield Result("研判", "bad", str(error))
    else:
        yield Result("研判", "ok", f"{len(made)}个环节：{'、'.join(made)}")
        late = overdue(rulebook(options_of(settings.stages)), local_day(now))
        if late:
            shown = "、".join(late[:5]) + ("等" if len(late) > 5 else "")
            yield Result("规则", "warn", f"{len(late)}条规则已过复看日期：{shown}")


def _duty(settings: Settings, base: Path, now: datetime) -> Iterator[Result]:
    """Who is on duty in the next 14 days, and which year has no holidays yet."""
    today = local_day(now)
    calendar = load_calendar(base / "holidays")
    for problem in calendar.problems:
        yield Result("节假日", "bad", str(problem))
    for warning in calendar.warnings(today):
        yield Result("节假日", "warn", warning)
    if not settings.roster.files:
        yield Result("值班表", "warn", "没有值班表（roster.files），到时限只能提醒兜底地址")
        return
    roster = load_roster(settings.roster, base, today)
    problems = roster.problems(today)
    for problem in problems:
        yield Result("值班表", "bad", str(problem))
    for thin in thin_shifts(settings.keydates, roster, calendar, today):
        yield Result("重点时段", "warn", thin)
    if not problems:
        yield Result("值班表", "ok", "今后14天没有空班，人人有可用地址")


def _mail(settings: Settings, environ: Mapping[str, str]) -> Iterator[Result]:
    mail = settings.mail
    where = f"{mail.host}:{mail.port}"
    try:
        password = read_secret(mail.password_env, environ) if mail.password_env else None
        _knock(mail, password.get_secret_value() if password else "")
    except SecretMissing:
        yield Result("发信服务器", "bad", f"{where}：没有口令，没有去试")
    except (OSError, smtplib.SMTPException) as error:
        yield Result("发信服务器", "bad", f"{where}：{_first_line(error)}")
    else:
        plain = mail.security == "none"
        yield Result(
            "发信服务器",
            "warn" if plain and mail.insecure else "ok",
            f"{where} 可用，" + ("未加密" if plain else "证书已核验"),
        )


def _returned(settings: Settings, environ: Mapping[str, str]) -> Iterator[Result]:
    """The mailbox of 退信 can be looked into; a look leaves no trace."""
    box = settings.mail.bounces
    if box is None:
        yield Result("退信信箱", "warn", "没有配置 [mail.bounces]，被退回的通知无人知道")
        return
    where = f"{box.host}:{box.port}"
    try:
        password = read_secret(box.password_env, environ).get_secret_value()
        with opened(Options(**box.model_dump(exclude={"every"})), password):
            yield Result("退信信箱", "ok", f"{where} 可读")
    except SecretMissing as error:
        yield Result("退信信箱", "bad", str(error))
    except Unreadable as error:
        yield Result("退信信箱", "bad", f"{where}：{error.why}")


def _knock(mail: Mail, password: str) -> None:
    """Connects, verifies, logs in and leaves; sends nothing."""
    context = ssl.create_default_context(cafile=mail.ca_file or None)
    line: smtplib.SMTP
    if mail.security == "tls":
        line = smtplib.SMTP_SSL(mail.host, mail.port, timeout=PATIENCE, context=context)
    else:
        line = smtplib.SMTP(mail.host, mail.port, timeout=PATIENCE)
    with line:
        if mail.security == "starttls":
            line.starttls(context=context)
        if mail.username:
            line.login(mail.username, password)
        line.noop()


def _channel(
    settings: Settings, channel: ChannelSettings, base: Path, environ: Mapping[str, str]
) -> Iterator[Result]:
    what = f"渠道 {channel.name}"
    if channel.disabled:
        yield Result(what, "warn", "已停用（disabled = true），不会采集")
        return
    for url in _addresses(channel):
        yield _reach(what, url, settings.agency.contact)
    look = getattr(channel_kinds()[channel.kind], "preview", None)
    if look is None:
        yield Result(what, "warn", f"这类渠道（{channel.kind}）不会预演，没有去试")
        return
    try:
        yield _looked(what, _preview(settings, channel, base, environ, look))
    except (StoreError, SecretMissing) as error:
        yield Result(what, "bad", str(error))
    except Exception as error:  # a channel may be anybody's file
        log.exception("check.failed", extra={"channel": channel.id})
        yield Result(what, "bad", f"没有试成：{type(error).__name__}：{_first_line(error)}")


def _preview(
    settings: Settings,
    channel: ChannelSettings,
    base: Path,
    environ: Mapping[str, str],
    look: Callable[[ChannelSettings, Tools], Preview],
) -> Preview:
    """What `crawl --dry-run` would see: by the real interface, counted in its quota."""
    with closing(Database(located(settings.database.url, base))) as database:
        return look(
            channel,
            Tools(
                database=database,
                clock=SystemClock(),
                settings=settings,
                author_key=author_key(settings.privacy, environ),
                user_agent=user_agent(settings.agency.contact),
                environ=environ,
                manual=True,
            ),
        )


def _looked(what: str, found: Preview) -> Result:
    if found.unread:
        return Result(what, "bad", found.why)
    if found.samples:
        return Result(what, "ok", f"能读到帖文，例如读出 {len(found.samples)} 条")
    return Result(what, "ok", found.why or "能读，现在没有帖文")


def _addresses(channel: ChannelSettings) -> list[str]:
    """The first address of each list the channel reads, where its options name any."""
    columns = getattr(channel.options, "columns", ())
    return [str(column.url) for column in columns][:20]


def _reach(what: str, url: str, contact: str) -> Result:
    headers = {"User-Agent": f"tinglan-check/0.1 (+{contact})"}
    try:
        with (
            httpx.Client(timeout=PATIENCE, follow_redirects=False, headers=headers) as client,
            client.stream("GET", url) as answer,
        ):
            status = answer.status_code
    except httpx.HTTPError as error:
        return Result(what, "bad", f"{url}：{_first_line(error) or type(error).__name__}")
    if status >= 400:
        return Result(what, "bad", f"{url}：应答 {status}")
    if status >= 300:
        return Result(what, "warn", f"{url}：应答 {status}，被转到别处，请改用最终地址")
    return Result(what, "ok", f"{url} 可达")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
