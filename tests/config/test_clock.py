"""Time is told apart: what passes, and what the wall says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from config.clock import ManualClock, shown
from config.duration import parse, spoken, written

START = datetime(2026, 12, 31, 16, 30, tzinfo=UTC)


def test_a_step_moves_only_the_wall() -> None:
    clock = ManualClock(START)

    clock.advance(60)
    clock.step(timedelta(hours=1))

    assert clock.monotonic() == 60
    assert clock.now() == START + timedelta(hours=1, minutes=1)


def test_duty_staff_read_shanghai_time() -> None:
    assert shown(START) == "2027-01-01 00:30"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400)]
)
def test_durations_are_read_and_written_alike(text: str, seconds: int) -> None:
    assert parse(text).total_seconds() == seconds
    assert parse(written(parse(text))) == parse(text)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 minutes", "5M", 5, None, "1.5h"])
def test_other_spellings_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0秒"),
        (59, "59秒"),
        (60, "1分钟"),
        (3599, "59分钟"),
        (3600, "1小时"),
        (3900, "1小时05分"),
        (86400, "1天"),
        (187200, "2天4小时"),
    ],
)
def test_lengths_are_spoken_in_chinese(seconds: int, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words
