"""The command line of tinglan (听澜): one function a command, each a thin step to the parts."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.version import VERSION

if TYPE_CHECKING:
    from config.house import House
    from config.plugins import Catalogue
    from config.settings import Settings

DONE, FAILED, WRONG, TAKEN = 0, 1, 2, 3
Command = Callable[[argparse.Namespace], int]


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


def cmd_items(args: argparse.Namespace) -> int:
    from console import terminal

    with house(args) as ready:
        if args.action == "show":
            return terminal.show_item(ready.database, args.id, as_json=args.json)
        if args.action == "move":
            return terminal.move_item(
                ready.database,
                args.id,
                args.state,
                by=args.by,
                note=args.note,
                into=args.into,
                now=_now(),
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


# --- the words on the command line --------------------------------------------------------------

_GROUPS = """\
开始使用:
  init        写出一套带注释的设置
  check       逐项核对设置、数据库、发信、渠道
  run         启动值守服务（SIGTERM 停止）
  demo        用虚构的示例单位演示全过程，一分钟内收到第一封预警
采集与研判:
  crawl       立即采集一遍，显示进度
  intake      登记电话、来信、来访和 12345 转来的诉求
  extract     看一个网页能读出什么
  assess      对给定文本逐条研判，不入库
处置:
  items       舆情条目：列表、详情、流转
  outbox      通知：欠发、已发、被拒；重发
  test-mail   经真实路径发一封测试信并报告用时
  digest      舆情周报
运维:
  status      各部分是否正常
  user        值班台账号
  ledger      核验台账
  backup      备份
  restore     恢复
  purge       删除到期数据
  bench       性能对比
