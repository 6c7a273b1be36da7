"""From the link in a mail to the closed item, by forms alone; and two people at once."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from alerts.lifecycle import NEXT
from alerts.opening import open_items
from console.handling import _STEPS
from store.ledger import verify
from store.tables import events, facts, items, notices, posts, promises


def state(desk, number: str) -> str:
    with desk.house.database.read() as connection:
        return connection.execute(
            sa.select(items.c.state).where(items.c.number == number)
        ).scalar_one()


def told(desk, number: str, stage: str) -> list[str]:
    with desk.house.database.read() as connection:
        return list(
            connection.execute(
                sa.select(notices.c.recipient)
                .join(items, items.c.id == notices.c.item)
                .where(items.c.number == number, notices.c.stage == stage)
            ).scalars()
        )


def test_every_legal_move_has_its_button_and_nothing_else() -> None:
    assert set(_STEPS) == {(before, after) for before, all_ in NEXT.items() for after in all_}


def test_an_item_is_walked_from_the_mail_link_to_its_end(start, database, flag) -> None:
    desk = start(database)
    number = flag(desk, level="II", title="预警短信作废三条")
    page = f"/items/{number}"
    with desk.visit() as officer, desk.visit("daiban") as leader, desk.visit("chushi") as office:
        first = officer.get(page)
        assert first.status_code == 401
        csrf = re.search(r'name="csrf" value="([^"]+)"', first.text)[1]
        goal = re.search(r'name="goal" value="([^"]+)"', first.text)[1]
        login = officer.client.post(
            "/login",
            data={"name": "zhiban", "password": "Guan-Chao-2026", "csrf": csrf, "goal": goal},
        )
        assert login.headers["location"] == page
        assert "<mark" in officer.get(page).text

        officer.send(f"{page}/take", on=page)
        assert "张值班 正在办理" in leader.get("/items").text
        answer = officer.send(f"{page}/step", on=page, level="I", note="属实，电话核实")
        assert answer.status_code == 303
        missing = officer.send(f"{page}/step", on=page, to_whom="市政府总值班室", office="forecast")
        assert missing.status_code == 422
        assert "签发" in missing.text
        officer.send(
            f"{page}/step", on=page, to_whom="市政府总值班室", how="电话", signer="李带班",
            office="forecast", note="已口头报告",
        )  # fmt: skip
        assert state(desk, number) == "to_receive"
        assert "forecast@example.gov.cn" in told(desk, number, "assign")

        office.send(f"{page}/step", on=page, note="")
        office.send(f"{page}/note", on=page, note="已派人到现场")
        office.send(
            f"{page}/step", on=page, note="已更正发布", reply_url="https://www.example.gov.cn/1"
        )
        assert state(desk, number) == "to_review"
        assert "下一步由带班领导办理" in officer.get(page).text
        leader.send(f"{page}/step", on=page)
        assert state(desk, number) == "closed"
        last = leader.get(page).text
        for words in ("核定等级", "市政府总值班室", "已派人到现场", "https://www.example.gov.cn/1"):
            assert words in last

    count, flaws = verify(desk.house.database)
    assert count > 8
    assert flaws == []


def test_the_second_is_told_who_was_first_and_keeps_what_was_typed(desk, flag) -> None:
    number = flag(desk)
    page = f"/items/{number}"
    with desk.visit("zhiban") as one, desk.visit("daiban") as two:
        form = re.search(r'name="csrf" value="(\w+)"', two.get(page).text)[1]
        one.send(f"{page}/step", on=page, note="先到")
        answer = two.client.post(
            f"{page}/step",
            data={"csrf": form, "version": "1", "to": "dismissed", "note": "我写的长说明"},
        )

    assert answer.status_code == 409
    assert "已由 张值班" in answer.text
    assert "我写的长说明" in answer.text
    assert state(desk, number) == "to_report"


@pytest.mark.parametrize(
    ("to", "fields", "words"),
    [
        ("dismissed", {"kind": "", "note": ""}, "理由"),
        ("watching", {"review_by": "2020-01-01", "note": "x"}, "今天之后"),
        ("watching", {"review_by": "bald", "note": "x"}, "复查日期"),
        ("merged", {"into": ""}, "编号"),
        ("merged", {"into": "TL-1999-0001"}, "没有编号"),
        ("closed", {"note": "偷懒"}, "不能转为"),
    ],
)
def test_a_step_that_lacks_something_says_so(desk, flag, to, fields, words) -> None:
    number = flag(desk)
    with desk.visit("daiban") as visitor:
        answer = visitor.send(
            f"/items/{number}/step", on=f"/items/{number}", **{"to": to, **fields}
        )
    assert answer.status_code == 422
    assert words in answer.text
    assert state(desk, number) == "to_assess"


def test_only_a_leader_lowers_a_grave_level_and_says_why(desk, flag) -> None:
    number = flag(desk, level="I")
    page = f"/items/{number}"
    with desk.visit("zhiban") as officer, desk.visit("daiban") as leader:
        low = {"level": "III", "note": "只是询问"}
        assert officer.send(f"{page}/step", on=page, **low).status_code == 422
        assert leader.send(f"{page}/step", on=page, **{**low, "note": ""}).status_code == 422
        assert leader.send(f"{page}/step", on=page, **low).status_code == 303


def test_who_filed_a_grave_outcome_does_not_review_it(desk, flag) -> None:
    number = flag(desk, level="I")
    page = f"/items/{number}"
    with desk.visit("daiban") as leader:
        leader.send(f"{page}/step", on=page)
        leader.send(f"{page}/step", on=page, to_whom="市府办", signer="李带班", office="duty")
        leader.send(f"{page}/step", on=page)
        leader.send(f"{page}/step", on=page, note="办了")
        assert state(desk, number) == "to_review"
        assert leader.send(f"{page}/step", on=page).status_code == 422


def test_many_are_dismissed_with_one_reason_but_never_a_grave_one(desk, flag) -> None:
    small = [flag(desk, title=f"小事{n}", level="IV") for n in range(3)]
    grave = flag(desk, title="大事", level="I")
    with desk.visit("zhiban") as visitor:
        chosen = [f"{n}:1" for n in [*small, grave]]
        none = visitor.send("/items/dismiss", on="/items", chosen=chosen, kind="", note="")
        assert none.status_code == 422
        answer = visitor.send("/items/dismiss", on="/items", chosen=chosen, kind="误报")
    assert answer.status_code == 409
    assert "已登记 3 条" in answer.text
    assert {state(desk, number) for number in small} == {"dismissed"}
    assert state(desk, grave) == "to_assess"


def test_the_table_for_a_spreadsheet_holds_no_formula(desk, flag) -> None:
    flag(desk, title="=cmd|'/c calc'!A1 没人修")
    flag(desk, title="＠SUM(1) 没人修")
    with desk.visit("zhiban") as visitor:
        answer = visitor.get("/items.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 3
    assert not any(
        cell.startswith(("=", "+", "-", "@", "＠", "\t")) for row in rows for cell in row
    )


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x00".replace("\x00", "\u2066")])
def test_marks_that_cannot_be_seen_are_not_shown(desk, flag, hidden) -> None:
    number = flag(desk, title=f"反{hidden}转", text=f"路{hidden}灯没人修")
    with desk.visit("zhiban") as visitor:
        for path in ("/", "/items", f"/items/{number}", "/posts?q=路灯", "/posts"):
            assert hidden not in visitor.get(path).text, path


def test_a_notice_is_resent_from_its_page(desk, flag) -> None:
    flag(desk)
    database = desk.house.database
    with database.write() as connection:
        connection.execute(notices.update().values(state="refused", reply="550 no such user"))
    with database.read() as connection:
        one = connection.execute(sa.select(notices.c.id)).scalars().first()
    with desk.visit("zhiban") as visitor:
        assert "550 no such user" in visitor.get(f"/notices/{one}").text
        answer = visitor.send(f"/notices/{one}/resend", on=f"/notices/{one}")
        assert answer.status_code == 303
        assert "待发" in visitor.get(answer.headers["location"]).text


def test_a_test_mail_goes_the_real_way(desk) -> None:
    with desk.visit("guanli") as visitor:
        answer = visitor.send("/selfcheck", on="/selfcheck", address="duty@example.gov.cn")
        assert "已送达服务器" in answer.text
        wrong = visitor.send("/selfcheck", on="/selfcheck", address="nicht eine adresse")
        assert wrong.status_code == 422


def test_what_endangers_the_watch_is_said(desk, flag, clock) -> None:
    flag(desk)
    clock.advance(timedelta(minutes=20))
    with desk.visit("zhiban") as visitor:
        page = visitor.get("/").text
        assert "值守服务没有运行" in page
        assert "封通知没有送达" in page
        with desk.house.database.write() as connection:
            connection.execute(
                facts.insert().values(name="heartbeat", value={"pid": 1}, at=clock.now())
            )
        assert "值守服务没有运行" not in visitor.get("/").text


def test_tasks_are_ordered_by_the_time_left(desk, flag) -> None:
    late = flag(desk, title="早就超时", level="III", ago=timedelta(days=3))
    soon = flag(desk, title="马上到期", level="I", ago=timedelta(minutes=5))
    later = flag(desk, title="还早", level="IV")
    with desk.visit("zhiban") as visitor:
        page = visitor.get("/").text
    order = [page.index(number) for number in (late, soon, later)]
    assert order == sorted(order)


def test_what_was_promised_goes_before_any_sum_of_the_desk(start, database, flag, clock) -> None:
    desk = start(database)
    number = flag(desk, level="IV")
    with database.write() as connection:
        item = connection.execute(sa.select(items).where(items.c.number == number)).one()
        connection.execute(
            promises.insert().values(
                item=item.id, visit=item.version, stage=item.state, level="IV",
                found_at=clock.now(), entered_at=clock.now(), counted_at=clock.now(),
                due_at=clock.now() + timedelta(minutes=7), seconds=420, working=False, rule="x",
            )
        )  # fmt: skip
    with desk.visit("zhiban") as visitor:
        for path in ("/", "/items", "/items?order=due", f"/items/{number}"):
            assert "剩余7分钟" in visitor.get(path).text, path


def test_live_news_name_grave_items_only_once(desk, flag) -> None:
    with desk.visit("zhiban") as visitor:
        flag(desk, title="小事", level="IV")
        before = visitor.get("/live.json").json()
        desk.house.clock.advance(10)
        flag(desk, title="大事来了", level="I")
        news = visitor.get(f"/live.json?since={before['last']}").json()
        desk.house.clock.advance(10)
        again = visitor.get(f"/live.json?since={news['last']}").json()
    assert [one["title"] for one in news["grave"]] == ["大事来了"]
    assert news["counts"]["to_assess"] == 2
    assert again["grave"] == []


def test_the_stream_sends_what_came_since_the_last_event(desk, flag) -> None:
    flag(desk, title="小事", level="IV")
    with desk.visit("zhiban") as visitor:
        before = visitor.get("/live.json").json()["last"]
        desk.house.clock.advance(10)
        flag(desk, title="大事来了", level="I")
        with visitor.client.stream("GET", "/live", headers={"last-event-id": str(before)}) as lines:
            assert lines.headers["content-type"].startswith("text/event-stream")
            data = next(line for line in lines.iter_lines() if line.startswith("data:"))
    assert "大事来了" in data


def test_reading_changes_nothing(desk, flag) -> None:
    number = flag(desk)
    database = desk.house.database
    with desk.visit("daiban") as visitor:
        with database.read() as connection:
            before = [
                connection.execute(sa.select(t)).all() for t in (items, events, notices, posts)
            ]
        for path in ("/", "/items", f"/items/{number}", "/posts?q=路灯", "/notices", "/channels",
                     "/digests/running", "/statistics", "/rules", "/selfcheck"):  # fmt: skip
            visitor.get(path)
        with database.read() as connection:
            after = [
                connection.execute(sa.select(t)).all() for t in (items, events, notices, posts)
            ]
    assert before == after
    assert open_items(database, desk.house.settings, desk.house.clock.now()) == 0
