"""Several citizens write of one event: one case, one alert; another place is another case."""

from collections.abc import Callable
from typing import Any

from demo.mailbox import Mailbox

FLOOD = "云岭乡下河村的老桥被洪水冲断了，对岸有人被困出不来，请快派人来救。"
FAR = FLOOD.replace("下河村", "杨柳村")


def test_copies_join_the_case_and_still_do_after_a_restart(
    board: Any, mailbox: Mailbox, start: Callable[[], Any], command: Callable[..., Any]
) -> None:
    board.publish("桥断了", FLOOD)
    first = start()
    assert mailbox.wait(1, timeout=60)
    assert first.stop() == 0

    board.publish("桥断了", FLOOD + "！！")
    board.publish("桥断了", FAR)
    start()
    assert mailbox.wait(2, timeout=60)

    shown = [command("items", "show", item["number"]) for item in command("items", "list")]
    kinds = {tuple(line["kind"] for line in one["events"]) for one in shown}
    assert len(shown) == 2
    assert {kind[0] for kind in kinds} == {"opened"}
    assert any("joined" in kind for kind in kinds)
