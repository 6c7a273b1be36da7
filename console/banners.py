"""What endangers the watch itself, said at the top of the desk until it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from alerts.headers import clean_header
from config.clock import shown
from config.duration import spoken
from config.roster import Rank
from config.workdays import local_day
from console.desk import Desk
from console.status import FRESH
from store.records import NoticeState
from store.tables import channels, facts, findings, notices

STUCK = timedelta(minutes=10)  #: a notice owed for longer is in trouble
_SLACK = timedelta(minutes=10)
_LOW_MB = 1024
_WHY = 60  #: characters of a reason
_NAMED, _LISTED = 3, 6  #: channels told with their reason, and by name alone


@dataclass(frozen=True, slots=True)
class Banner:
    grave: bool
    text: str
    link: str = ""
    words: str = ""  #: of the link


def banners(desk: Desk, connection: sa.Connection, now: datetime) -> list[Banner]:
    """The gravest first; one part that cannot be looked at is itself a banner."""
    made: list[Banner] = []
    for part in (_service, _outbox, _duty, _channels, _calendar, _clock):
        try:
            made += part(desk, connection, now)
        except Exception as error:  # a broken file must not take the desk away
            made.append(Banner(True, f"有一项自检没有完成（{type(error).__name__}），请看日志。"))
    return sorted(made, key=lambda one: not one.grave)


def _service(desk: Desk, connection: sa.Connection, now: datetime) -> Iterator[Banner]:
    rows = {row.name: row for row in connection.execute(sa.select(facts).where(
        facts.c.name.in_(["heartbeat", "settings", "rules"])
    ))}  # fmt: skip
    beat = rows.get("heartbeat")
    if beat is None or now - beat.at > FRESH:
        since = f"最后一次心跳在 {shown(beat.at)}" if beat else "还没有启动过"
        yield Banner(True, f"值守服务没有运行，{since}：不采集、不预警、不发信。请管理员启动服务。")
    else:
        for lane, times in (beat.value.get("failures") or {}).items():
            yield Banner(True, f"后台“{lane}”连续出错 {times} 次，请管理员查看日志。")
    for name, what in (("settings", "设置"), ("rules", "规则文件")):
        refused = rows.get(name)
        if refused is not None and refused.value.get("refused"):
            yield Banner(
                False,
                f"新的{what}有误，{shown(refused.at)} 起仍按原来的运行。",
                "/selfcheck",
                "看自检",
            )
    file = desk.database.file
    if file is not None:
        import shutil

        free = shutil.disk_usage(file.parent).free // 2**20
        if free < _LOW_MB:
            yield Banner(True, f"磁盘只剩 {free} MB，写满后无法采集和登记。")


def _outbox(_desk: Desk, connection: sa.Connection, now: datetime) -> Iterator[Banner]:
    owed = [state.value for state in NoticeState if state.is_owed]
    stuck = connection.execute(
        sa.select(sa.func.count().label("many"), sa.func.min(notices.c.created_at).label("oldest"))
        .select_from(notices)
        .where(notices.c.state.in_(owed), notices.c.created_at < now - STUCK)
    ).one()
    many, oldest = stuck.many, stuck.oldest
    if oldest is not None:
        yield Banner(
            True,
            f"有 {many} 封通知没有送达，最早一封已等 {spoken(now - oldest)}。"
            "请先电话通知有关处室，再查发信服务器。",
            "/notices?state=owed",
            "看通知",
        )
    refused = connection.execute(
        sa.select(sa.func.count()).where(
            notices.c.state.in_([NoticeState.REFUSED.value, NoticeState.BOUNCED.value]),
            notices.c.settled_at > now - timedelta(days=1),
        )
    ).scalar_one()
    if refused:
        yield Banner(
            False,
            f"24 小时内有 {refused} 封通知被拒收，已转送兜底地址；请核对收件地址。",
            "/notices?state=refused",
            "看通知",
        )


def _duty(desk: Desk, _connection: sa.Connection, now: datetime) -> Iterator[Banner]:
    if not desk.settings.roster.files:
        fallback = "、".join(desk.settings.roster.fallback)
        yield Banner(
            False, f"还没有值班表：催办和超时只能通知兜底地址（{fallback}）。",
            "/roster", "看值班表",
        )  # fmt: skip
        return
    roster = desk.roster()
    for rank in (Rank.OFFICER, Rank.LEADER):
        if not roster.on_duty(now, rank):
            yield Banner(
                True, f"此刻没有{rank.label}当班，催办只能发往上一级和兜底地址。",
                "/roster", "看值班表",
            )  # fmt: skip


def _channels(desk: Desk, connection: sa.Connection, now: datetime) -> Iterator[Banner]:
    """The first few by name and reason; many at once are one trouble, and one line."""
    rows = {row.id: row for row in connection.execute(sa.select(channels))}
    found = []
    for channel in desk.settings.channels:
        row = rows.get(channel.id)
        if channel.disabled or row is None or row.last_attempt_at is None:
            continue  # the first pass is still to come; a dead service has its own banner
        last, why = row.last_success_at, clean_header(row.why, _WHY)
        if last is None:
            found.append((channel.name, f"从未采集成功：{why or '原因不明'}"))
        elif now - last > max(3 * channel.every, channel.every + _SLACK):
            told = f"：{why}" if why else ""
            found.append((channel.name, f"已 {spoken(now - last)} 没有采集成功{told}"))
    for name, what in found[:_NAMED]:
        yield Banner(True, f"渠道“{name}”{what}", "/channels", "看渠道")
    rest = [name for name, _ in found[_NAMED:]]
    if rest:
        more = "等" if len(rest) > _LISTED else ""
        yield Banner(
            True, f"另有 {len(rest)} 个渠道采集不到：{'、'.join(rest[:_LISTED])}{more}",
            "/channels", "看渠道",
        )  # fmt: skip


def _calendar(desk: Desk, _connection: sa.Connection, now: datetime) -> Iterator[Banner]:
    for warning in desk.calendar().warnings(local_day(now)):
        yield Banner(False, warning)


def _clock(_desk: Desk, connection: sa.Connection, now: datetime) -> Iterator[Banner]:
    rows = connection.execute(
        sa.select(findings.c.reason, findings.c.at).where(
            findings.c.stage == "service",
            findings.c.key.like("clock:%"),
            findings.c.at > now - timedelta(days=1),
        )
    )
    for row in rows:
        yield Banner(False, f"{shown(row.at)}：{row.reason}")
