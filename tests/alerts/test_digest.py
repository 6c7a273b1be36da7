"""The week is told in figures that add up, once, also when nothing happened."""

from __future__ import annotations

import csv
import io
import threading
from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from alerts.cases import raise_alarm
from alerts.digest.build import build_digest
from alerts.digest.coverage import unread
from alerts.digest.figures import figures, reconciles
from alerts.digest.files import cell, write_files
from alerts.digest.rounds import due_week
from alerts.digest.weeks import Week, parse_week, week_of
from alerts.items import list_notices
from alerts.lifecycle import move_item
from alerts.opening import open_items
from config.clock import SHANGHAI, ManualClock
from store.records import Level, State
from store.tables import digests, posts, runs

WEEK = Week(2026, 29)  # 13–19 July
TUESDAY = datetime(2026, 7, 14, 2, 0, tzinfo=UTC)
MONDAY_AFTER = datetime(2026, 7, 20, 0, 5, tzinfo=UTC)  # 08:05 in Shanghai


@pytest.fixture
def clock():
    return ManualClock(TUESDAY)


def ran(database, at, *, channel="site", state="done", planned=10, failed=0):
    with database.write() as connection:
        connection.execute(
            runs.insert().values(
                channel=channel,
                planned_at=at,
                started_at=at,
                finished_at=at,
                state=state,
                planned=planned,
                failed=failed,
            )
        )


@pytest.fixture
def week(settings, clock, assess):
    """Ten posts, six of them cases, two closed, one drill beside them."""

    def live(database):
        for number, (channel, tone, level, topic) in enumerate(
            [
                ("site", "negative", "I", "fire"),
                ("site", "negative", "II", "complaint"),
                ("site", "neutral", "III", "complaint"),
                ("weibo", "negative", "III", "flood"),
                ("weibo", "unknown", "IV", "complaint"),
                ("weibo", "negative", "IV", "complaint"),
                ("site", "positive", None, "thanks"),
                ("site", "positive", None, "thanks"),
                ("weibo", "neutral", None, "enquiry"),
            ]
        ):
            assess(
                database,
                channel=channel,
                tone=tone,
                level=level,
                topics=(topic,),
                flagged=level is not None,
                title=f"第{number}件",
                key=f"k{number}",
            )
            open_items(database, settings, clock.now())
            clock.advance(timedelta(hours=3))
        assess(database, channel="site", level="I", drill=True, title="演练")
        open_items(database, settings, clock.now())
        with database.write() as connection:  # seen, not yet assessed
            connection.execute(
                posts.insert().values(
                    channel="weibo",
                    key="late",
                    kind="comment",
                    role="public",
                    text="刚到",
                    captured_at=clock.now(),
                    changed_at=clock.now(),
                    notes={},
                )
            )
        move_item(
            database,
            "TL-2026-0005",
            State.DISMISSED,
            by="王",
            via="cli",
            note="误报",
            now=clock.now(),
        )

    return live


def test_totals_are_the_sums_of_their_parts_and_equal_the_database(database, settings, week):
    week(database)

    told = figures(database, settings, WEEK, MONDAY_AFTER)

    assert reconciles(told)
    assert told["posts"]["total"] == 10
    assert {row["key"]: row["count"] for row in told["posts"]["by_channel"]} == {
        "site": 5, "weibo": 5,
    }  # fmt: skip
    assert {row["label"]: row["count"] for row in told["posts"]["by_tone"]} == {
        "负面": 4, "中性": 2, "正面": 2, "未知": 2,
    }  # fmt: skip
    assert {row["label"]: row["count"] for row in told["posts"]["by_level"]} == {
        "特别重大": 1, "重大": 1, "较大": 2, "一般": 2, "未预警": 4,
    }  # fmt: skip
    assert told["items"]["total"] == 6
    assert {row["label"]: row["count"] for row in told["items"]["by_topic"]} == {
        "服务投诉": 4, "火灾": 1, "汛情灾情": 1,
    }  # fmt: skip
    assert {row["label"]: row["count"] for row in told["items"]["by_state"]} == {
        "待研判": 5, "不予处置": 1,
    }  # fmt: skip
    assert (told["items"]["grave"], told["items"]["open"]) == (2, 5)
    assert [row["number"] for row in told["items"]["list"]][:2] == ["TL-2026-0001", "TL-2026-0002"]


