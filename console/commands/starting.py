"""`init` and `check`: from nothing to settings that are proved."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from console.commands.opening import load_settings, now
from console.commands.speaking import DONE, FAILED, Refused, put, say
from console.grammar import Command


def _init(args: argparse.Namespace) -> int:
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
        "  2. 编辑 roster.toml：值班人员、班次、带班领导；packs/own.toml：本地的地名和事项。\n"
        "  3. 把邮箱口令放进环境变量 TINGLAN_MAIL_PASSWORD（或 TINGLAN_MAIL_PASSWORD_FILE）。\n"
        f"  4. 在 {Path(args.directory).resolve()} 里运行 `{_ourselves()} check` 逐项核对，"
        f"再运行 `{_ourselves()} test-mail 你的邮箱`。\n"
        "  5. 建议一并写明：[console] public_url（邮件里的签收链接）、[alerts.second] 第二地址、"
        "[mail.bounces] 退信信箱、[calm] 少打扰，都在 tinglan.toml 里有样子。\n"
        f"  6. 运行 `{_ourselves()} run` 开始值守；长期运行见 docs/operations.md。"
    )
    return DONE


def _ourselves() -> str:
    """The command as it can be typed from any folder."""
    typed = sys.argv[0]
    if shutil.which("tinglan") or Path(typed).name != "tinglan":
        return "tinglan"
    return str(Path(typed).absolute())


def _check(args: argparse.Namespace) -> int:
    from console.checking import check

    settings, path = load_settings(args)
    results = check(settings, path.parent, os.environ, now=now(), offline=args.offline)
    if args.json:
        put([{"what": r.what, "state": r.state, "text": r.text} for r in results])
    else:
        mark = {"ok": "✓", "warn": "!", "bad": "✗"}
        for result in results:
            say(f"{mark[result.state]} {result.what}：{result.text}")
    return FAILED if any(r.state == "bad" for r in results) else DONE


def _init_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("directory", nargs="?", default=".", metavar="DIR")


def _check_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("--offline", action="store_true", help="只核对文件，不连网络")


COMMANDS = (
    Command(
        name="init",
        about="写出一套带注释的设置",
        text="写出一套带注释的设置，不覆盖已有文件。",
        example="tinglan init /srv/tinglan",
        words=_init_words,
        run=_init,
    ),
    Command(
        name="check",
        about="逐项核对设置、数据库、发信、渠道",
        text="列出设置里的全部错误，并实地核对数据库、发信服务器和各渠道。",
        words=_check_words,
        run=_check,
    ),
)
