"""值班台: what is due next and why, and what endangers the watch."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from config.roster import Rank
from console.banners import banners
from console.board import board, has_tasks
from console.desk import Ask
from console.limits import left_words
from console.live import limits_of, news
from console.roles import Act


def home(ask: Ask) -> Response:
    desk, now = ask.desk, ask.desk.now()
    with desk.database.read() as connection:
        found = board(connection, ask.user, limits_of(desk), now)
        told = banners(desk, connection, now) if ask.may(Act.WATCH) else []
    return ask.page(
        "home.html",
        counts=found.counts,
        tasks=found.tasks,
        left=found.left,
        mine=has_tasks(ask.user.role),
        banners=told,
        duty=_duty(ask),
        left_words=left_words,
        last=news(desk, ask.user, 0)["last"],
    )


def _duty(ask: Ask) -> list[tuple[str, str]]:
    """Who is on duty now, rank by rank; empty where there is no roster."""
    if not ask.desk.settings.roster.files:
        return []
    roster = ask.desk.roster()
    return [
        (rank.label, "、".join(person.name for person in roster.on_duty(ask.desk.now(), rank)))
        for rank in (Rank.OFFICER, Rank.LEADER)
    ]


def alive(_ask: Ask) -> Response:
    """For a load balancer or a watchdog; tells nothing else."""
    return PlainTextResponse("ok\n")
