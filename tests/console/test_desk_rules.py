"""规则: tried on the stored past before anything is saved; saved by an administrator; taken back."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from analysis.catalogue import build_stages
from analysis.fresh import FreshStages
from analysis.stages.rules import Options
from analysis.subject import Subject
from analysis.tools import Tools
from store.records import Kind, Role
from store.tables import assessments, events, findings, items, posts

RULE = {
    "title": "游船停运", "topic": "complaint", "level": "III", "any": "游船停了 渡轮停了",
    "reason": "反映游船停运，须核实。",
}  # fmt: skip


@pytest.fixture
def ruled(start, sqlite_database, tmp_path):
    """A desk whose office keeps its own packs, with three posts that nobody flagged."""
    (tmp_path / "packs").mkdir()
    desk = start(sqlite_database, stages={"rules": {"folder": str(tmp_path / "packs")}})
    return desk


@pytest.fixture
def stored(ruled, make_post):
    for text in ("码头的游船停了两天也没有通知", "渡轮停了，怎么过江", "今天天气不错"):
        make_post(ruled.house.database, title="", text=text, kind="comment", assessed=1)


def everything(desk) -> list:
    with desk.house.database.read() as connection:
        return [
            connection.execute(sa.select(table)).all()
            for table in (posts, items, assessments, findings, events)
        ]


def fields(html: str) -> dict[str, str]:
    """What the editor would send."""
    form = re.search(r'<form[^>]*action="/rules/packs/[^"]+/try".*?</form>', html, re.S)[0]
    from html import unescape

    return {
        "csrf": re.search(r'name="csrf" value="(\w+)"', form)[1],
        "seen": unescape(re.search(r'name="seen" value="([^"]*)"', form)[1]),
        "text": unescape(re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", form, re.S)[1]),
    }


def test_a_rule_is_tried_on_the_past_before_it_is_saved(ruled, stored, tmp_path) -> None:
    with ruled.visit("guanli") as admin, ruled.visit("zhiban") as officer:
        before = everything(ruled)
        tried = officer.send("/rules/compose", on="/rules", **RULE)
        assert tried.status_code == 200
        assert "<b>+2</b>多提醒" in tried.text
        assert "怎么过江" in tried.text
        assert "天气不错" not in tried.text
        assert everything(ruled) == before  # nothing was stored
        assert not list((tmp_path / "packs").iterdir())
        draft = fields(tried.text)
        draft["csrf"] = fields(officer.get("/rules/packs/fire").text)["csrf"]
        assert officer.client.post("/rules/packs/own/save", data=draft).status_code == 403

        draft["csrf"] = fields(admin.get("/rules/packs/fire").text)["csrf"]
        saved = admin.client.post("/rules/packs/own/save", data={**draft, "note": "应码头要求"})
        assert saved.status_code == 303, saved.text
        assert "游船停运" in admin.get("/rules").text
        hit = officer.send("/rules", on="/rules", text="听说游船停了", kind="comment")
        assert "会列为条目" in hit.text
    with ruled.house.database.read() as connection:
        line = connection.execute(sa.select(events).where(events.c.kind == "rules-saved")).one()
    assert line.by == "赵管理"
    assert "应码头要求" in line.note


def test_a_mistake_is_named_and_nothing_is_saved(ruled, tmp_path) -> None:
    with ruled.visit("guanli") as admin:
        page = fields(admin.get("/rules/packs/thanks").text)
        for wrong, told in (
            ("这不是 TOML [[", "TOML"),
            ('[pack]\nname = "x"\n[[rules]]\nid = "a"\nlevel = "V"', "rules.0.level"),
            ('[pack]\nname = "x"\ntopic = "thanks"\n[[rules]]\nid = "a"\nname = "n"\n'
             'reason = "因为所以"\nreview = 2027-01-01\npatterns = ["(?=x)"]', "RE2"),
        ):  # fmt: skip
            for act in ("try", "save"):
                answer = admin.client.post(
                    f"/rules/packs/thanks/{act}", data={**page, "text": wrong}
                )
                assert answer.status_code == 422
                assert told in answer.text
        assert admin.client.post("/rules/packs/..%2Fthanks/save", data=page).status_code in {
            404,
            409,
        }
    assert not list((tmp_path / "packs").iterdir())


def test_what_somebody_else_saved_meanwhile_is_not_written_over(ruled) -> None:
    with ruled.visit("guanli") as admin:
        page = fields(admin.get("/rules/packs/thanks").text)
        first = {**page, "text": page["text"] + "\n# 甲的改动"}
        second = {**page, "text": page["text"] + "\n# 乙的改动"}
        assert admin.client.post("/rules/packs/thanks/save", data=first).status_code == 303
        late = admin.client.post("/rules/packs/thanks/save", data=second)
        assert late.status_code == 409
        assert "乙的改动" in late.text
        assert "甲的改动" in admin.get("/rules/packs/thanks").text


def test_a_change_is_taken_back_to_an_earlier_file_or_the_shipped_one(
    ruled, clock, tmp_path
) -> None:
    path = "/rules/packs/thanks"
    with ruled.visit("guanli") as admin:
        shipped = fields(admin.get(path).text)["text"]
        for words in ("# 第一次", "# 第二次"):
            page = fields(admin.get(path).text)
            clock.advance(60)
            admin.client.post(f"{path}/save", data={**page, "text": shipped + words})
        html = admin.get(path).text
        assert "第二次" in html
        mark = re.search(r'value="(\d{8}T\d+Z)"', html)[1]
        clock.advance(60)
        assert admin.send(f"{path}/undo", on=path, to=mark).status_code == 303
        assert "第一次" in admin.get(path).text
        assert admin.send(f"{path}/undo", on=path, to="../../x").status_code == 404
        clock.advance(60)
        assert admin.send(f"{path}/undo", on=path, to="shipped").status_code == 303
        assert fields(admin.get(path).text)["text"] == shipped
    assert not (tmp_path / "packs" / "thanks.toml").exists()


def test_the_service_follows_a_changed_file_and_keeps_its_rules_where_one_is_wrong(
    tmp_path,
) -> None:
    told: list[str] = []
    options = Options(folder=str(tmp_path))
    fresh = FreshStages(
        lambda: build_stages({"rules": options}, Tools()), tmp_path, refused=told.append
    )
    subject = Subject(text="码头的游船停了两天", kind=Kind.COMMENT, role=Role.PUBLIC)

    def hits() -> int:
        return len([one for one in fresh()["rules"](subject) if "own/" in one.rule])

    assert hits() == 0
    (tmp_path / "own.toml").write_text(
        '[pack]\nname = "本单位"\ntopic = "complaint"\n[[rules]]\nid = "ferry"\nname = "游船"\n'
        'level = "III"\nany = ["游船停了"]\nreason = "游船停运"\nreview = 2027-01-01\n',
        encoding="utf-8",
    )
    assert hits() == 1
    (tmp_path / "own.toml").write_text("[[", encoding="utf-8")
    assert hits() == 1
    assert "own.toml" in told[-1]
    (tmp_path / "own.toml").unlink()
    assert hits() == 0
    assert told[-1] == ""
