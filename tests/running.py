"""The whole product on real parts: a site, a mail server, and `tinglan run` as its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.board import Board, settings
from demo.mailbox import Mailbox
from demo.serving import serve

ROOT = Path(__file__).parents[1]


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


class Running:
    """`tinglan run` in a folder, as an operator would start it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = open(folder / "service.log", "ab")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tinglan", "run"],
            cwd=folder,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        self._log.close()

    def stop(self, within: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(within)
        self._log.close()
        return status


@pytest.fixture
def place(tmp_path: Path, board: Board, mailbox: Mailbox) -> Iterator[Path]:
    """A folder with settings for the board and the mailbox."""
    with serve(board.app) as site:
        (tmp_path / "tinglan.toml").write_text(
            settings(site, mailbox.port, column="pages = 50\ndepth = 100"), encoding="utf-8"
        )
        yield tmp_path


@pytest.fixture
def start(place: Path) -> Iterator[Callable[[], Running]]:
    started: list[Running] = []

    def begin() -> Running:
        started.append(Running(place))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.kill()
    if started:  # shown only where the test failed
        print((place / "service.log").read_text(encoding="utf-8", errors="replace")[-8_000:])


@pytest.fixture
def command(place: Path) -> Callable[..., Any]:
    """Runs `tinglan … --json` in the folder; answers what it printed."""

    def run(*arguments: str, status: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "tinglan", *arguments, "--json"],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run
