"""`status`, `user`, `ledger`, `backup`, `restore`, `purge`: keeping the service well."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from config.version import VERSION
from console.commands.opening import house, load_settings, now
from console.commands.speaking import DONE, FAILED, Refused, put, say
from console.grammar import Command, actions


def _status(args: argparse.Namespace) -> int:
    from console.status import status, written

    with house(args) as ready:
        report = status(ready.settings, ready.database, now(), version=VERSION)
    if args.alive:
        return DONE if report["service"]["running"] else FAILED
    if args.json:
        put(report)
    else:
        for line in written(report):
            say(line)
    return DONE


def _user(args: argparse.Namespace) -> int:
    from console import accounts_command

    with house(args) as ready:
        if args.action == "add":
            return accounts_command.add(
                ready, name=args.name, person=args.person, role=args.role, office=args.office
            )
        if args.action == "disable":
            return accounts_command.disable(ready, args.name)
        return accounts_command.list_users(ready, as_json=args.json)


def _ledger(args: argparse.Namespace) -> int:
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


def _backup(args: argparse.Namespace) -> int:
    from store.backup import backup

    with house(args) as ready:
        size = backup(ready.database, Path(args.file).resolve())
    if args.json:
        put({"file": args.file, "bytes": size})
    else:
        say(f"已备份到 {args.file}（{size / 2**20:.1f} MB）。作者假名密钥不在其中，请另行保管。")
    return DONE


def _restore(args: argparse.Namespace) -> int:
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


def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{what}\n确定请输入 yes：").strip() == "yes"


def _purge(args: argparse.Namespace) -> int:
    from store.retention import purge

    with house(args) as ready:
        keep = ready.settings.retention
        done = purge(
            ready.database,
            now=now(),
            unflagged=keep.unflagged,
            closed=keep.closed,
            logs=keep.logs,
        )
    if args.json:
        put({"posts": done.posts, "runs": done.runs})
    else:
        say(f"已按保存期限删除：帖文 {done.posts} 条，采集记录 {done.runs} 次。已记入台账。")
    return DONE


def _status_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("--alive", action="store_true", help="只用退出码回答：服务活着为 0，否则 1")


def _user_words(one: argparse.ArgumentParser) -> None:
    action = actions(one)
    action("list", "列表")
    fresh = action("add", "新建账号")
    fresh.add_argument("name", help="登录名")
    fresh.add_argument("--name", dest="person", required=True, help="姓名")
    fresh.add_argument(
        "--role", required=True, help="officer、leader、office、admin、auditor 或 viewer"
    )
    fresh.add_argument("--office", default="", help="责任处室账号所属处室的 id")
    gone = action("disable", "停用账号，立即结束其会话")
    gone.add_argument("name")


def _ledger_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("action", choices=["verify"])


def _backup_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("file", metavar="FILE")


def _restore_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("file", metavar="FILE")
    one.add_argument("--yes", action="store_true", help="不再询问")


COMMANDS = (
    Command(
        name="status",
        about="各部分是否正常",
        text="服务、渠道、条目、通知、磁盘的现状。",
        words=_status_words,
        run=_status,
    ),
    Command(
        name="user",
        about="值班台账号",
        text="值班台账号：add 新建（口令由终端输入），list 列表，disable 停用。",
        example="tinglan user add admin --name 李管理 --role admin",
        words=_user_words,
        run=_user,
    ),
    Command(
        name="ledger",
        about="核验台账",
        text="verify：逐条核验台账是否被改动。",
        example="tinglan ledger verify",
        words=_ledger_words,
        run=_ledger,
    ),
    Command(
        name="backup",
        about="备份",
        text="把数据库一致地备份到 FILE，不影响运行中的服务。",
        example="tinglan backup /backup/tinglan-2026-11-22.db",
        words=_backup_words,
        run=_backup,
    ),
    Command(
        name="restore",
        about="恢复",
        text="用备份替换数据库；须先停服务，须确认；不会重发旧通知。",
        example="tinglan restore /backup/tinglan-2026-11-22.db",
        words=_restore_words,
        run=_restore,
    ),
    Command(
        name="purge",
        about="删除到期数据",
        text="按设置的保存期限删除到期数据（服务每天自动做一次）。",
        run=_purge,
    ),
)
