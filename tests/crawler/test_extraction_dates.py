"""Dates as Chinese pages write them; now is Wednesday 15 July 2026, 10:20:30."""

from datetime import UTC, datetime

import pytest

from crawler.extraction.dates import SHANGHAI, full_date, parse

NOW = datetime(2026, 7, 15, 10, 20, 30, tzinfo=SHANGHAI)

RIGHT = [
    # absolute
    ("2026-07-14", "2026-07-14T00:00:00", "day"),
    ("2026/7/4", "2026-07-04T00:00:00", "day"),
    ("2026.07.14", "2026-07-14T00:00:00", "day"),
    ("2026年7月4日", "2026-07-04T00:00:00", "day"),
    ("2026年 7 月 4 号", "2026-07-04T00:00:00", "day"),
    ("2026年7月14日（星期二）", "2026-07-14T00:00:00", "day"),
    ("2026—07—14", "2026-07-14T00:00:00", "day"),
    ("20260714", "2026-07-14T00:00:00", "day"),
    ("20260714182205", "2026-07-14T18:22:05", "second"),
    ("202607141822", "2026-07-14T18:22:00", "minute"),
    ("20260714 18:22", "2026-07-14T18:22:00", "minute"),
    ("26-07-14", "2026-07-14T00:00:00", "day"),
    ("26年7月4日", "2026-07-04T00:00:00", "day"),
    ("31/12/2025", "2025-12-31T00:00:00", "day"),
    ("2026-07-14 8:05", "2026-07-14T08:05:00", "minute"),
    ("2026-07-14 18:22:05", "2026-07-14T18:22:05", "second"),
    ("2026年7月14日 18时22分", "2026-07-14T18:22:00", "minute"),
    ("2026年7月14日8时", "2026-07-14T08:00:00", "minute"),
    ("2026年7月14日24时", "2026-07-15T00:00:00", "minute"),
    ("2026年7月14日下午3点", "2026-07-14T15:00:00", "minute"),
    ("2026年7月14日 晚上8点半", "2026-07-14T20:30:00", "minute"),
    ("2026年7月14日上午十时三十分", "2026-07-14T10:30:00", "minute"),
    ("2026年7月14日中午12点一刻", "2026-07-14T12:15:00", "minute"),
    ("2026年7月14日凌晨12点10分", "2026-07-14T00:10:00", "minute"),
    ("2026-07-14 08:30-09:30", "2026-07-14T08:30:00", "minute"),
    # full width, Chinese numerals
    ("２０２６年７月４日", "2026-07-04T00:00:00", "day"),
    ("２０２６－０７－０４　０８：０５", "2026-07-04T08:05:00", "minute"),
    ("二○二六年七月四日", "2026-07-04T00:00:00", "day"),
    ("二〇二六年六月三十日", "2026-06-30T00:00:00", "day"),
    ("二零二五年十二月廿一日", "2025-12-21T00:00:00", "day"),
    # prefixes and neighbours
    ("发布时间：2026-07-14 18:22", "2026-07-14T18:22:00", "minute"),
    ("发布日期 : 2026年7月14日", "2026-07-14T00:00:00", "day"),
    ("来源：办公室 发布时间：2026-07-14 点击：2026", "2026-07-14T00:00:00", "day"),
    ("【2026-07-14】", "2026-07-14T00:00:00", "day"),
    ("发布于 3天前", "2026-07-12T00:00:00", "day"),
    ("更新时间：昨天 08:30", "2026-07-14T08:30:00", "minute"),
    # machines
    ("2026-07-14T10:22:05Z", "2026-07-14T18:22:05", "second"),
    ("2026-07-14T18:22:05.123+08:00", "2026-07-14T18:22:05", "second"),
    ("Tue Jul 14 18:22:05 +0800 2026", "2026-07-14T18:22:05", "second"),
    ("Tue, 14 Jul 2026 10:22:05 GMT", "2026-07-14T18:22:05", "second"),
    ("14 Jul 2026 18:22:05 +0800", "2026-07-14T18:22:05", "second"),
    ("July 14, 2026 6:22 PM", "2026-07-14T18:22:00", "minute"),
    ("1784024525", "2026-07-14T18:22:05", "second"),
    ("1784024525000", "2026-07-14T18:22:05", "second"),
    # without a year: the latest that is not ahead
    ("7月14日", "2026-07-14T00:00:00", "day"),
    ("07-14", "2026-07-14T00:00:00", "day"),
    ("07/14 09:00", "2026-07-14T09:00:00", "minute"),
    ("7月15日", "2026-07-15T00:00:00", "day"),
    ("7月16日", "2025-07-16T00:00:00", "day"),
    ("12-31 23:10", "2025-12-31T23:10:00", "minute"),
    ("十二月三十一日", "2025-12-31T00:00:00", "day"),
    ("去年12月3日", "2025-12-03T00:00:00", "day"),
    ("上月3日", "2026-06-03T00:00:00", "day"),
    # days and weekdays
    ("今天", "2026-07-15T00:00:00", "day"),
    ("今天 08:00", "2026-07-15T08:00:00", "minute"),
    ("昨天 12:30", "2026-07-14T12:30:00", "minute"),
    ("前天23:59", "2026-07-13T23:59:00", "minute"),
    ("昨晚9点", "2026-07-14T21:00:00", "minute"),
    ("星期一", "2026-07-13T00:00:00", "day"),
    ("周三", "2026-07-15T00:00:00", "day"),
    ("星期四", "2026-07-09T00:00:00", "day"),
    ("上周五", "2026-07-10T00:00:00", "day"),
    ("上星期日 20:00", "2026-07-12T20:00:00", "minute"),
    # spans
    ("刚刚", "2026-07-15T10:20:30", "minute"),
    ("30秒前", "2026-07-15T10:20:00", "minute"),
    ("59分钟前", "2026-07-15T09:21:30", "minute"),
    ("半小时前", "2026-07-15T09:50:30", "minute"),
    ("一个半小时前", "2026-07-15T08:50:30", "minute"),
    ("12个小时前", "2026-07-14T22:20:30", "minute"),
    ("二十分钟前", "2026-07-15T10:00:30", "minute"),
    ("3天前", "2026-07-12T00:00:00", "day"),
    ("两周前", "2026-07-01T00:00:00", "day"),
    ("1个月前", "2026-06-15T00:00:00", "day"),
    ("3 hours ago", "2026-07-15T07:20:30", "minute"),
]

