"""From a letter on the board to a mail in the office, on real parts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.mailbox import Mailbox

TRAPPED = (
    "铁路桥下积水有人被困",
    "铁路桥下面积水很深，一辆车熄火，车里有人出不来，电话13812345678，快派人来救！",
)
THANKS = ("感谢气象局", "前几天暴雨预报很准，提前收了稻子，谢谢你们。")


def test_a_flagged_letter_reaches_the_office_and_the_rest_does_not(
    board: Any, mailbox: Mailbox, start: Callable[[], Any], command: Callable[..., Any]
) -> None:
    board.publish(*THANKS)
    board.publish(*TRAPPED)
    service = start()

    assert mailbox.wait(1, timeout=60)

    mail = mailbox.messages[0]
    assert mail.recipients == ("duty@example.gov.cn",)
    assert "铁路桥下积水有人被困" in mail.subject
    assert "13812345678" not in mail.text + mail.html
    assert "138****5678" in mail.text
    items = command("items", "list")
    assert [item["level"] for item in items] in (["I"], ["II"])
    assert service.stop() == 0
    assert command("ledger", "verify")["flaws"] == []
    assert len(mailbox.messages) == 1


def test_a_second_service_on_the_same_database_refuses(
    board: Any, mailbox: Mailbox, start: Callable[[], Any], place: Path
) -> None:
    board.publish(*TRAPPED)
    service = start()
    assert mailbox.wait(1, timeout=60)

    second = subprocess.run(
        [sys.executable, "-m", "tinglan", "run"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )

    assert second.returncode == 3
    assert "已有听澜服务在运行" in second.stderr
    assert "Traceback" not in second.stderr
    assert service.stop() == 0


def test_mail_owed_while_the_server_was_down_arrives_after_a_restart(
    board: Any, mailbox: Mailbox, start: Callable[[], Any], command: Callable[..., Any], place: Path
) -> None:
    board.publish(*TRAPPED)
    port = mailbox.port
    mailbox.stop()
    command("crawl", "board")
    service = start()
    _until(lambda: any(n["attempts"] for n in command("outbox", "list")), service)
    service.kill()

    with Mailbox(port=port) as back:
        again = start()
        assert back.wait(1, timeout=60)
        assert again.stop() == 0
        assert len(back.messages) == 1


def _until(condition: Callable[[], bool], service: Any, tries: int = 40) -> None:
    for _ in range(tries):
        if condition():
            return
        assert service.process.poll() is None, "the service has ended"
    raise AssertionError(f"not within {tries} tries")
