"""What duty staff type beside moving an item: each told in words, each on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tinglan
from alerts.opening import open_items
from config.house import opened
from store.tables import assessments, posts

SETTINGS = """
[agency]
name = "示例局"
contact = "https://www.example.gov.cn/contact"
[database]
url = "sqlite:///tinglan.db"
[[channels]]
id = "site"
name = "官网"
kind = "site"
columns = [{ url = "http://127.0.0.1:9/", name = "信箱", kind = "letters", role = "public" }]
[[offices]]
id = "duty"
name = "值守科"
addresses = ["duty@example.gov.cn"]
[roster]
fallback = ["chief@example.gov.cn"]
files = ["roster.toml"]
[mail]
host = "127.0.0.1"
port = 9
security = "none"
from = "tinglan@example.gov.cn"
"""
ROSTER = """
[[people]]
name = "王值班"
rank = "值班员"
addresses = ["wang@example.gov.cn"]
[[people]]
name = "陈科"
rank = "带班领导"
addresses = ["chen@example.gov.cn"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "tinglan.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "roster.toml").write_text(ROSTER, encoding="utf-8")
    return tmp_path


@pytest.fixture
def typed(place, capsys):
    """Types a command; answers its status and what it printed."""

    def run(*words: str) -> tuple[int, str]:
        status = tinglan.main([*words, "--config", str(place / "tinglan.toml")])
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


@pytest.fixture
def item(typed, place) -> str:
    """One drill that has become an item."""
    assert typed("drill", "site", "演练：桥下积水有人被困", "--by", "陈科")[0] == 0
    with opened(place / "tinglan.toml", tinglan.catalogue(), {}) as house:
        with house.database.write() as connection:
            connection.execute(
                assessments.insert().values(
                    post=1, version=1, at=house.clock.now(), tone="negative",
                    topics=["flood"], level="II", flagged=True,
                )
            )  # fmt: skip
            connection.execute(posts.update().values(assessed=1))
        open_items(house.database, house.settings, house.clock.now())
    return f"TL-{house.clock.now():%Y}-0001"


def test_a_drill_is_posted_and_its_answers_are_timed(typed, item):
    status, text = typed("drill", "report")

    assert status == 0
    assert "陈科组织" in text
    assert f"{item}　立项" in text
    assert "发出通知未完成" in text
    answer = json.loads(typed("drill", "report", "--json")[1])
    assert answer["items"][0]["number"] == item
    assert typed("drill", "report", "999")[0] == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["site"], 2, "须写明渠道"),
        (["site", "帖文"], 2, "--by"),
        (["nowhere", "帖文", "--by", "陈科"], 1, "可用的有：site"),
        (["site", " ", "--by", "陈科"], 1, "须写明帖文内容"),
        (["report"], 1, "没有这次演练"),
    ],
)
def test_a_drill_that_lacks_something_says_what(typed, words, status, said):
    got, text = typed("drill", *words)

    assert (got, said in text) == (status, True)


def test_a_level_is_lowered_by_whom_the_roster_calls_a_leader(typed, item):
    officer = typed("items", "level", item, "III", "--by", "王值班", "--note", "误报")
    posing = typed("items", "level", item, "III", "--by", "王值班", "--rank", "带班领导")
    leader = typed("items", "level", item, "III", "--by", "陈科", "--note", "已核实")

    assert (officer[0], "须由带班领导以上决定" in officer[1]) == (1, True)
    assert (posing[0], "王值班是值班员" in posing[1]) == (1, True)
    assert (leader[0], "等级现为Ⅲ级（较大）" in leader[1]) == (0, True)


def test_words_of_leaders_pauses_reports_and_reasons(typed, item):
    typed("items", "level", item, "IV", "--by", "陈科", "--note", "已核实")
    record = typed(
        "items", "record", item, "督办", "速查", "--by", "周局", "--to", "duty@example.gov.cn"
    )
    bad = typed("items", "record", item, "督办", "速查", "--by", "周局", "--to", "a@b@c")
    pause = typed("items", "pause", item, "2020-01-01", "--by", "陈科", "--note", "等来文")
    brief = typed("items", "brief", item, "first", "--by", "王值班")
    final = typed("items", "brief", item, "final")
    why = typed("items", "why", item, "duty@example.gov.cn")
    unknown = typed("items", "why", "TL-2020-9999")

    assert (record[0], "督办已记入台账" in record[1]) == (0, True)
    assert (bad[0], "--to" in bad[1]) == (1, True)
    assert (pause[0], "中止时间须在3天以内" in pause[1]) == (1, True)
    assert (brief[0], "舆情初报" in brief[1]) == (0, True)
    assert (final[0], "只能出续报" in final[1]) == (1, True)
    assert (why[0], "督办" in why[1]) == (0, True)
    assert (unknown[0], "没有编号为" in unknown[1]) == (1, True)
    assert typed("ledger", "verify")[0] == 0


def test_the_sheet_of_the_shift_and_the_auditor_are_at_hand(typed, place):
    status, text = typed("items", "handover", "--at", "2026-07-15T08:30")
    told = json.loads(typed("items", "handover", "--at", "2026-07-15T08:30", "--json")[1])

    assert status == 0
    assert "交接班单　2026-07-14 17:30 至 2026-07-15 08:30" in text
    assert told["since"] == "2026-07-14T17:30:00+08:00"
    assert typed("items", "handover", "--at", "昨天")[0] == 1
    assert "稽核：还没有做过" in typed("status")[1]
