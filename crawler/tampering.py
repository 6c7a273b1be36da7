"""Keeps what each own page should look like, and how the last look differed from it.

A first look becomes the measure. A difference counts once it was seen twice; people say
whether it was meant, and then the page as it is becomes the measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from crawler.alterations import AVAILABILITY, STRUCTURE, Change, compare
from crawler.fingerprint import VERSION, Fingerprint, fingerprint
from store.engine import insert_for
from store.records import Outcome
from store.tables import fingerprints

if TYPE_CHECKING:
    from crawler.extraction.article import Article
    from crawler.site.reading import Page

CONFIRM = timedelta(minutes=2)  #: until the second look, which must agree before anybody is told
_KEPT = 30  #: changes of one page that are kept

#: What the site itself says of a page that used to be there; anything else may be the network.
_LOST = {
    Outcome.REMOVED: "removed",
    Outcome.SOFT_FAILURE: "unavailable",
    Outcome.AUTH: "unavailable",
    Outcome.OK_EMPTY: "emptied",
    Outcome.PARSE_BROKEN: "unavailable",
    Outcome.WRONG_TYPE: "unavailable",
    Outcome.TLS_ERROR: "certificate",
    Outcome.REDIRECTED_OFF: "redirected",
}


def taken_of(page: Page, read: Article | None = None) -> Fingerprint:
    """The fingerprint of an answer; pure and never raises. `read`: see `fingerprint`."""
    hosts = [host for host, _ in page.hosts.places]
    return fingerprint(page.markup, page.at, hosts, read=read)


def begin(
    connection: sa.Connection, channel: str, taken: Mapping[str, Fingerprint], *, now: datetime
) -> set[str]:
    """First looks at many pages at once, by address; answers which of them had no measure yet."""
    if not taken:
        return set()
    asked = sa.select(fingerprints.c.url).where(
        fingerprints.c.channel == channel, fingerprints.c.url.in_(taken)
    )
    new = set(taken) - set(connection.execute(asked).scalars())
    measures = [
        {"channel": channel, "url": url, "baseline": taken[url].as_json(), "at": now}
        for url in taken
        if url in new and not taken[url].trouble
    ]
    if measures:
        connection.execute(_first(connection.dialect.name), measures)
    return new


def look(
    connection: sa.Connection,
    channel: str,
    url: str,
    *,
    taken: Fingerprint,
    now: datetime,
    evidence: Mapping[str, str] | None = None,
) -> datetime | None:
    """Compares a page with its measure; answers when it must be seen again, or None.

    `evidence` (status, headers, hash of the body) is kept beside the changes.
    """
    row = _row(connection, channel, url)
    if row is None or row["baseline"].get("version") != VERSION:
        if not taken.trouble:
            _begin(connection, channel, url, taken=taken, now=now)
        return None
    changes = compare(Fingerprint.of_json(row["baseline"]), taken)
    return _note(connection, row, changes, now, latest=taken, evidence=evidence)


def same(connection: sa.Connection, channel: str, url: str, now: datetime) -> None:
    """The page is, byte for byte, what it was at the last look: that look is confirmed."""
    connection.execute(
        fingerprints.update()
        .where(fingerprints.c.channel == channel, fingerprints.c.url == url)
        .values(
            looked_at=now,
            looks=sa.case(
                (fingerprints.c.since.is_(None), fingerprints.c.looks),
                else_=fingerprints.c.looks + 1,
            ),
        )
    )


def lost(
    connection: sa.Connection,
    channel: str,
    url: str,
    *,
    outcome: Outcome,
    why: str,
    now: datetime,
) -> datetime | None:
    """A page that was there could not be read; answers when it must be seen again, or None."""
    label = _LOST.get(outcome)
    row = _row(connection, channel, url) if label else None
    if row is None or label is None:
        return None
    kind = STRUCTURE if label == "redirected" else AVAILABILITY
    said = why or outcome.value
    baseline = Fingerprint.of_json(row["baseline"])
    before = baseline.title or baseline.headline
    # A page may say where it leads; that the site sends all its pages away is one act.
    change = Change(kind=kind, label=label, before=before, after=said, what=f"{label}:{outcome}")
    return _note(connection, row, [change], now, latest=None, evidence=None)


def _note(
    connection: sa.Connection,
    row: Mapping[Any, Any],
    changes: list[Change],
    now: datetime,
    *,
    latest: Fingerprint | None,
    evidence: Mapping[str, str] | None,
) -> datetime | None:
    values: dict[str, Any] = {"looked_at": now}
    if not changes:
        values |= {"latest": sa.null(), "changes": sa.null(), "since": None, "looks": 0}
        _write(connection, row, values)
        return None
    known = {one["mark"] for one in row["changes"] or ()}
    again = known == {one.mark for one in changes[:_KEPT]}
    values |= {
        "latest": latest.as_json() if latest else sa.null(),
        "changes": [
            {**asdict(one), "mark": one.mark, "evidence": dict(evidence or {})}
            for one in changes[:_KEPT]
        ],
        "looks": row["looks"] + 1 if again else 1,
        "since": row["since"] if again else now,
    }
    _write(connection, row, values)
    return None if again else now + CONFIRM


def _write(connection: sa.Connection, row: Mapping[Any, Any], values: dict[str, Any]) -> None:
    connection.execute(
        fingerprints.update()
        .where(fingerprints.c.channel == row["channel"], fingerprints.c.url == row["url"])
        .values(**values)
    )


def _begin(
    connection: sa.Connection, channel: str, url: str, *, taken: Fingerprint, now: datetime
) -> None:
    connection.execute(
        _first(connection.dialect.name),
        {"channel": channel, "url": url, "baseline": taken.as_json(), "at": now},
    )


@cache
def _first(dialect: str) -> Any:
    """Built once: at one statement a page, building them costs more than running them."""
    made = insert_for(dialect)(fingerprints).values(
        baseline_at=sa.bindparam("at"),
        looked_at=sa.bindparam("at"),
        latest=sa.null(),
        changes=sa.null(),
        since=sa.null(),
        looks=0,
    )
    return made.on_conflict_do_update(
        index_elements=["channel", "url"],
        set_={
            name: made.excluded[name]
            for name in (
                "baseline", "baseline_at", "looked_at", "latest", "changes", "since", "looks"
            )
        },
    )  # fmt: skip


_ONE = sa.select(fingerprints).where(
    fingerprints.c.channel == sa.bindparam("its_channel"),
    fingerprints.c.url == sa.bindparam("its_url"),
)


def _row(connection: sa.Connection, channel: str, url: str) -> Mapping[Any, Any] | None:
    found = connection.execute(_ONE, {"its_channel": channel, "its_url": url})
    return found.mappings().one_or_none()
