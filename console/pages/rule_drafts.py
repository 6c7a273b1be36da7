"""规则包: read, change, try the change on the stored past, put into force, take back."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from alerts.routing import route
from analysis.backtest import Backtest, backtest
from analysis.catalogue import build_engine, build_stages
from analysis.packs import PacksWrong
from analysis.rules import Rulebook
from analysis.tools import Tools
from config.clock import SHANGHAI
from config.workdays import local_day
from console.desk import Ask, Desk, Refused
from console.packs import (
    LONGEST,
    NAME,
    Draft,
    NotSaved,
    book_with,
    composed,
    earlier,
    folder_of,
    options_of,
    packs,
    save,
    shipped_text,
    text_of_earlier,
)
from console.roles import Act
from store.records import Level, Topic
from store.tables import posts

SPANS = {"7": 7, "30": 30, "90": 90}
MOST = 5_000  #: posts judged by one trial, the latest
_SECONDS = 60  #: that a trial may take
_OWN = "own"  #: the pack that rules of the plain form go into, as `tinglan init` writes it
_SPLIT = re.compile(r"[\s,，、;；]+")


def pack(ask: Ask) -> Response:
    found = _known(ask, ask.part("name"))
    return _page(ask, ask.part("name"), text=found, seen=found)


def compose(ask: Ask) -> Response:
    """A rule from the plain form, as a draft at the end of the office's own pack."""
    typed = {
        name: ask.field(name, 500)
        for name in ("title", "level", "topic", "any", "must", "none", "reason")
    }
    words, must, none = (_words(typed[name]) for name in ("any", "must", "none"))
    if not typed["title"] or not words or not typed["reason"]:
        raise Refused(422, "请写明规则名称、要找的词和提醒时说的话。")
    before = next((one.text for one in packs(_options(ask)) if one.name == _OWN), None)
    now = ask.desk.now()
    rule = composed(
        f"r{now.astimezone(SHANGHAI):%y%m%d-%H%M%S}",
        title=typed["title"][:30],
        level=typed["level"] if typed["level"] in set(Level) else "",
        topic=typed["topic"] if typed["topic"] in set(Topic) else Topic.COMPLAINT.value,
        words=words,
        must=must,
        none=none,
        reason=typed["reason"][:200],
        review=(local_day(now) + timedelta(days=365)).isoformat(),
    )
    head = before if before is not None else '[pack]\nname = "本单位规则"\ntopic = "complaint"\n'
    text = f"{head.rstrip()}\n\n{rule}"
    return _tried(ask, _OWN, text=text, seen=before or "", days="30")


def attempt(ask: Ask) -> Response:
    """Judges the stored past by the draft; nothing is stored."""
    name = ask.part("name")
    days = ask.field("days", 3)
    return _tried(
        ask, name, text=ask.field("text", LONGEST + 1), seen=ask.field("seen", LONGEST + 1),
        days=days if days in SPANS else "30",
    )  # fmt: skip


def _tried(ask: Ask, name: str, *, text: str, seen: str, days: str) -> Response:
    if not NAME.fullmatch(name):
        raise Refused(404, "没有这个规则包。")
    desk = ask.desk
    try:
        book = book_with(_options(ask), Draft(f"{name}.toml", text))
        done = _on_the_past(desk, book, days=SPANS[days])
    except PacksWrong as error:
        return _page(ask, name, text=text, seen=seen, mistakes=error.mistakes, status=422)
    return _page(ask, name, text=text, seen=seen, days=days, done=done)


def put(ask: Ask) -> Response:
    """Into force: the service follows within one batch of posts."""
    name = ask.part("name")
    text, seen = ask.field("text", LONGEST + 1), ask.field("seen", LONGEST + 1)
    desk = ask.desk
    try:
        save(
            desk.database, _options(ask), name, text + "\n", seen=seen, by=ask.user.shown,
            now=desk.now(), note=ask.field("note", 200),
        )  # fmt: skip
    except PacksWrong as error:
        return _page(ask, name, text=text, seen=seen, mistakes=error.mistakes, status=422)
    except NotSaved as error:
        return _page(ask, name, text=text, seen=seen, why=str(error), status=409)
    return ask.to(f"/rules/packs/{name}", "saved")