"""


def parser() -> argparse.ArgumentParser:
    """The whole grammar; `--help` of each command teaches by example."""
    top = argparse.ArgumentParser(
        prog="tinglan",
        description="听澜：本单位自有渠道的舆情监测——发现、研判、报送、处置、办结。",
        epilog=_GROUPS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="tinglan COMMAND [options]",
    )
    top.add_argument("--version", action="version", version=f"tinglan {VERSION}")
    top.set_defaults(config=None, json=False)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", help=argparse.SUPPRESS)
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--config", metavar="FILE", help="设置文件（默认 ./tinglan.toml 或 $TINGLAN_CONFIG）"
    )
    common.add_argument("--json", action="store_true", help="只在标准输出打印 JSON")

    def add(name: str, run: Command, text: str, example: str = "") -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=argparse.SUPPRESS,
            description=text,
            epilog=f"例：\n  {example}" if example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
        )
        made.set_defaults(run=run)
        return made

    one = add(
        "init", cmd_init, "写出一套带注释的设置，不覆盖已有文件。", "tinglan init /srv/tinglan"
    )
    one.add_argument("directory", nargs="?", default=".", metavar="DIR")

    one = add("check", cmd_check, "列出设置里的全部错误，并实地核对数据库、发信服务器和各渠道。")
    one.add_argument("--offline", action="store_true", help="只核对文件，不连网络")

    add("run", cmd_run, "启动值守：定时采集、研判、报送、周报。日志写到标准错误。")

    one = add("demo", cmd_demo, "在本机演示全过程：示例网站、收信服务器、值守服务。Ctrl+C 停止。")
    one.add_argument("--dir", default="var/demo", help="演示数据放在哪里（每次重新开始）")
    one.add_argument("--port", type=int, default=8761, help="起始端口，连用四个（默认 8761）")
    one.add_argument("--speed", type=float, default=1.0, help="剧情快慢，2 表示快一倍")
    one.add_argument("--seconds", type=float, default=None, help="演示多少秒后自动停止")

    one = add(
        "crawl", cmd_crawl, "立即采集一遍指定渠道（不写即全部），显示进度。", "tinglan crawl site"
    )
    one.add_argument("channels", nargs="*", metavar="CHANNEL")
    one.add_argument("--attended", action="store_true", help=argparse.SUPPRESS)
    one.add_argument("--planned-at", help=argparse.SUPPRESS)

    one = add(
        "intake",
        cmd_intake,
        "登记电话、来信、来访和 12345 转来的诉求，进入同一队列；FILE 为 CSV 或 JSON Lines。",
        "tinglan intake 12345导出.csv --way 12345；tinglan intake --way 电话 --text 解放路积水半米",
    )
    one.add_argument("file", nargs="?", default="", metavar="FILE|-")
    one.add_argument("--way", default="", help="来源：12345、来信、来访、电话、其他")
    one.add_argument("--text", default="", help="一条诉求的内容")
    one.add_argument("--title", default="", help="标题")
    one.add_argument("--number", default="", help="本单位的编号；同一编号再登记即更新")
    one.add_argument("--person", default="", help="来电人或来信人，只留加密假名")
    one.add_argument("--time", default="", help="何时，例如 2026-07-15 08:30；不写即现在")

    one = add(
        "extract",
        cmd_extract,
        "读一个网页文件或网址，打印标题、正文、发布时间、来源。",
        "tinglan extract page.html --url http://www.example.gov.cn/art/1.html",
    )
    one.add_argument("what", metavar="FILE|URL")
    one.add_argument("--url", help="网页原来的地址")
    one.add_argument("--batch", action="store_true", help="FILE（或 -）是 JSON Lines，逐行作答")

    one = add(
        "assess",
        cmd_assess,
        "逐行读 JSON（id, text, …），逐行给出情感、类别、等级和依据；什么都不入库。",
        'echo \'{"id":"1","text":"桥下积水困住一辆车，快来人"}\' | tinglan assess -',
    )
    one.add_argument("file", nargs="?", default="-", metavar="FILE|-")

    one = add(
        "items",
        cmd_items,
        "舆情条目：list 列表，show ID 详情，move ID STATE 流转。",
        "tinglan items move TL-2026-0001 to_report --by 张值班 --note 属实，已电话核实",
    )
    actions = one.add_subparsers(dest="action")
    listed = actions.add_parser("list", help="列表", parents=[common])
    listed.add_argument("--all", action="store_true", help="连已办结的一起列出")
    shown = actions.add_parser("show", help="一个条目的全部记录", parents=[common])
    shown.add_argument("id")
    moved = actions.add_parser("move", help="流转到下一状态", parents=[common])
    moved.add_argument("id")
    moved.add_argument("state")
    moved.add_argument("--by", required=True, help="谁")
    moved.add_argument("--note", default="", help="说明")
    moved.add_argument("--into", default="", help="并入（merged）哪个条目")
    one.set_defaults(all=False)

    one = add("outbox", cmd_outbox, "通知：list 列出欠发、已发和被拒；resend ID 重发。")
    actions = one.add_subparsers(dest="action")
    listed = actions.add_parser("list", help="列表", parents=[common])
    listed.add_argument("--all", action="store_true", help="连已送达的一起列出")
    again = actions.add_parser("resend", help="重发一封", parents=[common])
    again.add_argument("id")
    again.add_argument("--by", required=True, help="谁")
    one.set_defaults(all=False)

    one = add("test-mail", cmd_test_mail, "经真实路径给 ADDRESS 发一封测试信，报告每一步用时。")
    one.add_argument("address")

    one = add(
        "digest",
        cmd_digest,
        "舆情周报。数字一经生成即冻结。",
        "tinglan digest --week 2026-W47 --out .",
    )
    one.add_argument("--week", help="ISO 周，例如 2026-W47；不写即上一周")
    one.add_argument("--out", metavar="DIR", help="把文件写到这里")
    one.add_argument("--send", action="store_true", help="交给发件箱发出")
    one.add_argument("--correct", action="store_true", help="重新统计，出更正版")

    one = add("status", cmd_status, "服务、渠道、条目、通知、磁盘的现状。")
    one.add_argument("--alive", action="store_true", help="只用退出码回答：服务活着为 0，否则 1")

    one = add("ledger", cmd_ledger, "verify：逐条核验台账是否被改动。")
    one.add_argument("action", choices=["verify"])

    one = add(
        "user",
        cmd_user,
        "值班台账号：add 新建（口令由终端输入），list 列表，disable 停用。",
        "tinglan user add admin --name 李管理 --role admin",
    )
    actions = one.add_subparsers(dest="action")
    actions.add_parser("list", help="列表", parents=[common])
    fresh = actions.add_parser("add", help="新建账号", parents=[common])
    fresh.add_argument("name", help="登录名")
    fresh.add_argument("--name", dest="person", required=True, help="姓名")
    fresh.add_argument(
        "--role",
        required=True,
        help="officer、leader、office、admin、auditor 或 viewer",
    )
    fresh.add_argument("--office", default="", help="责任处室账号所属处室的 id")
    gone = actions.add_parser("disable", help="停用账号，立即结束其会话", parents=[common])
    gone.add_argument("name")

    one = add("backup", cmd_backup, "把数据库一致地备份到 FILE，不影响运行中的服务。")
    one.add_argument("file", metavar="FILE")

    one = add("restore", cmd_restore, "用备份替换数据库；须先停服务，须确认；不会重发旧通知。")
    one.add_argument("file", metavar="FILE")
    one.add_argument("--yes", action="store_true", help="不再询问")

    add("purge", cmd_purge, "按设置的保存期限删除到期数据（服务每天自动做一次）。")

    one = add("bench", cmd_bench, "同场对比性能；不写名称即列出全部。")
    one.add_argument("stage", nargs="?", default="")
    one.add_argument("rest", nargs="*", metavar="ARG")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; answers its exit code: 0 done, 1 not done, 2 wrong usage or settings."""
    grammar = parser()
    args = grammar.parse_args(argv)
    if args.command is None:
        grammar.print_help()
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
