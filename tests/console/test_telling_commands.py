"""`tinglan digest` and `tinglan report` as typed: files, runs of issues, wrong words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tinglan

CONFIG = """
[agency]
name = "示例市应急管理局"
contact = "https://www.example.gov.cn/contact"
[database]
url = "sqlite:///t.db"
[[channels]]
id = "site"
name = "官网"
kind = "site"
hosts = ["127.0.0.1"]
columns = [{ url = "http://127.0.0.1/x/", name = "通知" }]
[[offices]]
id = "duty"
name = "值守科"
addresses = ["duty@example.gov.cn"]
[roster]
fallback = ["chief@example.gov.cn"]
[mail]
host = "127.0.0.1"
port = 2525
security = "none"
from = "tinglan@example.gov.cn"
[digest]
approve = "hold"
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "tinglan.toml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINGLAN_CONFIG", raising=False)
    return tmp_path


def test_a_week_is_written_in_the_formats_asked_for(place, capsys):
    assert (
        tinglan.main(["digest", "--week", "2026-W29", "--out", "o", "--format", "html,csv,text"])
        == 0
    )

    names = sorted(path.name for path in Path("o").iterdir())
    assert names == [f"tinglan-weekly-2026-W29.{end}" for end in ("csv", "html", "txt")]
    assert "已写入" in capsys.readouterr().out


def test_many_issues_show_their_progress_beside_the_answer(place, capsys):
    assert tinglan.main(["digest", "--day", "2026-07-01..2026-07-03", "--json"]) == 0

    said = capsys.readouterr()
    assert "[2/3] 2026-07-02" in said.err
    assert [one["period"] for one in json.loads(said.out)] == [
        "2026-07-01", "2026-07-02", "2026-07-03",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "period", "kind"),
    [
        (["--month", "2026-06"], "2026-06", "monthly"),
        (["--from", "2026-06-01", "--to", "2026-06-20"], "2026-06-01_2026-06-20", "special"),
        (["--week", "2026W29"], "2026-W29", "weekly"),
    ],
)
def test_any_period_is_frozen_under_its_own_name(place, capsys, words, period, kind):
    assert tinglan.main(["digest", *words, "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["period"], told["kind"], told["state"]) == (period, kind, "built")
    assert told["id"] == 1


def test_what_is_held_is_not_said_to_be_sent(place, capsys):
    assert tinglan.main(["digest", "--week", "2026-W29", "--send"]) == 1
    assert "没有发出" in capsys.readouterr().out

    assert tinglan.main(["digest", "--week", "2026-W29", "--send", "--by", "李局长"]) == 0
    assert "已交发件箱" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--week", "2026-29"], "expected an ISO week"),
        (["--day", "2026-02-30"], "expected a day"),
        (["--month", "2026-13"], "expected a month"),
        (["--from", "2026-01-01"], "expected both"),
        (["--week", "2026-W29", "--day", "2026-01-01"], "expected one of them"),
        (["--week", "2026-W29..2026-W20"], "the later one last"),
        (["--format", "doc"], "--format doc"),
    ],
)
def test_wrong_words_are_named(place, capsys, words, expected):
    assert tinglan.main(["digest", *words]) == 2

    assert expected in capsys.readouterr().err


def test_the_hand_over_sheet_and_a_missing_case(place, capsys):
    assert tinglan.main(["report", "handover"]) == 0
    assert "交接班单" in capsys.readouterr().out

    assert tinglan.main(["report", "TL-2026-0001"]) == 1
    assert "没有编号为" in capsys.readouterr().err
