"""Every table of tinglan; natural keys carry uniqueness, times are UTC.

Changing a table takes a new file in `store/migrations/versions` as well; a test compares
the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table, UniqueConstraint
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """A moment: aware in Python, naive UTC in the database; a naive value is refused."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must say its zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _text(name: str, *, default: str | None = "", **more: Any) -> Column[str]:
    return Column(name, sa.Text, nullable=False, server_default=default, **more)


# --- DISCOVER ---------------------------------------------------------------------------------

channels = Table(
    "channels",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("last_attempt_at", Instant),
    Column("last_success_at", Instant),
    Column("last_new_at", Instant),
    Column("failures", sa.Integer, nullable=False, server_default="0"),  # in a row
    Column("next_at", Instant),
    _text("why"),  # of the last failure, in Chinese
)

runs = Table(
    "runs",
    metadata,
    _id(),
    _text("channel", default=None),
    Column("planned_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    _text("state", default="running"),
    Column("deadline_at", Instant),
    Column("planned", sa.Integer, nullable=False, server_default="0"),  # fetches
    Column("seen", sa.Integer, nullable=False, server_default="0"),  # posts
    Column("new", sa.Integer, nullable=False, server_default="0"),
    Column("changed", sa.Integer, nullable=False, server_default="0"),
    Column("failed", sa.Integer, nullable=False, server_default="0"),  # fetches
    Column("backlog", sa.Integer, nullable=False, server_default="0"),  # left for the next run
    _text("why"),
    UniqueConstraint("channel", "planned_at"),
)
Index(None, runs.c.state)

fetches = Table(
    "fetches",
    metadata,
    _id(),
    Column("run", Id, sa.ForeignKey("runs.id"), nullable=False),
    _text("channel", default=None),
    _text("url", default=None),
    Column("at", Instant, nullable=False),
    Column("outcome", sa.Text),  # NULL only while the run is running
    Column("status", sa.Integer),
    Column("bytes", sa.Integer),
    Column("ms", sa.Integer),
    _text("why"),
)
Index(None, fetches.c.run, fetches.c.outcome)

pages = Table(
    "pages",
    metadata,
    _text("channel", default=None, primary_key=True),
    _text("url", default=None, primary_key=True),
    _text("kind"),  # list, feed, sitemap, article, letter, board
    _text("etag"),
    _text("modified"),  # Last-Modified, as sent
    _text("digest"),  # of the body last read
    Column("last_at", Instant),
    Column("next_at", Instant),  # when to look again; NULL: only when a list names it
    Column(
        "closed", sa.Boolean, nullable=False, server_default=sa.false()
    ),  # a letter that is done
    Column("failures", sa.Integer, nullable=False, server_default="0"),  # or empty, in a row
    Column("hint", sa.JSON),  # what the list that named it said: column, title, date
)
Index(None, pages.c.channel, pages.c.next_at)

positions = Table(
    "positions",
    metadata,
    _text("channel", default=None, primary_key=True),
    _text("list", default=None, primary_key=True),
    Column("value", sa.JSON, nullable=False),
    Column("at", Instant, nullable=False),
)

posts = Table(
    "posts",
    metadata,
    _id(),
    _text("channel", default=None),
    _text("key", default=None),
    _text("kind", default=None),
    _text("role", default=None),
    Column("version", sa.Integer, nullable=False, server_default="1"),
    _text("title"),
    _text("text"),
    _text("url"),
    _text("column"),
    _text("source"),
    _text("author"),
    _text("parent"),
    _text("state"),
    _text("reply"),
    Column("published_at", Instant),
    _text("published_raw"),
    _text("precision"),
    Column("replied_at", Instant),
    Column("captured_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    _text("digest"),  # of what a version is made of
    Column("notes", sa.JSON, nullable=False),
    Column("assessed", sa.Integer, nullable=False, server_default="0"),  # version last assessed
    Column("indexed", sa.Integer, nullable=False, server_default="0"),  # version last indexed
    Column("drill", sa.Boolean, nullable=False, server_default=sa.false()),
    UniqueConstraint("channel", "key"),
)
Index(None, posts.c.captured_at)
Index(None, posts.c.channel, posts.c.published_at)
Index(
    "ix_posts_to_assess",
    posts.c.id,
    sqlite_where=posts.c.assessed < posts.c.version,
    postgresql_where=posts.c.assessed < posts.c.version,
)
Index(
    "ix_posts_to_index",
    posts.c.id,
    sqlite_where=posts.c.indexed < posts.c.version,
    postgresql_where=posts.c.indexed < posts.c.version,
)

versions = Table(
    "versions",
    metadata,
    _id(),
    Column("post", Id, sa.ForeignKey("posts.id"), nullable=False),
    Column("version", sa.Integer, nullable=False),
    _text("title"),
    _text("text"),
    _text("state"),
    _text("reply"),
    _text("digest"),
    Column("captured_at", Instant, nullable=False),
    UniqueConstraint("post", "version"),
)

# --- ASSESS -----------------------------------------------------------------------------------

assessments = Table(
    "assessments",
    metadata,
    _id(),
    Column("post", Id, sa.ForeignKey("posts.id"), nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("at", Instant, nullable=False),
    _text("tone", default=None),
    Column("tone_score", sa.Float, nullable=False, server_default="0"),
    Column("topics", sa.JSON, nullable=False),
    Column("level", sa.Text),
    Column("flagged", sa.Boolean, nullable=False),
    _text("engine"),
    Column("degraded", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("reported", sa.Boolean, nullable=False, server_default=sa.false()),  # alerts has seen it
    UniqueConstraint("post", "version"),
)
Index(
    "ix_assessments_to_report",
    assessments.c.id,
    sqlite_where=assessments.c.reported == sa.false(),
    postgresql_where=assessments.c.reported == sa.false(),
)
Index(None, assessments.c.at)

findings = Table(
    "findings",
    metadata,
    _id(),
    Column("assessment", Id, sa.ForeignKey("assessments.id")),  # NULL: a watch found it
    Column("post", Id, sa.ForeignKey("posts.id")),
    _text("channel"),
    _text("key"),  # of a watch: what it is about, so that it is told once
    Column("at", Instant, nullable=False),
    _text("stage", default=None),
    _text("rule"),
    Column("topic", sa.Text),
    Column("level", sa.Text),
    _text("reason", default=None),
    _text("text"),
    Column("start", sa.Integer, nullable=False, server_default="-1"),
    Column("end", sa.Integer, nullable=False, server_default="-1"),
    Column("reported", sa.Boolean, nullable=False, server_default=sa.false()),
)
Index(None, findings.c.assessment)
Index(None, findings.c.post)
Index(None, findings.c.key)

fingerprints = Table(  # of own pages: what they should be, and how they differ from it
    "fingerprints",
    metadata,
    _text("channel", default=None, primary_key=True),
    _text("url", default=None, primary_key=True),
    Column("baseline", sa.JSON, nullable=False),
    Column("baseline_at", Instant, nullable=False),
    Column("looked_at", Instant, nullable=False),
    Column("latest", sa.JSON),  # NULL while the page is as it should be, or cannot be read
    Column("changes", sa.JSON),
    Column("since", Instant),  # of the first look that saw these changes
    Column("looks", sa.Integer, nullable=False, server_default="0"),  # that saw them
)
Index(None, fingerprints.c.channel, fingerprints.c.since)

# --- REPORT, HANDLE ---------------------------------------------------------------------------

items = Table(
    "items",
    metadata,
    _id(),
    _text("number", default=None, unique=True),  # TL-2026-0123
    _text("key", default=None, unique=True),  # post:17 or watch:…: opening twice is opening once
    _text("state", default="to_assess"),
    Column("version", sa.Integer, nullable=False, server_default="1"),  # row version for moves
    _text("level", default=None),
    _text("topic", default=None),
    Column("topics", sa.JSON, nullable=False),
    _text("title", default=None),
    _text("tone"),
    _text("channel", default=None),
    Column("post", Id, sa.ForeignKey("posts.id")),
    _text("office"),
    Column("discovered_at", Instant, nullable=False),
    Column("published_at", Instant),
    Column("changed_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("merged_into", Id, sa.ForeignKey("items.id")),
    Column("drill", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("promised", sa.Integer, nullable=False, server_default="0"),  # version with its dues
)
Index(None, items.c.state, items.c.level)
Index(None, items.c.discovered_at)
Index(
    "ix_items_to_promise",
    items.c.id,
    sqlite_where=items.c.promised < items.c.version,
    postgresql_where=items.c.promised < items.c.version,
)

item_posts = Table(
    "item_posts",
    metadata,
    Column("item", Id, sa.ForeignKey("items.id"), primary_key=True),
    Column("post", Id, sa.ForeignKey("posts.id"), primary_key=True),
    Column("at", Instant, nullable=False),
)
Index(None, item_posts.c.post)

promises = Table(  # 时限: one for each visit of a stage, kept when it is over
    "promises",
    metadata,
    _id(),
    Column("item", Id, sa.ForeignKey("items.id"), nullable=False),
    Column("visit", sa.Integer, nullable=False),  # version of the item while it was there
    _text("stage", default=None),  # a State, or progress
    Column("turn", sa.Integer, nullable=False, server_default="0"),  # begun anew: level, progress
    _text("level", default=None),
    Column("found_at", Instant, nullable=False),  # discovered, or flared up again
    Column("entered_at", Instant, nullable=False),
    Column("counted_at", Instant, nullable=False),  # from when its rungs count
    Column("due_at", Instant, nullable=False),
    Column("seconds", sa.Integer, nullable=False),  # the whole limit, by its own clock
    Column("working", sa.Boolean, nullable=False),
    _text("rule", default=None),
    _text("calendar"),  # versions of the years it touched
    _text("source"),
    Column("told", sa.Integer, nullable=False, server_default="0"),  # highest rung of this turn
    Column("told_at", Instant),
    Column("acked_at", Instant),
    Column("paused_until", Instant),  # not NULL once it was paused
    Column("released", sa.Boolean, nullable=False, server_default=sa.false()),  # may be later
    Column("next_at", Instant),  # when something must happen; NULL once it is over
    Column("ended_at", Instant),
    UniqueConstraint("item", "visit", "stage"),
)
Index(None, promises.c.next_at)

events = Table(
    "events",
    metadata,
    _id(),
    Column("item", Id, sa.ForeignKey("items.id")),
    Column("at", Instant, nullable=False),
    _text("kind", default=None),  # opened, moved, noted, notified, …
    _text("by", default=None),
    _text("via"),  # service, cli, link, desk
    _text("before"),
    _text("after"),
    _text("note"),
    Column("detail", sa.JSON, nullable=False),
    _text("previous", default=None),  # hash of the line before
    _text("hash", default=None),
)
Index(None, events.c.item)

notices = Table(
    "notices",
    metadata,
    Column("id", sa.Text, primary_key=True),  # uuid; also the left half of the Message-ID
    Column("item", Id, sa.ForeignKey("items.id")),
    Column("digest", Id, sa.ForeignKey("digests.id")),
    _text("subject_key", default=None),  # item:17, digest:3, system:…
    _text("stage", default=None),  # alert, reminder, overdue, …, digest, system
    Column("visit", sa.Integer, nullable=False, server_default="1"),
    Column("rung", sa.Integer, nullable=False, server_default="0"),
    _text("recipient", default=None),
    _text("transport", default=None),
    _text("office"),
    _text("level"),
    _text("state", default="pending"),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("lease_until", Instant),
    _text("lease_by"),
    Column("settled_at", Instant),
    _text("reply"),  # of the other side, last attempt
    Column("detail", sa.JSON, nullable=False),  # why this person, what to say
    Column("passed", sa.Integer, nullable=False, server_default="0"),  # second ways tried
    UniqueConstraint("subject_key", "stage", "visit", "rung", "recipient", "transport"),
)
Index(None, notices.c.state, notices.c.next_at)
Index(None, notices.c.item)
Index(None, notices.c.office, notices.c.item)

attempts = Table(
    "attempts",
    metadata,
    _id(),
    Column("notice", sa.Text, sa.ForeignKey("notices.id"), nullable=False),
    Column("at", Instant, nullable=False),
    _text("outcome", default=None),
    _text("reply"),
    Column("ms", sa.Integer),
)
Index(None, attempts.c.notice)

digests = Table(
    "digests",
    metadata,
    _id(),
    _text("kind", default="weekly"),
    _text("period", default=None),  # 2026-W47
    Column("edition", sa.Integer, nullable=False, server_default="1"),  # 更正版 counts up
    Column("number", sa.Integer, nullable=False, server_default="0"),  # 总第M期
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("built_at", Instant, nullable=False),
    Column("figures", sa.JSON, nullable=False),  # frozen
    _text("state", default="built"),  # built (a draft), approved, sent
    _text("opinion"),  # 研判, as a person wrote it over the draft
    _text("advice"),  # 工作建议, likewise
    _text("edited_by"),
    Column("edited_at", Instant),
    _text("approved_by"),
    Column("approved_at", Instant),
    _text("mark"),  # 未审核稿, where it left without anybody's approval
    UniqueConstraint("kind", "period", "edition"),
)

# --- the duty desk ----------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    _id(),
    _text("name", default=None, unique=True),  # folded; what is typed at login
    _text("shown", default=None, unique=True),  # 姓名, as the ledger has it
    _text("role", default=None),
    _text("office"),  # of 责任处室
    _text("password", default=None),  # argon2id
    Column("temporary", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("created_at", Instant, nullable=False),
    Column("password_at", Instant, nullable=False),
    Column("login_at", Instant),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", sa.Text, primary_key=True),  # hash of what the cookie holds
    Column("user", Id, sa.ForeignKey("users.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    _text("address"),
)
Index(None, sessions.c.user)

login_attempts = Table(  # that failed
    "login_attempts",
    metadata,
    _id(),
    _text("account", default=None),
    _text("address", default=None),
    Column("at", Instant, nullable=False),
)
Index(None, login_attempts.c.account, login_attempts.c.address)
Index(None, login_attempts.c.address)

#: Beside these the schema has `post_grams`, the text index: virtual on SQLite, a tsvector on
#: PostgreSQL; store.grams writes it, console.search asks it.
UNMODELLED = "post_grams"

# --- the service itself -----------------------------------------------------------------------

facts = Table(  # single facts of the service: fence, heartbeat, chain head, last clock seen
    "facts",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("value", sa.JSON, nullable=False),
    Column("at", Instant, nullable=False),
)
