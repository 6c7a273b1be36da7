"""Keeps every post exactly once: masks it, takes its author's name away, versions its edits."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from crawler import limits
from crawler.masking import mask
from crawler.pseudonyms import pseudonym
from crawler.widths import nfkc
from store.engine import insert_for
from store.records import Capture, Role
from store.tables import posts, versions

log = logging.getLogger("crawler.intake")

OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BLANKS = re.compile(r"\s+")
_LONGEST_NUMBER = 120  #: characters; a mail address is the longest of what is masked


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a batch: `bad` captures could not be kept and were left out."""

    seen: int = 0
    new: int = 0
    changed: int = 0
    bad: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.seen + other.seen,
            self.new + other.new,
            self.changed + other.changed,
            self.bad + other.bad,
        )


_NEW = Counts(seen=1, new=1)
_BAD = Counts(seen=1, bad=1)


class BadCapture(ValueError):
    """A capture lacks what makes it a post."""


def intake(
    connection: sa.Connection, captures: Iterable[Capture], *, now: datetime, author_key: bytes
) -> Counts:
    """Stores captures inside the caller's transaction; `now` is when they were read.

    A post known under (channel, key) whose title, text, state or reply differ becomes its
    next version, with both texts kept; `assessed` stays, so the new version is assessed.
    One capture that cannot be stored is logged and counted, and loses no other.
    """
    return sum(intake_each(connection, captures, now=now, author_key=author_key), Counts())


def intake_each(
    connection: sa.Connection, captures: Iterable[Capture], *, now: datetime, author_key: bytes
) -> list[Counts]:
    """The same, told for each capture by itself."""
    said = list(captures)
    rows: list[dict[str, Any] | None] = []
    for capture in said:
        try:
            rows.append(row_of(capture, now=now, author_key=author_key))
        except (BadCapture, ValueError, TypeError, AttributeError) as error:
            _refused(capture, error)
            rows.append(None)
    new = _entered(connection, [row for row in rows if row], now)
    told = []
    for capture, row in zip(said, rows, strict=True):
        if row is None:
            told.append(_BAD)
        elif id(row) in new:
            told.append(_NEW)
        else:
            told.append(_kept_alone(connection, capture, row, now))
    return told


def _entered(connection: sa.Connection, rows: list[dict[str, Any]], now: datetime) -> set[int]:
    """Enters all new posts in one statement; answers the ids of the rows that are. Where one
    of them cannot be entered none is, and each is tried alone."""
    if len(rows) < 2:
        return set()
    try:
        with connection.begin_nested():
            made = connection.execute(
                _new_post(connection.dialect.name),
                [{**row, "captured_at": now, "changed_at": now} for row in rows],
            )
            fresh = {(row.channel, row.key) for row in made}
    except sa.exc.OperationalError:
        raise
    except (sa.exc.StatementError, ValueError, TypeError, AttributeError):
        return set()
    new = set()
    for row in rows:  # of two with one key the first was entered
        if (row["channel"], row["key"]) in fresh:
            fresh.remove((row["channel"], row["key"]))
            new.add(id(row))
    return new


def _kept_alone(
    connection: sa.Connection, capture: Capture, row: dict[str, Any], now: datetime
) -> Counts:
    try:
        # A statement that fails spoils the whole transaction on PostgreSQL, not on SQLite.
        on_sqlite = connection.dialect.name == "sqlite"
        with nullcontext() if on_sqlite else connection.begin_nested():
            return _keep(connection, row, now)
    except sa.exc.OperationalError:
        raise  # disk full, database away: the page must be read again, not passed by
    except (BadCapture, sa.exc.StatementError, ValueError, TypeError, AttributeError) as error:
        _refused(capture, error)
        return _BAD


def _refused(capture: Capture, error: Exception) -> None:
    # SQLAlchemy's text would repeat the values, which may hold what masking hides.
    log.error(
        "intake.refused",
        extra={
            "channel": getattr(capture, "channel", ""),
            "key": str(getattr(capture, "key", ""))[:200],
            "error": type(error).__name__,
        },
    )


def row_of(capture: Capture, *, now: datetime, author_key: bytes) -> dict[str, Any]:
    """The row a capture becomes: cleaned, capped, masked, with its pseudonym and digest.

    Raises BadCapture where it has no key, or neither title nor text.
    """
    key = clean(capture.key).strip()
    if not key or not capture.channel:
        raise BadCapture("a post needs a channel and a key")
    if len(key) > limits.KEY:
        key = f"{key[: limits.KEY - 65]}#{hashlib.sha256(key.encode()).hexdigest()}"
    notes = {clean(str(k))[:60]: clean(str(v))[: limits.NOTE] for k, v in capture.notes.items()}
    title = _kept(capture.title, limits.TITLE, "title", notes, capture.role)
    text = _kept(capture.text, limits.TEXT, "text", notes, capture.role)
    reply = _kept(capture.reply, limits.REPLY, "reply", notes, capture.role)
    if not (title or text or reply):
        raise BadCapture("a post needs a title or a text")
    state = mask(_short(capture.state), capture.role)
    published = _trusted(capture.published_at, now, "published_at", notes)
    return {
        "channel": capture.channel,
        "key": key,
        "kind": capture.kind.value,
        "role": capture.role.value,
        "title": title,
        "text": text,
        "url": clean(capture.url).strip()[: limits.URL],
        "column": _short(capture.column),
        "source": mask(_short(capture.source), capture.role),
        "author": pseudonym(capture.channel, capture.author_id, author_key),
        "parent": clean(capture.parent)[: limits.KEY],
        "state": state,
        "reply": reply,
        "published_at": published,
        "published_raw": _short(capture.published_raw),
        "precision": capture.precision.value if capture.precision and published else "",
        "replied_at": _trusted(capture.replied_at, now, "replied_at", notes),
        "digest": digest_of(title, text, state, reply),
        "notes": notes,
    }


