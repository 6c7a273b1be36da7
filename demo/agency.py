"""`tinglan demo`: the invented agency, a mail server, a mailbox page and the real service."""

from __future__ import annotations

import errno
import fcntl
import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from config.clock import Clock, SystemClock
from config.house import House
from console.accounts import add_user
from console.passwords import Passwords
from console.roles import Role
from demo.columns import COLUMNS
from demo.mailbox import Mailbox
from demo.platforms import Platforms, moments, platforms
from demo.serving import serve as serve_web
from demo.site import DemoSite
from demo.stories import Scenario

MARK = ".tinglan-demo"  #: in a folder that the demo may empty

SETTINGS = """\
# 演示用设置，由 tinglan demo 写出；每次演示都从头开始。
[agency]
name = "示例市气象局"
contact = "{site}/"

[database]
url = "sqlite:///tinglan.db"

[[channels]]
id = "site"
name = "官方网站"
kind = "site"
every = "5s"
deadline = "60s"
hosts = ["127.0.0.1"]
delay = "0s"
{columns}

{platforms}
[[offices]]
id = "duty"
name = "总值班室"
addresses = ["duty@tinglan.localhost"]

[[offices]]
id = "forecast"
name = "市气象台"
addresses = ["forecast@tinglan.localhost"]
topics = ["warning_error", "rumour"]

[roster]
fallback = ["leader@tinglan.localhost"]

[mail]
host = "127.0.0.1"
port = {smtp}
security = "none"
from = "tinglan@tinglan.localhost"
rate = 600

[digest]
to = ["leader@tinglan.localhost"]

[service]
tick = "1s"
crawls_at_once = 3

[console]
listen = "127.0.0.1:{desk}"
public_url = "http://127.0.0.1:{desk}"
"""


WELCOME = """\
听澜演示：虚构的示例市气象局，全部在本机，不连外网。

  示例网站      {site}
  演示收件箱    {inbox}      ← 先打开这一页
  值班台        http://127.0.0.1:{desk}      （账号见下）
  数据与设置    {directory}

五类渠道都在运行，各说各的真实协议：网站、微信公众号、官方微博、气象客户端、公开信箱（IMAP）。
几秒之内开始采集，一分钟之内第一封舆情预警到达收件箱。接下来请看：

{watch}

此后网站上每隔半分钟左右还有新的来信、评论和公告：该报的报，不该报的不报。
另开一个终端可以看：.venv/bin/tinglan status --config {path}
                    .venv/bin/tinglan items --config {path}
想亲手采集一遍，先取演示用的口令：set -a; . {environ}; set +a
                    .venv/bin/tinglan crawl wechat --config {path}
按 Ctrl+C 停止。
"""


class PortTaken(Exception):
    """A port that the demo needs is in use."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"端口 {port} 已被占用：多半是另一个演示还在运行。先停掉它，"
            f"或换一组端口和目录：{_another(port + 20)}"
        )


class DemoRunning(Exception):
    """Another demo works in that folder; nothing of it was touched."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(
            f"{directory} 里的演示正在运行，没有动它。先停掉它（Ctrl+C），"
            f"或另开一个：{_another(port + 20)}"
        )


def _another(port: int) -> str:
    return f"tinglan demo --port {port} --dir var/demo-{port}"


def run_demo(
    directory: Path,
    *,
    port: int,
    speed: float,
    seconds: float | None,
    start: Callable[[Path, threading.Event], int],
    say: Callable[[str], None],
    environ: MutableMapping[str, str],
    clock: Clock | None = None,
) -> int:
    """Runs everything until Ctrl+C (or `seconds`); answers what `start` (the service) answers.

    The secrets of the invented channels stand in `environ` for as long as it runs. Raises
    DemoRunning, PortTaken, and FileExistsError where `directory` holds something that is not a
    demo's; in none of these cases is anything in it touched.
    """
    clock = clock or SystemClock()
    stop = threading.Event()
    with ExitStack() as cleanup:
        cleanup.enter_context(_held(directory, port))
        scenario = Scenario.load(start=clock.now(), speed=speed)
        site = cleanup.enter_context(_web(DemoSite(scenario, clock).app, port))
        mailbox = cleanup.enter_context(_mail(port + 1))
        inbox = cleanup.enter_context(_web(mailbox.app, port + 2))
        others = cleanup.enter_context(platforms(clock, speed=speed))
        _free(port + 3)
        _empty(directory)
        desk = f"http://127.0.0.1:{port + 3}"
        mailbox.links = (("值班台", desk), ("示例网站", site))
        path, kept = directory / "tinglan.toml", directory / "demo.env"
        path.write_text(settings_text(site, others, smtp=port + 1, desk=port + 3), encoding="utf-8")
        cleanup.enter_context(_lent(environ, others, kept))
        cleanup.enter_context(others.pushing(desk))
        say(
            WELCOME.format(
                site=site,
                inbox=inbox,
                desk=port + 3,
                directory=directory,
                path=path,
                environ=kept,
                watch="\n".join(_watch(scenario, clock, speed)),
            )
        )
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
            cleanup.callback(timer.cancel)
        return start(path, stop)


