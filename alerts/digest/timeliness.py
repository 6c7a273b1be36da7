"""处置与时限: how long each stage took against what was promised, from the promises themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from statistics import median
from typing import Any

import sqlalchemy as sa

from alerts.digest.periods import Period
from alerts.digest.tallies import COUNTED
from config.duration import spoken
from store.records import State
from store.tables import items, promises

_WORDS = {
    State.TO_ASSESS.value: "研判",
    State.TO_REPORT.value: "报告",
    State.TO_RECEIVE.value: "签收",
    State.HANDLING.value: "处置",
    State.TO_REVIEW.value: "审核",
}


def stages(connection: sa.Connection, period: Period, now: datetime) -> list[dict[str, Any]]:
    """One line a stage: what ended in the period, in time or late, and what still runs."""
    rows = connection.execute(
        sa.select(
            promises.c.stage, promises.c.entered_at, promises.c.due_at, promises.c.ended_at,
            items.c.number,
        )
        .join(items, items.c.id == promises.c.item)
        .where(
            COUNTED,
            promises.c.stage.in_(list(_WORDS)),
            sa.or_(
                sa.and_(
                    promises.c.ended_at >= period.starts_at, promises.c.ended_at < period.ends_at
                ),
                promises.c.ended_at.is_(None),
            ),
        )
        .order_by(promises.c.id)
    ).all()  # fmt: skip
    return [_line(stage, word, rows, now) for stage, word in _WORDS.items()]


def _line(stage: str, word: str, rows: Any, now: datetime) -> dict[str, Any]:
    mine = [row for row in rows if row.stage == stage]
    done = [row for row in mine if row.ended_at is not None]
    running = [row for row in mine if row.ended_at is None]
    late = [row for row in done if row.ended_at > row.due_at]
    overdue = [row for row in running if row.due_at < now]
    took = sorted(row.ended_at - row.entered_at for row in done)
    return {
        "key": stage,
        "label": word,
        "done": len(done),
        "in_time": len(done) - len(late),
        "late": len(late),
        "late_items": _numbers(late),
        "running": len(running),
        "overdue": len(overdue),
        "overdue_items": _numbers(overdue),
        "median": spoken(median(took)) if took else "",
        "longest": spoken(took[-1]) if took else "",
    }


def _numbers(rows: list[Any]) -> list[str]:
    return list(dict.fromkeys(str(row.number) for row in rows))


def share(line: Mapping[str, Any]) -> str:
    """按时率, or a dash where nothing ended."""
    return f"{100 * line['in_time'] / line['done']:.0f}%" if line["done"] else "—"
