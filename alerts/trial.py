"""A real message by the real path, for `tinglan test-mail`: what each part took, what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from alerts.letters import NotDelivered, Transport
from alerts.notices import owe
from alerts.outbox import deliver_notice
from config.clock import Clock
from config.settings import Settings, split_recipient
from store.engine import Database

_LABEL = {
    "start": "启动投递",
    "connect": "连接",
    "banner": "服务器应答",
    "hello": "握手",
    "tls": "加密与证书校验",
    "auth": "登录",
    "sender": "提交发件人",
    "recipient": "提交收件人",
    "data": "提交正文",
    "handed": "等待确认",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How the trial went; `parts` are (what, milliseconds) in order."""

    ok: bool
    notice: str
    reply: str
    took: int  #: milliseconds, from writing the row to the answer
    parts: tuple[tuple[str, int], ...] = field(default_factory=tuple)


def try_mail(
    database: Database,
    settings: Settings,
    transports: Mapping[str, Transport],
    address: str,
    *,
    clock: Clock,
    random: Random,
) -> Trial:
    """Sends one marked test message through outbox and transport; never raises for a refusal.

    `address` is a mail address or `transport:target`. A refused trial is not tried again.
    """
    transport, recipient = split_recipient(address)
    began, now = clock.monotonic(), clock.now()
    with database.write() as connection:
        notice = owe(
            connection,
            subject_key=f"test:{now.isoformat()}",
            stage="test",
            recipient=recipient,
            transport=transport,
            now=now,
            due_at=now + timedelta(hours=1),  # ours, not the service's
        )
    if notice is None:
        return Trial(ok=False, notice="", reply="同一时刻已有一封测试信", took=0)
    outcome = deliver_notice(database, transports, settings, notice, clock=clock, random=random)
    took = round(1000 * (clock.monotonic() - began))
    if outcome is None:
        return Trial(ok=False, notice=notice, reply="测试信已被另一进程取走", took=took)
    parts = tuple((_LABEL.get(step, step), ms) for step, ms in _ordered(outcome.parts))
    ok = not isinstance(outcome, NotDelivered)
    return Trial(ok=ok, notice=notice, reply=outcome.reply, took=took, parts=parts)


def _ordered(parts: Mapping[str, int]) -> list[tuple[str, int]]:
    order = list(_LABEL)
    return sorted(
        parts.items(), key=lambda one: order.index(one[0]) if one[0] in order else len(order)
    )
