"""`assess`, `group` and `rules`: what is made of a text, with nothing stored."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from console.commands.opening import house, load_settings, now, settings_path, stages_if_any
from console.commands.speaking import DONE, Refused, lines_of, opened, put
from console.grammar import Command, actions


def _assess(args: argparse.Namespace) -> int:
    from contextlib import closing

    from analysis.catalogue import build_engine, build_stages
    from analysis.command import AssessTools, arriving, assess_stream
    from analysis.command import tell as counted
    from analysis.tools import Tools

    wanted = stages_if_any(args)
    with _seldom_collected(), closing(build_engine(wanted)) as engine:
        tools = AssessTools(stages=build_stages(wanted, Tools()), engine=engine)
        gc.freeze()
        with opened(args.file) as file:
            assess_stream(arriving(file), tools, sys.stdout, counted(sys.stderr))
    return DONE


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Rules and models never become garbage: looking through them again costs a sixth of the run,
    and as they are read they are looked through a hundred times. What is frozen is let go behind.

    Judging leaves no cycles behind to speak of, so it may look seldom.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _group(args: argparse.Namespace) -> int:
    from analysis.grouping import group_lines

    units: tuple[str, ...] = ()
    if args.config or settings_path(args).exists():
        units = load_settings(args)[0].agency.units
    for row in group_lines(lines_of(args.file), units):
        put(row)
    return DONE


def _rules(args: argparse.Namespace) -> int:
    from analysis.precision import precision_of
    from console import trying

    if args.action == "test":
        text = sys.stdin.read() if args.text == "-" else args.text
        return trying.test(stages_if_any(args), text, as_json=args.json)
    if args.action == "backtest":
        with house(args) as ready:
            return trying.past(ready, _day(args.since), as_json=args.json)
    if args.action == "learn":
        if (args.apply or args.undo) and not args.by:
            raise Refused("--apply 和 --undo 要写明是谁：--by 姓名")
        with house(args) as ready:
            return trying.learn_from(
                ready, apply=args.apply, undo=args.undo, by=args.by, as_json=args.json
            )
    if not (args.config or settings_path(args).exists()):
        return trying.show({}, now(), as_json=args.json)
    with house(args) as ready, ready.database.read() as connection:
        made = precision_of(connection)
    return trying.show(ready.settings.stages, now(), as_json=args.json, precision=made)


def _day(text: str) -> datetime:
    """The start of a day in Shanghai. Raises Refused."""
    from config.clock import SHANGHAI

    try:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    except ValueError:
        raise Refused(f"--since {text}：应为日期，例如 2026-11-01") from None


def _assess_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("file", nargs="?", default="-", metavar="FILE|-")


def _group_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("file", nargs="?", default="-", metavar="FILE|-")


def _rules_words(one: argparse.ArgumentParser) -> None:
    action = actions(one)
    action("list", "列表")
    tried = action("test", "试一段文字：为什么报、为什么不报")
    tried.add_argument("text", metavar="TEXT|-")
    back = action("backtest", "用现在的规则重看已入库的帖文")
    back.add_argument("--since", required=True, metavar="DATE")
    learnt = action("learn", "处置结果说明哪些界限该调；不加 --apply 只报告")
    how = learnt.add_mutually_exclusive_group()
    how.add_argument("--apply", action="store_true", help="采纳建议，记入台账")
    how.add_argument("--undo", action="store_true", help="撤销上一次调整，记入台账")
    learnt.add_argument("--by", default="", help="谁")


COMMANDS = (
    Command(
        name="assess",
        about="对给定文本逐条研判，不入库",
        text="逐行读 JSON（id, text, …），逐行给出情感、类别、等级和依据；什么都不入库。",
        example='echo \'{"id":"1","text":"桥下积水困住一辆车，快来人"}\' | tinglan assess -',
        words=_assess_words,
        run=_assess,
    ),
    Command(
        name="group",
        about="哪些帖文说的是同一件事",
        text="逐行读 JSON（id, text），给出哪些说的是同一件事；什么都不入库。",
        words=_group_words,
        run=_group,
    ),
    Command(
        name="rules",
        about="规则：列表、试一段文字、回看过去、按处置结果调整",
        text="规则：list 列表，test TEXT 试一段文字，"
        "backtest --since 日期 看改动对过去意味着什么，learn 按处置结果调整界限。",
        example="tinglan rules test 桥下积水困住一辆车，快来人",
        words=_rules_words,
        run=_rules,
    ),
)
