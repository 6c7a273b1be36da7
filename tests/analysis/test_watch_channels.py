"""Quiet, blind or dead: what is said of a channel, and what is not."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from alerts.digest.coverage import coverage
from analysis.watches._gaps import rhythm
from analysis.watches._passes import unread_hours
from config.workdays import Calendar
from store import tables
from store.records import Outcome, RunState
from tests.analysis.watched import DAY, HOUR, Agency, settings


def publish(agency, make_post, at, **more):
    make_post(
        agency.database,
        **{
            "channel": "weixin",
            "kind": "post",
            "role": "own",
            "published_at": at,
            "captured_at": at,
        }
        | more,
    )


def joined(reasons):
    return "\n".join(reasons)


# --- could not look --------------------------------------------------------------------------


def test_a_channel_that_dies_for_a_week_is_unread_with_hours_and_recovers(database, clock):
    agency = Agency(database, clock)
    agency.hours(2, agency.read)
    agency.pass_by(22)
    died = clock.now()

    told = agency.hours(6, agency.fail)
    agency.pass_by(17, good=False)
    told += agency.hours(2, agency.fail)
    agency.pass_by(6 * 24 - 1, good=False)
    told += agency.look()

    assert len(told) == 3  # at one hour (here three passes), at six, at twenty-four
    assert "“公众号”已3小时未能读取" in told[0]
    assert "连接超时" in told[0]
    assert "6小时" in told[1]
    assert "已1天未能读取" in told[2]
    assert [row["level"] for row in agency.told()] == ["IV", "III", "II"]
    with database.read() as connection:
        hours = unread_hours(connection, agency.settings.channels[0], died - DAY, clock.now())
        line = coverage(connection, agency.settings, died - DAY, clock.now())[0]
    assert 166 <= hours <= 168
    assert line["unread_minutes"] == round(hours * 60)

    told = agency.hours(3, agency.read)

    assert len(told) == 1
    assert "“公众号”已恢复读取（自发生起共7天" in told[0]
    assert len(agency.items()) == 1


def test_the_next_outage_is_another_item(database, clock):
    agency = Agency(database, clock, only=("unread",))
    for _ in range(2):
        agency.hours(5, agency.read)
        agency.hours(8, agency.fail)
    agency.hours(2, agency.read)

    assert len({row["key"] for row in agency.told()}) == 2
    assert len(agency.items()) == 2


def test_a_restart_repeats_nothing(database, clock):
    agency = Agency(database, clock)
    agency.hours(5, agency.read)
    agency.hours(5, agency.fail)
    before = len(agency.told())

    agency.start()

    assert agency.look() == []
    assert len(agency.told()) == before


@pytest.mark.parametrize(
    ("outcome", "level", "word"),
    [
        (Outcome.AUTH, "III", "硬性错误"),
        (Outcome.SOFT_FAILURE, "IV", "有应答但不是内容"),
        (Outcome.TIMEOUT, "IV", "一直重试"),
        (Outcome.HTTP_ERROR, "IV", "一直重试"),
    ],
)
def test_errors_are_graded(sqlite_database, clock, outcome, level, word):
    agency = Agency(sqlite_database, clock, only=("unread",))
    agency.hours(5, agency.read)

    told = agency.hours(5, agency.fail, outcome=outcome)

    assert word in told[0]
    assert agency.told()[0]["level"] == level


def test_one_failed_pass_is_a_blink(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.hours(5, agency.read)

    assert agency.hours(1, agency.fail) == []
    assert agency.hours(3, agency.read) == []


def test_a_green_run_whose_fetches_all_failed_is_not_a_reading(sqlite_database, clock):
    agency = Agency(sqlite_database, clock, only=("unread",))
    agency.hours(5, agency.read)

    told = agency.hours(5, agency.read, outcome=[Outcome.TIMEOUT] * 3, seen=0)

    assert "未能读取" in told[0]


def test_our_own_line_down_is_one_notice_not_many(sqlite_database, clock):
    chosen = settings(("a", "官网", "site"), ("b", "微博", "weibo"), ("c", "客户端", "app"))
    agency = Agency(sqlite_database, clock, chosen)

    def every(act):
        for channel in "abc":
            act(channel)

    agency.hours(5, every, agency.read)
    told = agency.hours(5, every, agency.fail)

    assert len(told) == 1
    assert "全部3个渠道" in told[0]
    assert "疑似本机网络" in told[0]

    told = agency.hours(2, every, agency.read)
    assert len(told) == 1
    assert "全部渠道已恢复" in told[0]


def test_a_channel_nobody_tries_is_told(sqlite_database, clock):
    agency = Agency(sqlite_database, clock, only=("unread",))
    agency.hours(5, agency.read)

    told = agency.hours(6, lambda: None)

    assert "到点没有采集" in told[0]


# --- answers and says nothing ------------------------------------------------------------------


def test_success_with_zero_items_is_broken_after_the_third_run(database, clock):
    agency = Agency(database, clock)
    agency.hours(10, agency.read)

    assert agency.hours(2, agency.read, outcome=Outcome.OK_EMPTY, seen=0) == []
    told = agency.hours(1, agency.read, outcome=Outcome.OK_EMPTY, seen=0)

    assert len(told) == 1
    assert "连续3轮采集都应答成功却没有任何内容" in told[0]
    assert agency.told()[0]["topic"] == "system"

    agency.pass_by(100, outcome="ok-empty", seen=0)
    told = agency.hours(1, agency.read, outcome=Outcome.OK_EMPTY, seen=0)
    assert told == []  # neither repeated, nor forgotten, nor called calm

    told = agency.hours(2, agency.read)
    assert len(told) == 1
    assert "已恢复读到内容" in told[0]


def test_a_channel_that_never_gave_a_thing_is_broken_too(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)

    told = agency.hours(3, agency.read, outcome=Outcome.OK_EMPTY, seen=0)

    assert "连续3轮" in told[0]


def test_green_with_no_question_asked_is_broken(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.hours(10, agency.read)

    told = agency.hours(3, agency.read, outcome=None, seen=0)

    assert "连续3轮" in joined(told)


def test_a_quota_spread_over_the_day_is_no_sign_of_anything(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.hours(4, agency.read)

    assert agency.hours(9, agency.read, outcome=None, seen=0, why="按额度摊匀") == []
    told = []
    for _ in range(3):  # nor does it hide what the rare questions bring
        told += agency.hours(2, agency.read, outcome=None, seen=0, why="按额度摊匀")
        told += agency.hours(1, agency.read, outcome=Outcome.OK_EMPTY, seen=0)

    assert "连续3轮采集都应答成功却没有任何内容" in joined(told)


def test_an_inbox_may_be_empty(sqlite_database, clock):
    agency = Agency(sqlite_database, clock, settings(("box", "局长信箱", "mailbox")))

    assert agency.hours(6, agency.read, "box", outcome=Outcome.OK_EMPTY, seen=0) == []


def test_asking_only_for_what_is_new_may_bring_nothing(sqlite_database, clock, make_post):
    agency = Agency(sqlite_database, clock, settings(("weibo", "微博", "weibo")))
    make_post(sqlite_database, channel="weibo", kind="comment")
    for _ in range(4):
        agency.hours(1, agency.read, "weibo", seen=2, new=2)
        agency.pass_by(4, channel="weibo", outcome="ok-empty", seen=0)
        assert agency.look() == []


def test_a_site_whose_pages_have_not_changed_is_calm(sqlite_database, clock, make_post):
    agency = Agency(sqlite_database, clock, settings(("site", "官网", "site")))
    make_post(sqlite_database, channel="site")
    agency.hours(5, agency.read, "site", seen=9, new=9)

    agency.pass_by(50, channel="site", seen=0)
    assert agency.hours(2, agency.read, "site", outcome=[Outcome.OK_UNCHANGED] * 4, seen=0) == []


def test_pages_that_are_not_understood_any_more(sqlite_database, clock):
    agency = Agency(sqlite_database, clock, settings(("site", "官网", "site")))
    agency.hours(10, agency.read, "site", outcome=[Outcome.OK_UNCHANGED] * 4)

    told = agency.hours(
        3, agency.read, "site", outcome=[Outcome.OK_UNCHANGED, *[Outcome.PARSE_BROKEN] * 3], seen=1
    )

    assert "看不懂" in joined(told)
    assert "读不懂" in joined(told)


def test_a_list_that_stays_empty_is_named(sqlite_database, clock):
    agency = Agency(sqlite_database, clock, settings(("site", "官网", "site")))
    agency.hours(4, agency.read, "site", outcome=[Outcome.OK_UNCHANGED, Outcome.OK_EMPTY])
    with sqlite_database.write() as connection:
        connection.execute(
            tables.pages.insert().values(
                channel="site", url="https://api.example.com/site/1", kind="list", failures=3
            )
        )

    told = agency.look()

    assert "有栏目读不出内容" in told[0]
    assert "连续3次为空" in told[0]


def test_a_selector_that_stopped_matching_is_told_by_its_field(sqlite_database, clock, make_post):
    agency = Agency(sqlite_database, clock, settings(("site", "官网", "site")))
    agency.hours(1, agency.read, "site")
    notes = {"title_by": "selector", "text_by": "container:trs", "published_at_by": "meta"}
    for _ in range(30):
        make_post(sqlite_database, kind="post", role="own", notes=notes)
    assert agency.look() == []

    for _ in range(10):
        broken = {"title_by": "selector", "text_by": "generic"}
        make_post(sqlite_database, kind="post", role="own", notes=broken)

    told = agency.look()
    assert len(told) == 1
    assert "“正文”" in told[0]
    assert "“发布时间”" in told[0]
    assert "标题" not in told[0]


def test_sums_that_do_not_add_up_are_told_once(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.hours(2, agency.read)
    with sqlite_database.write() as connection:
        connection.execute(tables.runs.update().where(tables.runs.c.id == 1).values(planned=9))

    assert "采集台账对不上：第1轮（weixin）计划9次，有结果的1次" in agency.look()[0]
    assert agency.hours(3, agency.read) == []


# --- nothing new --------------------------------------------------------------------------------


def test_two_weeks_without_a_post_are_forecast_by_weekday(database, clock, make_post):
    agency = Agency(database, clock)  # Wednesday 15 July, noon in Shanghai
    publish(agency, make_post, datetime(2026, 7, 10, 2, 0, tzinfo=UTC))  # Friday 10 July, 10:00

    agency.hours(1, agency.read)
    agency.pass_by(24 * 4 - 1)
    assert agency.look() == []  # nine days of silence
    agency.pass_by(23)
    told = agency.look()

    assert len(told) == 1
    assert told[0].startswith("“公众号”将于周五满两周未更新（7月24日到期")
    assert agency.told()[0]["topic"] == "silence"

    agency.pass_by(24 * 4)
    told = agency.look()

    assert len(told) == 1
    assert told[0].startswith("“公众号”已两周未更新")
    assert [row["level"] for row in agency.told()] == ["IV", "III"]
    assert len(agency.items()) == 1

    publish(agency, make_post, clock.now())
    assert "“公众号”已恢复更新" in agency.look()[0]


def test_a_channel_that_could_not_be_read_is_never_called_silent(database, clock, make_post):
    agency = Agency(database, clock)
    publish(agency, make_post, clock.now() - 5 * DAY)
    agency.hours(2, agency.read)

    told = agency.hours(4, agency.fail)
    for _ in range(12):
        agency.pass_by(24, good=False)
        told += agency.look()

    assert "未能读取" in joined(told)
    assert "未更新" not in joined(told)

    told = joined(agency.hours(2, agency.read))
    assert "已两周未更新" in told


def test_a_forecast_holds_while_the_channel_cannot_be_read(sqlite_database, clock, make_post):
    agency = Agency(sqlite_database, clock, only=("silent",))
    publish(agency, make_post, clock.now() - 11 * DAY)
    assert len(agency.hours(1, agency.read)) == 1

    assert agency.hours(12, agency.fail) == []


def test_a_broken_channel_is_not_called_silent(sqlite_database, clock, make_post):
    agency = Agency(sqlite_database, clock)
    publish(agency, make_post, clock.now() - 9 * DAY)
    agency.hours(6, agency.read)

    told = agency.hours(4, agency.read, outcome=Outcome.OK_EMPTY, seen=0)
    for _ in range(3):
        agency.pass_by(24, outcome="ok-empty", seen=0)
        told += agency.look()
    told = joined(told)

    assert "应答成功却没有任何内容" in told
    assert "满两周" not in told


def test_local_rules_may_be_stricter(sqlite_database, clock, make_post):
    chosen = settings(silent={"limit": "7d", "ahead": "2d"})
    agency = Agency(sqlite_database, clock, chosen)
    publish(agency, make_post, clock.now() - 5 * DAY - HOUR)

    told = agency.hours(1, agency.read)

    assert "满一周未更新" in told[0]


def test_columns_have_limits_of_their_own(sqlite_database, clock, make_post):
    agency = Agency(sqlite_database, clock, settings(("weixin", "官网", "site")))
    for column, days in (("工作动态", 20), ("通知公告", 100), ("信息公开", 28), ("其他", 900)):
        publish(agency, make_post, clock.now() - days * DAY, column=column)
    publish(agency, make_post, clock.now(), column="今日天气")

    told = joined(agency.hours(1, agency.read))

    assert "有1个栏目超期未更新：工作动态（20天" in told
    assert "“官网·信息公开”将于周五满一个月未更新" in told
    assert "通知公告" not in told
    assert "其他" not in told


def test_a_channel_quieter_than_its_habit(sqlite_database, clock, make_post):
    agency = Agency(sqlite_database, clock)
    for day in range(1, 60):
        publish(agency, make_post, clock.now() - 4 * DAY - day * DAY)

    told = agency.hours(1, agency.read)

    assert "没有新内容" in told[0]
    assert "以往间隔九成五不超过1天" in told[0]


def test_a_weekend_is_no_silence_for_who_works_on_weekdays():
    days = [datetime(2026, 6, 1, 2, tzinfo=UTC) + n * DAY for n in range(45)]
    worked = [day for day in days if day.isoweekday() <= 5]

    learned = rhythm(worked, Calendar(), 2.0)

    assert learned is not None
    assert learned.workdays
    assert learned.limit < 3 * DAY


def test_a_short_past_teaches_nothing():
    days = [datetime(2026, 6, 1, 2, tzinfo=UTC) + n * HOUR for n in range(100)]
    assert rhythm(days, Calendar(), 2.0) is None
    assert rhythm(days[:3], Calendar(), 2.0) is None


# --- the service itself ---------------------------------------------------------------------------


def test_passes_missed_while_the_service_was_off_are_told_once(database, clock):
    agency = Agency(database, clock)
    agency.hours(5, agency.read)

    clock.advance(8 * HOUR)
    agency.start()
    assert agency.look() == []  # not before they are made up
    agency.read(new=7)
    told = agency.look()

    assert len(told) == 1
    assert told[0].startswith("停机期间漏采8次，已补采")
    assert agency.hours(5, agency.read) == []
    agency.start()
    assert agency.hours(5, agency.read) == []


def test_a_short_restart_is_not_worth_a_word(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.hours(5, agency.read)
    clock.advance(timedelta(minutes=5))
    agency.start()

    assert agency.hours(3, agency.read) == []


def test_work_left_over_for_hours_is_told_with_its_size(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.hours(3, agency.read)

    told = agency.hours(4, agency.read, backlog=300)

    assert len(told) == 1
    assert "积压300项" in told[0]
    assert "已采完" in agency.hours(1, agency.read)[0]


def test_a_new_channel_may_catch_up(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    assert agency.hours(10, agency.read, backlog=5000) == []


def test_a_disk_that_fills_is_told_twice(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.free = 1500 * 2**20
    assert "磁盘剩余1500兆" in agency.look()[0]
    agency.free = 200 * 2**20
    assert "200兆" in agency.look()[0]
    agency.free = 50 * 2**30
    assert "磁盘空间已恢复" in agency.look()[0]
    assert [row["level"] for row in agency.told()] == ["III", "II", "IV"]


def test_notices_owed_beyond_their_time_are_told(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    agency.delivers = False
    with sqlite_database.write() as connection:
        connection.execute(
            tables.notices.insert().values(
                id="n1",
                subject_key="item:1",
                stage="alert",
                recipient="a@example.gov.cn",
                transport="smtp",
                level="I",
                state="deferred",
                attempts=2,
                reply="451 稍后再试",
                created_at=clock.now(),
                next_at=clock.now() + HOUR,
                detail={},
            )
        )
    clock.advance(timedelta(minutes=9))
    assert agency.look() == []
    clock.advance(timedelta(minutes=2))

    told = agency.look()

    assert "有1封通知超过时限仍未送达" in told[0]
    assert "451 稍后再试" in told[0]


def test_a_failed_run_of_a_site_is_counted_like_the_weekly_does(sqlite_database, clock):
    agency = Agency(sqlite_database, clock)
    start = clock.now()
    agency.hours(3, agency.read)
    agency.hours(9, agency.fail)
    agency.hours(3, agency.read)
    agency.hours(5, agency.read, state=RunState.KILLED)
    with sqlite_database.read() as connection:
        channel = agency.settings.channels[0]
        for end in (clock.now(), clock.now() - 4 * HOUR, start + 2 * HOUR, start):
            line = coverage(connection, agency.settings, start, end)[0]
            hours = unread_hours(connection, channel, start, end)
            assert round(hours * 60) == (line["unread_minutes"] or 0)
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(tables.runs)).scalar() == 20
        )
