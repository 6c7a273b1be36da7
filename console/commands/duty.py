"""`drill`, and what `items` does beside moving: level, pause, record, why, brief, handover."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from console.commands.opening import house
from console.commands.speaking import DONE, FAILED, WRONG, Refused, put, say
from console.grammar import Command

if TYPE_CHECKING:
    from alerts.acts import Ruling
    from alerts.dutywork import Duty
    from config.house import House
    from config.roster import Rank

Add = Callable[[str, str], argparse.ArgumentParser]


def _level(args: argparse.Namespace, ready: House, duty: Duty) -> int:
    from alerts.acts import relevel
    from store.records import Level

    names = {name: one for one in Level for name in (one.value, one.numeral, one.label)}
    if args.level not in names:
        raise Refused(f"没有等级 {args.level}；可用的有：I、II、III、IV")
    ruling = _ruling(args, ready, duty)
    item = relevel(ready.database, args.id, names[args.level], ruling, duty=duty)
    return _said(args, item.number, f"等级现为{item.level.numeral}级（{item.level.label}）")


def _pause(args: argparse.Namespace, ready: House, duty: Duty) -> int:
    from alerts.acts import pause
    from config.clock import shown

    ruling = _ruling(args, ready, duty)
    until = pause(ready.database, duty, args.id, _moment(args.until), ruling)
    return _said(args, args.id, f"已中止计时，时限顺延至 {shown(until)}")


def _record(args: argparse.Namespace, ready: House, duty: Duty) -> int:
    from alerts.acts import Act, put_on_record
    from config.section import recipient

    names = {name: one for one in Act for name in (one.value, one.label)}
    if args.act not in names:
        raise Refused(f"没有 {args.act}；可用的有：批示、交办、督办")
    try:
        to = [recipient(one) for one in args.to]
    except ValueError as error:
        raise Refused(f"--to：{error}") from None
    act = names[args.act]
    event = put_on_record(
        ready.database,
        args.id,
        act,
        args.text,
        by=args.by,
        now=ready.clock.now(),
        to=to,
        via="cli",
    )
    told = f"，已交发件箱发给{len(to)}个地址" if to else ""
    return _said(args, args.id, f"{act.label}已记入台账（第{event}条）{told}")


def _why(args: argparse.Namespace, ready: House, duty: Duty) -> int:
    from alerts.whys import explain

    told = explain(ready.database, duty, args.id, args.who)
    if args.json:
        put(asdict(told))
    else:
        say("\n".join([told.number, *told.lines]))
    return DONE


def _brief(args: argparse.Namespace, ready: House, duty: Duty) -> int:
    from alerts.briefs import Stage, brief, plain, put_brief_on_record, record_of

    now = ready.clock.now()
    made = brief(record_of(ready.database, ready.settings, args.id), Stage(args.stage), now)
    if args.by:
        put_brief_on_record(ready.database, made, by=args.by, now=now)
    if args.json:
        put(asdict(made))
    else:
        say(plain(made))
    return DONE


def _handover(args: argparse.Namespace, ready: House, duty: Duty) -> int:
    from alerts.handover import sheet

    now = _moment(args.at) if args.at else ready.clock.now()
    since = duty.roster.last_switch(now - timedelta(seconds=1))
    text = sheet(ready.database, duty, since, now)
    if args.json:
        put({"since": since, "until": now, "text": text})
    else:
        say(text.rstrip())
    return DONE


#: Actions of `items` that live here: name → what it does.
ACTIONS: dict[str, Callable[[argparse.Namespace, House, Duty], int]] = {
    "level": _level,
    "pause": _pause,
    "record": _record,
    "why": _why,
    "brief": _brief,
    "handover": _handover,
}


def act(args: argparse.Namespace) -> int:
    """Runs one of ACTIONS; what may not be done is told, and nothing has changed."""
    from alerts.dutywork import duty_of
    from alerts.items import NoSuchItem
    from alerts.lifecycle import AlreadyMoved, NotAllowed

    with house(args) as ready:
        try:
            return ACTIONS[args.action](args, ready, duty_of(ready.settings, ready.base))
        except (NoSuchItem, NotAllowed, AlreadyMoved) as error:
            raise Refused(str(error)) from None


def words(action: Add) -> None:
    """Adds the options of ACTIONS."""
    one = action("level", "调整等级（下调Ⅰ、Ⅱ级须带班领导以上，写明理由）")
    one.add_argument("id")
    one.add_argument("level", metavar="I|II|III|IV")
    _signed(one)
    one = action("pause", "中止计时（Ⅲ、Ⅳ级，带班领导以上，一次，不超过3天）")
    one.add_argument("id")
    one.add_argument("until", metavar="TIME", help="到何时，例如 2026-12-01T09:00")
    _signed(one)
    one = action("record", "记入批示、交办或督办，并发给有关地址")
    one.add_argument("id")
    one.add_argument("act", metavar="批示|交办|督办")
    one.add_argument("text", metavar="TEXT")
    one.add_argument("--by", required=True, help="由谁作出")
    one.add_argument("--to", action="append", default=[], metavar="ADDRESS", help="可写多次")
    one = action("why", "为什么收到、为什么没收到")
    one.add_argument("id")
    one.add_argument("who", nargs="?", default="", metavar="WHO", help="地址、姓名或处室")
    one = action("brief", "由台账生成初报、续报或终报的文字")
    one.add_argument("id")
    one.add_argument("stage", choices=["first", "follow", "final"], help="初报、续报、终报")
    one.add_argument("--by", default="", help="由谁出具；写了即记入台账，续报由此计次")
    one = action("handover", "交接班单：本班情况和移交事项")
    one.add_argument("--at", default="", metavar="TIME", help="到何时为止；不写即现在")


def _signed(one: argparse.ArgumentParser) -> None:
    one.add_argument("--by", required=True, help="谁")
    one.add_argument("--rank", default="", help="不在值班表中的，写明职级，例如 带班领导")
    one.add_argument("--note", default="", help="理由")


def _ruling(args: argparse.Namespace, ready: House, duty: Duty) -> Ruling:
    from alerts.acts import Ruling

    return Ruling(
        by=args.by, rank=_rank(duty, args), note=args.note, now=ready.clock.now(), via="cli"
    )


def _rank(duty: Duty, args: argparse.Namespace) -> Rank:
    """The roster's word on who acts; a claim only for somebody it does not know."""
    from config.roster import CHAIN, Rank

    known = duty.roster.people.get(args.by.strip())
    asked = next((one for one in CHAIN if args.rank in {one.value, one.label}), None)
    if args.rank and asked is None:
        raise Refused(f"没有职级 {args.rank}；可用的有：{'、'.join(one.label for one in CHAIN)}")
    if known is not None and asked not in {None, known.rank}:
        raise Refused(f"值班表中{known.name}是{known.rank.label}，与 --rank 不符")
    return known.rank if known is not None else asked or Rank.OFFICER


