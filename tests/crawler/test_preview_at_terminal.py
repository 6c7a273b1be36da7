"""What a citizen wrote is shown at the terminal, and never speaks to it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from config.house import House
from console.commands.speaking import say, tell
from console.trying import dry_run
from tests.crawler.standins import ENVIRON, StandIn

HOSTILE = "路灯\x1b]0;owned\x07\x1b[2J\x9b31m不亮 13812345678"


def unspeakable(text: str) -> list[str]:
    return [char for char in text if char != "\n" and not char.isprintable()]


def test_a_sample_moves_no_cursor_and_names_nobody(clock, sqlite_database, capsys):
    with ExitStack() as stack:
        channel = StandIn("app", clock, stack)
        channel.publish(HOSTILE)
        house = House(channel.settings, sqlite_database, Path("tinglan.toml"), ENVIRON, clock)

        assert dry_run(house, "app", as_json=False) == 0

    told = capsys.readouterr().out
    assert "路灯" in told
    assert "138****5678" in told
    assert unspeakable(told) == []


def test_a_dry_run_that_reads_nothing_does_not_succeed(clock, sqlite_database, capsys):
    with ExitStack() as stack:
        channel = StandIn("app", clock, stack)
        house = House(channel.settings, sqlite_database, Path("tinglan.toml"), ENVIRON, clock)
        channel.die()

        assert dry_run(house, "app", as_json=False) == 1


def test_commands_say_only_what_can_be_read(capsys):
    say(HOSTILE)
    tell(HOSTILE)

    told = capsys.readouterr()
    assert unspeakable(told.out + told.err) == []
