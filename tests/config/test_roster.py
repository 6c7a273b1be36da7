"""The duty table: who is on at a moment, who is told when nobody is, and what the check finds."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.clock import SHANGHAI
from config.roster import Rank, Roster, RosterSettings, Shift
from config.rosterfile import decode, load_roster

PEOPLE = """
[[people]]
name = "王强"
rank = "值班员"
addresses = ["wang@example.gov.cn"]
[[people]]
name = "李敏"
rank = "值班员"
addresses = ["li@example.gov.cn", "wecom:值班群"]
[[people]]
name = "陈科"
rank = "带班领导"
addresses = ["chen@example.gov.cn"]
[[people]]
name = "周局"
rank = "分管领导"
addresses = ["zhou@example.gov.cn"]
[[people]]
name = "赵局"
rank = "主要负责人"
addresses = ["zhao@example.gov.cn"]
"""

WEEK = """
[[weekly]]
days = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"]
day = ["王强"]
night = ["李敏"]
leader = ["陈科"]
"""

MONDAY = date(2026, 11, 23)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def names(people) -> list[str]:
    return [person.name for person in people]


@pytest.fixture
def roster(tmp_path: Path):
    """A roster from files written down here; the first is roster.toml unless told otherwise."""

    def make(text: str = PEOPLE + WEEK, **files: str | bytes) -> Roster:
        listed = {"roster.toml": text, **{n.replace("_", "."): c for n, c in files.items()}}
        for name, content in listed.items():
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name).write_bytes(data)
        settings = RosterSettings(fallback=("desk@example.gov.cn",), files=tuple(listed))
        return load_roster(settings, tmp_path)

    return make


@pytest.mark.parametrize(
    ("moment", "officer"),
    [
        ("2026-11-23T08:29:59", "李敏"),
        ("2026-11-23T08:30:00", "王强"),
        ("2026-11-23T17:29:59", "王强"),
        ("2026-11-23T17:30:00", "李敏"),
        ("2026-11-24T00:00:00", "李敏"),
    ],
)
def test_shifts_change_at_the_minute_and_the_night_goes_past_midnight(roster, moment, officer):
    assert names(roster().on_duty(at(moment), Rank.OFFICER)) == [officer]


def test_hours_after_midnight_belong_to_the_night_of_the_day_before(roster):
    table = roster(
        PEOPLE + WEEK + '[[dated]]\ndate = 2026-11-23\nnight = ["王强"]\nleader = ["周局"]\n'
    )

    assert names(table.on_duty(at("2026-11-24T03:00"), Rank.OFFICER)) == ["王强"]
    assert names(table.on_duty(at("2026-11-24T03:00"), Rank.LEADER)) == ["周局"]
    assert names(table.on_duty(at("2026-11-24T08:30"), Rank.LEADER)) == ["陈科"]
    assert table.shift_at(at("2026-11-24T03:00")) == (MONDAY, Shift.NIGHT)


def test_keys_may_be_chinese_in_quotes_and_without_them_the_remedy_is_told(roster):
    dated = '[[dated]]\ndate = 2026-11-23\n{} = ["李敏"]\n'

    quoted = roster(PEOPLE + WEEK + dated.format('"白班"'))
    bare = roster(PEOPLE + WEEK + dated.format("白班"))

    assert names(quoted.on_duty(at("2026-11-23T10:00"), Rank.OFFICER)) == ["李敏"]
    assert "加引号" in bare.found[0].expected


def test_chain_is_read_upwards(roster):
    steps = roster().chain(at("2026-11-23T10:00"))

    assert [(s.rank.label, names(s.people)) for s in steps] == [
        ("值班员", ["王强"]),
        ("带班领导", ["陈科"]),
        ("分管领导", ["周局"]),
        ("主要负责人", ["赵局"]),
    ]


def test_next_change_of_shift_is_when_the_hand_over_is_due(roster):
    table = roster()

    assert table.next_switch(at("2026-11-23T08:30")) == at("2026-11-23T17:30")
    assert table.next_switch(at("2026-11-23T20:00")) == at("2026-11-24T08:30")


def test_a_complete_table_has_no_problem(roster):
    assert roster().problems(MONDAY) == []


def test_swap_and_leave_are_followed(roster):
    table = roster(
        PEOPLE
        + WEEK
        + '[[swap]]\ndate = 2026-11-23\nshift = "白班"\nout = "王强"\nin = "李敏"\n'
        + '[[leave]]\nperson = "王强"\nfrom = 2026-11-23\nto = 2026-11-24\n'
    )

    assert names(table.on_duty(at("2026-11-23T10:00"), Rank.OFFICER)) == ["李敏"]
    assert table.on_duty(at("2026-11-24T10:00"), Rank.OFFICER) == ()
    assert names(table.on_duty(at("2026-11-25T10:00"), Rank.OFFICER)) == ["王强"]
    found = [p for p in table.problems(MONDAY) if p.day == date(2026, 11, 24)]
    assert ["请假" in found[0].found, "空班" in found[1].found] == [True, True]


def test_reachable_says_who_and_why(roster):
    told = roster().reachable(at("2026-11-23T20:00"), Rank.OFFICER)

    assert told.addresses == ("li@example.gov.cn", "wecom:值班群")
    assert told.why == "当班值班员 李敏"
    assert not told.alarm
    assert not told.escalated


def test_empty_slot_goes_to_the_next_rung_and_the_fallback_at_once(roster):
    table = roster(PEOPLE + WEEK + "[[dated]]\ndate = 2026-11-23\nday = []\nleader = []\n")

    told = table.reachable(at("2026-11-23T10:00"), Rank.OFFICER)

    assert told.reached is Rank.DEPUTY
    assert told.addresses == ("zhou@example.gov.cn", "desk@example.gov.cn")
    assert told.alarm
    assert told.why == (
        "值班员此时无人当班；带班领导此时无人当班；改发分管领导 周局，并抄送兜底地址"
    )


@pytest.mark.parametrize("rung", [Rank.OFFICER, Rank.LEADER, Rank.DEPUTY, Rank.CHIEF])
def test_with_nobody_at_all_the_fallback_is_told(tmp_path, rung):
    table = load_roster(RosterSettings(fallback=("desk@example.gov.cn",)), tmp_path)

    told = table.reachable(at("2026-11-23T10:00"), rung)

    assert told.reached is None
    assert told.addresses == ("desk@example.gov.cn",)
    assert told.alarm
    assert "兜底" in told.why
    assert {p.key for p in table.problems(MONDAY)} >= {"people（值班员）", "people（主要负责人）"}


def test_person_without_address_is_passed_over_and_named(roster):
    table = roster((PEOPLE + WEEK).replace('"wang@example.gov.cn"', ""))

    told = table.reachable(at("2026-11-23T10:00"), Rank.OFFICER)

    assert told.reached is Rank.LEADER
    assert "王强）没有可用地址" in told.why
    problems = [str(p) for p in table.problems(MONDAY, days=1)]
    assert any("第1个 [[people]] addresses" in p for p in problems)
    assert any("2026-11-23 白班 王强没有地址" in p for p in problems)


def test_where_no_shift_is_written_all_of_that_rank_are_on_duty(roster):
    table = roster(PEOPLE)

    assert names(table.on_duty(at("2026-11-23T03:00"), Rank.OFFICER)) == ["王强", "李敏"]
    assert table.problems(MONDAY) == []


def test_offices_have_no_place_in_the_roster(roster):
    with pytest.raises(ValueError, match="责任处室"):
        roster().on_duty(at("2026-11-23T10:00"), Rank.OFFICE)
    with pytest.raises(ValueError, match="责任处室"):
        roster().reachable(at("2026-11-23T10:00"), Rank.OFFICE)


DECEMBER = """日期,班次,人员
2026-12-01,白班,王强
2026/12/1,夜班,李敏
2026年12月1日,带班领导,陈科
"""


@pytest.mark.parametrize(
    "content",
    [
        DECEMBER.encode(),
        DECEMBER.encode("utf-8-sig"),
        DECEMBER.encode("gb18030"),
        DECEMBER.encode("utf-16"),
        DECEMBER.replace(",", "\t").encode("gb18030"),
        DECEMBER.replace(",", "，").encode(),
        DECEMBER.replace("\n", "\r\n").replace("王强", "王　强").encode("gb18030"),
        DECEMBER.replace("日期,班次,人员", "date,shift,person").encode(),
    ],
    ids=["utf8", "bom", "gb18030", "utf16", "tabs", "fullwidth", "padded", "english"],
)
def test_table_is_read_as_offices_save_it(roster, content):
    table = roster(PEOPLE, december_csv=content)

    assert table.found == ()
    assert names(table.on_duty(at("2026-12-01T10:00"), Rank.OFFICER)) == ["王强"]
    assert names(table.on_duty(at("2026-12-01T23:00"), Rank.OFFICER)) == ["李敏"]
    assert names(table.on_duty(at("2026-12-02T01:00"), Rank.LEADER)) == ["陈科"]


def test_people_may_come_from_a_table_too(roster):
    people = "姓名,职级,地址\n钱工,值班员,qian@example.gov.cn;wecom:值班群\n"

    table = roster(PEOPLE, people_csv=people.encode("gb18030"))

    assert table.found == ()
    assert table.people["钱工"].addresses == ("qian@example.gov.cn", "wecom:值班群")


def test_bytes_that_are_no_text_are_told(roster):
    table = roster(PEOPLE, december_csv=b"\xff\x00\x01\x80\xff")

    assert decode(b"\xff\x00\x01\x80\xff") is None
    assert "GB18030" in str(table.found[0])


def test_one_bad_line_does_not_stop_the_others(roster):
    bad = "日期,班次,人员\n# 十二月\n2026-13-01,白班,王强\n2026-12-01,中班,王强\n\n2026-12-01,白班,王强\n"

    table = roster(PEOPLE, december_csv=bad)

    assert [(p.file, p.key, p.found) for p in table.found] == [
        ("december.csv", "第3行 日期", "“2026-13-01”"),
        ("december.csv", "第4行 班次", "“中班”"),
    ]
    assert names(table.on_duty(at("2026-12-01T10:00"), Rank.OFFICER)) == ["王强"]


@pytest.mark.parametrize(
    ("extra", "key", "words"),
    [
        ('[[dated]]\ndate = 2026-11-23\nday = ["孙七"]', "第1个 [[dated]]", "孙七"),
        ('[[dated]]\ndate = 2026-11-23\nday = ["王强", "王强"]', "第1个 [[dated]]", "重复"),
        ('[[dated]]\ndate = 2026-11-23\nday = ["陈科"]', "第1个 [[dated]]", "同时排了"),
        ("[[dated]]\ndate = 2026-11-23\nday = []", "2026-11-23 白班", "没有排班"),
        ('[[dated]]\ndate = 2026-11-23\nmorning = ["王强"]', "第1个 [[dated]] morning", "不认识"),
        ('[[dated]]\ndate = "明天"\nday = ["王强"]', "第1个 [[dated]] date", "明天"),
        ("[[dated]]\ndate = 2026-11-23\nday = 3", "第1个 [[dated]] day", "3"),
        ('[[weekly]]\ndays = ["周八"]\nday = ["王强"]', "第2个 [[weekly]] days", "周八"),
        ('[[weekly]]\ndays = "周一"', "第2个 [[weekly]] days", "周一"),
        (
            '[[swap]]\ndate = 2026-11-23\nshift = "白班"\nout = "李敏"\nin = "王强"',
            "第1个 [[swap]]",
            "李敏不在2026-11-23白班上",
        ),
        ("[[swap]]\ndate = 2026-11-23", "第1个 [[swap]]", "2026"),
        ('[[leave]]\nperson = "王强"\nfrom = 2026-11-24\nto = 2026-11-23', "第1个 [[leave]]", "至"),
        ("[[leave]]\nfrom = 2026-11-24", "第1个 [[leave]] person", "None"),
        (
            '[[people]]\nname = "王 强"\nrank = "值班员"\naddresses = ["w@example.gov.cn"]',
            "第6个 [[people]]",
            "重复",
        ),
        (
            '[[people]]\nname = "新人"\nrank = "值班员"\naddresses = ["xin＠example.gov.cn"]',
            "第6个 [[people]] addresses",
            "xin＠example",
        ),
        ('[[people]]\nname = "新人"\nrank = "科长"', "第6个 [[people]] rank", "科长"),
        ('[[people]]\nrank = "值班员"', "第6个 [[people]] name", "None"),
        ('[[holiday]]\nname = "x"', "holiday", "不认识"),
        ("leave = [1]", "第1个 [[leave]]", "1"),
        ("这不是TOML", "（文件）", "line"),
    ],
)
def test_check_names_file_key_found_and_expected(roster, extra, key, words):
    text = f"{extra}\n{PEOPLE}{WEEK}" if "[[" not in extra else f"{PEOPLE}{WEEK}{extra}\n"

    problems = roster(text).problems(MONDAY)

    assert any(p.key == key and words in p.found and p.expected for p in problems), problems
    assert {p.file for p in problems} == {"roster.toml"}


def test_gaps_are_found_inside_the_window_only(roster):
    days = [MONDAY + timedelta(days=n) for n in range(20) if n not in {3, 17}]
    rows = "".join(f"{day},{shift},王强\n" for day in days for shift in ("白班", "夜班"))

    table = roster(PEOPLE, december_csv="日期,班次,人员\n" + rows)

    gaps = [p.key for p in table.problems(MONDAY, days=14)]
    assert gaps == ["2026-11-26 白班", "2026-11-26 夜班"]


def test_leader_on_leave_leaves_the_step_empty_and_is_told(roster):
    table = roster(PEOPLE + WEEK + '[[leave]]\nperson = "周局"\nfrom = 2026-11-24\n')

    problems = table.problems(MONDAY)

    assert [(p.key, p.day) for p in problems] == [("2026-11-24 分管领导", date(2026, 11, 24))]
    assert table.reachable(at("2026-11-24T10:00"), Rank.DEPUTY).reached is Rank.CHIEF


def test_missing_file_and_unknown_columns_are_told(roster, tmp_path):
    table = roster(PEOPLE, december_csv="姓名,电话\n王强,1\n")
    absent = load_roster(RosterSettings(fallback=("d@example.cn",), files=("no.toml",)), tmp_path)

    assert "表头" in table.found[0].expected
    assert absent.found[0].found == "没有这个文件"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"fallback": []},
        {"fallback": ["desk＠example.gov.cn"]},
        {"fallback": ["d@example.cn"], "day_start": "18:00"},
        {"fallback": ["d@example.cn"], "file": "roster.toml"},
    ],
)
def test_settings_without_a_usable_last_resort_are_refused(wrong):
    with pytest.raises(ValidationError):
        RosterSettings.model_validate(wrong)
