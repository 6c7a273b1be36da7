"""`tinglan demo`: the invented agency, a mail server, a mailbox page and the real service."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from config.clock import Clock, SystemClock
from demo.mailbox import Mailbox
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
{options}

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
"""


class PortTaken(Exception):
    """A port that the demo needs is in use."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"端口 {port} 已被占用：多半是另一个演示还在运行。先停掉它，"
            f"或换一组端口：tinglan demo --port {port + 20}"
        )


def run_demo(
    directory: Path,
    *,
    port: int,
    speed: float,
    seconds: float | None,
    clock: Clock | None = None,
) -> int:
    """Runs everything until Ctrl+C (or `seconds`); answers the service's exit code.

    Raises PortTaken, and FileExistsError where `directory` holds something that is not a demo's.
    """
    clock = clock or SystemClock()
    _empty(directory)
    stop = threading.Event()
    with ExitStack() as cleanup:
        scenario = Scenario.load(start=clock.now(), speed=speed)
        site = cleanup.enter_context(_at(port, DemoSite(scenario, clock).app))
        mailbox = Mailbox(port=port + 1)
        try:
            mailbox.start()
        except OSError:
            raise PortTaken(port + 1) from None
        cleanup.callback(mailbox.stop)
        inbox = cleanup.enter_context(_at(port + 2, mailbox.app))
        path = directory / "tinglan.toml"
        path.write_text(
            SETTINGS.format(site=site, smtp=port + 1, options=site_options(site)), encoding="utf-8"
        )
        _greet(site, inbox, path)
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
            cleanup.callback(timer.cancel)
        return _service(path, stop)


def site_options(site: str) -> str:
    """The columns of the invented site, as a channel's settings."""
    columns = DemoSite.columns(site)
    rows = ",\n".join(
        "  { " + ", ".join(f'{key} = "{value}"' for key, value in column.items()) + " }"
        for column in columns
    )
    return f"columns = [\n{rows}\n]"


def _at(port: int, app: object) -> ExitStack:
    stack = ExitStack()
    try:
        url = stack.enter_context(serve_web(app, port=port))  # type: ignore[arg-type]
    except OSError:
        raise PortTaken(port) from None
    stack.url = url  # type: ignore[attr-defined]
    return stack


def _empty(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARK).exists():
            raise FileExistsError(f"{directory} 里有别的东西，演示不会动它；换一个目录：--dir DIR")
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARK).write_text("", encoding="ascii")
