"""Key dates: when they hold, what they ask for together, and what is wrong with a table of them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from config.keydates import KeyDate, in_force, thin_shifts
from config.roster import Entry, Roster, RosterSettings, Shift
from config.workdays import load_calendar
from store.records import Topic

CALENDAR = load_calendar()


def period(**fields):
    return KeyDate.model_validate(fields)


FLOOD = period(profile="flood", **{"from": "06-01", "to": "09-30"})
WINTER = period(profile="event", name="冬运会", **{"from": "12-20", "to": "01-10"})
ONCE = period(
    profile="event", name="两会", polling=3, **{"from": date(2026, 3, 3), "to": "2026-03-12"}
)
HOLIDAY = period(profile="holiday")


@pytest.mark.parametrize(
    ("moment", "names"),
    [
        ("2026-05-31T15:59:59", ()),  # still the 31st in Shanghai
        ("2026-05-31T16:00:00", ("汛期",)),
        ("2027-09-30T15:59:59", ("汛期",)),
        ("2027-09-30T16:00:00", ()),
        ("2026-12-25T04:00:00", ("冬运会",)),
        ("2027-01-10T04:00:00", ("冬运会",)),
        ("2026-03-05T04:00:00", ("两会",)),
        ("2027-03-05T04:00:00", ()),
        ("2026-10-03T04:00:00", ("节假日",)),
        ("2026-10-10T04:00:00", ()),  # a make-up day is worked
    ],
)
def test_a_period_holds_on_its_days_in_shanghai(moment, names):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    watch = in_force([FLOOD, WINTER, ONCE, HOLIDAY], now, CALENDAR)

    assert (watch.names if watch else ()) == names


def test_periods_together_ask_for_the_most_of_each():
    both = [
        FLOOD,
        period(
            profile="event",
            polling=4,
            officers=3,
            leader=False,
            topics=["fire"],
            **{"from": "07-01", "to": "07-31"},
        ),
    ]
    watch = in_force(both, datetime(2026, 7, 15, tzinfo=UTC))

    assert (watch.polling, watch.officers, watch.leader) == (4, 3, True)
    assert watch.raises([Topic.FLOOD]) == "汛期"
    assert watch.raises([Topic.FIRE, None]) == "重大活动"
    assert watch.raises([Topic.COMPLAINT]) == ""


def test_a_profile_for_all_topics_raises_all():
    watch = in_force([ONCE], datetime(2026, 3, 5, tzinfo=UTC))

    assert watch.raises([Topic.ENQUIRY]) == "两会"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"profile": "flood"}, "from"),
        ({"from": "06-01"}, "name"),
        ({"name": "某日", "from": "06-01", "polling": 2}, "profile"),
        ({"profile": "flood", "from": "06-01", "to": "2026-09-30"}, "year"),
        ({"profile": "flood", "from": "2026-09-30", "to": "2026-06-01"}, "not before"),
        ({"profile": "flood", "from": "02-30", "to": "06-01"}, "no such day"),
        ({"profile": "flood", "from": 601, "to": "06-01"}, "string"),
        ({"profile": "fog"}, "flood"),
        ({"profile": "holiday", "polling": 100}, "less than or equal"),
    ],
)
def test_a_mistake_is_named(fields, said):
    with pytest.raises(ValidationError, match=said):
        period(**fields)


def test_a_day_without_a_profile_is_only_looked_forward_to():
    day = period(name="防灾减灾日", note="宣传", **{"from": "05-12"})

    assert in_force([day], datetime(2026, 5, 12, 4, tzinfo=UTC), CALENDAR) is None


def test_thin_shifts_of_the_coming_days_are_told():
    one, two = Entry("王强", "r.toml", "1"), Entry("李敏", "r.toml", "1")
    weekly = {(n, shift): (one,) for n in range(1, 8) for shift in (Shift.DAY, Shift.NIGHT)}
    roster = Roster(
        settings=RosterSettings(fallback=("a@example.gov.cn",)),
        weekly=weekly,
        dated={(date(2026, 6, 1), Shift.DAY): (one, two)},
    )
    told = thin_shifts([FLOOD], roster, CALENDAR, date(2026, 5, 31), days=2)

    assert told == ["2026-06-01 夜班只排了1人，汛期期间每班应有2人"]