def digest_of(title: str, text: str, state: str, reply: str) -> str:
    """What tells two versions apart: words, not blanks or the width of letters."""
    parts = ("".join(nfkc(part).split()) for part in (title, text, state, reply))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def clean(text: str) -> str:
    """Without NULs, lone surrogates and control characters, which no database or mail takes."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _keep(connection: sa.Connection, row: dict[str, Any], now: datetime) -> Counts:
    made = connection.execute(
        _new_post(connection.dialect.name), {**row, "captured_at": now, "changed_at": now}
    ).first()
    if made is not None:
        return _NEW
    known = _known(connection, row)
    if known is None:
        raise BadCapture("the post appeared and went again")
    if known["digest"] == row["digest"]:
        _complete(connection, known, row)
        return Counts(seen=1)
    _revise(connection, known, row, now)
    return Counts(seen=1, changed=1)


def _known(connection: sa.Connection, row: Mapping[str, Any]) -> sa.RowMapping | None:
    return (
        connection.execute(
            sa.select(posts)
            .where(posts.c.channel == row["channel"], posts.c.key == row["key"])
            .with_for_update()
        )
        .mappings()
        .one_or_none()
    )


def _complete(connection: sa.Connection, known: sa.RowMapping, row: Mapping[str, Any]) -> None:
    """Fills in what an earlier reading did not find; never makes a version of it."""
    missing = {
        name: row[name]
        for name in ("published_at", "replied_at", "source", "author", "url", "column")
        if row[name] and not known[name]
    }
    if "published_at" in missing:
        missing |= {"published_raw": row["published_raw"], "precision": row["precision"]}
    if missing:
        connection.execute(posts.update().where(posts.c.id == known["id"]).values(**missing))


def _revise(
    connection: sa.Connection, known: sa.RowMapping, row: dict[str, Any], now: datetime
) -> None:
    number = known["version"] + 1
    for version, texts, at in (
        (known["version"], known, known["changed_at"]),
        (number, row, now),
    ):
        connection.execute(
            insert_into(connection, versions)
            .values(
                post=known["id"],
                version=version,
                captured_at=at,
                **{name: texts[name] for name in ("title", "text", "state", "reply", "digest")},
            )
            .on_conflict_do_nothing(index_elements=["post", "version"])
        )
    fresh = {name: row[name] for name in ("title", "text", "state", "reply", "digest", "notes")} | {
        name: row[name] for name in ("source", "url", "column", "author", "replied_at") if row[name]
    }
    if row["published_at"] and not known["published_at"]:
        fresh |= {name: row[name] for name in ("published_at", "published_raw", "precision")}
    connection.execute(
        posts.update()
        .where(posts.c.id == known["id"])
        .values(version=number, changed_at=now, **fresh)
    )


@cache
def _new_post(dialect: str) -> Any:
    return (
        insert_for(dialect)(posts)
        .on_conflict_do_nothing(index_elements=["channel", "key"])
        .returning(posts.c.channel, posts.c.key)
    )


def insert_into(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that knows `on_conflict_…`, in the words of the connection's database."""
    return insert_for(connection.dialect.name)(table)


def _kept(text: str, cap: int, name: str, notes: dict[str, str], role: Role) -> str:
    """Masked before it is cut: the half of a number that a cut leaves is not known for one."""
    whole = clean(text).strip()
    if len(whole) > cap:
        notes[f"{name}_cut"] = f"{len(whole)} characters, kept {cap}"
    return mask(whole[: cap + _LONGEST_NUMBER], role)[:cap]


def _short(text: str) -> str:
    return _BLANKS.sub(" ", clean(text)).strip()[: limits.SHORT]


def _trusted(
    moment: datetime | None, now: datetime, name: str, notes: dict[str, str]
) -> datetime | None:
    """The moment, or None with a note where it cannot be: ahead of us, or before the web."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        notes[f"{name}_doubt"] = "no zone"
    elif moment > now + AHEAD:
        notes[f"{name}_doubt"] = f"in the future: {moment.isoformat()}"
    elif moment < OLDEST:
        notes[f"{name}_doubt"] = f"too old: {moment.isoformat()}"
    else:
        return moment
    return None
