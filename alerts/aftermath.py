"""What follows from an attempt: who else must be told, which alarm is raised, what is recorded."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa

from alerts import pace
from alerts.bundles import member_ids
from alerts.cases import raise_alarm
from alerts.letters import NotDelivered, Receipt, Trouble
from alerts.notices import Notice, notice_of
from alerts.routing import fallback
from alerts.second import owe_another, ways
from config.clock import shown
from config.duration import spoken
from config.settings import Settings
from store.ledger import append
from store.records import Level
from store.tables import notices

log = logging.getLogger(__name__)

_PATIENCE = timedelta(minutes=10)  #: an outage of the network is an alarm after this


def delivered(
    connection: sa.Connection, settings: Settings, notice: Notice, receipt: Receipt, now: datetime
) -> None:
    ended = pace.recovered(connection, notice.transport)
    if ended is not None:
        lasted = spoken(now - ended.since)
        log.info("transport.back transport=%s after=%s", notice.transport, lasted)
        append(
            connection,
            item=None,
            at=now,
            kind="transport-back",
            by="系统",
            note=f"通知通道 {notice.transport} 恢复，中断约{lasted}（{ended.why}）",
            detail={"transport": notice.transport, "since": ended.since.isoformat()},
        )
    ids = member_ids(connection, notice.id) or [notice.id]
    told = connection.execute(sa.select(notices.c.id, notices.c.item).where(notices.c.id.in_(ids)))
    for row in told:
        append(
            connection,
            item=row.item,
            at=now,
            kind="notified",
            by="系统",
            note=f"{notice.recipient}（{notice.transport}）",
            detail={"notice": row.id, "by": notice.id, "reply": receipt.reply},
        )


def refused(
    connection: sa.Connection,
    settings: Settings,
    notice: Notice,
    trouble: NotDelivered,
    now: datetime,
) -> None:
    """Nobody is left untold: the fallback gets each letter, and one alarm about the address."""
    what = {
        Trouble.RECIPIENT: "地址无效或拒收",
        Trouble.PROVIDER: "邮件服务商拒收（疑似按垃圾邮件处理）",
    }.get(trouble.kind, "对方拒收")
    _lost(connection, settings, notice, trouble, now, kind="refused", what=what)


def bounced(
    connection: sa.Connection,
    settings: Settings,
    notice: Notice,
    trouble: NotDelivered,
    now: datetime,
) -> None:
    """The same, where the refusal came back as a letter after the server had said yes."""
    _lost(connection, settings, notice, trouble, now, kind="bounced", what="投递后被退回")


def _lost(
    connection: sa.Connection,
    settings: Settings,
    notice: Notice,
    trouble: NotDelivered,
    now: datetime,
    *,
    kind: str,
    what: str,
) -> None:
    ids = member_ids(connection, notice.id) or [notice.id]
    rows = connection.execute(sa.select(notices).where(notices.c.id.in_(ids))).mappings().all()
    for lost in map(notice_of, rows):
        append(
            connection,
            item=lost.item,
            at=now,
            kind=kind,
            by="系统",
            note=f"{lost.recipient}（{lost.transport}）：{trouble.reply}",
            detail={"notice": lost.id, "kind": trouble.kind.value},
        )
        _pass_on(connection, settings, lost, trouble, now)
    raise_alarm(
        connection,
        settings,
        key=f"refused:{notice.transport}:{notice.recipient}",
        title=f"通知无法送达 {notice.recipient}：{what}",
        reason=f"{notice.recipient} {what}，已转送兜底地址。对方答复：{trouble.reply}",
        level=Level.II,
        now=now,
        spare=[(notice.recipient, notice.transport)],
    )


def _pass_on(
    connection: sa.Connection,
    settings: Settings,
    lost: Notice,
    trouble: NotDelivered,
    now: datetime,
) -> None:
    if lost.stage in {"fallback", "test"}:
        return  # the last resort has no resort
    last = {(one.recipient, one.transport) for one in fallback(settings, "")}
    for way in ways(settings, lost.recipient, lost.transport):
        stage = "fallback" if way in last else "second"
        whom = "兜底地址" if stage == "fallback" else "第二联系方式"
        why = f"{lost.recipient} 未能送达（{trouble.reply}），转送{whom}"
        told = owe_another(connection, lost, way, now, why=why, stage=stage)
        if stage == "second" and told:
            return  # if that is refused as well, its own second, else the fallback


def away(
    connection: sa.Connection,
    settings: Settings,
    notice: Notice,
    trouble: NotDelivered,
    now: datetime,
) -> None:
    """The transport as a whole is away; said once, by whatever way is left."""
    outage = pace.failed(connection, notice.transport, trouble.kind, trouble.reply, now)
    grave = trouble.kind is Trouble.SYSTEM or now - outage.since >= _PATIENCE
    if outage.told or not grave:
        return
    raise_alarm(
        connection,
        settings,
        key=f"transport:{notice.transport}",
        title=f"通知通道 {notice.transport} 不通，通知暂存待发",
        reason=(
            f"自 {shown(outage.since)} 起无法投递：{trouble.reply}。"
            "通知均已保留，恢复后按等级补发。"
        ),
        level=Level.III,
        now=now,
    )
    pace.note_told(connection, outage, now)


def doubtful(connection: sa.Connection, settings: Settings, notice: Notice, now: datetime) -> None:
    raise_alarm(
        connection,
        settings,
        key=f"unsure:{notice.transport}",
        title="邮件交出后多次收不到服务器确认",
        reason=(
            f"发给 {notice.recipient} 的通知已两次交出而未获确认，可能已送达，也可能没有；"
            "系统会以同一编号稀疏重发。请检查邮件服务器的响应时间。"
        ),
        level=Level.III,
        now=now,
    )
