"""条目: the list with its filters, one item with everything known of it, and the next step."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from alerts.digest.files import cell
from alerts.items import Item, NoSuchItem, find_item, show_item, topic_label
from alerts.lifecycle import AlreadyMoved, NotAllowed
from alerts.routing import channel_name
from config.clock import SHANGHAI, shown
from console import handling, questions
from console.accounts import record
from console.board import Task, by_due, claims, load, promised_for, with_claims
from console.desk import Ask, Refused
from console.evidence import versions_of
from console.history import said
from console.limits import left_words
from console.live import limits_of
from console.marks import marked
from console.questions import PAGE, Question, question_of
from console.roles import Act, Role, act_of, may
from console.search import SHORTEST, terms, waiting_count
from console.similar import Similar, similar_to
from console.wording import STAGES
from store.records import State, text_of
from store.tables import assessments, attempts, items

MOST_ROWS = 20_000  #: of one CSV
_POSTS_SHOWN = 20
_EVENTS_SHOWN = 100
_NOTICES_SHOWN = 20


def the_list(ask: Ask) -> Response:
    question = question_of(ask.request.query_params)
    with ask.desk.database.read() as connection:
        tasks, total = _found(ask, connection, question)
        pages = max(1, -(-total // PAGE))
        if question.page > pages:  # the list has grown shorter since the link was made
            question = question.but(page=pages)
            tasks, total = _found(ask, connection, question)
        waiting = waiting_count(connection) if question.q else 0
    return ask.page(
        "items.html",
        question=question,
        fresh=Question(),
        tasks=tasks,
        total=total,
        pages=pages,
        settings=ask.desk.settings,
        left_words=left_words,
        short=bool(question.q) and not terms(question.q),
        shortest=SHORTEST,
        waiting=waiting,
        can_dismiss=ask.may(Act.ASSESS),
        reasons=DISMISSED_AS,
        not_done=(),
    )


def _found(ask: Ask, connection: sa.Connection, question: Question) -> tuple[list[Task], int]:
    """One page of the list, and how many there are in all."""
    limits, now = limits_of(ask.desk), ask.desk.now()
    query = questions.wanted(connection, question, ask.user, ask.desk.now())
    first = (question.page - 1) * PAGE
    if question.late or question.order == "due":
        ids = by_due(connection, query, limits, now, late=bool(question.late))
    elif question.q:  # a search costs more than its answer: it is made once, not once to count
        ids = questions.ids(connection, questions.ordered(query, question))
    else:
        total = questions.counted(connection, query)
        page = questions.ordered(query, question).offset(first).limit(PAGE)
        return with_claims(connection, questions.read(connection, page), limits), total
    return with_claims(connection, load(connection, ids[first : first + PAGE]), limits), len(ids)


def as_csv(ask: Ask) -> Response:
    """The same list as a table that no spreadsheet will execute."""
    question = question_of(ask.request.query_params)
    with ask.desk.database.read() as connection:
        query = questions.wanted(connection, question, ask.user, ask.desk.now())
        query = questions.ordered(query, question)
        found = questions.read(connection, query.limit(MOST_ROWS))
    if question.late:
        limits, now = limits_of(ask.desk), ask.desk.now()
        found = [item for item in found if limits.is_late(item, now)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_row(ask, item) for item in found)
    record(
        ask.desk.database,
        "exported",
        by=ask.user.shown,
        note=f"条目列表 {len(found)} 条 {question.tail}",
        now=ask.desk.now(),
        address=ask.address,
    )
    name = f"tinglan-items-{ask.desk.now().astimezone(SHANGHAI):%Y%m%d-%H%M}.csv"
    return Response(
        out.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


_COLUMNS = (
    "编号", "等级", "状态", "类别", "标题", "渠道", "责任处室", "发布时间", "发现时间", "办结时间",
)  # fmt: skip


def _row(ask: Ask, item: Item) -> list[str]:
    settings = ask.desk.settings
    return [
        cell(text)
        for text in (
            item.number, f"{item.level.numeral} {item.level.label}", item.state.label,
            topic_label(item.topic), ("【演练】" if item.drill else "") + item.title,
            channel_name(settings, item.channel), ask.desk.office_name(item.office),
            shown(item.published_at) if item.published_at else "", shown(item.discovered_at),
            shown(item.closed_at) if item.closed_at else "",
        )
    ]  # fmt: skip


DISMISSED_AS = ("误报", "与本单位无关", "已处理过", "重复", "广告或灌水")


def dismiss(ask: Ask) -> Response:
    """不予处置 of all that were ticked; each is decided by itself."""
    chosen = []
    for value in ask.form.get("chosen", ()):
        number, _, version = value.partition(":")
        if version.isdecimal():
            chosen.append((number, int(version)))
    back = "/items" + (f"?{ask.field('back', 500)}" if ask.field("back") else "")
    if not chosen:
        return ask.to(back, "nothing")
    reason = "，".join(part for part in (ask.field("kind", 20), ask.field("note", 500)) if part)
    try:
        done, not_done = handling.dismiss_many(
            ask.desk.database, ask.desk.duty(), ask.user, chosen=chosen, reason=reason,
            now=ask.desk.now(),
        )  # fmt: skip
    except NotAllowed as error:
        raise Refused(422, str(error)) from None
    if not_done:
        return ask.page(
            "message.html", status=409, text=f"已登记 {done} 条，另有 {len(not_done)} 条没有登记：",
            lines=not_done, back=back,
        )  # fmt: skip
    return ask.to(back, "dismissed")


def one(ask: Ask) -> Response:
    return shown_item(ask)


def shown_item(
    ask: Ask,
    *,
    status: int = 200,
    why: str = "",
    form: str = "step",
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The page of an item; `why` stands beside the form that was not accepted."""
    desk, now = ask.desk, ask.desk.now()
    item = seen(ask)
    told = show_item(desk.database, item.id)
    letters = told["notices"][::-1][:_NOTICES_SHOWN]
    lines = told["events"][::-1][: None if ask.query("all") else _EVENTS_SHOWN]
    with desk.database.read() as connection:
        takers = claims(connection, [item.id])
        promised = promised_for(connection, item.id)
        thought = _assessed(connection, [row["id"] for row in told["posts"]])
        older = versions_of(connection, [row["id"] for row in told["posts"][:_POSTS_SHOWN]])
        tries = _tries(connection, [row["id"] for row in letters])
        alike = _alike(ask, connection, told["posts"])
        into = (
            connection.execute(
                sa.select(items.c.number).where(items.c.id == item.merged_into)
            ).scalar_one_or_none()
            if item.merged_into
            else None
        )
    steps = handling.steps_of(item, ask.user)
    told_wrong = defaultdict(str, {form: why} if why else {})
    chosen = (typed or {}).get("to") or ask.query("to")
    step = next((one for one in steps if one.to == chosen), steps[0] if steps else None)
    limits = limits_of(desk)
    return ask.page(
        "item.html",
        status=status,
        item=item,
        wrongs=told_wrong,
        typed=defaultdict(str, typed or {}) if form == "step" else defaultdict(str),
        said_before=defaultdict(str, typed or {}) if form != "step" else defaultdict(str),
        due_at=promised.get(item.state) or limits.due_at(item),
        left_words=left_words,
        bars=limits.bars(item, told["events"], now, promised=promised),
        stopped=_stopped(told["events"], item, now),
        taken_by=takers.get(item.id, ""),
        posts=_posts(told, thought),
        posts_left=max(0, len(told["posts"]) - _POSTS_SHOWN),
        older=older,
        reasons=_reasons(told),
        events=[{**event, "said": said(event, desk.office_name)} for event in lines],
        events_left=len(told["events"]) - len(lines),
        notices=[{**row, "tries": tries.get(row["id"], [])} for row in letters],
        notices_left=len(told["notices"]) - len(letters),
        stages=STAGES,
        similar=alike,
        steps=steps,
        step=step,
        dismissed_as=DISMISSED_AS,
        settings=desk.settings,
        into=into,
        soon=(now + timedelta(days=3)).astimezone(SHANGHAI).date().isoformat(),
        whose=_whose(item, ask),
        office=desk.office_name(item.office),
    )


