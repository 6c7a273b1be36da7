"""Near-copies are one event; a changed number, colour, place, day, act or negation is another."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from analysis.events import EventIndex, by_day, by_hour
from analysis.grouping import group_lines

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)
FLOOD = "云岭乡下河村的老桥被水冲断了，对岸还有十几户人家出不来，请快派人来看看。"
WARNING = "示例市气象台11月22日16时10分发布暴雨橙色预警信号：预计未来3小时城东区降雨量将达50毫米。"


def events_of(*texts, **more):
    index = EventIndex(**more)
    return [index.add(number, text).event for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    "again",
    [
        FLOOD.replace("，", " ").replace("。", "！！！"),
        f"转发微博//@某人：{FLOOD}",
        f"天哪//@甲: 转一下//@乙:{FLOOD}",
        FLOOD[:28] + "…全文",
        FLOOD.replace("请快", "请赶快"),
        "#老桥断了# " + FLOOD + "[泪] https://example.com/a/1",
        "【紧急扩散】" + FLOOD,
        FLOOD.replace("桥", "橋").replace("断", "斷"),
    ],
)
def test_copies_and_forwards_tell_of_one_event(again):
    assert events_of(FLOOD, again) == [0, 0]
    assert events_of(again, FLOOD) == [0, 0]


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("橙色", "红色"),
        ("发布", "解除"),
        ("50毫米", "100毫米"),
        ("16时", "19时"),
        ("城东区", "城西区"),
        ("将达", "不会达到"),
        ("暴雨", "雷电"),
    ],
)
def test_a_warning_that_says_something_else_is_another_event(was, is_now):
    assert events_of(WARNING, WARNING.replace(was, is_now)) == [0, 1]


@pytest.mark.parametrize(
    ("was", "is_now"),
    [("十几户", "三户"), ("下河村", "上河村"), ("冲断了", "没有冲断")],
)
def test_a_report_that_says_something_else_is_another_event(was, is_now):
    assert events_of(FLOOD, FLOOD.replace(was, is_now)) == [0, 1]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("听说城东化工厂爆炸了，有没有人受伤啊", "听说城西化工厂爆炸了，有没有人受伤啊"),
        ("单元门口的水已经没过膝盖了，谁来管管", "单元门口的水已经没过车窗了，谁来管管"),
        ("【紧急】水库大坝没有险情，大家不要再传了", "【辟谣】水库大坝没有险情，大家不要再传了"),
    ],
)
def test_one_word_can_make_another_event(a, b):
    assert events_of(a, b) == [0, 1]


def test_names_from_settings_tell_places_apart():
    a, b = "听潮苑那边积水很深，车都开不过去了", "望潮苑那边积水很深，车都开不过去了"

    assert events_of(a, b) == [0, 0]
    assert events_of(a, b, places=["听潮苑", "望潮苑"]) == [0, 1]


def test_two_events_do_not_flow_together_through_a_text_cut_short():
    other = WARNING.replace("50毫米", "100毫米")
    cut = WARNING[: WARNING.index("50")] + "…全文"

    assert events_of(WARNING, cut, other) == [0, 0, 2]
    assert events_of(cut, WARNING, other) == [0, 0, 2]


def test_only_posts_of_the_window_belong_together():
    index = EventIndex(window=timedelta(days=3))
    index.add("monday", FLOOD, NOON)

    assert index.add("tuesday", FLOOD, NOON + timedelta(days=1)).event == "monday"
    assert index.add("next week", FLOOD, NOON + timedelta(days=8)).event == "next week"


def test_what_is_forgotten_is_found_no_more():
    index = EventIndex()
    index.add(1, FLOOD, NOON)

    assert index.forget(NOON + timedelta(hours=1)) == 1
    assert len(index) == 0
    assert index.add(2, FLOOD, NOON).event == 2


def test_the_index_holds_no_more_than_it_may():
    index = EventIndex(most=2)
    for number in range(5):
        index.add(number, f"{FLOOD}{'甲乙丙丁戊'[number] * 30}")

    assert len(index) == 2


@pytest.mark.parametrize("text", ["", "😀", "\ud800", "\0", "好", "。。。", "1" * 5_000])
def test_no_text_is_too_odd(text):
    assert events_of(text, FLOOD) == [0, 1]


def test_lines_are_answered_in_order_and_bad_ones_with_their_error():
    lines = [
        json.dumps({"id": "a", "text": FLOOD}),
        "no json",
        json.dumps({"id": 7, "text": None}),
        json.dumps({"id": "b", "text": WARNING, "published_at": "yesterday"}),
        json.dumps({"id": "c", "text": WARNING, "published_at": "2026-11-22T08:00:00+08:00"}),
        json.dumps({"id": "d", "text": FLOOD + "！"}),
    ]

    answers = list(group_lines(lines))

    assert [one.get("event") for one in answers] == ["e1", None, None, None, "e2", "e1"]
    assert [one["id"] for one in answers] == ["a", None, 7, "b", "c", "d"]
    assert "expected one JSON object" in answers[1]["error"]
    assert "line 4: published_at" in answers[3]["error"]


def hours_ago(*hours):
    return [NOON - timedelta(hours=h) for h in hours]


def test_an_hour_is_measured_against_the_twelve_before():
    quiet = by_hour(hours_ago(0.1, 0.5), NOON)
    loud = by_hour(hours_ago(*[0.5] * 9, *range(2, 8)), NOON)

    assert (quiet.count, quiet.is_spike) == (2, False)
    assert (loud.count, loud.usual, loud.is_spike) == (9, 0.5, True)
    assert loud.times == 9


def test_a_day_that_is_busy_every_week_is_no_spike():
    today = [0.5] * 12
    last_week = [7 * 24 + 1.0] * 11

    assert by_day(hours_ago(*today), NOON).is_spike
    assert not by_day(hours_ago(*today, *last_week), NOON).is_spike
