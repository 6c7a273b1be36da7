"""Waiting posts are assessed once per version, together or alone, never lost."""

import pytest
import sqlalchemy as sa

from analysis.catalogue import build_stages
from analysis.pending import assess_pending
from analysis.tools import Tools
from store.tables import assessments, findings, posts


@pytest.fixture
def run(book, always, clock):
    stages = build_stages({}, Tools(rulebook=book))

    def once(database, limit=256, stages=stages, engine=None):
        return assess_pending(
            database, stages=stages, engine=engine or always(), now=clock.now(), limit=limit
        )

    return once


def rows(database, table):
    with database.read() as connection:
        return connection.execute(sa.select(table).order_by(table.c.id)).all()


def test_a_waiting_post_gets_its_assessment_and_reasons(database, make_post, run, clock):
    post = make_post(database, title="求助", text="我家楼下着火了，快来人", kind="comment")

    assert run(database) == 1

    (assessment,) = rows(database, assessments)
    assert (assessment.post, assessment.version, assessment.flagged) == (post, 1, True)
    assert assessment.level == "II"
    assert assessment.at == clock.now()
    assert "fire" in assessment.topics
    found = rows(database, findings)
    assert all(
        "求助\n我家楼下着火了，快来人"[f.start : f.end] == f.text for f in found if f.start >= 0
    )
    assert {f.assessment for f in found} == {assessment.id}
    assert rows(database, posts)[0].assessed == 1


def test_nothing_waits_twice_and_an_edit_waits_again(database, make_post, run):
    post = make_post(database)
    assert run(database) == 1
    assert run(database) == 0

    with database.write() as connection:
        connection.execute(
            sa.update(posts).where(posts.c.id == post).values(version=2, text="路灯修好了，谢谢")
        )
    assert run(database) == 1

    assert [(a.version, a.flagged) for a in rows(database, assessments)] == [(1, True), (2, False)]


def test_a_long_queue_is_worked_off_in_batches(database, make_post, run):
    for _ in range(5):
        make_post(database)

    assert [run(database, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert len(rows(database, assessments)) == 5


def test_own_posts_are_marked_and_not_flagged(database, make_post, run):
    make_post(database, role="own", title="暴雨红色预警", text="市气象台发布暴雨红色预警信号。")

    run(database)

    (assessment,) = rows(database, assessments)
    assert not assessment.flagged
    assert assessment.tone == "neutral"


def test_a_post_that_cannot_be_read_asks_for_a_person_and_holds_nobody_up(database, make_post, run):
    make_post(database, kind="telegram")
    make_post(database, text="我家楼下着火了")

    assert run(database) == 2

    strange, burning = rows(database, assessments)
    assert strange.degraded
    assert strange.flagged
    assert burning.flagged
    assert "fire" in burning.topics
    assert run(database) == 0


def test_one_row_the_database_refuses_does_not_cost_the_batch(database, make_post, run):
    from store.records import Finding

    def spoils(subject):
        if "毒" in subject.text:
            yield Finding(stage="toy", reason=None)  # a reason must not be NULL

    make_post(database, text="毒")
    make_post(database, text="好")

    assert run(database, stages={"toy": spoils}) == 2

    bad, good = rows(database, assessments)
    assert bad.degraded
    assert bad.flagged
    assert not good.degraded
    assert run(database) == 0


def test_two_workers_leave_one_assessment(database, make_post, run):
    post = make_post(database)
    run(database)
    with database.write() as connection:  # as if the other had read before we wrote
        connection.execute(sa.update(posts).where(posts.c.id == post).values(assessed=0))

    assert run(database) == 1

    assert len(rows(database, assessments)) == 1
    assert rows(database, posts)[0].assessed == 1
