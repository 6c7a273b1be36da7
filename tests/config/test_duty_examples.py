"""What docs/duty.md shows can be written just so."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from config.deadlines import DEFAULTS, STAGES, Deadlines
from config.roster import RosterSettings
from config.rosterfile import load_roster
from config.workdays import Hours, load_calendar
from store.records import Level

PAGE = (Path(__file__).parents[2] / "docs" / "duty.md").read_text(encoding="utf-8")


def example(words: str, kind: str = "toml") -> str:
    """The one example with these words in it."""
    found = [block for block in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S) if words in block]
    assert len(found) == 1
    return found[0]


def test_roster_of_the_page_has_no_problem(tmp_path):
    settings = RosterSettings.model_validate(tomllib.loads(example("[roster]"))["roster"])
    (tmp_path / "roster.toml").write_text(example("[[people]]"), encoding="utf-8")
    (tmp_path / "2026-12.csv").write_text(example("带班领导", "csv"), encoding="gb18030")

    roster = load_roster(settings, tmp_path)

    assert roster.found == ()
    problems = roster.problems(date(2026, 11, 25))
    assert problems == []
    leave = roster.problems(date(2026, 12, 10), days=1)
    assert ["请假" in problem.found for problem in leave] == [True, False]


def test_holidays_of_the_page_can_be_read(tmp_path):
    (tmp_path / "2027.toml").write_text(example("year = 2027"), encoding="utf-8")

    calendar = load_calendar(tmp_path)

    assert calendar.problems == ()
    assert calendar.label(date(2027, 2, 13)) == "春节调休上班"


def test_deadlines_of_the_page_can_be_read():
    hours = tomllib.loads(example("[deadlines.hours]"))["deadlines"]
    changed = tomllib.loads(example("[deadlines.overdue]"))["deadlines"]

    assert Deadlines.model_validate(hours).hours == Hours()
    made = Deadlines.model_validate(changed)
    assert made.III.to_report.words == "发现后90分钟（工作时间）内"
    assert made.III.progress is None
    assert made.overdue == Deadlines().overdue


@pytest.mark.parametrize("stage", STAGES)
def test_table_of_the_page_is_what_is_shipped(stage):
    (row,) = re.findall(rf"^\|[^|]*`{stage}` \|(.*)\|[^|]*\|$", PAGE, re.M)
    cells = [cell.strip().strip("*") if "**" in cell else cell.strip() for cell in row.split("|")]

    for level, cell in zip(Level, cells, strict=True):
        limit = DEFAULTS[level].of(stage)
        if limit is None:
            assert cell == "不要求"
            continue
        unit = {"m": "分钟", "h": "小时", "d": "日"}[limit.limit[-1]]
        assert cell == f"{limit.limit[:-1]}{unit}{'*' if limit.working else ''}"