def _alike(ask: Ask, connection: sa.Connection, rows: list[dict[str, Any]]) -> list[Similar]:
    """Posts much like the first one, for who may search them all."""
    if not rows or not ask.may(Act.SEARCH):
        return []
    return similar_to(connection, rows[0], without=[row["id"] for row in rows])


def _tries(connection: sa.Connection, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    made: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(
        sa.select(attempts).where(attempts.c.notice.in_(ids)).order_by(attempts.c.id)
    ).mappings():
        made.setdefault(row["notice"], []).append(dict(row))
    return made


def _stopped(lines: Iterable[Mapping[str, Any]], item: Item, now: datetime) -> datetime | None:
    """Until when the clock of the present stage stands still; None where it runs."""
    until = None
    for line in lines:
        if line["kind"] == "moved":
            until = None
        elif line["kind"] == "paused" and item.state.is_open:
            until = datetime.fromisoformat(line["detail"]["until"])
    return until if until is not None and until > now else None


def seen(ask: Ask) -> Item:
    """The item of the path. Raises Refused; what may not be seen is as if it were not there."""
    with ask.desk.database.read() as connection:
        try:
            item = find_item(connection, ask.part("number"))
        except NoSuchItem:
            raise Refused(404, f"没有编号为 {ask.part('number')[:40]} 的条目。") from None
        seen = connection.execute(
            sa.select(items.c.id).where(items.c.id == item.id, questions.visible_to(ask.user))
        ).first()
    if seen is None:
        raise Refused(404, f"没有编号为 {ask.part('number')[:40]} 的条目。")
    return item


def _whose(item: Item, ask: Ask) -> str:
    """Who takes the next step, where this person cannot."""
    act = act_of(item.state)
    if act is None or ask.may(act):
        return ""
    names = "、".join(
        role.label for role in (Role.OFFICER, Role.LEADER, Role.OFFICE) if may(role, act)
    )
    return f"下一步由{names}办理。"


def _posts(told: Mapping[str, Any], thought: Mapping[int, int]) -> list[dict[str, Any]]:
    """Each post with its text in pieces; hits are exact where that version was assessed."""
    made = []
    for row in told["posts"][:_POSTS_SHOWN]:
        found = [one for one in told["findings"] if one["post"] == row["id"]]
        newest = max((one["assessment"] or 0 for one in found), default=0)
        fresh = [one for one in found if (one["assessment"] or 0) == newest]
        exact = thought.get(row["id"]) == row["version"]
        body = text_of(row["title"], row["text"])
        made.append({**row, "pieces": marked(body, fresh, exact=exact)})
    return made


def _reasons(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Why it was flagged, each reason once, with its words; the gravest first."""
    merged: dict[str, dict[str, Any]] = {}
    for one in told["findings"]:
        reason = merged.setdefault(
            one["reason"], {"text": one["reason"], "level": one["level"], "words": {}, "rule": ""}
        )
        reason["rule"] = reason["rule"] or one["rule"]
        if one["text"]:
            reason["words"][one["text"][:40]] = None
    for event in told["events"]:
        for one in event["detail"].get("reasons", ()):
            merged.setdefault(
                one["reason"],
                {"text": one["reason"], "level": one.get("level"), "words": {}, "rule": ""},
            )
    order = {"I": 1, "II": 2, "III": 3, "IV": 4}
    return sorted(merged.values(), key=lambda one: order.get(one["level"] or "", 9))


def _assessed(connection: sa.Connection, ids: list[int]) -> dict[int, int]:
    rows = connection.execute(
        sa.select(assessments.c.post, sa.func.max(assessments.c.version))
        .where(assessments.c.post.in_(ids))
        .group_by(assessments.c.post)
    )
    return {row[0]: row[1] for row in rows}


def step(ask: Ask) -> Response:
    """The next step, as the form says it; 409 where somebody was first."""
    item = seen(ask)
    form = {name: ask.field(name) for name in ask.form}
    act = act_of(item.state)
    try:
        to = State(form.get("to", ""))
        version = int(form.get("version", ""))
    except ValueError:
        raise Refused(400, "提交的内容有误。") from None
    if item.version == version and (act is None or not ask.may(act)):
        raise Refused(403, "这一步不由您的角色办理。")
    try:
        handling.take_step(
            ask.desk.database,
            ask.desk.duty(),
            ask.user,
            number=item.number,
            version=version,
            to=to,
            form=form,
            now=ask.desk.now(),
        )
    except AlreadyMoved as error:
        return shown_item(
            ask, status=409, why=f"{error}。您的登记没有执行，填写的说明仍在下方。", typed=form
        )
    except (NotAllowed, NoSuchItem) as error:
        return shown_item(ask, status=422, why=str(error), typed=form)
    return ask.to(f"/items/{item.number}", "moved")
