"""The lists of an account: what each is called, how urgent it is, what all may cost together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from crawler.quota import Allowance
from crawler.weibo.options import Name, Options
from store.records import Kind, Role
from store.tables import posts

CALL = "api"  #: one meter for all calls: the platform counts by account
LABEL: Mapping[Name, str] = {
    "comments": "收到的评论",
    "mentions": "提到本账号的微博",
    "comment_mentions": "提到本账号的评论",
    "timeline": "本账号微博",
}
WEIGHT: Mapping[str, int] = {"comments": 3, "mentions": 2, "comment_mentions": 2, "timeline": 1}
BELOW = "below:"  #: begins the name of the list of comments below one own status


def allowance(options: Options, per_day: int | None = None) -> Allowance:
    """The settings' figure, or the platform's own where that is smaller."""
    limit = min(options.calls_per_day, per_day or options.calls_per_day)
    return Allowance(
        call=CALL, what="微博接口", per_day=limit, reserve=min(options.reserve, limit // 2)
    )


def label(name: str) -> str:
    """What a list is called; duty staff see it as the column of its posts."""
    return "微博下的评论" if name.startswith(BELOW) else LABEL[name]  # type: ignore[index]


def below(connection: sa.Connection, channel: str, count: int) -> list[str]:
    """Names of the lists of comments below the newest own statuses."""
    if not count:
        return []
    newest: Sequence[str] = (
        connection.execute(
            sa.select(posts.c.key)
            .where(
                posts.c.channel == channel,
                posts.c.role == Role.OWN.value,
                posts.c.kind == Kind.POST.value,
                posts.c.state == "",
            )
            .order_by(sa.func.length(posts.c.key).desc(), posts.c.key.desc())  # ids grow with time
            .limit(count)
        )
        .scalars()
        .all()
    )
    return [f"{BELOW}{key.removeprefix('status/')}" for key in newest]
