"""What the desk says is Chinese, true, and meant for the person who reads it."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest

from console.history import KINDS
from store.tables import channels

PRODUCT = Path(__file__).parents[2]


def written_kinds() -> dict[str, str]:
    """Every kind of ledger line that the program names where it writes one."""
    found: dict[str, str] = {}
    for folder in ("alerts", "analysis", "config", "console", "crawler", "service", "store"):
        for file in (PRODUCT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in {"append", "_lost"}:
                    given = [word.value for word in node.keywords if word.arg == "kind"]
                    found |= {
                        one.value: file.name
                        for value in given
                        for one in ast.walk(value)
                        if isinstance(one, ast.Constant) and isinstance(one.value, str)
                    }
    return found


def test_every_line_of_the_ledger_has_a_chinese_name():
    written = written_kinds()

    assert {"moved", "overdue", "bounced", "handover"} <= set(written)
    assert {kind: file for kind, file in written.items() if kind not in KINDS} == {}
    assert all(re.search(r"[\u4e00-\u9fff]", name) for name in KINDS.values())


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [("/items/TL-2020-0001", 404, "没有找到"), ("/nowhere", 404, "没有找到"),
     ("/users", 403, "打不开这一页"), ("/logout", 405, "没有找到")],
)  # fmt: skip
def test_who_only_looked_is_not_told_that_something_was_not_done(desk, path, status, heading):
    with desk.visit("zhiban") as visitor:
        page = visitor.get(path)

    assert page.status_code == status
    assert f"<h1>{heading}</h1>" in page.text


def test_a_form_that_was_refused_says_not_done(desk):
    with desk.visit("zhiban") as visitor:
        page = visitor.client.post("/items/dismiss", data={"csrf": "x"})

    assert page.status_code == 403
    assert "<h1>没有完成</h1>" in page.text


def test_only_who_can_act_has_tasks(desk, flag):
    flag(desk, title="路灯不亮")

    with desk.visit("zhiban") as officer, desk.visit("guanli") as administrator:
        assert "我的待办" in officer.get("/").text
        seen = administrator.get("/").text

    assert "我的待办" not in seen
    assert "未办结条目" in seen
    assert "路灯不亮" in seen


def test_without_a_roster_the_desk_says_whom_reminders_reach(desk):
    with desk.visit("zhiban") as visitor:
        assert "催办和超时只能通知兜底地址（chief@example.gov.cn）" in visitor.get("/").text


def test_a_channel_tells_when_it_is_read_next(desk):
    now = desk.house.clock.now()
    every = desk.house.settings.channels[0].every
    with desk.house.database.write() as connection:
        for name, ago in (("site", timedelta()), ("weibo", every + timedelta(days=1))):
            connection.execute(
                channels.insert().values(id=name, last_attempt_at=now - ago, failures=0, why="")
            )

    with desk.visit("zhiban") as visitor:
        page = visitor.get("/channels").text

    told = re.findall(r'data-label="下次采集">(.*?)</td>', page, re.S)
    assert " 前" in told[0]
    assert told[1] == "即刻"
