"""The lane that reads 退信: one folder by IMAP, without a trace, from where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from alerts.bounces import note_bounces, read_bounce
from alerts.cases import raise_alarm
from alerts.mail import domain_of
from alerts.turns import take_turn
from config.clock import Clock
from config.house import House
from config.secrets import SecretMissing, read_secret
from config.settings import Bounces
from crawler.mailbox.imap import Folder, Unreadable, opened
from crawler.mailbox.options import Options
from store.engine import Database
from store.records import Level, Outcome
from store.tables import facts

log = logging.getLogger(__name__)

_NAME = "bounces"
_BACK = timedelta(days=3)  #: how far the very first reading goes
_MOST = 200  #: letters in one turn; the rest waits for the next
_TOLD_AFTER = 3  #: failures in a row
#: A password that is refused again and again gets an account locked.
_AUTH_PAUSE = timedelta(hours=1)


def reader(house: House, box: Bounces) -> Callable[[], bool]:
    """A lane: reads what has come since, every `box.every`; answers False, there is no more."""
    due, failures = float("-inf"), 0

    def turn() -> bool:
        nonlocal due, failures
        clock: Clock = house.clock
        if clock.monotonic() < due:
            return False
        due = clock.monotonic() + box.every.total_seconds()
        try:
            read_returned(house, box)
            failures = 0
        except (Unreadable, SecretMissing) as error:
            failures += 1
            if isinstance(error, Unreadable) and error.outcome is Outcome.AUTH:
                due = clock.monotonic() + _AUTH_PAUSE.total_seconds()
                failures = max(failures, _TOLD_AFTER)
            why = error.why if isinstance(error, Unreadable) else str(error)
            log.warning("bounces.unread why=%s", why)
            if failures == _TOLD_AFTER:
                _tell(house, why)
        return False

    return turn


def read_returned(house: House, box: Bounces) -> int:
    """Reads the folder once; answers how many bounces were news. Raises Unreadable."""
    password = read_secret(box.password_env, house.environ).get_secret_value()
    options = Options(**box.model_dump(exclude={"every"}))
    domain, news = domain_of(house.settings.mail), 0
    with opened(options, password) as folder:
        for number in _waiting(house, folder):
            fetched = folder.fetch(number)
            found = read_bounce(fetched.raw, domain) if fetched else None
            if found is not None:
                news += note_bounces(house.database, house.settings, [found], house.clock.now())
            _note(house.database, folder.validity, number, house)
    return news


def _waiting(house: House, folder: Folder) -> list[int]:
    with house.database.read() as connection:
        value = connection.execute(
            sa.select(facts.c.value).where(facts.c.name == _NAME)
        ).scalar_one_or_none()
    if value and value["validity"] == folder.validity:
        return folder.after(int(value["uid"]))[:_MOST]
    return folder.since((house.clock.now() - _BACK).date())[:_MOST]


def _note(database: Database, validity: int, uid: int, house: House) -> None:
    value, now = {"validity": validity, "uid": uid}, house.clock.now()
    with database.write() as connection:
        upsert = database.insert(facts).values(name=_NAME, value=value, at=now)
        connection.execute(
            upsert.on_conflict_do_update(
                index_elements=[facts.c.name], set_={"value": value, "at": now}
            )
        )


def _tell(house: House, why: str) -> None:
    with house.database.write() as connection:
        take_turn(connection)
        raise_alarm(
            connection,
            house.settings,
            key="bounces",
            title="退信信箱读不到，被退回的通知可能无人知道",
            reason=f"{why}。请核对 [mail.bounces] 的账号和口令。",
            level=Level.III,
            now=house.clock.now(),
        )