def settings_text(site: str, others: Platforms, *, smtp: int, desk: int) -> str:
    """The settings file of the demo: all five kinds of channel, on their stand-ins."""
    return SETTINGS.format(
        site=site, smtp=smtp, desk=desk, columns=_columns(site), platforms=others.tables()
    )


PEOPLE = (
    ("zhiban", "王值班", Role.OFFICER, ""),
    ("lingdao", "陈带班", Role.LEADER, ""),
    ("chushi", "周处室", Role.OFFICE, "forecast"),
    ("guanli", "李管理", Role.ADMIN, ""),
)


def seeded(house: House) -> str:
    """Makes the demo's accounts, with a password of this run alone; answers what to print."""
    password = f"Demo-{secrets.token_hex(4)}-Aa1"
    passwords = Passwords(policy=house.settings.console.passwords)
    rows = []
    for name, person, role, office in PEOPLE:
        add_user(
            house.database,
            house.settings,
            passwords,
            name=name,
            shown=person,
            role=role,
            office=office,
            password=password,
            now=house.clock.now(),
            by="演示",
            via="demo",
        )
        rows.append(f"  {name:<8} {person}（{role.label}）")
    return "值班台账号，口令都是 " + password + "：\n" + "\n".join(rows) + "\n下面是运行日志。\n"


def _columns(site: str) -> str:
    """The columns of the invented site, as the settings of a site channel write them."""
    rows = []
    for column in COLUMNS:
        row = {"url": site + column.home, "name": column.name, "style": "auto"}
        if column.stack in {"letters", "comments"}:
            row |= {"kind": column.stack, "role": "public"}
        rows.append("  { " + ", ".join(f'{k} = "{v}"' for k, v in row.items()) + " },\n")
    return "columns = [\n" + "".join(rows) + "]"


def _watch(scenario: Scenario, clock: Clock, speed: float) -> Iterator[str]:
    """What to look for, channel by channel, in the order in which it comes."""
    moment, story = scenario.coming(clock.now())[0]
    first = (moment - scenario.start).total_seconds()
    lines = [(first, "官方网站", f"局长信箱栏目出现新来信：“{story.title[:24]}”")]
    lines += [(one.after, one.channel, one.text) for one in moments(speed=speed)]
    for after, channel, text in sorted(lines):
        yield f"  约{after:>3.0f}秒  {channel:　<5}  {text}"


@contextmanager
def _lent(environ: MutableMapping[str, str], others: Platforms, file: Path) -> Iterator[None]:
    """Puts the channels' secrets where the service looks for them, and takes them away again.

    They are also kept in a file of the demo's own, for commands in another terminal.
    """
    file.touch(0o600)
    file.write_text("".join(f"{k}={v}\n" for k, v in others.environ.items()), encoding="ascii")
    before = {name: environ.get(name) for name in others.environ}
    environ.update(others.environ)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value


@contextmanager
def _web(app: ASGIApp, port: int) -> Iterator[str]:
    try:
        with serve_web(app, port=port) as url:
            yield url
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port) from None
        raise


@contextmanager
def _mail(port: int) -> Iterator[Mailbox]:
    mailbox = Mailbox(port=port)
    try:
        mailbox.start()
    except OSError:
        raise PortTaken(port) from None
    try:
        yield mailbox
    finally:
        mailbox.stop()


def _free(port: int) -> None:
    """Raises PortTaken where the service could not listen."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port) from None
        raise


@contextmanager
def _held(directory: Path, port: int) -> Iterator[None]:
    """Keeps every other demo out of the folder. Raises DemoRunning, FileExistsError."""
    mark = directory / MARK
    if directory.exists() and any(directory.iterdir()) and not mark.exists():
        raise FileExistsError(f"{directory} 里有别的东西，演示不会动它；换一个目录：--dir DIR")
    directory.mkdir(parents=True, exist_ok=True)
    with mark.open("a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoRunning(directory, port) from None
        yield


def _empty(directory: Path) -> None:
    """Every demo begins anew; only a folder that a demo holds is emptied."""
    for old in directory.iterdir():
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        elif old.name != MARK:
            old.unlink()
