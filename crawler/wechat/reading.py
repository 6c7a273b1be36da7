"""One reading of the account, step by step: announced, published, counted, commented.

Every page is stored, settled in the ledger and remembered as the place to go on from in one
transaction; whatever kills the process, the next run neither loses nor doubles anything.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.catalogue import Reading
from crawler.wechat import announced, commentary, published, statistics
from crawler.wechat.caller import Halted, Skipped
from crawler.wechat.desk import Desk
from crawler.wechat.errors import Failed
from store.records import RunState

Step = Callable[[Desk], None]


def read_account(desk: Desk) -> Reading:
    """All steps that settings want; one that fails does not stop the others."""
    steps: list[tuple[str, bool, Step]] = [
        ("推送", True, announced.read),
        (published.NAME, desk.options.published, published.read),
        (statistics.NAME, desk.options.statistics, statistics.read),
        (commentary.NAME, desk.options.comments, commentary.read),
    ]
    halted = False
    for name, wanted, step in steps:
        if not wanted or halted:
            continue
        try:
            step(desk)
        except Skipped as skipped:
            desk.skipped(name, skipped)
        except Halted as error:
            desk.troubles.append(error.why)
            halted = True
        except Failed as error:
            desk.failed = True
            desk.troubles.append(f"{name}：{error.why}")
    with desk.run.write() as connection:
        desk.places.forget_pushes(connection, desk.now())
    if not (desk.caller.asked or desk.troubles or desk.notes):
        desk.notes.append("本轮没有到时间的查询")
    lost = halted or (desk.failed and not desk.caller.good)
    return Reading(
        state=RunState.FAILED if lost else RunState.DONE,
        why="；".join(dict.fromkeys(desk.troubles + desk.notes)),
        backlog=desk.backlog,
    )
