"""规则: what is looked for, why, and what the rules say of a text, and what they do not."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from starlette.responses import Response

from analysis.assess import assess
from analysis.catalogue import build_stages
from analysis.engines import none as silent
from analysis.fresh import Stamp
from analysis.packs import PacksWrong
from analysis.precision import precision_of
from analysis.rules import Outcome, Rulebook, Trace
from analysis.stages import rules as stage
from analysis.subject import Subject
from analysis.tools import Tools
from config.workdays import local_day
from console.desk import Ask, Desk, Refused
from console.marks import marked
from console.packs import folder_of, options_of, packs, stamp_of
from store.records import Assessment, Kind, Role, Topic

LONGEST = 5_000
_WHY_NOT = {
    Outcome.NEGATED: "前面有否定",
    Outcome.SUPPOSED: "说的是担心或假设",
    Outcome.ASKED: "只是询问",
    Outcome.INSIDE: "是更长词语的一部分",
    Outcome.UNLESS: "同一句中有例外词",
    Outcome.NONE: "文中有例外词",
    Outcome.ALONE: "缺少须同时出现的词，或相距过远",
    Outcome.QUOTED: "是引用他人的话",
    Outcome.ELSEWHERE: "规则不管这类来源",
}
#: Topics a rule of the plain form may have; the others are for what is not a post.
CHOSEN = [topic for topic in Topic if topic not in {Topic.SYSTEM, Topic.SILENCE, Topic.INTEGRITY}]
_MOST = 30  #: places shown where a rule kept silent


def rules(ask: Ask) -> Response:
    return _page(ask)


def try_text(ask: Ask) -> Response:
    """What the rules say of a text, and where they kept silent; nothing is stored."""
    text = ask.field("text", LONGEST)
    typed = ask.field("kind", 10)
    kind = Kind(typed) if typed in set(Kind) else Kind.COMMENT
    if not text:
        return _page(ask, why="请先写一段文字。", status=422)
    book, found = _tried(ask.desk, Subject(text=text, kind=kind, role=Role.PUBLIC))
    spans = [
        {"text": one.text, "start": one.start, "end": one.end, "reason": one.reason}
        for one in found.findings
    ]
    quiet = [
        (trace, text[trace.start : trace.end], _WHY_NOT.get(trace.outcome, ""))
        for trace in book
        if not trace.is_hit
    ]
    return _page(
        ask, text=text, kind=kind, found=found, pieces=marked(text, spans, exact=True),
        quiet=quiet[:_MOST],
    )  # fmt: skip


def _tried(desk: Desk, subject: Subject) -> tuple[list[Trace], Assessment]:
    book = _book(desk)
    stages = build_stages(desk.settings.stages, Tools(rulebook=book))
    found = assess([subject], stages=stages, engine=silent.build(silent.Options()))[0]
    return list(book.traces(subject)), found


_LOCK = threading.Lock()


def _book(desk: Desk) -> Rulebook:
    """Compiled once for each state of the files: it takes a while.

    Raises Refused where a rule file has a mistake: the service then still runs on the old ones.
    """
    options = options_of(desk.settings.stages)
    try:
        with _LOCK:
            return _compiled(options, stamp_of(options))
    except (PacksWrong, FileNotFoundError) as error:
        first = (str(error).splitlines() or [""])[0][:300]
        raise Refused(
            503, f"规则文件有误，服务仍按原来的规则运行；`tinglan check` 列出全部错误：{first}"
        ) from None


@lru_cache(maxsize=2)
def _compiled(options: stage.Options, _stamp: Stamp) -> Rulebook:
    return stage.rulebook(options)


def _page(ask: Ask, *, status: int = 200, **facts: Any) -> Response:
    options = options_of(ask.desk.settings.stages)
    shown: dict[str, list[Any]] = {}
    for rule in _book(ask.desk).rules:
        shown.setdefault(rule.pack, []).append(rule)
    with ask.desk.database.read() as connection:
        made_of = precision_of(connection)
    plain: dict[str, Any] = {
        "why": "",
        "text": "",
        "kind": Kind.COMMENT,
        "found": None,
        "pieces": [],
        "quiet": [],
    }
    return ask.page(
        "rules.html", status=status, packs=packs(options), rules=shown, precision=made_of,
        today=local_day(ask.desk.now()), kinds=list(Kind), topics=CHOSEN,
        has_folder=folder_of(options) is not None, **{**plain, **facts},
    )  # fmt: skip