def _moment(text: str) -> datetime:
    from config.clock import SHANGHAI

    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused(f"时间 {text}：应为 2026-12-01 或 2026-12-01T08:30 的形式") from None
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)


def _said(args: argparse.Namespace, number: str, text: str) -> int:
    if args.json:
        put({"number": number, "done": text})
    else:
        say(f"{number}：{text}。")
    return DONE


# --- drill --------------------------------------------------------------------------------------


def _drill(args: argparse.Namespace) -> int:
    from alerts.drill import inject

    if args.channel == "report":
        return _drill_report(args)
    if not args.texts or not args.by:
        say("演练须写明渠道、至少一条帖文内容和组织人（--by）。`tinglan drill --help` 有例子。")
        return WRONG
    with house(args) as ready:
        known = [one.id for one in ready.settings.channels]
        if args.channel not in known:
            raise Refused(f"没有渠道 {args.channel}；可用的有：{'、'.join(known)}")
        try:
            made = inject(
                ready.database,
                channel=args.channel,
                texts=args.texts,
                by=args.by,
                now=ready.clock.now(),
            )
        except ValueError as error:
            raise Refused(str(error)) from None
    if args.json:
        put({"posts": made})
    else:
        say(
            f"已投放 {len(made)} 条演练帖文，均带【演练】标记，不计入统计。\n"
            "值守服务会像对待真实帖文一样研判、通知；各步用时请看 `tinglan drill report`。"
        )
    return DONE


def _drill_report(args: argparse.Namespace) -> int:
    from alerts.drill import answers, drills, report
    from config.clock import shown

    with house(args) as ready:
        found = drills(ready.database)
        if args.texts:
            found = [one for one in found if str(one.number) == args.texts[0]]
        if not found:
            raise Refused("没有这次演练；先运行 `tinglan drill 渠道 帖文 --by 姓名`")
        last = found[0]
        told = answers(ready.database, last.posts)
    if args.json:
        put(
            {
                "number": last.number,
                "at": last.at,
                "by": last.by,
                "posts": len(last.posts),
                "items": [
                    {
                        name: value.total_seconds() if isinstance(value, timedelta) else value
                        for name, value in asdict(one).items()
                    }
                    for one in told
                ],
            }
        )
    else:
        say(f"{shown(last.at)} {last.by}组织（台账第{last.number}条）")
        say(report(told, len(last.posts)).rstrip())
    return DONE if len(told) == len(last.posts) else FAILED


def _drill_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("channel", metavar="CHANNEL|report", help="投放到哪个渠道；report 看结果")
    one.add_argument("texts", nargs="*", metavar="TEXT", help="帖文内容；report 后可写台账序号")
    one.add_argument("--by", default="", help="谁组织")


COMMANDS = (
    Command(
        name="drill",
        about="演练：投放带标记的帖文，走真实流程，报告各步用时",
        text="演练：投放带【演练】标记的帖文，走真实的研判、通知、处置流程；report 报告各步用时。",
        example="tinglan drill site 演练：解放路桥下积水有人被困 --by 陈科；tinglan drill report",
        words=_drill_words,
        run=_drill,
    ),
)
