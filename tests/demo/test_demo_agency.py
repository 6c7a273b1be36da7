"""Demos do not get into each other's way, nor into anybody's folder."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.agency import MARK, DemoRunning, PortTaken, run_demo


@pytest.fixture
def port() -> int:
    """The first of four that are free together."""
    for first in range(18761, 28761, 10):
        held = []
        try:
            held += [socket.create_server(("127.0.0.1", first + n)) for n in range(4)]
        except OSError:
            continue
        else:
            return first
        finally:
            for one in held:
                one.close()
    raise AssertionError("no four free ports in a row")


@pytest.fixture
def running(tmp_path: Path, port: int) -> Iterator[Path]:
    """A demo in a folder; its service is one that only waits."""
    folder, up, end = tmp_path / "demo", threading.Event(), threading.Event()

    def wait(path: Path, _stop: threading.Event) -> int:
        (path.parent / "tinglan.db").write_text("of the running demo", encoding="ascii")
        up.set()
        end.wait(60)
        return 0

    demo = threading.Thread(target=run, args=(folder, port, wait), daemon=True)
    demo.start()
    assert up.wait(60)
    yield folder
    end.set()
    demo.join(60)


def run(folder: Path, port: int, start=lambda _path, _stop: 0) -> int:  # type: ignore[no-untyped-def]
    return run_demo(
        folder, port=port, speed=1, seconds=None, start=start, say=lambda _text: None, environ={}
    )


@pytest.mark.parametrize("further", [0, 100])
def test_a_second_demo_leaves_the_running_one_alone(running: Path, port: int, further: int) -> None:
    with pytest.raises(DemoRunning, match="--dir"):
        run(running, port + further)

    assert (running / "tinglan.db").read_text(encoding="ascii") == "of the running demo"
    assert (running / "tinglan.toml").exists()


def test_a_taken_port_costs_the_last_demo_nothing(tmp_path: Path, port: int) -> None:
    (tmp_path / MARK).touch()
    (tmp_path / "tinglan.db").write_text("of the last demo", encoding="ascii")

    with socket.create_server(("127.0.0.1", port + 3)), pytest.raises(PortTaken, match="--port"):
        run(tmp_path, port)

    assert (tmp_path / "tinglan.db").read_text(encoding="ascii") == "of the last demo"


def test_a_new_demo_begins_anew(tmp_path: Path, port: int) -> None:
    (tmp_path / MARK).touch()
    (tmp_path / "holidays").mkdir()
    (tmp_path / "tinglan.db").write_text("of the last demo", encoding="ascii")

    assert run(tmp_path, port) == 0

    assert not (tmp_path / "tinglan.db").exists()
    assert not (tmp_path / "holidays").exists()


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path, port: int) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="ascii")

    with pytest.raises(FileExistsError):
        run(tmp_path, port)

    assert [one.name for one in tmp_path.iterdir()] == ["letter.txt"]
