"""What would happen, before it does: rules on a text or the stored past, a channel's next pass."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from analysis import thresholds
from analysis.backtest import backtest
from analysis.catalogue import build_engine, build_stages
from analysis.engines import Engine
from analysis.learning import beginnings, learn
from analysis.precision import Precision
from analysis.rules import Rulebook
from analysis.rules_command import (
    backtest_json,
    lesson_json,
    list_rules,
    show_backtest,
    show_lesson,
    show_rules,
    show_tested,
    try_text,
)
from analysis.stages import rules
from analysis.subject import Stage, Subject
from analysis.tools import Tools
from config.clock import SHANGHAI
from config.house import House
from config.keys import author_key
from crawler.catalogue import Preview, channel_kinds
from crawler.catalogue import Tools as ChannelTools
from crawler.command import user_agent
from crawler.intake import clean
from crawler.masking import mask

DONE, FAILED, WRONG = 0, 1, 2


@contextmanager
def judges(
    settings: Mapping[str, Any],
) -> Iterator[tuple[Rulebook, Mapping[str, Stage], Engine]]:
    """The office's rules, stages and tone engine. Raises PacksWrong, EngineUnknown."""
    options = settings.get("rules") or rules.Options()
    book = rules.rulebook(options)
    with closing(build_engine(settings)) as engine:
        yield book, build_stages(settings, Tools(rulebook=book)), engine


def show(
    settings: Mapping[str, Any],
    now: datetime,
    *,
    as_json: bool,
    precision: Mapping[str, Precision] | None = None,
) -> int:
    with judges(settings) as (book, _, _):
        today = now.astimezone(SHANGHAI).date()
        if as_json:
            made = precision or {}
            _json(
                [
                    asdict(line)
                    | {
                        "confirmed": made[line.rule].confirmed if line.rule in made else 0,
                        "dismissed": made[line.rule].dismissed if line.rule in made else 0,
                    }
                    for line in list_rules(book, today)
                ]
            )
        else:
            show_rules(book, today, sys.stdout, precision)
    return DONE


def learn_from(house: House, *, apply: bool, undo: bool, by: str, as_json: bool) -> int:
    """`rules learn`: tells what verdicts suggest; changes thresholds only where told to."""
    database, now = house.database, house.clock.now()
    if undo:
        with database.write() as connection:
            left = thresholds.undo(connection, by=by, via="cli", now=now)
        if as_json:
            _json({"undone": left is not None, "moved": left or {}})
        else:
            print("已撤销上一次调整。" if left is not None else "没有可以撤销的调整。")
        return DONE if left is not None else FAILED
    with judges(house.settings.stages) as (book, _, engine), database.write() as connection:
        lesson = learn(
            connection,
            engine=engine,
            defaults=beginnings(house.settings.stages),
            book=book,
            now=now,
        )
        if apply and lesson.changes:
            note = "；".join(one.shown for one in lesson.changes)
            moved = lesson.applied(thresholds.stored(connection))
            thresholds.store(connection, moved, by=by, via="cli", note=note, now=now)
    if as_json:
        _json(lesson_json(lesson) | {"applied": apply and bool(lesson.changes)})
        return DONE
    show_lesson(lesson, sys.stdout)
    if lesson.changes:
        print(
            "已经生效，一分钟内起作用；`tinglan rules learn --undo` 可撤销。"
            if apply
            else "以上只是建议，什么都没有改；加 --apply 采纳。"
        )
    return DONE


def test(settings: Mapping[str, Any], text: str, *, as_json: bool) -> int:
    with judges(settings) as (book, stages, engine):
        tested = try_text(Subject(text=text), book=book, stages=stages, engine=engine)
    if as_json:
        _json(asdict(tested))
    else:
        show_tested(tested, sys.stdout)
    return DONE


def past(house: House, since: datetime, *, as_json: bool) -> int:
    with judges(house.settings.stages) as (_, stages, engine):
        done = backtest(house.database, since=since, stages=stages, engine=engine)
    if as_json:
        _json(backtest_json(done))
    else:
        show_backtest(done, sys.stdout)
    return DONE


def dry_run(house: House, channel: str, *, as_json: bool) -> int:
    """What a pass would fetch and cost, with three masked samples; stores nothing."""
    settings = house.settings.channel(channel)
    look = getattr(channel_kinds()[settings.kind], "preview", None)
    if look is None:
        print(f"{settings.name}：这类渠道（{settings.kind}）还不会预演", file=sys.stderr)
        return FAILED
    found: Preview = look(settings, channel_tools(house))
    samples = [
        {
            "title": " ".join(mask(clean(one.title), one.role).split()),
            "text": " ".join(mask(clean(one.text), one.role)[:120].split()),
            "published_at": one.published_at,
        }
        for one in found.samples
    ]
    if as_json:
        _json({"calls": [asdict(c) for c in found.calls], "samples": samples, "why": found.why})
        return FAILED if found.unread else DONE
    print(f"{settings.name}：一次采集会做以下事，现在不做、不入库。")
    for call in found.calls:
        left = "" if call.left is None else f"，今日还剩 {call.left}"
        print(f"  · {call.what}：{call.calls} 次{left}{'；' + call.note if call.note else ''}")
    for one in samples:
        print(f"  例：{one['title']} {one['text']}".rstrip())
    if found.why:
        print(found.why)
    return FAILED if found.unread else DONE


def channel_tools(house: House) -> ChannelTools:
    """What channels work with, on this house."""
    return ChannelTools(
        database=house.database,
        clock=house.clock,
        settings=house.settings,
        author_key=author_key(house.settings.privacy, house.environ),
        user_agent=user_agent(house.settings.agency.contact),
        environ=house.environ,
    )


def _json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))
