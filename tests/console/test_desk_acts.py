"""Beside the next step: level, pause, 批示 交办 督办, the evidence copy, similar posts, dues."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from console.evidence import sum_of
from console.search import index_pending
from store.ledger import verify
from store.tables import events, items, notices, posts, promises, versions


def lines(desk, kind: str) -> list[sa.Row]:
    with desk.house.database.read() as connection:
        return list(connection.execute(sa.select(events).where(events.c.kind == kind)))


def due(desk, stage: str):
    with desk.house.database.read() as connection:
        return connection.execute(
            sa.select(promises.c.due_at).where(
                promises.c.stage == stage, promises.c.ended_at.is_(None)
            )
        ).scalar_one()


def test_a_step_promises_the_next_due_in_the_same_breath(start, database, flag) -> None:
    desk = start(database)
    page = f"/items/{flag(desk, level='III')}"
    with desk.visit("zhiban") as officer:
        officer.send(f"{page}/step", on=page)
        first = due(desk, "to_report")
        assert "应于" in officer.get(page).text
        officer.send(f"{page}/step", on=page, to_whom="市府办", office="forecast")
    assert first > desk.house.clock.now()
    assert due(desk, "to_receive") > desk.house.clock.now()


def test_the_level_is_changed_with_a_reason_and_its_due_follows(desk, flag) -> None:
    number = flag(desk, level="III")
    page = f"/items/{number}"
    with desk.visit("zhiban") as officer, desk.visit("daiban") as leader:
        officer.send(f"{page}/step", on=page)
        before = due(desk, "to_report")
        silent = officer.send(f"{page}/level", on=page, level="II", note="")
        assert silent.status_code == 422
        assert (
            officer.send(f"{page}/level", on=page, level="II", note="有人受伤").status_code == 303
        )
        assert due(desk, "to_report") <= before

        low = {"level": "IV", "note": "查明为误会"}
        refused = officer.send(f"{page}/level", on=page, **low)
        assert refused.status_code == 422
        assert "须由带班领导" in refused.text
        assert "查明为误会" in refused.text  # what was typed is still there
        assert leader.send(f"{page}/level", on=page, **low).status_code == 303
        assert "一般" in leader.get(page).text
    assert [(one.before, one.after) for one in lines(desk, "levelled")] == [
        ("III", "II"),
        ("II", "IV"),
    ]


def test_a_level_changed_on_a_page_that_is_old_by_now_is_refused(desk, flag) -> None:
    page = f"/items/{flag(desk)}"
    with desk.visit("zhiban") as one, desk.visit("daiban") as two:
        csrf = re.search(r'name="csrf" value="(\w+)"', two.get(page).text)[1]
        one.send(f"{page}/step", on=page)
        answer = two.client.post(
            f"{page}/level", data={"csrf": csrf, "version": "1", "level": "I", "note": "x"}
        )
    assert answer.status_code == 409


def test_a_leader_stops_the_clock_once_and_not_of_a_grave_item(desk, flag, clock) -> None:
    page = f"/items/{flag(desk, level='III')}"
    grave = f"/items/{flag(desk, level='II', title='大事')}"
    until = {"until": "2026-07-16T10:00", "note": "等待鉴定结论"}
    with desk.visit("daiban") as leader, desk.visit("zhiban") as officer:
        leader.send(f"{page}/step", on=page)
        before = due(desk, "to_report")
        wrong = leader.send(f"{page}/pause", on=page, until="昨天", note="x")
        assert wrong.status_code == 422
        assert leader.send(f"{page}/pause", on=page, **until).status_code == 303
        assert due(desk, "to_report") > before
        assert "已中止计时，至 2026-07-16 10:00" in officer.get(page).text
        assert leader.send(f"{page}/pause", on=page, **until).status_code == 422
        assert f'action="{grave}/pause"' not in leader.get(grave).text
        assert f'action="{page}/pause"' not in officer.get(page).text


@pytest.mark.parametrize(
    ("who", "act", "words"),
    [
        ("daiban", "instruction", "批示"),
        ("daiban", "supervision", "督办"),
        ("zhiban", "order", "交办"),
    ],
)
def test_what_is_ordered_is_on_record_and_told_to_the_office(
    start, database, flag, who, act, words
) -> None:
    desk = start(database)
    page = f"/items/{flag(desk)}"
    with database.write() as connection:  # as if another office alone had been told of it
        connection.execute(notices.update().values(office="duty"))
        connection.execute(items.update().values(office="duty"))
    with desk.visit(who) as visitor, desk.visit("chushi") as office:
        assert office.get(page).status_code == 404
        answer = visitor.send(f"{page}/{act}", on=page, note="今晚八点前报情况", offices="forecast")
        assert answer.status_code == 303
        assert words in visitor.get(page).text
        assert "今晚八点前报情况" in office.get(page).text  # told of it, so it may see it
    with database.read() as connection:
        told = connection.execute(
            sa.select(notices.c.recipient, notices.c.office).where(
                notices.c.stage == act, notices.c.office == "forecast"
            )
        ).all()
    assert told == [("forecast@example.gov.cn", "forecast")]
    assert verify(database)[1] == []


def test_an_order_to_nobody_is_refused(desk, flag) -> None:
    page = f"/items/{flag(desk)}"
    with desk.visit("daiban") as leader:
        for act in ("order", "supervision"):
            answer = leader.send(f"{page}/{act}", on=page, note="去办")
            assert answer.status_code == 422
            assert "至少一个处室" in answer.text
        assert leader.send(f"{page}/instruction", on=page, note="已阅").status_code == 303


def test_the_evidence_copy_holds_every_version_with_its_sum(start, database, flag) -> None:
    desk = start(database)
    number = flag(desk, title="<b>初稿</b>", text="第一版的话，没人修")
    now = desk.house.clock.now()
    with database.write() as connection:
        post = connection.execute(sa.select(posts.c.id)).scalar_one()
        for version, text in ((1, "第一版的话，没人修"), (2, "改过的话")):
            connection.execute(
                versions.insert().values(
                    post=post, version=version, title="<b>初稿</b>", text=text, captured_at=now
                )
            )
        connection.execute(posts.update().values(text="改过的话", version=2))
    other = flag(desk, title="另一条", topic="fire")
    with desk.visit("zhiban") as officer, desk.visit("chushi") as office:
        page = officer.get(f"/items/{number}").text
        link = re.search(r'href="(/items/[^"]+/posts/\d+)"', page)[1]
        answer = officer.get(link)
        assert officer.get(f"/items/{other}/posts/{post}").status_code == 404
        assert officer.get(f"/items/{number}/posts/999").status_code == 404
        assert office.get(f"/items/{other}/posts/{post}").status_code == 404

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    text = answer.content.decode("utf-8-sig")
    first = {"title": "<b>初稿</b>", "text": "第一版的话，没人修", "state": "", "reply": ""}
    for words in ("第一版的话", "改过的话", "第 1 版", "第 2 版", number, sum_of(first)):
        assert words in text
    assert lines(desk, "evidence")[0].by == "张值班"


def test_similar_posts_stand_beside_the_item_but_not_for_an_office(
    start, database, flag, make_post
) -> None:
    desk = start(database)
    told = "昨天傍晚幸福路立交桥下积水很深，三辆汽车被困，至今没人修排水泵。"
    number = flag(desk, title="桥下积水", text=told, hit="没人修")
    make_post(database, title="转", text=told + "求扩散！")
    make_post(
        database,
        title="路边",
        text="幸福路立交桥下积水很深，有两辆汽车被困，不知道有没有人管排水泵。",
    )
    make_post(database, title="无关", text="今天气温适宜，适合出门散步。")
    index_pending(database)
    with database.write() as connection:
        connection.execute(items.update().values(office="forecast"))
    with desk.visit("zhiban") as officer, desk.visit("chushi") as office:
        page = officer.get(f"/items/{number}").text
        assert "求扩散" in page
        assert "适合出门散步" not in page
        assert "相似帖文" not in office.get(f"/items/{number}").text


def test_bulk_dismissal_ends_the_promises(desk, flag, clock) -> None:
    number = flag(desk, level="IV")
    clock.advance(timedelta(minutes=5))
    with desk.visit("zhiban") as visitor:
        visitor.send("/items/dismiss", on="/items", chosen=[f"{number}:1"], kind="误报")
    with desk.house.database.read() as connection:
        ended = connection.execute(sa.select(promises.c.ended_at)).scalars().all()
    assert ended
    assert all(ended)