NO_DATE = [
    "", "   ", "--", "暂无", "发布时间：", "2月30日", "2026年2月30日", "2025-02-29", "2026-13-01", "13月1日",
    "7月32日", "2026-07-14 25:61", "0755-12345678", "13800138000", "4008001234", "12345", "440301199001011234",
    "点击量：2026", "浏览次数：20260714", "电话：2026-07-14", "v2.7.14", "2026.7.14.3", "192.168.1.12", "2026",
    "2026年", "2026年第7期", "〔2026〕7号", "二○二六年七月", "7.14", "24/7", "1-2级", "3:2", "明天 08:00", "下周一",
    "几天前", "3日前", "农历七月初一", "民国115年7月4日", "04/05/2026", "7月4日至7月9日", "截至7月14日18时", "null",
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "precision"), RIGHT, ids=[row[0] for row in RIGHT])
def test_what_is_written_is_what_is_read(text, at, precision):
    moment = parse(text, NOW)

    assert moment is not None
    assert moment.at.isoformat() == at + "+08:00"
    assert moment.precision == precision
    assert not moment.suspect


@pytest.mark.parametrize("text", NO_DATE)
def test_what_is_no_date_is_none(text):
    assert parse(text, NOW) is None


@pytest.mark.parametrize("text", ["2027-01-01", "2026-07-17", "1998-05-01", "1970-01-01 08:00:00"])
def test_the_incredible_is_read_but_flagged(text):
    moment = parse(text, NOW)

    assert moment is not None
    assert moment.suspect


def test_a_clock_that_runs_a_little_ahead_is_forgiven():
    assert not parse("2026-07-15 10:25", NOW).suspect
    assert parse("07-15 10:25", NOW).at.year == 2026


def test_now_in_another_zone_means_the_same():
    assert parse("昨天 12:30", NOW.astimezone(UTC)) == parse("昨天 12:30", NOW)


def test_the_turn_of_the_year_and_leap_days():
    new_year = datetime(2026, 1, 1, 0, 30, tzinfo=SHANGHAI)
    leap = datetime(2025, 1, 10, 8, 0, tzinfo=SHANGHAI)

    assert parse("昨天 23:50", new_year).at.isoformat() == "2025-12-31T23:50:00+08:00"
    assert parse("12-31", new_year).at.year == 2025
    assert parse("2月29日", leap).at.isoformat() == "2024-02-29T00:00:00+08:00"
    assert parse("1个月前", datetime(2026, 3, 31, tzinfo=SHANGHAI)).at.day == 28


def test_running_text_gives_only_dates_with_a_year():
    assert full_date("昨天下发的7月4日通知", NOW) is None
    assert full_date("2026年7月14日 18:22 办公室 点击：99", NOW).at.hour == 18


def test_the_raw_text_is_kept_in_reasonable_length():
    assert parse("发布时间：2026-07-14", NOW).raw == "发布时间：2026-07-14"
    assert len(parse("2026-07-14" + " 啊" * 5000, NOW).raw) <= 200
