"""The command line of tinglan (听澜): gathers the families of commands and runs the one typed.

Commands live in `console/commands/`; here are only those that need what no part may import.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from console.commands import cases, gathering, judging, starting, upkeep
from console.commands.opening import catalogue as catalogue  # noqa: PLC0414 - for the tests
from console.commands.opening import house, load_settings
from console.commands.speaking import FAILED, TAKEN, WRONG, Refused, say, tell, tell_each
from console.grammar import Command, Family, grammar


def _run(args: argparse.Namespace) -> int:
    return _serve(args)


def _demo(args: argparse.Namespace) -> int:
    from demo.agency import DemoRunning, PortTaken, run_demo, seeded

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
            environ=os.environ,
        )
    except (DemoRunning, PortTaken, FileExistsError) as error:
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


def _bench(args: argparse.Namespace) -> int:
    from benchmarks import run

    return run(args.stage, args.rest, as_json=args.json)


def _demo_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("--dir", default="var/demo", help="演示数据放在哪里（每次重新开始）")
    one.add_argument("--port", type=int, default=8761, help="起始端口，连用四个（默认 8761）")
    one.add_argument("--speed", type=float, default=1.0, help="剧情快慢，2 表示快一倍")
    one.add_argument("--seconds", type=float, default=None, help="演示多少秒后自动停止")


def _bench_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("stage", nargs="?", default="", metavar="STAGE")


RUN = Command(
    name="run",
    about="启动值守服务（SIGTERM 停止）",
    text="启动值守：定时采集、研判、报送、周报。日志写到标准错误。",
    run=_run,
)
DEMO = Command(
    name="demo",
    about="用虚构的示例单位演示全过程，一分钟内收到第一封预警",
    text="在本机演示全过程：示例网站、收信服务器、值守服务。Ctrl+C 停止。",
    words=_demo_words,
    run=_demo,
)
BENCH = Command(
    name="bench",
    about="性能对比",
    text="同场对比性能；不写名称即列出全部。",
    words=_bench_words,
    run=_bench,
)
FAMILIES = (
    Family("开始使用", (*starting.COMMANDS, RUN, DEMO)),
    Family("采集与研判", (*gathering.COMMANDS, *judging.COMMANDS)),
    Family("处置", cases.COMMANDS),
    Family("运维", (*upkeep.COMMANDS, BENCH)),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; answers its exit code: 0 done, 1 not done, 2 wrong usage or settings."""
    words = grammar(FAMILIES)
    args, rest = words.parse_known_args(argv)
    if rest and args.command != BENCH.name:  # each benchmark has words of its own
        words.error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
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
        tell_each(error.mistakes)
        return WRONG
    if isinstance(error, SecretMissing | PluginBroken | PacksWrong | EngineUnknown):
        tell(str(error))
        return WRONG
    if isinstance(error, Refused | StoreError | PortTaken):
        tell(str(error))
        return FAILED
    if isinstance(error, sa.exc.OperationalError):
        why = str(error.orig).strip()
        if "locked" in why:
            why = f"别的程序占着数据库，没有等到，什么都没有改动；请稍后再试（{why}）"
        tell(f"database: {why}")
        return FAILED
    if isinstance(error, OSError) and error.filename is not None:
        tell(f"{error.filename}: {error.strerror}")
        return FAILED
    raise error


def _steady_streams() -> None:
    """UTF-8 out whatever the locale says, and never a crash on a lone surrogate."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
