"""A fixed week whose every figure is asked of the database again, in its own words."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from statistics import median

import pytest
import sqlalchemy as sa

from alerts.digest.ahead import ahead
from alerts.digest.build import build_digest
from alerts.digest.content import document_of
from alerts.digest.figures import figures, reconciles
from alerts.digest.files import formatted
from alerts.digest.keywords import keywords
from alerts.digest.model import Chart, Paragraph, Table
from alerts.digest.voices import voices
from alerts.digest.weeks import Week
from alerts.headers import clean_header
from benchmarks._weeks import SETTINGS, fill
from config.duration import spoken
from config.settings import Settings
from config.workdays import Calendar, Day
from store.engine import Database
from store.schema import upgrade

WEEK = Week(2026, 30)
NOW = WEEK.ends_at + timedelta(hours=8)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('known')}/known.db")
    upgrade(database)
    settings = Settings.model_validate(
        {**SETTINGS, "console": {"public_url": "https://desk.example.gov.cn"}}
    )
    fill(database, settings, Week(2025, 30).starts_at, 60, cases=3, seed=5)
    fill(database, settings, Week(2025, 29).starts_at, 20, cases=1, seed=6)
    fill(database, settings, WEEK.before.starts_at, 120, cases=6, seed=1)
    fill(database, settings, WEEK.starts_at, 400, mood="storm", cases=25, seed=2)
    yield database, settings, build_digest(database, settings, WEEK, NOW, send=False)
    database.close()


@pytest.fixture
def ask(known):
    """Asks the database in SQL of its own; %s is the week."""

    def run(query: str, week: Week = WEEK) -> list:
        def stored(moment: datetime) -> str:
            return moment.strftime("%Y-%m-%d %H:%M:%S.%f")

        with known[0].read() as connection:
            return connection.execute(
                sa.text(query), {"a": stored(week.starts_at), "b": stored(week.ends_at)}
            ).all()

    return run


POSTS = "from posts p join assessments s on s.post = p.id where p.captured_at >= :a and p.captured_at < :b"
ITEMS = "from items where discovered_at >= :a and discovered_at < :b and not drill"


def test_every_total_of_posts_is_what_the_database_answers(known, ask):
    told = known[2].figures["posts"]

    assert told["total"] == ask(f"select count(*) {POSTS}")[0][0] == 407
    for key, column in (("by_channel", "p.channel"), ("by_tone", "s.tone")):
        asked = dict(ask(f"select {column}, count(*) {POSTS} group by 1"))
        assert {r["key"]: r["count"] for r in told[key] if r["count"]} == asked
    levels = dict(
        ask(f"select case when flagged then level else '' end, count(*) {POSTS} group by 1")
    )
    assert {r["key"]: r["count"] for r in told["by_level"] if r["count"]} == levels
    days = dict(ask(f"select date(p.captured_at, '+8 hours'), count(*) {POSTS} group by 1"))
    assert {r["key"]: r["count"] for r in told["by_time"] if r["count"]} == days
    negative = dict(
        ask(
            f"select date(p.captured_at, '+8 hours'), count(*) {POSTS} and tone='negative' group by 1"
        )
    )
    assert {r["key"]: r["negative"] for r in told["by_time"] if r["negative"]} == negative
    assert told["flagged"] == ask(f"select count(*) {POSTS} and flagged")[0][0]


def test_every_total_of_items_is_what_the_database_answers(known, ask):
    told = known[2].figures["items"]

    assert told["total"] == ask(f"select count(*) {ITEMS}")[0][0] == len(told["list"])
    for key, column in (("by_level", "level"), ("by_topic", "topic"), ("by_state", "state"),
                        ("by_channel", "channel")):  # fmt: skip
        asked = dict(ask(f"select {column}, count(*) {ITEMS} group by 1"))
        assert {r["key"]: r["count"] for r in told[key] if r["count"]} == asked
    assert told["grave"] == ask(f"select count(*) {ITEMS} and level in ('I', 'II')")[0][0]
    for row in told["list"]:
        query = f"select count(*) from item_posts join items on items.id = item where number = '{row['number']}'"
        assert row["posts"] == ask(query)[0][0]
    assert reconciles(known[2].figures)


def test_the_week_before_and_a_year_ago_are_counted_the_same_way(known, ask):
    told = known[2].figures

    for name, week in (("before", WEEK.before), ("year_ago", Week(2025, 30))):
        assert told[name]["posts"] == ask(f"select count(*) {POSTS}", week)[0][0]
        assert told[name]["items"] == ask(f"select count(*) {ITEMS}", week)[0][0]
        negative = ask(f"select count(*) {POSTS} and tone = 'negative'", week)[0][0]
        assert told[name]["negative"] == negative
    assert (told["before"]["posts"], told["year_ago"]["posts"]) == (127, 67)


def test_a_year_ago_is_left_out_where_nothing_was_read_then(known):
    database, settings, _ = known

    told = figures(database, settings, Week(2025, 30), NOW)

    assert told["year_ago"] is None
    assert told["before"]["posts"] == 27


def test_the_table_of_stages_is_what_was_promised_and_kept(known, ask):
    for line in known[2].figures["handling"]["stages"]:
        done = ask(
            "select ended_at <= due_at, julianday(ended_at) - julianday(entered_at) from promises "
            f"where stage = '{line['key']}' and ended_at >= :a and ended_at < :b"
        )
        assert line["done"] == len(done) == line["in_time"] + line["late"]
        assert line["in_time"] == sum(row[0] for row in done)
        if done:
            assert line["median"] == spoken(
                timedelta(seconds=round(median(row[1] for row in done) * 86400))
            )
        running = ask(
            f"select count(*) from promises where stage = '{line['key']}' and ended_at is null"
        )
        assert line["running"] == running[0][0]


def test_every_number_of_items_lists_the_items_it_counts(known):
    document = document_of(known[2].row, known[1])
    listed = known[2].figures["items"]["list"]

    (levels,) = [b for b in document.blocks if isinstance(b, Table) and b.title.startswith("等级")]
    for row, level in zip(levels.rows, ("I", "II", "III", "IV"), strict=False):
        count = int("".join(run.text for run in row[2]))
        places = set()
        for part in re.findall(r"\d+(?:–\d+)?", "".join(run.text for run in row[3])):
            first, _, last = part.partition("–")
            places |= set(range(int(first), int(last or first) + 1))
        assert places == {n for n, one in enumerate(listed, 1) if one["level"] == level}
        assert len(places) == count
    anchors = document.anchors()
    runs = [run for block in document.blocks if isinstance(block, Table)
            for row in block.rows for cell in row for run in cell]  # fmt: skip
    assert {run.to for run in runs if run.to} <= anchors
    links = [run.url for run in runs if "/posts?" in run.url]
    assert "https://desk.example.gov.cn/posts?tone=negative&from=2026-07-20&to=2026-07-26" in links


def test_a_channel_that_was_not_read_says_so_in_the_digest(known):
    blind = next(row for row in known[2].figures["channels"] if row["id"] == "wechat")

    assert blind["words"] == "监测中断13小时"
    for format in ("text", "html"):
        assert "监测中断13小时" in formatted(known[2].row, known[1], format).decode()


def test_views_are_the_words_of_posts_and_critical_ones_are_among_them(known, ask):
    said = {clean_header(row[0], 300) for row in ask("select text from posts")}

    for one in known[2].figures["key"]:
        assert one["views"]
        for view in one["views"]:
            assert any(view["text"].rstrip("…") in text for text in said)
        assert any(view["critical"] for view in one["views"])
        assert one["spread"]["total"] == sum(r["count"] for r in one["spread"]["by_channel"])


def test_nothing_is_told_that_is_not_counted(known):
    """Every number in 研判 and 工作建议 stands in the figures."""
    told = known[2].figures

    numbers = re.findall(r"(\d+)条", "".join(told["opinion"]))
    counted = {
        told["posts"]["total"], told["items"]["total"],
        *(r["count"] for part in ("posts", "items") for k, rows in told[part].items()
          if k.startswith("by_") for r in rows),
        *(one["posts"] for one in told["events"]),
        abs(_negative(told) - told["before"]["negative"]),
    }  # fmt: skip
    assert numbers
    assert {int(number) for number in numbers} <= counted


def _negative(told):
    return next(row["count"] for row in told["posts"]["by_tone"] if row["key"] == "negative")


def test_a_week_of_nothing_is_short_and_complete(known):
    database, settings, _ = known
    empty = Week(2026, 20)

    made = build_digest(database, settings, empty, NOW, send=False)
    blocks = document_of(made.row, settings).blocks

    assert made.text.count("本周无") >= 8
    assert not [block for block in blocks if isinstance(block, Chart)]
    assert [block for block in blocks if isinstance(block, Paragraph)]
    assert "新增舆情条目：本周无" in made.text


# --- the parts ------------------------------------------------------------------------------------


def test_keywords_are_counted_against_the_weeks_before():
    now = ["水库要溃坝了", "听说水库溃坝", "溃坝是真的吗", "请问明天降雨", "请问明天降雨吗"]
    before = ["请问明天降雨", "请问明天有降雨", "明天降雨么", "明天降雨"]

    found = {one.word: one for one in keywords(now, before, periods=1, least=2)}

    assert (found["溃坝"].count, found["溃坝"].before) == (3, 0)
    assert "降雨" not in found
    assert not [word for word in found if word[0] in "的了是"]


def test_keywords_of_a_large_week_stay_within_bounds():
    assert keywords(["积水" * 200] * 500, [], periods=0) != []
    assert keywords([], [], periods=0) == []


def test_like_posts_are_one_view_and_critics_come_first():
    posts = [
        {"id": 1, "tone": "negative", "title": "", "text": "显示屏坏了半个月没人修。"},
        {"id": 2, "tone": "negative", "title": "", "text": "显示屏坏了半个月，没人修！"},
        {"id": 3, "tone": "positive", "title": "", "text": "今天修好了，点赞。"},
        {"id": 4, "tone": "positive", "title": "", "text": "今天修好了，点赞！"},
        {"id": 5, "tone": "positive", "title": "", "text": "今天修好了，点赞"},
    ]

    found = voices(posts, most=2)

    assert [(one.tone.value, one.like) for one in found] == [("negative", 2), ("positive", 3)]
    assert found[0].excerpt == "显示屏坏了半个月没人修。"


def test_the_days_ahead_are_key_dates_holidays_and_memorial_days(known):
    settings = Settings.model_validate(
        {**SETTINGS, "keydates": [
            {"name": "主汛期", "from": "06-15", "to": "09-10", "note": "每日会商"},
            {"name": "跨年值守", "from": "12-30", "to": "01-02"},
        ]}
    )  # fmt: skip
    calendar = Calendar(days={
        date(2027, 1, 1): Day("元旦", works=False), date(2026, 12, 27): Day("元旦", works=True),
    })  # fmt: skip

    june = ahead(settings.keydates, calendar, date(2026, 6, 8), date(2026, 6, 21))
    turn = ahead(settings.keydates, calendar, date(2026, 12, 26), date(2027, 1, 3))

    assert [(one.days, one.name, one.note) for one in june] == [
        ("6月8日至6月21日", "全国安全生产月", ""), ("6月15日至6月21日", "主汛期", "每日会商"),
    ]  # fmt: skip
    assert [(one.days, one.name) for one in turn] == [
        ("12月27日", "元旦调休上班"), ("12月30日至1月2日", "跨年值守"), ("1月1日", "元旦"),
    ]  # fmt: skip
