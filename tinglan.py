"""The command line of tinglan (听澜): one function a command, each a thin step to the parts."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.version import VERSION
from console.grammar import Command, grammar

if TYPE_CHECKING:
    from config.house import House
    from config.plugins import Catalogue
    from config.settings import Settings

DONE, FAILED, WRONG, TAKEN = 0, 1, 2, 3


class Refused(Exception):
    """What was asked could not be done; the text is for the person who asked."""


# --- what commands share ------------------------------------------------------------------------


def catalogue() -> Catalogue:
    """The Options of every plug-in that is installed."""
    from alerts.catalogue import transport_options
    from analysis.catalogue import stage_options
    from analysis.watching import watch_options
    from config.plugins import Catalogue
    from crawler.catalogue import channel_options

    return Catalogue(
        channels=channel_options(),
        stages=stage_options(),
        watches=watch_options(),
        transports=transport_options(),
    )


def settings_path(args: argparse.Namespace) -> Path:
    if args.config:
        return Path(args.config).resolve()
    return Path(os.environ.get("TINGLAN_CONFIG") or "tinglan.toml").resolve()


def load_settings(args: argparse.Namespace) -> tuple[Settings, Path]:
    from config.loading import load

    path = settings_path(args)
    return load(path, catalogue(), os.environ), path


def house(args: argparse.Namespace) -> AbstractContextManager[House]:
    from config.house import opened

    return opened(settings_path(args), catalogue(), os.environ)


def say(text: str) -> None:
    print(text, flush=True)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def put(value: Any) -> None:
    """One JSON value on stdout."""
    print(json.dumps(value, ensure_ascii=False, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        from config.clock import SHANGHAI

        return value.astimezone(SHANGHAI).isoformat()
    return str(value)


def lines_of(name: str) -> Iterator[str]:
    """Lines of a file, or of stdin for `-`. Raises Refused where it cannot be read."""
    if name == "-":
        yield from sys.stdin
        return
    try:
        with open(name, encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}") from None


# --- commands -----------------------------------------------------------------------------------


def cmd_init(args: argparse.Namespace) -> int:
    from config.starting import AlreadyThere, write_set

    try:
        written = write_set(Path(args.directory).resolve())
    except AlreadyThere as error:
        raise Refused(f"{error} 已经存在，没有改动任何文件。换一个目录，或先移走它。") from None
    for path in written:
        say(f"已写入 {path}")
    say(
        "\n下一步：\n"
        "  1. 编辑 tinglan.toml：单位名称、渠道网址、责任处室的邮箱、发信服务器。\n"
        "  2. 把邮箱口令放进环境变量 TINGLAN_MAIL_PASSWORD（或 TINGLAN_MAIL_PASSWORD_FILE）。\n"
        "  3. 运行 `tinglan check` 逐项核对，再运行 `tinglan test-mail 你的邮箱`。\n"
        "  4. 运行 `tinglan run` 开始值守。"
    )
    return DONE


def cmd_check(args: argparse.Namespace) -> int:
    from console.checking import check

    settings, path = load_settings(args)
    results = check(settings, path.parent, os.environ, now=_now(), offline=args.offline)
    if args.json:
        put([{"what": r.what, "state": r.state, "text": r.text} for r in results])
    else:
        mark = {"ok": "✓", "warn": "!", "bad": "✗"}
        for result in results:
            say(f"{mark[result.state]} {result.what}：{result.text}")
    return FAILED if any(r.state == "bad" for r in results) else DONE


def cmd_run(args: argparse.Namespace) -> int:
    return _serve(args)


def cmd_demo(args: argparse.Namespace) -> int:
    from demo.agency import PortTaken, run_demo, seeded

    def start(path: Path, stop: threading.Event) -> int:
        args.config = str(path)
        with house(args) as ready:
            say(seeded(ready))
        return _serve(args, stop)

    try:
        return run_demo(
            Path(args.dir).resolve(),
            port=args.port,
            speed=args.speed,
            seconds=args.seconds,
            start=start,
            say=say,
        )
    except (PortTaken, FileExistsError) as error:
        raise Refused(str(error)) from None


def _serve(args: argparse.Namespace, stop: threading.Event | None = None) -> int:
    from scheduler import serve
    from store.leader import AlreadyRunning

    with house(args) as ready:
        try:
            return serve(
                ready,
                reload=lambda: load_settings(args)[0],
                stop=stop,
            )
        except AlreadyRunning as error:
            tell(f"没有启动：同一个数据库上已有听澜服务在运行（{error}）。")
            return TAKEN


def cmd_crawl(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from crawler.catalogue import silent
    from crawler.command import crawl
    from store.records import RunState

    if args.attended:
        from crawler.attended import attend

        attend()
    with house(args) as ready:
        known = [c.id for c in ready.settings.channels]
        unknown = [c for c in args.channels if c not in known]
        if unknown:
            tell(f"没有渠道 {'、'.join(unknown)}；可用的有：{'、'.join(known)}")
            return WRONG
        if args.dry_run:
            from console.trying import dry_run

            return max(dry_run(ready, c, as_json=args.json) for c in args.channels or known)
        results = crawl(
            ready.settings,
            ready.database,
            ready.clock,
            args.channels,
            environ=os.environ,
            planned_at=datetime.fromisoformat(args.planned_at) if args.planned_at else None,
            progress=silent if args.json or args.attended else tell,
        )
    if args.json:
        for result in results:
            put(asdict(result))
    return DONE if all(r.state is RunState.DONE for r in results) else FAILED


def cmd_intake(args: argparse.Namespace) -> int:
    from config.keys import author_key
    from crawler.byhand import Entry, NotTaken, record, record_file, way_of

    if bool(args.file) == bool(args.text):
        tell("要么给一个文件（CSV 或 JSON Lines，- 为标准输入），要么用 --text 写一条。")
        return WRONG
    try:
        way = way_of(args.way) if args.way else None
    except NotTaken as error:
        tell(f"--way：{error}")
        return WRONG
    with house(args) as ready:
        key = author_key(ready.settings.privacy, os.environ)
        now = ready.clock.now()
        try:
            if args.file:
                body = bytes_of(args.file)
                taken = record_file(ready.database, body, now=now, author_key=key, way=way)
            else:
                entry = Entry(
                    way=way or way_of(""),
                    text=args.text,
                    title=args.title,
                    number=args.number,
                    person=args.person,
                    time=args.time,
                )
                taken = record(ready.database, entry, now=now, author_key=key)
        except NotTaken as error:
            raise Refused(f"{args.file or '--text'}：{error}") from None
    _each(taken.refused)
    told = {"new": taken.new, "changed": taken.changed, "known": taken.known}
    if args.json:
        put({**told, "refused": [{"line": one.line, "why": one.why} for one in taken.refused]})
    else:
        said = f"收下 {taken.new} 件，更新 {taken.changed} 件，早已收过 {taken.known} 件"
        say(said + (f"，{len(taken.refused)} 行未收" if taken.refused else ""))
    return FAILED if taken.refused else DONE


def bytes_of(name: str) -> bytes:
    """A file, or stdin for `-`, as bytes. Raises Refused."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}") from None