def test_alarms_about_the_service_are_told_but_are_no_public_opinion(
    sqlite_database, settings, clock
):
    with sqlite_database.write() as connection:
        raise_alarm(
            connection,
            settings,
            key="disk",
            title="磁盘将满",
            reason="只剩 3%",
            level=Level.II,
            now=clock.now(),
        )

    digest = build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=False)

    assert digest.figures["items"]["total"] == 0
    assert [row["title"] for row in digest.figures["alarms"]] == ["磁盘将满"]
    assert "磁盘将满" in digest.text
    assert "磁盘将满" in digest.html


def test_a_broken_sum_is_noticed(sqlite_database, settings, week):
    week(sqlite_database)
    told = figures(sqlite_database, settings, WEEK, MONDAY_AFTER)

    told["posts"]["by_tone"][0]["count"] += 1

    assert not reconciles(told)


def test_forty_letters_to_one_address_are_one_line(sqlite_database, settings, week):
    week(sqlite_database)

    told = figures(sqlite_database, settings, WEEK, MONDAY_AFTER)

    (one, other) = told["handling"]["undelivered"]
    assert (one["recipient"], one["count"], one["state"]) == ("duty@example.gov.cn", 7, "未送达")
    assert (other["recipient"], other["count"]) == ("fire@example.gov.cn", 1)


def test_a_week_is_frozen_and_sent_once(database, settings, week, assess, deliver, memory, clock):
    week(database)
    first = build_digest(database, settings, WEEK, MONDAY_AFTER, send=True)
    assess(database, title="后来补采的", captured_at=TUESDAY)
    open_items(database, settings, clock.now())
    again = build_digest(database, settings, WEEK, MONDAY_AFTER + timedelta(hours=1), send=True)

    assert again == first
    assert (first.number, first.edition) == (1, 1)
    owed = [row for row in list_notices(database) if row["stage"] == "digest"]
    assert [row["recipient"] for row in owed] == ["chief@example.gov.cn"]
    clock.advance(MONDAY_AFTER - clock.now())
    deliver(database)
    (letter,) = [one for one in memory.letters if one.bulk]
    assert letter.subject == "【舆情周报·未审核稿】2026年第29周：新增舆情条目 6 条，重大及以上 2 条"
    assert letter.text == first.text


def test_a_correction_is_a_new_edition_and_the_old_one_stays(
    sqlite_database, settings, week, assess, clock
):
    week(sqlite_database)
    old = build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=True)
    assess(sqlite_database, title="补采的", captured_at=TUESDAY)

    new = build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=True, correct=True)

    assert (new.edition, new.number) == (2, 1)
    assert new.figures["posts"]["total"] == old.figures["posts"]["total"] + 1
    assert new.subject.startswith("【舆情周报·更正版1·未审核稿】")
    assert len([r for r in list_notices(sqlite_database) if r["stage"] == "digest"]) == 2


def test_a_week_still_running_is_shown_but_never_frozen(sqlite_database, settings, week, clock):
    week(sqlite_database)
    shown = build_digest(sqlite_database, settings, WEEK, clock.now(), send=False)
    sent = build_digest(sqlite_database, settings, WEEK, clock.now(), send=True)

    assert (shown.id, shown.kind) == (None, "interim")
    assert "本周尚未结束" in shown.text
    assert sent.kind == "interim"
    assert due_week(MONDAY_AFTER, settings, sqlite_database) == WEEK


def test_a_week_without_anything_still_goes_out(sqlite_database, settings, deliver, memory, clock):
    ran(sqlite_database, TUESDAY)
    assert due_week(MONDAY_AFTER, settings, sqlite_database) == WEEK

    digest = build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=True)
    clock.advance(MONDAY_AFTER - clock.now())
    deliver(sqlite_database)

    assert digest.subject == "【舆情周报·未审核稿】2026年第29周：新增舆情条目 0 条"
    assert digest.text.count("本周无") >= 3
    assert "本周无" in digest.html
    assert len(memory.letters) == 1


def test_two_builders_make_one_digest(database, settings, week):
    week(database)
    made = []
    together = threading.Barrier(4)

    def build():
        together.wait()
        made.append(build_digest(database, settings, WEEK, MONDAY_AFTER, send=True))

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one.id for one in made}) == 1
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(digests)).scalar() == 1
    assert len([r for r in list_notices(database) if r["stage"] == "digest"]) == 1


