"""From draft to readers: frozen at six, approved or marked or held at eight, once whatever falls."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from alerts.digest import build as building
from alerts.digest.build import build_digest
from alerts.digest.content import drafted
from alerts.digest.drafts import NoSuchDigest, NotADraft, approve, edit_draft, render
from alerts.digest.hours import drafted_at, due_periods, leaves_at
from alerts.digest.periods import day_of, month_of, parse_day, parse_month, parse_period, span
from alerts.digest.rounds import issue_due
from alerts.digest.weeks import Week
from alerts.items import list_notices
from alerts.opening import open_items
from config.clock import SHANGHAI, ManualClock
from config.workdays import Calendar, Day
from store.tables import digests, items

WEEK = Week(2026, 29)  # 13–19 July


def at(day: str, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(hour, minute), SHANGHAI)


SIX, EIGHT = at("2026-07-20", 6), at("2026-07-20", 8)


@pytest.fixture
def clock():
    return ManualClock(at("2026-07-14", 10))


@pytest.fixture
def week(sqlite_database, settings, assess, clock):
    for number in range(3):
        assess(sqlite_database, title=f"第{number}件", level="II", key=f"k{number}")
        open_items(sqlite_database, settings, clock.now())
    return sqlite_database


def rows(database, *kinds):
    with database.read() as connection:
        found = connection.execute(sa.select(digests).order_by(digests.c.id)).mappings()
        return [dict(row) for row in found if not kinds or row["kind"] in kinds]


def owed(database):
    return [row for row in list_notices(database) if row["stage"] == "digest"]


# --- the round ------------------------------------------------------------------------------------


def test_it_is_drafted_at_six_and_leaves_at_eight_once(week, settings):
    assert issue_due(week, settings, SIX - timedelta(seconds=1)) == 0
    assert issue_due(week, settings, SIX) == 1
    (draft,) = rows(week)
    assert (draft["state"], owed(week)) == ("built", [])

    for moment in (EIGHT - timedelta(seconds=1), EIGHT, EIGHT, EIGHT + timedelta(days=3)):
        issue_due(week, settings, moment)

    (sent,) = rows(week)
    assert (sent["state"], sent["mark"], sent["id"]) == ("sent", "未审核稿", draft["id"])
    assert sent["figures"] == draft["figures"]
    assert len(owed(week)) == 1


def test_a_stop_in_the_middle_leaves_nothing_and_the_next_start_makes_one(
    week, settings, monkeypatch
):
    def dies(*_args, **_facts):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(building, "owe", dies)
        with pytest.raises(KeyboardInterrupt):
            issue_due(week, settings, EIGHT)
    assert (rows(week), owed(week)) == ([], [])

    issue_due(week, settings, EIGHT + timedelta(minutes=1))
    issue_due(week, settings, EIGHT + timedelta(minutes=2))

    assert [(row["period"], row["edition"], row["number"]) for row in rows(week)] == [
        ("2026-W29", 1, 1)
    ]
    assert len(owed(week)) == 1


def test_what_was_approved_leaves_without_a_mark(week, settings):
    issue_due(week, settings, SIX)
    (draft,) = rows(week)
    edit_draft(week, draft["id"], "总体平稳。", "一、加强值守。\n二、及时回应。", "张值班", SIX)

    assert approve(week, settings, draft["id"], "李局长", SIX) is False
    assert owed(week) == []
    issue_due(week, settings, EIGHT)

    (sent,) = rows(week)
    assert (sent["state"], sent["mark"], sent["approved_by"]) == ("sent", "", "李局长")
    text = render(week, settings, sent["id"], "text").decode()
    assert "总体平稳。" in text
    assert "二、及时回应。" in text
    assert "未审核稿" not in text
    assert "签发人：李局长" in text


def test_an_approval_after_the_hour_sends_at_once_and_twice_is_once(week, settings):
    held = settings.model_copy(
        update={"digest": settings.digest.model_copy(update={"approve": "hold"})}
    )
    issue_due(week, held, EIGHT)
    issue_due(week, held, EIGHT + timedelta(minutes=1))
    issue_due(week, held, EIGHT + timedelta(minutes=2))

    (draft,) = rows(week)
    assert (draft["state"], owed(week)) == ("built", [])
    with week.read() as connection:
        alarms = connection.execute(sa.select(items.c.title).where(items.c.topic == "system"))
        assert [row.title for row in alarms] == ["周报 2026-W29 到点仍未签发，暂未发出"]

    assert approve(week, held, draft["id"], "李局长", EIGHT + timedelta(hours=1)) is True
    assert approve(week, held, draft["id"], "李局长", EIGHT + timedelta(hours=1)) is True
    issue_due(week, held, EIGHT + timedelta(hours=2))
    assert len(owed(week)) == 1


def test_with_no_approval_asked_for_there_is_no_mark(week, settings):
    free = settings.model_copy(
        update={"digest": settings.digest.model_copy(update={"approve": "no"})}
    )

    made = build_digest(week, free, WEEK, EIGHT, send=True)

    assert made.subject.startswith("【舆情周报】2026年第29周")
    assert "未审核稿" not in made.text


def test_a_change_voids_the_approval_and_what_has_left_cannot_change(week, settings):
    issue_due(week, settings, SIX)
    (draft,) = rows(week)
    approve(week, settings, draft["id"], "李局长", SIX)

    edit_draft(week, draft["id"], "改过。", "", "张值班", SIX)

    assert rows(week)[0]["state"] == "built"
    issue_due(week, settings, EIGHT)
    with pytest.raises(NotADraft, match="更正版"):
        edit_draft(week, draft["id"], "再改。", "", "张值班", EIGHT)
    with pytest.raises(NotADraft, match="未审核稿发出"):
        approve(week, settings, draft["id"], "李局长", EIGHT)
    with pytest.raises(NoSuchDigest):
        edit_draft(week, 99, "", "", "张值班", EIGHT)
    with pytest.raises(NotADraft, match="签发人"):
        approve(week, settings, draft["id"], " ", EIGHT)


def test_a_correction_keeps_the_words_and_must_be_approved_itself(week, settings):
    issue_due(week, settings, SIX)
    (draft,) = rows(week)
    edit_draft(week, draft["id"], "人写的研判。", "", "张值班", SIX)
    approve(week, settings, draft["id"], "李局长", EIGHT)

    build_digest(week, settings, WEEK, EIGHT + timedelta(days=1), send=False, correct=True)

    old, new = rows(week)
    assert (new["edition"], new["number"], new["approved_by"]) == (2, old["number"], "")
    assert new["figures"]["issue"] == old["figures"]["issue"] == 1
    assert drafted(new, settings)[0] == "人写的研判。"
    issue_due(week, settings, EIGHT + timedelta(days=2))
    assert len(owed(week)) == 1  # a correction leaves when somebody says so
    approve(week, settings, new["id"], "李局长", EIGHT + timedelta(days=2))
    assert len(owed(week)) == 2


def test_people_who_sign_at_the_terminal_need_no_desk(week, settings):
    held = settings.model_copy(
        update={"digest": settings.digest.model_copy(update={"approve": "hold"})}
    )

    unsigned = build_digest(week, held, WEEK, EIGHT, send=True)
    signed = build_digest(week, held, WEEK, EIGHT, send=True, by="李局长")

    assert (unsigned.state, signed.state) == ("built", "sent")
    assert len(owed(week)) == 1


# --- days and months ------------------------------------------------------------------------------


def test_days_and_months_come_by_themselves_where_they_have_an_hour(week, settings):
    told = settings.digest.model_copy(update={"daily_at": time(8, 30), "monthly_at": time(9)})
    busy = settings.model_copy(update={"digest": told})

    issue_due(week, busy, at("2026-07-15", 8, 29))
    assert [row["state"] for row in rows(week, "daily")] == ["built"]
    issue_due(week, busy, at("2026-07-15", 8, 30))
    issue_due(week, busy, at("2026-08-01", 9))

    (first, *_) = rows(week, "daily")
    assert (first["period"], first["state"], first["figures"]["items"]["total"]) == (
        "2026-07-14", "sent", 3,
    )  # fmt: skip
    (month,) = rows(week, "monthly")
    assert (month["period"], month["state"]) == ("2026-07", "sent")
    assert render(week, busy, month["id"], "text").decode().startswith("网络舆情月报")
    assert "逐时情况" in render(week, busy, first["id"], "text").decode()


@pytest.mark.parametrize(
    ("text", "kind", "shown", "before"),
    [
        ("2026-11-20", "daily", "2026年11月20日", "2026-11-19"),
        ("2026-11", "monthly", "2026年11月", "2026-10"),
        ("2026-01", "monthly", "2026年1月", "2025-12"),
        ("2026-09-25_2026-10-08", "special", "2026年9月25日至10月8日", "2026-09-11_2026-09-24"),
        ("2026-W01", "weekly", "2025年12月29日至2026年1月4日", "2025-W52"),
    ],
)
def test_periods_are_named_and_read_back(text, kind, shown, before):
    period = parse_period(kind, text)

    assert (str(period), period.kind, period.shown) == (text, kind, shown)
    assert str(period.before) == before
    assert period.before.ends_at == period.starts_at
    assert period.before.after == period
    assert period.ends_at - period.starts_at == timedelta(
        days=(period.last - period.first).days + 1
    )


def test_last_year_is_the_same_week_month_or_day():
    assert str(Week(2026, 29).year_ago) == "2025-W29"
    assert Week(2026, 53).year_ago is None
    assert str(month_of(date(2024, 2, 29)).year_ago) == "2023-02"
    assert day_of(date(2024, 2, 29)).year_ago is None


@pytest.mark.parametrize("text", ["2026-11-31", "2026-1-1", "yesterday", ""])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(ValueError, match="expected a day such as"):
        parse_day(text)


def test_what_is_no_month_or_span_is_refused():
    with pytest.raises(ValueError, match="expected a month"):
        parse_month("2026-13")
    with pytest.raises(ValueError, match="not before"):
        span(date(2026, 2, 2), date(2026, 2, 1))
    with pytest.raises(ValueError, match="366 days or less"):
        span(date(2025, 1, 1), date(2026, 2, 1))


def test_on_a_day_off_it_waits_for_the_next_working_day(settings):
    rest = {date(2026, 10, day): Day("国庆节", works=False) for day in range(1, 8)}
    calendar = Calendar(days=rest)
    week = Week(2026, 40)  # its Monday after is the 5th of October

    assert leaves_at(settings, week) == at("2026-10-05", 8)
    assert leaves_at(settings, week, calendar) == at("2026-10-08", 8)
    assert drafted_at(settings, week, calendar) == at("2026-10-08", 6)
    assert leaves_at(settings, day_of(date(2026, 10, 1)), calendar) is None
    assert week not in due_periods(at("2026-10-08", 5), settings, calendar)
    assert week in due_periods(at("2026-10-08", 6), settings, calendar)


def test_the_hour_of_the_draft_is_not_after_that_of_the_digest(make_settings):
    with pytest.raises(ValueError, match="not after `at`"):
        make_settings(digest={"draft": "09:00:00", "at": "08:00:00"})