def cmd_extract(args: argparse.Namespace) -> int:
    from crawler.extraction.command import extract_batch, extract_one

    if args.batch:
        for row in extract_batch(lines_of(args.what), now=_now()):
            put(row)
        return DONE
    body, kind = _page(args.what)
    url = args.url or (args.what if "://" in args.what else "")
    row = extract_one(body, content_type=kind, url=url, fetched_at=_now())
    if args.json:
        put(row)
    else:
        for key, value in row.items():
            say(f"{key}: {value}")
    return DONE


def _page(what: str) -> tuple[bytes, str]:
    """(body, Content-Type) of a file or an address. Raises Refused."""
    if "://" not in what:
        try:
            return Path(what).read_bytes(), ""
        except OSError as error:
            raise Refused(f"{what}: {error.strerror}") from None
    import httpx

    try:
        answer = httpx.get(what, timeout=30, headers={"User-Agent": f"tinglan/{VERSION}"})
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refused(f"{what}: {error}") from None
    return answer.content, answer.headers.get("content-type", "")


def cmd_assess(args: argparse.Namespace) -> int:
    from contextlib import closing

    from analysis.catalogue import build_engine, build_stages
    from analysis.command import AssessTools, assess_lines
    from analysis.command import tell as counted
    from analysis.tools import Tools

    wanted = _stages_if_any(args)
    with closing(build_engine(wanted)) as engine:
        tools = AssessTools(stages=build_stages(wanted, Tools()), engine=engine)
        for row in assess_lines(lines_of(args.file), tools, counted(sys.stderr)):
            put(row)
    return DONE


