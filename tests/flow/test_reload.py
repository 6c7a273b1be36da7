"""SIGHUP is all or nothing: whatever new settings ask for that is not there, the old ones serve on."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.mailbox import Mailbox

TRAPPED = ("铁路桥下积水有人被困", "铁路桥下面积水很深，一辆车熄火，车里有人出不来，快派人来救！")

PUSHED = """
[[channels]]
id = "wechat"
name = "公众号"
kind = "wechat"
app_id = "wx1234567890"
app_secret_env = "NOT_SET_SECRET"
token_env = "NOT_SET_TOKEN"
"""


@pytest.fixture
def port() -> Iterator[int]:
    """One that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def told(folder: Path, event: str, times: int = 1) -> str:
    """The last line of the service's log with that event, once it was told so often."""
    for _ in range(1200):
        lines = (folder / "service.log").read_text(encoding="utf-8").splitlines()
        found = [line for line in lines if f'"{event}"' in line]
        if len(found) >= times:
            return found[-1]
        time.sleep(0.1)
    raise AssertionError(f"no {event} in the log")


def test_settings_that_cannot_be_served_leave_the_old_ones_in_force(
    board: Any,
    mailbox: Mailbox,
    start: Callable[[], Any],
    command: Callable[..., Any],
    place: Path,
    port: int,
) -> None:
    service, file = start(), place / "tinglan.toml"
    right = file.read_text(encoding="utf-8")
    told(place, "service.started")
    listen = f'[console]\nlisten = "127.0.0.1:{port}"\n'
    assert "[console]" in right
    head, _, rest = right.partition("[console]")
    taken = head + listen + rest.partition("\n\n")[2]

    for number, (wrong, why) in enumerate(
        [(right + PUSHED, "NOT_SET_TOKEN"), (taken, f"127.0.0.1:{port}")], start=1
    ):
        file.write_text(wrong, encoding="utf-8")
        service.process.send_signal(signal.SIGHUP)

        assert why in told(place, "settings.refused", number)
        told(place, "service.started", number + 1)  # on the old settings

    board.publish(*TRAPPED)
    assert mailbox.wait(1, timeout=60)
    file.write_text(right, encoding="utf-8")
    assert command("status")["service"]["running"]
    assert service.stop() == 0
