"""`digest` and `report`: the week, the day, the month and single cases on paper."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from console.commands.opening import house, now
from console.commands.speaking import DONE, FAILED, WRONG, Refused, put, say, tell
from console.grammar import Command

if TYPE_CHECKING:
    from alerts.digest.build import Digest
    from alerts.digest.model import Document
    from alerts.digest.periods import Period
    from config.house import House
    from config.workdays import Calendar

_MOST = 400  #: issues in one call


def _digest(args: argparse.Namespace) -> int:
    from alerts.digest.build import build_digest

    try:
        periods = _periods(args)
        formats = _formats(args.format, ("html", "docx", "pdf", "csv"))
    except ValueError as error:
        tell(str(error))
        return WRONG
    done, told = DONE, []
    with house(args) as ready:
        calendar = _calendar(ready)
        for number, period in enumerate(periods, 1):
            if len(periods) > 1:
                tell(f"[{number}/{len(periods)}] {period}")
            made = build_digest(
                ready.database, ready.settings, period, ready.clock.now(), args.send,
                correct=args.correct, by=args.by, calendar=calendar,
            )  # fmt: skip
            files: list[Path] = []
            if args.out:
                files, missed = _written(ready, made, Path(args.out), formats, bool(args.format))
                done = FAILED if missed else done
            held = args.send and made.state != "sent"
            done = FAILED if held else done
            told.append({**_plain(made), "files": files})
            if not args.json:
                _say(made, files, send=args.send, held=held, alone=len(periods) == 1)
    if args.json:
        put(told[0] if len(told) == 1 else told)
    return done


def _plain(made: Digest) -> dict[str, object]:
    return {one.name: getattr(made, one.name) for one in fields(made) if one.name != "row"}


def _say(made: Digest, files: Sequence[Path], *, send: bool, held: bool, alone: bool) -> None:
    say(made.subject)
    for file in files:
        say(f"已写入 {file}")
    if held:
        say("设置为“未签发不发出”，没有发出：请在值班台签发，或加 --by 姓名。")
    elif send:
        say("已交发件箱，`tinglan outbox list` 可看送达情况。")
    elif alone and not files:
        say(made.text)
        say("加 --out DIR 写出文件，加 --send 发给收件人。")


def _written(
    ready: House, made: Digest, folder: Path, formats: Sequence[str], asked: bool
) -> tuple[list[Path], bool]:
    """The files, and whether one that was asked for by name is missing."""
    from alerts.digest.files import NotRendered, write_files

    done, missed = [], False
    for format in formats:
        try:
            done += write_files(made, folder, ready.settings, [format], base=ready.base)
        except NotRendered as error:
            tell(str(error))
            missed = missed or asked
        except OSError as error:
            raise Refused(f"{folder}: {error.strerror}") from None
    return done, missed


def _report(args: argparse.Namespace) -> int:
    from alerts.items import NoSuchItem
    from alerts.lifecycle import NotAllowed
    from alerts.reports import NotRendered, formatted_report, write_report

    try:
        formats = _formats(args.format, ("docx", "pdf", "html"))
    except ValueError as error:
        tell(str(error))
        return WRONG
    with house(args) as ready:
        try:
            document, stem = _paper(ready, args)
        except (NoSuchItem, NotAllowed) as error:
            raise Refused(str(error)) from None
        files: list[Path] = []
        done = DONE
        for format in formats if args.out else ():
            try:
                files += write_report(document, stem, Path(args.out), ready.settings, [format])
            except NotRendered as error:
                tell(str(error))
                done = FAILED if args.format else done
            except OSError as error:
                raise Refused(f"{args.out}: {error.strerror}") from None
        text = formatted_report(document, ready.settings, "text").decode()
    if args.json:
        put({"title": document.title, "text": text, "files": files})
    elif files:
        for file in files:
            say(f"已写入 {file}")
    else:
        say(text.rstrip())
    return done


def _paper(ready: House, args: argparse.Namespace) -> tuple[Document, str]:
    from alerts.dutywork import duty_of
    from alerts.reports import handover_sheet, report

    at = now()
    if args.item == "handover":
        duty = duty_of(ready.settings, ready.base)
        since = duty.roster.last_switch(at - timedelta(seconds=1))
        return handover_sheet(ready.database, duty, since, at), f"tinglan-handover-{at:%Y%m%d-%H%M}"
    made = report(ready.database, ready.settings, args.item, args.kind, at)
    return made, f"tinglan-{args.kind}-{made.issue}"


def _formats(asked: str, default: Sequence[str]) -> list[str]:
    known = ("html", "docx", "pdf", "csv", "text")
    found = [one.strip().lower() for one in asked.split(",") if one.strip()] or list(default)
    for one in found:
        if one not in known:
            raise ValueError(f"--format {one}: expected some of {','.join(known)}")
    if "csv" in found and "csv" not in default:
        raise ValueError("--format csv: expected html, docx, pdf or text")
    return list(dict.fromkeys(found))


def _periods(args: argparse.Namespace) -> list[Period]:
    """What is asked for; `A..B` is every one from A to B. Raises ValueError."""
    from alerts.digest.periods import day_of, parse_day, parse_month, span
    from alerts.digest.weeks import parse_week, week_of

    asked = [one for one in (args.week, args.day, args.month, args.first) if one]
    if len(asked) > 1:
        raise ValueError("--week, --day, --month, --from: expected one of them")
    if bool(args.first) != bool(args.last):
        raise ValueError("--from, --to: expected both")
    if args.first:
        return [span(parse_day(args.first), parse_day(args.last))]
    if args.day:
        return _run(args.day, lambda text: day_of(parse_day(text)))
    if args.month:
        return _run(args.month, parse_month)
    if args.week:
        return _run(args.week, parse_week)
    return [week_of(now()).before]


def _run(text: str, read: Callable[[str], Period]) -> list[Period]:
    first, dots, last = text.partition("..")
    one = read(first)
    if not dots:
        return [one]
    end = read(last)
    if end.starts_at < one.starts_at:
        raise ValueError(f"{text}: expected the later one last")
    found = [one]
    while found[-1].starts_at < end.starts_at and len(found) < _MOST:
        found.append(found[-1].after)
    return found


def _calendar(ready: House) -> Calendar:
    from config.workdays import load_calendar

    return load_calendar(ready.base / "holidays")


def _digest_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("--week", help="ISO 周，例如 2026-W47；不写即上一周。A..B 为连续多期")
    one.add_argument("--day", help="日报：某一天，例如 2026-11-20")
    one.add_argument("--month", help="月报：某一月，例如 2026-11")
    one.add_argument("--from", dest="first", metavar="DAY", help="任意时段的第一天")
    one.add_argument("--to", dest="last", metavar="DAY", help="任意时段的最后一天")
    one.add_argument("--out", metavar="DIR", help="把文件写到这里")
    one.add_argument("--format", default="", help="html,docx,pdf,csv,text；不写即前四种")
    one.add_argument("--send", action="store_true", help="交给发件箱发出")
    one.add_argument("--by", default="", help="由谁签发；不写而设置要求签发的，注明未审核稿或不发")
    one.add_argument("--correct", action="store_true", help="重新统计，出更正版")


def _report_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("item", metavar="ITEM", help="条目编号；写 handover 即本班交接班单")
    one.add_argument(
        "--kind", choices=("special", "first", "follow", "final"), default="special",
        help="专报（默认）、初报、续报、终报",
    )  # fmt: skip
    one.add_argument("--out", metavar="DIR", help="把文件写到这里；不写即显示文字")
    one.add_argument("--format", default="", help="docx,pdf,html,text；不写即前三种")


COMMANDS: Iterable[Command] = (
    Command(
        name="digest",
        about="舆情周报、日报、月报",
        text="舆情周报，以及日报、月报和任意时段。数字一经生成即冻结。",
        example="tinglan digest --week 2026-W47 --out .",
        words=_digest_words,
        run=_digest,
    ),
    Command(
        name="report",
        about="一个条目的专报、初报、续报、终报；交接班单",
        text="专报：一个条目的情况、传播、观点、研判、措施和建议，全部出自台账。",
        example="tinglan report TL-2026-0001 --out .",
        words=_report_words,
        run=_report,
    ),
)
