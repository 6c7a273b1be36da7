"""`items`, `outbox`, `test-mail`: the cases, and who is told of them."""

from __future__ import annotations

import argparse

from console.commands import duty, telling
from console.commands.opening import house, now
from console.grammar import Command, actions


def _items(args: argparse.Namespace) -> int:
    from console import terminal

    if args.action in duty.ACTIONS:
        return duty.act(args)
    with house(args) as ready:
        if args.action == "show":
            return terminal.show_item(ready.database, args.id, as_json=args.json)
        if args.action == "move":
            return terminal.move_item(
                ready, args.id, args.state, by=args.by, note=args.note, into=args.into
            )
        return terminal.list_items(ready.database, as_json=args.json, everything=args.all)


def _outbox(args: argparse.Namespace) -> int:
    from console import terminal

    with house(args) as ready:
        if args.action == "resend":
            return terminal.resend(ready.database, args.id, by=args.by, now=now())
        return terminal.list_outbox(ready.database, as_json=args.json, everything=args.all)


def _test_mail(args: argparse.Namespace) -> int:
    from console import terminal

    with house(args) as ready:
        return terminal.test_mail(ready, args.address, as_json=args.json)


def _items_words(one: argparse.ArgumentParser) -> None:
    action = actions(one)
    listed = action("list", "列表")
    listed.add_argument("--all", action="store_true", help="连已办结的一起列出")
    shown = action("show", "一个条目的全部记录")
    shown.add_argument("id")
    moved = action("move", "流转到下一状态")
    moved.add_argument("id")
    moved.add_argument("state")
    moved.add_argument("--by", required=True, help="谁")
    moved.add_argument("--note", default="", help="说明")
    moved.add_argument("--into", default="", help="并入（merged）哪个条目")
    duty.words(action)
    one.set_defaults(all=False)


def _outbox_words(one: argparse.ArgumentParser) -> None:
    action = actions(one)
    listed = action("list", "列表")
    listed.add_argument("--all", action="store_true", help="连已送达的一起列出")
    again = action("resend", "重发一封")
    again.add_argument("id")
    again.add_argument("--by", required=True, help="谁")
    one.set_defaults(all=False)


def _test_mail_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("address")


COMMANDS = (
    Command(
        name="items",
        about="舆情条目：列表、详情、流转、批示交办督办、交接班",
        text=(
            "舆情条目：list 列表，show ID 详情，move ID STATE 流转，level 等级，pause 中止计时，"
            "record 批示交办督办，why 为什么通知（没通知）某人，brief 初报续报终报，"
            "handover 交接班单。"
        ),
        example="tinglan items move TL-2026-0001 to_report --by 张值班 --note 属实，已电话核实",
        words=_items_words,
        run=_items,
    ),
    Command(
        name="outbox",
        about="通知：欠发、已发、被拒；重发",
        text="通知：list 列出欠发、已发和被拒；resend ID 重发。",
        example="tinglan outbox list",
        words=_outbox_words,
        run=_outbox,
    ),
    Command(
        name="test-mail",
        about="经真实路径发一封测试信并报告用时",
        text="经真实路径给 ADDRESS 发一封测试信，报告每一步用时。",
        example="tinglan test-mail duty@example.gov.cn",
        words=_test_mail_words,
        run=_test_mail,
    ),
    *duty.COMMANDS,
    *telling.COMMANDS,
)
