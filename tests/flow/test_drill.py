"""A drill on the real service: marked from post to mail, timed, and counted nowhere."""

from collections.abc import Callable
from typing import Any

from demo.mailbox import Mailbox


def test_a_drill_goes_all_the_way_and_is_timed(
    mailbox: Mailbox, start: Callable[[], Any], command: Callable[..., Any]
) -> None:
    text = "北门桥下积水有人被困，水还在涨，快来救人。"
    told = command("drill", "board", text, "--by", "陈科")
    start()
    assert mailbox.wait(1, timeout=60)

    [mail] = mailbox.messages[:1]
    report = command("drill", "report")
    assert len(told["posts"]) == 1
    assert mail.subject.startswith("【演练】【舆情预警")
    assert "以下为演练内容，不是真实舆情" in mail.text
    assert report["posts"] == 1
    assert report["items"][0]["to_mail"] > 0
    assert report["items"][0]["to_assessed"] is None
    why = command("items", "why", report["items"][0]["number"], "duty@example.gov.cn")
    assert why["got"] is True
    assert "audit" in command("status")
