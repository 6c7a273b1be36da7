"""Adding a channel takes one source file and one settings table; nothing else is edited."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

import crawler.channels
from config.loading import SettingsWrong, check
from config.plugins import Catalogue
from crawler import catalogue
from crawler.catalogue import channel_kinds, channel_options
from crawler.command import crawl
from store.tables import channels, posts
from store.tables import runs as runs_table

TOY = '''
"""A notice board on a wall: reads what settings say hangs there."""

from config.settings import Section
from crawler.catalogue import Reading
from crawler.intake import intake
from store.records import Capture, Kind, Outcome, Role


class Options(Section):
    sheets: tuple[str, ...]
    explode: bool = False


class Wall:
    def __init__(self, settings, tools):
        self.name, self.options, self.tools = settings.id, settings.options, tools

    def read(self, run):
        run.plan(self.options.sheets)
        if self.options.explode:
            raise RuntimeError("https://example.invalid/?token=geheim")
        for sheet in self.options.sheets:
            capture = Capture(channel=self.name, key=sheet, kind=Kind.POST, role=Role.PUBLIC, text=sheet)
            with run.write() as connection:
                counts = intake(
                    connection, [capture], now=self.tools.clock.now(), author_key=self.tools.author_key
                )
                run.count(counts, connection)
                run.settle(sheet, Outcome.OK_NEW, connection=connection)
        self.tools.progress("看过了墙")
        return Reading(why="墙有点湿")


def build(settings, tools):
    return Wall(settings, tools)
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    folder = tmp_path / "more_channels"
    folder.mkdir()
    (folder / "wall.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(crawler.channels, "__path__", [*crawler.channels.__path__, str(folder)])
    yield
    sys.modules.pop("crawler.channels.wall", None)


def settings(*channels):
    return check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            "channels": list(channels),
            "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
            "roster": {"fallback": ["leader@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "tinglan.toml",
        Catalogue(channels=channel_options()),
    )


def wall(**more):
    return {"id": "wall", "name": "布告栏", "kind": "wall", "sheets": ["停水通知"], **more}


@pytest.mark.usefixtures("toy")
def test_a_file_and_a_table_make_a_channel(database, clock):
    said = []

    (result,) = crawl(
        settings(wall()), database, clock, progress=said.append,
        environ={"TINGLAN_AUTHOR_KEY": "k" * 32},
    )  # fmt: skip

    assert "wall" in channel_kinds()
    assert (result.state, result.new, result.outcomes) == ("done", 1, {"ok-new": 1})
    assert said == [
        "看过了墙",
        "布告栏：完成，抓取 1 次（未成 0），读到 1 条，新 1，变更 0；墙有点湿",
    ]
    with database.read() as connection:
        assert connection.execute(sa.select(posts.c.text)).scalar_one() == "停水通知"


@pytest.mark.usefixtures("toy")
def test_a_channel_that_fails_stops_no_other_and_tells_no_secret(database, clock, caplog):
    said = []
    results = crawl(
        settings(
            wall(explode=True),
            wall(id="second", sheets=["停电通知"]),
            wall(id="off", disabled=True),
        ),
        database,
        clock,
        progress=said.append,
        environ={"TINGLAN_AUTHOR_KEY": "k" * 32},
    )

    assert [(r.channel, r.state, r.outcomes) for r in results] == [
        ("wall", "failed", {"dropped": 1}),
        ("second", "done", {"ok-new": 1}),
    ]
    assert results[0].why == "程序出错（RuntimeError），详见日志"
    assert "geheim" not in str(results) + str(said)


@pytest.mark.usefixtures("toy")
def test_its_options_are_checked_with_all_others():
    with pytest.raises(SettingsWrong) as caught:
        settings(wall(sheets=3, colour="red"))

    said = str(caught.value)
    assert "channels.0.sheets" in said
    assert "channels.0.colour: found an unknown key" in said


def test_an_unknown_channel_is_named(sqlite_database, clock):
    ours = settings(
        {"id": "site", "name": "网站", "kind": "site", "columns": [{"url": "http://a.gov.cn/x/"}]}
    )

    with pytest.raises(KeyError, match="nowhere"):
        crawl(ours, sqlite_database, clock, ["nowhere"], environ={"TINGLAN_AUTHOR_KEY": "k" * 32})


SLOW = TOY.replace(
    "        for sheet in self.options.sheets:",
    "        print('reading', flush=True)\n"
    "        import threading\n"
    "        threading.Event().wait(60)\n"
    "        for sheet in self.options.sheets:",
)
CHILD = Path(__file__).with_name("child_attended.py")


def test_a_channel_that_the_service_stops_has_not_failed(sqlite_database, tmp_path):
    folder = tmp_path / "more_channels"
    folder.mkdir()
    (folder / "wall.py").write_text(SLOW, encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), str(sqlite_database.file), json.dumps(wall())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TINGLAN_AUTHOR_KEY": "k" * 32,
        },
    )
    try:
        assert child.stdout.readline() == "reading\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.communicate()

    with sqlite_database.read() as connection:
        run = connection.execute(sa.select(runs_table)).one()
        channel = connection.execute(sa.select(channels)).one()
    assert (run.state, run.planned, run.failed) == ("killed", 1, 1)
    assert (channel.failures, channel.why) == (0, "")


BROKEN = {
    "missing": "import a_library_that_is_not_there\n",
    "garbled": "def build(:\n",
    "rude": "raise RuntimeError('geheim')\n",
    "bare": "Options = None\n",
}


@pytest.fixture
def broken(toy, tmp_path):
    for name, text in BROKEN.items():
        (tmp_path / "more_channels" / f"{name}.py").write_text(text, encoding="utf-8")
    yield
    for name in BROKEN:
        sys.modules.pop(f"crawler.channels.{name}", None)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_fails_its_own_channel_with_the_reason(kind, database, clock):
    bad = {"id": "bad", "name": "坏的", "kind": kind, "colour": "red"}

    results = crawl(
        settings(bad, wall()), database, clock, environ={"TINGLAN_AUTHOR_KEY": "k" * 32}
    )

    assert [(r.channel, r.state, r.new) for r in results] == [
        ("bad", "failed", 0),
        ("wall", "done", 1),
    ]
    assert f"crawler.channels.{kind}" in results[0].why
    assert "geheim" not in results[0].why
    with database.read() as connection:
        row = connection.execute(sa.select(channels).where(channels.c.id == "bad")).one()
    assert (row.failures, row.why) == (1, results[0].why)


@pytest.mark.usefixtures("broken")
def test_a_broken_plugin_that_nobody_uses_is_logged_once(
    clock, sqlite_database, caplog, monkeypatch
):
    monkeypatch.setattr(catalogue, "_told", set())

    (result,) = crawl(
        settings(wall()), sqlite_database, clock, environ={"TINGLAN_AUTHOR_KEY": "k" * 32}
    )

    assert result.state == "done"
    said = [r.kind for r in caplog.records if r.message == "channel.plugin_broken"]
    assert sorted(said) == sorted(BROKEN)