def cmd_group(args: argparse.Namespace) -> int:
    from analysis.grouping import group_lines

    units: tuple[str, ...] = ()
    if args.config or settings_path(args).exists():
        units = load_settings(args)[0].agency.units
    for row in group_lines(lines_of(args.file), units):
        put(row)
    return DONE


def cmd_rules(args: argparse.Namespace) -> int:
    from console import trying

    if args.action == "test":
        text = sys.stdin.read() if args.text == "-" else args.text
        return trying.test(_stages_if_any(args), text, as_json=args.json)
    if args.action == "backtest":
        with house(args) as ready:
            return trying.past(ready, _day(args.since), as_json=args.json)
    return trying.show(_stages_if_any(args), _now(), as_json=args.json)


def _day(text: str) -> datetime:
    """The start of a day in Shanghai. Raises Refused."""
    from config.clock import SHANGHAI

    try:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    except ValueError:
        raise Refused(f"--since {text}：应为日期，例如 2026-11-01") from None


def cmd_items(args: argparse.Namespace) -> int:
    from console import terminal

    with house(args) as ready:
        if args.action == "show":
            return terminal.show_item(ready.database, args.id, as_json=args.json)
        if args.action == "move":
            return terminal.move_item(
                ready, args.id, args.state, by=args.by, note=args.note, into=args.into
            )
        return terminal.list_items(ready.database, as_json=args.json, everything=args.all)


def cmd_outbox(args: argparse.Namespace) -> int:
    from console import terminal

    with house(args) as ready:
        if args.action == "resend":
            return terminal.resend(ready.database, args.id, by=args.by, now=_now())
        return terminal.list_outbox(ready.database, as_json=args.json, everything=args.all)


def cmd_test_mail(args: argparse.Namespace) -> int:
    from console import terminal

    with house(args) as ready:
        return terminal.test_mail(ready, args.address, as_json=args.json)


def cmd_digest(args: argparse.Namespace) -> int:
    from console import terminal

    with house(args) as ready:
        return terminal.digest(
            ready,
            week=args.week,
            out=Path(args.out) if args.out else None,
            send=args.send,
            correct=args.correct,
            as_json=args.json,
        )


def cmd_status(args: argparse.Namespace) -> int:
    from console.status import status, written

    with house(args) as ready:
        report = status(ready.settings, ready.database, _now(), version=VERSION)
    if args.alive:
        return DONE if report["service"]["running"] else FAILED
    if args.json:
        put(report)
    else:
        for line in written(report):
            say(line)
    return DONE


def cmd_ledger(args: argparse.Namespace) -> int:
    from store.ledger import verify

    with house(args) as ready:
        count, flaws = verify(ready.database)
    if args.json:
        put({"lines": count, "flaws": [{"event": f.event, "why": f.why} for f in flaws]})
    elif flaws:
        for flaw in flaws:
            say(f"第{flaw.event}条：{flaw.why}")
    else:
        say(f"台账共{count}条，逐条核对无误。")
    return FAILED if flaws else DONE


def cmd_user(args: argparse.Namespace) -> int:
    from console import accounts_command

    with house(args) as ready:
        if args.action == "add":
            return accounts_command.add(
                ready, name=args.name, person=args.person, role=args.role, office=args.office
            )
        if args.action == "disable":
            return accounts_command.disable(ready, args.name)
        return accounts_command.list_users(ready, as_json=args.json)


def cmd_backup(args: argparse.Namespace) -> int:
    from store.backup import backup

    with house(args) as ready:
        size = backup(ready.database, Path(args.file).resolve())
    if args.json:
        put({"file": args.file, "bytes": size})
    else:
        say(f"已备份到 {args.file}（{size / 2**20:.1f} MB）。作者假名密钥不在其中，请另行保管。")
    return DONE