# --- when it is due -------------------------------------------------------------------------------


def at(day: str, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(hour, minute), SHANGHAI)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (at("2026-07-19", 23, 59), None),
        (at("2026-07-20", 7, 59), None),
        (at("2026-07-20", 8, 0), WEEK),
        (at("2026-07-26", 12), WEEK),
        (at("2026-08-03", 9), WEEK),  # away for two weeks: the oldest first
        (at("2026-12-31", 9), Week(2026, 49)),
    ],
)
def test_due(sqlite_database, settings, now, due):
    ran(sqlite_database, TUESDAY)

    assert due_week(now, settings, sqlite_database) == due


def test_nothing_is_due_for_weeks_before_the_first_reading(sqlite_database, settings):
    assert due_week(MONDAY_AFTER, settings, sqlite_database) is None
    ran(sqlite_database, MONDAY_AFTER)
    assert due_week(MONDAY_AFTER, settings, sqlite_database) is None


def test_what_was_missed_comes_one_after_the_other(sqlite_database, settings):
    ran(sqlite_database, TUESDAY)
    now, made = at("2026-08-03", 9), []
    while week := due_week(now, settings, sqlite_database):
        made.append(week)
        build_digest(sqlite_database, settings, week, now, send=True)

    assert made == [Week(2026, 29), Week(2026, 30), Week(2026, 31)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-W01", "2025年12月29日至2026年1月4日"),
        ("2026-W53", "2026年12月28日至2027年1月3日"),
        ("2026W47", "2026年11月16日至11月22日"),
    ],
)
def test_weeks_are_those_of_the_calendar(text, shown):
    week = parse_week(text)

    assert week.shown == shown
    assert week_of(week.starts_at) == week
    assert week_of(week.ends_at - timedelta(seconds=1)) == week
    assert week_of(week.ends_at) == week.after
    assert week.after.before == week


@pytest.mark.parametrize("text", ["2025-W53", "2026-W0", "W47", "2026-47", ""])
def test_what_is_no_week_is_refused(text):
    with pytest.raises(ValueError, match=r"expected an ISO week|no such week"):
        parse_week(text)


# --- channels -------------------------------------------------------------------------------------


def test_a_channel_that_was_not_read_is_said_so_and_not_shown_as_zero(sqlite_database, settings):
    moment = WEEK.starts_at
    while moment < WEEK.ends_at:
        blind = timedelta(hours=30) <= moment - WEEK.starts_at < timedelta(hours=33)
        ran(sqlite_database, moment, failed=10 if blind else 1)
        moment += timedelta(minutes=5)

    told = figures(sqlite_database, settings, WEEK, MONDAY_AFTER)
    site, weibo = told["channels"]

    assert site["words"] == "监测中断3小时"
    assert (site["failed_runs"], site["unread_minutes"]) == (36, 180)
    assert (weibo["words"], weibo["unread_minutes"]) == ("本周未采集", None)
    digest = build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=False)
    assert "官网本周监测有中断" in digest.text


def test_unread_counts_gaps_only():
    start, every = WEEK.starts_at, timedelta(minutes=5)
    passes = [start + n * every for n in range(1, 12)]

    assert unread(passes, start, start + timedelta(hours=1), every) == timedelta()
    assert unread([], start, start + timedelta(hours=1), every) == timedelta(minutes=55)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["=cmd()", "+1", "-1", "@x", "|x", "＝cmd()", "＠x", "\t=x", "\r=x"]
)
def test_a_cell_is_never_a_formula(text):
    assert cell(text).startswith("'")


def test_the_files_can_be_read_back(sqlite_database, settings, assess, clock, tmp_path):
    assess(sqlite_database, title='=HYPERLINK("http://evil.example")', text="<script>x</script>")
    open_items(sqlite_database, settings, clock.now())
    digest = build_digest(sqlite_database, settings, WEEK, MONDAY_AFTER, send=False)

    written = write_files(digest, tmp_path / "out", settings)

    assert [path.name for path in written] == [
        "tinglan-weekly-2026-W29.html",
        "tinglan-weekly-2026-W29.csv",
    ]
    raw = written[1].read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    header, line = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert header[:4] == ["编号", "等级", "类别", "标题"]
    assert line[0] == "TL-2026-0001"
    assert line[3].startswith("'=HYPERLINK")
    assert "<script>" not in written[0].read_text(encoding="utf-8")