def undo(ask: Ask) -> Response:
    """An earlier file, or the shipped one, in force again; a change like any other."""
    name, to = ask.part("name"), ask.field("to", 40)
    desk, options = ask.desk, _options(ask)
    seen = _known(ask, name)
    if to == "shipped" and not any(one.name == name and one.is_own for one in packs(options)):
        raise Refused(422, "现在用的就是自带的规则包。")
    text = None if to == "shipped" else text_of_earlier(options, name, to)
    if text is None and to != "shipped":
        raise Refused(404, "没有这一版。")
    try:
        save(
            desk.database, options, name, text, seen=seen, by=ask.user.shown, now=desk.now(),
            note="撤销改动",
        )  # fmt: skip
    except PacksWrong as error:
        return _page(ask, name, text=text or "", seen=seen, mistakes=error.mistakes, status=422)
    except NotSaved as error:
        return _page(ask, name, text=seen, seen=seen, why=str(error), status=409)
    return ask.to("/rules" if text is None else f"/rules/packs/{name}", "saved")


def _on_the_past(desk: Desk, book: Rulebook, *, days: int) -> Backtest:
    """Raises Refused where somebody else is at it, or it takes too long."""
    lock: threading.Lock = desk.memory.setdefault("backtest", threading.Lock())
    if not lock.acquire(blocking=False):
        raise Refused(409, "另一位同事正在试规则，请过一分钟再试；您写的内容请先复制下来。")
    clock = desk.house.clock
    end = clock.monotonic() + _SECONDS

    def progress(_seen: int) -> None:
        if clock.monotonic() > end:
            raise Refused(503, f"试了 {_SECONDS} 秒还没有试完，请缩短时间范围。")

    try:
        with closing(build_engine(desk.settings.stages)) as engine:
            return backtest(
                desk.database,
                since=_since(desk, days),
                stages=build_stages(desk.settings.stages, Tools(rulebook=book)),
                engine=engine,
                recipients=lambda topics, level: _letters(desk, topics, level),
                places=desk.settings.agency.units,
                progress=progress,
            )
    finally:
        lock.release()


def _since(desk: Desk, days: int) -> datetime:
    """So many days back, or to where the latest posts begin that one trial reads."""
    wanted = desk.now() - timedelta(days=days)
    with desk.database.read() as connection:
        edge: datetime | None = connection.execute(
            sa.select(posts.c.captured_at)
            .order_by(posts.c.captured_at.desc())
            .offset(MOST)
            .limit(1)
        ).scalar()
    return wanted if edge is None else max(wanted, edge)


def _letters(desk: Desk, topics: Sequence[Topic], level: Level) -> int:
    named = [topic.value for topic in topics]
    return len(route(desk.settings, topics=named, level=level, channel=""))


def _options(ask: Ask) -> Any:
    return options_of(ask.desk.settings.stages)


def _known(ask: Ask, name: str) -> str:
    """The text in force. Raises Refused."""
    for one in packs(_options(ask)):
        if one.name == name:
            return one.text
    raise Refused(404, "没有这个规则包。")


def _words(text: str) -> list[str]:
    return [word for word in _SPLIT.split(text) if word][:100]


def _page(
    ask: Ask,
    name: str,
    *,
    text: str,
    seen: str,
    status: int = 200,
    why: str = "",
    mistakes: Sequence[Any] = (),
    days: str = "30",
    done: Backtest | None = None,
) -> Response:
    options = _options(ask)
    known: Mapping[str, Any] = {one.name: one for one in packs(options)}
    return ask.page(
        "pack.html",
        status=status,
        name=name,
        pack=known.get(name),
        text=text,
        seen=seen,
        why=why,
        mistakes=mistakes,
        days=days,
        spans=list(SPANS),
        most=MOST,
        longest=LONGEST,
        done=done,
        has_folder=folder_of(options) is not None,
        can_save=ask.may(Act.RULES) and folder_of(options) is not None,
        has_shipped=shipped_text(name) is not None,
        earlier=earlier(options, name),
        settings=ask.desk.settings,
    )