def cmd_restore(args: argparse.Namespace) -> int:
    from contextlib import closing

    from config.clock import SystemClock
    from store.backup import restore
    from store.engine import Database, located
    from store.leader import AlreadyRunning, Leader

    settings, path = load_settings(args)
    with closing(Database(located(settings.database.url, path.parent))) as database:
        if not args.yes and not _agreed(f"将用 {args.file} 替换 {database.shown} 的全部内容。"):
            raise Refused("没有恢复，什么都没有改动。")
        leader = Leader(database)
        try:
            leader.lock()
        except AlreadyRunning as error:
            raise Refused(f"服务正在运行（{error}）：请先停止服务再恢复。") from None
        try:
            held = restore(database, Path(args.file).resolve(), SystemClock().now())
        finally:
            leader.release()
    say(f"已恢复。有 {held} 封通知不知是否已经送达，没有自动重发：请用 `tinglan outbox` 核对。")
    return DONE


def cmd_purge(args: argparse.Namespace) -> int:
    from store.retention import purge

    with house(args) as ready:
        keep = ready.settings.retention
        done = purge(
            ready.database,
            now=_now(),
            unflagged=keep.unflagged,
            closed=keep.closed,
            logs=keep.logs,
        )
    if args.json:
        put({"posts": done.posts, "runs": done.runs})
    else:
        say(f"已按保存期限删除：帖文 {done.posts} 条，采集记录 {done.runs} 次。已记入台账。")
    return DONE


def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{what}\n确定请输入 yes：").strip() == "yes"


def cmd_bench(args: argparse.Namespace) -> int:
    from benchmarks import run

    return run(args.stage, args.rest, as_json=args.json)


def _stages_if_any(args: argparse.Namespace) -> Mapping[str, Any]:
    """The office's stages where there are settings, else the shipped ones."""
    if args.config or settings_path(args).exists():
        return load_settings(args)[0].stages
    return {}


def _now() -> datetime:
    from config.clock import SystemClock

    return SystemClock().now()


COMMANDS: dict[str, Command] = {
    "init": cmd_init,
    "check": cmd_check,
    "run": cmd_run,
    "demo": cmd_demo,
    "crawl": cmd_crawl,
    "intake": cmd_intake,
    "extract": cmd_extract,
    "assess": cmd_assess,
    "group": cmd_group,
    "rules": cmd_rules,
    "items": cmd_items,
    "outbox": cmd_outbox,
    "test-mail": cmd_test_mail,
    "digest": cmd_digest,
    "status": cmd_status,
    "ledger": cmd_ledger,
    "user": cmd_user,
    "backup": cmd_backup,
    "restore": cmd_restore,
    "purge": cmd_purge,
    "bench": cmd_bench,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; answers its exit code: 0 done, 1 not done, 2 wrong usage or settings."""
    words = grammar(COMMANDS)
    args = words.parse_args(argv)
    if args.command is None:
        words.print_help()
        return WRONG
    _steady_streams()
    from config.logs import set_up

    set_up()
    try:
        return int(args.run(args))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _explained(error)


def _explained(error: Exception) -> int:
    """Known trouble in words; anything else is a defect and keeps its traceback."""
    import sqlalchemy as sa

    from analysis.catalogue import EngineUnknown
    from analysis.packs import PacksWrong
    from config.loading import SettingsWrong
    from config.plugins import PluginBroken
    from config.secrets import SecretMissing
    from service.web import PortTaken
    from store.engine import StoreError

    if isinstance(error, SettingsWrong):
        _each(error.mistakes)
        return WRONG
    if isinstance(error, SecretMissing | PluginBroken | PacksWrong | EngineUnknown):
        tell(str(error))
        return WRONG
    if isinstance(error, Refused | StoreError | PortTaken):
        tell(str(error))
        return FAILED
    if isinstance(error, sa.exc.OperationalError):
        tell(f"database: {str(error.orig).strip()}")
        return FAILED
    raise error


def _each(mistakes: Iterable[object]) -> None:
    for mistake in mistakes:
        tell(str(mistake))


def _steady_streams() -> None:
    """UTF-8 out whatever the locale says, and never a crash on a lone surrogate."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
