"""What duty staff decide teaches: told first, in small steps, undone at will, never about danger."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from analysis import concern, thresholds
from analysis.assess import assess
from analysis.catalogue import build_engine, build_stages
from analysis.learning import beginnings, complaint_rules, learn
from analysis.lines import CORPUS, read_corpus
from analysis.pending import assess_pending
from analysis.precision import Precision, interval, precision_of
from analysis.stages import rules
from analysis.subject import Subject
from analysis.thresholds import MOVABLE, Thresholds
from analysis.tools import Tools
from store import tables
from store.ledger import verify
from store.records import Topic

NOON = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)


@pytest.fixture
def desk(sqlite_database, make_post):
    """Files an item that one rule flagged, and what became of it."""
    count = 0

    def file(
        state, *, rule="like-complaint", topic="complaint", text="窗口排队太久", note="", **more
    ):
        nonlocal count
        count += 1
        post = make_post(sqlite_database, title="", text=text, channel="weibo", key=f"k{count}")
        stage = "rules" if "/" in rule else "topic"
        with sqlite_database.write() as connection:
            made = connection.execute(
                tables.assessments.insert().values(
                    post=post, version=1, at=NOON, tone="negative", topics=[topic], level="IV",
                    flagged=True,
                )
            ).inserted_primary_key[0]  # fmt: skip
            connection.execute(
                tables.findings.insert().values(
                    assessment=made, post=post, at=NOON, stage=stage, rule=rule, topic=topic,
                    level="IV", reason="试",
                )
            )  # fmt: skip
            row = {
                "number": f"TL-{count}", "key": f"post:{post}", "state": state, "level": "IV",
                "topic": topic, "topics": [topic], "title": text, "channel": "weibo",
                "post": post, "discovered_at": NOON, "changed_at": NOON,
            }  # fmt: skip
            item = connection.execute(tables.items.insert().values(**row | more))
            item = item.inserted_primary_key[0]
            connection.execute(tables.item_posts.insert().values(item=item, post=post, at=NOON))
            connection.execute(
                tables.notices.insert().values(
                    id=f"n{count}", item=item, subject_key=f"item:{item}", stage="alert",
                    recipient="a@example.cn", transport="smtp", state="sent", created_at=NOON,
                    next_at=NOON, detail={},
                )
            )  # fmt: skip
            if note:
                connection.execute(
                    tables.events.insert().values(
                        item=item, at=NOON, kind="moved", by="王", after=state, note=note,
                        detail={}, previous="", hash=str(count),
                    )
                )  # fmt: skip
        return item

    return file


def test_precision_counts_items_and_is_honest_about_few(desk, sqlite_database):
    for state in ["handling", "closed", "dismissed", "to_assess", "watching"]:
        desk(state, rule="fire/smoke", topic="fire")
    desk("dismissed", rule="fire/smoke", topic="fire", note="重复：同一件事")
    desk("closed", rule="fire/smoke", topic="fire", drill=True)

    with sqlite_database.read() as connection:
        made = precision_of(connection)["fire/smoke"]

    assert (made.confirmed, made.dismissed, made.waiting) == (2, 1, 2)
    assert made.shown == "样本少：属实2件，不予处置1件"
    assert Precision(rule="x").shown == "尚无处置结果"
    assert "准确率80%（属实40件，不予处置10件，可信区间" in (
        Precision(rule="x", confirmed=40, dismissed=10).shown
    )
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(3, 3)[0] < 0.5


def test_a_merged_item_counts_as_what_it_went_into(desk, sqlite_database):
    whole = desk("dismissed", rule="fire/smoke", topic="fire")
    desk("merged", rule="fire/smoke", topic="fire", merged_into=whole)

    with sqlite_database.read() as connection:
        assert precision_of(connection)["fire/smoke"].dismissed == 2


@pytest.fixture
def lesson(sqlite_database):
    engine = build_engine({})
    book = rules.rulebook(rules.Options())

    def learnt():
        with sqlite_database.read() as connection:
            return learn(
                connection,
                engine=engine,
                defaults=beginnings({}),
                book=book,
                now=NOON + timedelta(days=1),
            )

    yield learnt
    engine.close()


CHANNELS = ("weibo", "site")
DANGER = "我们小区三号楼着火了，还有人困在里面，快来"


@pytest.fixture(scope="module")
def grumble():
    """A complaint of the corpus that is told of, but only just, and on no other ground."""
    lines = [one for one in read_corpus(CORPUS) if one.group.startswith("complaint")]
    stages, engine = build_stages({}, Tools()), build_engine({})
    subjects = [Subject(text=line.text) for line in lines]
    told = assess(subjects, stages=stages, engine=engine)
    engine.close()
    for subject, one in zip(subjects, told, strict=True):
        opinion = concern.opinion_on(subject)
        up_to = opinion.complaint_up_to if opinion is not None else None
        if one.flagged and up_to is not None and 0 <= up_to - opinion.cuts.complaint < 0.04:
            return subject.text
    raise AssertionError("no such line")


def test_mostly_dismissed_tightens_one_step_and_says_what_it_saves(desk, lesson, grumble):
    for _ in range(30):
        desk("dismissed", text=grumble)

    (one,) = lesson().changes

    assert one.channel == "weibo"
    assert one.movable.step + 1e-9 >= one.then - one.now > 0
    assert (one.confirmed, one.dismissed, one.lost) == (0, 30, 0)
    assert one.saved == one.mails_saved
    assert "收紧一步" in one.shown


def test_few_verdicts_move_nothing(desk, lesson, grumble):
    for _ in range(19):
        desk("dismissed", text=grumble)

    assert lesson().changes == ()
    assert "不足20件" in lesson().proposals[0].shown


def test_dangers_are_never_quietened_however_often_they_are_dismissed(desk, lesson):
    for _ in range(60):
        desk("dismissed", rule="like-hazard", topic="accident", text="楼道里好像有烟味")
        desk("dismissed", rule="fire/smoke", topic="fire", text="那边冒烟了")

    learnt = lesson()

    assert learnt.proposals == ()
    assert {one.rule for one in learnt.doubtful} == {"like-hazard", "fire/smoke"}
    assert {one.name for one in MOVABLE} == {"rules.complaint_from"}
    book = rules.rulebook(rules.Options())
    topics = {one.topic for one in book.rules if one.name in complaint_rules(book)}
    assert topics == {Topic.COMPLAINT}


def test_what_was_applied_can_be_undone_and_both_are_in_the_ledger(sqlite_database):
    with sqlite_database.write() as connection:
        thresholds.store(
            connection, {"weibo": {"rules.complaint_from": 0.85}}, by="王", via="cli", note="收紧",
            now=NOON,
        )  # fmt: skip
        assert thresholds.stored(connection) == {"weibo": {"rules.complaint_from": 0.85}}
        assert thresholds.undo(connection, by="李", via="cli", now=NOON) == {}
        assert thresholds.undo(connection, by="李", via="cli", now=NOON) is None
        kinds = connection.execute(
            sa.select(tables.events.c.kind, tables.events.c.by).order_by(tables.events.c.id)
        ).all()

    assert [tuple(one) for one in kinds] == [("thresholds", "王"), ("thresholds", "李")]
    assert verify(sqlite_database) == (2, [])


def test_a_moved_threshold_holds_on_its_channel_alone(grumble):
    moved = Thresholds({"weibo": {"rules.complaint_from": 0.95}})
    stages = build_stages({}, Tools(thresholds=moved))
    engine = build_engine({})

    told = assess(
        [Subject(text=text, channel=channel) for text in (grumble, DANGER) for channel in CHANNELS],
        stages=stages,
        engine=engine,
    )

    engine.close()
    assert [one.flagged for one in told] == [False, True, True, True]


def test_the_weekly_look_tells_once_and_changes_nothing_by_itself(
    desk, sqlite_database, clock, make_post, grumble
):
    from analysis.watching import Tools as WatchTools
    from analysis.watching import build_watches, watch
    from tests.analysis.watched import settings

    for _ in range(30):
        desk("dismissed", text=grumble, discovered_at=clock.now())
    chosen = settings(("weibo", "官方微博", "weibo"))
    watches = build_watches(chosen.watches, WatchTools(started=clock.now()))
    only = {"learning": watches["learning"]}

    first = watch(sqlite_database, only, chosen, clock.now())
    second = watch(sqlite_database, only, chosen, clock.now() + timedelta(hours=1))

    assert (first, second) == (1, 0)
    with sqlite_database.read() as connection:
        assert thresholds.stored(connection) == {}
        reason = connection.execute(
            sa.select(tables.findings.c.reason).where(tables.findings.c.stage == "learning")
        ).scalar_one()
    assert "尚未改动" in reason


def test_stages_of_the_service_take_the_thresholds_they_are_given(sqlite_database, make_post):
    make_post(sqlite_database, text="今天天气不错", channel="weibo")
    stages = build_stages(
        {}, Tools(thresholds=Thresholds({"weibo": {"rules.complaint_from": 0.5}}))
    )
    engine = build_engine({})

    assert assess_pending(sqlite_database, stages=stages, engine=engine, now=NOON) == 1
    engine.close()
