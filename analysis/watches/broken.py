"""A channel that answers and says nothing: quiet is not the same as calm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import Field

from analysis.watches._passes import Pass, outcomes, passes
from analysis.watching import Seen, Tools, Unsure, Watch, WatchFinding, WatchOptions, active
from config.settings import ChannelSettings, Settings
from store.records import Kind, Level, Outcome, Role, RunState, Topic
from store.tables import fetches, pages, posts, runs

_WINDOW = 40  #: passes that are looked at
_LEDGER = 200  #: newest runs whose sums are proved
_FIELDS = {"title": "标题", "text": "正文", "published_at": "发布时间", "source": "来源"}
_UNREADABLE = {
    Outcome.PARSE_BROKEN.value: "读不懂",
    Outcome.SOFT_FAILURE.value: "维护页或错误页",
    Outcome.AUTH.value: "登录页",
    Outcome.WRONG_TYPE.value: "不是网页",
    Outcome.DECODE_ERROR.value: "乱码",
}
_SUBJECT = {
    "empty": "“{name}”已恢复读到内容",
    "pages": "“{name}”的页面已恢复正常",
    "lists": "“{name}”的栏目已恢复",
    "fields": "“{name}”的字段已恢复读出",
}


class Options(WatchOptions):
    runs: int = Field(default=3, ge=2, le=20)  #: in a row, before it is told
    may_be_empty: tuple[str, ...] = ("mailbox", "intake")  #: kinds that are often rightly empty
    newest: int = Field(default=10, ge=3, le=100)  #: posts whose fields are looked at
    before: int = Field(default=50, ge=10, le=500)  #: posts they are compared with


def build(options: Options, tools: Tools) -> Watch:
    def look(connection: sa.Connection, settings: Settings, now: datetime) -> Iterable[Seen]:
        told = active(connection, "broken")
        for channel in settings.channels:
            if not channel.disabled:
                yield from _channel(connection, channel, options, told)
        yield from _ledger(connection)

    return look


def _channel(
    connection: sa.Connection, channel: ChannelSettings, options: Options, told: Mapping[str, Any]
) -> Iterable[Seen]:
    done = [one for one in passes(connection, channel.id, _WINDOW) if not one.spared]
    ended = outcomes(connection, done)
    empty = f"broken:{channel.id}:empty"
    if done and not any(_answered(ended[one.id]) for one in done[: options.runs]):
        yield Unsure(f"broken:{channel.id}:")  # it could not be looked at; that is told elsewhere
        return
    streak = _streak([_is_empty(one, ended[one.id], channel.kind) for one in done])
    if _stands_empty(
        connection,
        channel,
        options,
        done=done,
        streak=streak,
        ended=ended,
        already=empty in told,
    ):
        since = done[min(streak, len(done)) - 1]
        yield _finding(
            channel, "empty", since.at,
            f"“{channel.name}”连续{streak}轮采集都应答成功却没有任何内容，以往不是这样，"
            "疑似接口、权限或页面已失效，不能当作平安无事。",
        )  # fmt: skip
    yield from _lists(connection, channel, options)
    yield from _unreadable(channel, options, done, ended)
    yield from _fields(connection, channel, options)


def _stands_empty(
    connection: sa.Connection,
    channel: ChannelSettings,
    options: Options,
    *,
    done: Sequence[Pass],
    streak: int,
    ended: Mapping[int, Counter[str]],
    already: bool,
) -> bool:
    if already:
        return streak > 0
    if streak < options.runs:
        return False
    prior = done[streak:]
    full = sum(not _is_empty(one, ended[one.id], channel.kind) for one in prior)
    if len(prior) >= options.runs and full * 2 >= len(prior):
        return True
    if channel.kind in options.may_be_empty:
        return False
    ever = connection.execute(
        sa.select(posts.c.id).where(posts.c.channel == channel.id).limit(1)
    ).first()
    return ever is None  # not one post since it was set up


def _is_empty(one: Pass, ended: Mapping[str, int], kind: str) -> bool:
    """A pass that was answered and brought nothing, neither new nor known."""
    if one.state == RunState.KILLED.value or one.seen or ended.get(Outcome.OK_NEW.value):
        return False
    if not ended:
        return one.state == RunState.DONE.value  # green, with no question asked
    if kind == "site" and ended.get(Outcome.OK_UNCHANGED.value):
        return False  # pages that have not changed are there
    return bool(ended.get(Outcome.OK_EMPTY.value))


def _answered(ended: Mapping[str, int]) -> bool:
    """Whether the other side said anything at all that can be judged."""
    if not ended:
        return True
    judged = set(_UNREADABLE) | {one.value for one in Outcome if one.is_ok}
    return any(outcome in judged for outcome in ended)


def _streak(flags: Sequence[bool]) -> int:
    for number, flag in enumerate(flags):
        if not flag:
            return number
    return len(flags)


def _lists(connection: sa.Connection, channel: ChannelSettings, options: Options) -> Iterable[Seen]:
    """Lists of a site that were empty or unreadable again and again; the spider counts them."""
    rows = connection.execute(
        sa.select(pages.c.url, pages.c.failures).where(
            pages.c.channel == channel.id,
            pages.c.kind.in_(("list", "feed", "sitemap")),
            pages.c.failures >= options.runs,
        )
    ).all()
    bad = []
    for url, failures in rows:
        last = connection.execute(
            sa.select(fetches.c.outcome, fetches.c.why)
            .where(fetches.c.channel == channel.id, fetches.c.url == url)
            .order_by(fetches.c.id.desc())
            .limit(1)
        ).first()
        if last is not None and last.outcome in {*_UNREADABLE, Outcome.OK_EMPTY.value}:
            what = _UNREADABLE.get(last.outcome, "为空")
            bad.append(f"{url}（连续{failures}次{what}）")
    if bad:
        more = f"等{len(bad)}个" if len(bad) > 3 else ""
        yield _finding(
            channel, "lists", None,
            f"“{channel.name}”有栏目读不出内容，疑似改版或失效：{'、'.join(bad[:3])}{more}。"
            "请核对栏目地址和选择器。",
            step=f"{len(bad)}",
        )  # fmt: skip


def _unreadable(
    channel: ChannelSettings,
    options: Options,
    done: Sequence[Pass],
    ended: Mapping[int, Counter[str]],
) -> Iterable[Seen]:
    """Pages that used to be understood and are not any more."""
    recent, prior = done[: options.runs], done[options.runs :]
    now_bad, now_all = _share(recent, ended)
    then_bad, then_all = _share(prior, ended)
    if len(recent) < options.runs or now_all < options.runs or now_bad * 2 < now_all:
        return
    if then_all and then_bad * 5 > then_all and len(prior) >= _WINDOW - options.runs:
        return  # it never was any better
    kinds = sum((Counter(_only(ended[one.id])) for one in recent), Counter())
    worst = kinds.most_common(1)[0][0]
    yield _finding(
        channel, "pages", recent[-1].at,
        f"“{channel.name}”近{options.runs}轮有{now_bad}次应答看不懂（共{now_all}次，"
        f"多为{_UNREADABLE[worst]}），疑似改版、维护或要求登录。",
    )  # fmt: skip


def _only(ended: Mapping[str, int]) -> dict[str, int]:
    return {outcome: n for outcome, n in ended.items() if outcome in _UNREADABLE}


def _share(done: Sequence[Pass], ended: Mapping[int, Counter[str]]) -> tuple[int, int]:
    bad = sum(sum(_only(ended[one.id]).values()) for one in done)
    return bad, sum(sum(ended[one.id].values()) for one in done)


def _fields(
    connection: sa.Connection, channel: ChannelSettings, options: Options
) -> Iterable[Seen]:
    """Fields that a selector, a tag or a known box used to give and that now have to be guessed
    or are missing."""
    rows = connection.execute(
        sa.select(posts.c.notes, posts.c.published_at)
        .where(
            posts.c.channel == channel.id,
            posts.c.kind == Kind.POST.value,
            posts.c.role == Role.OWN.value,
            posts.c.drill == sa.false(),
        )
        .order_by(posts.c.id.desc())
        .limit(options.newest + options.before)
    ).all()
    told = [row for row in rows if isinstance(row.notes, dict) and _how(row.notes)]
    fresh, old = told[: options.newest], told[options.newest :]
    if len(fresh) < options.newest or len(old) < options.newest:
        return
    lost = []
    for name, label in _FIELDS.items():
        ways = Counter(_way(row.notes, name) for row in old)
        way, count = ways.most_common(1)[0]
        if way in {"", "generic"} or count < 0.8 * len(old):
            continue
        still = sum(_way(row.notes, name) == way for row in fresh)
        if still <= 0.2 * len(fresh):
            lost.append((name, label, still))
    if lost:
        named = "、".join(f"“{label}”（近{len(fresh)}篇仅{still}篇）" for _, label, still in lost)
        yield _finding(
            channel, "fields", None,
            f"“{channel.name}”的页面字段读法失效：{named}按原来的方式读不出了，"
            "现在靠推断或缺失，疑似改版，请核对选择器。",
            step="+".join(name for name, _, _ in lost),
        )  # fmt: skip


def _how(notes: Mapping[str, Any]) -> bool:
    return any(f"{name}_by" in notes for name in _FIELDS)


def _way(notes: Mapping[str, Any], name: str) -> str:
    """selector, meta, container …: the family, so that `container:trs` may become another."""
    return str(notes.get(f"{name}_by", "")).split(":")[0].split(",")[0].strip()


def _ledger(connection: sa.Connection) -> Iterable[Seen]:
    """Planned fetches and outcomes must add up, ever: where not, we lost sight of a page."""
    newest = (
        sa.select(runs.c.id, runs.c.channel, runs.c.planned, runs.c.finished_at)
        .where(runs.c.state != RunState.RUNNING.value)
        .order_by(runs.c.id.desc())
        .limit(_LEDGER)
        .subquery()
    )
    rows: Any = connection.execute(
        sa.select(
            newest.c.id,
            newest.c.channel,
            newest.c.planned,
            newest.c.finished_at,
            sa.func.count(fetches.c.outcome),
        )
        .select_from(newest.outerjoin(fetches, fetches.c.run == newest.c.id))
        .group_by(newest.c.id, newest.c.channel, newest.c.planned, newest.c.finished_at)
    )
    for run, channel, planned, finished, settled in rows:
        if planned != settled:
            yield WatchFinding(
                subject=f"broken:ledger:{run}",
                reason=(
                    f"采集台账对不上：第{run}轮（{channel}）计划{planned}次，有结果的{settled}次，"
                    "可能漏看了页面，请联系维护人员。"
                ),
                level=Level.III,
                topic=Topic.SYSTEM,
                channel=channel,
                passing=True,
                since=finished,
            )


def _finding(
    channel: ChannelSettings, what: str, since: datetime | None, reason: str, *, step: str = ""
) -> WatchFinding:
    return WatchFinding(
        subject=f"broken:{channel.id}:{what}",
        reason=reason,
        level=Level.III,
        topic=Topic.SYSTEM,
        channel=channel.id,
        since=since,
        step=step,
        over=_SUBJECT[what].format(name=channel.name),
    )
