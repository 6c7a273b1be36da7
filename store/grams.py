"""The text index: pairs of neighbouring characters of every version of every post, in and out.

A term is the phrase of its pairs, which is exactly "the text contains it". On SQLite every
version is a document of its own, so what an editor took out can still be found; on PostgreSQL a
post has one row that only grows. What is purged goes from the index in the same transaction.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from store.tables import posts, versions

TEXT = 20_000  #: characters of a post that are indexed
VERSIONS = 1024  #: documents one post may have; later versions share the last
GAP = "\uff5c"  #: stands between runs, so that no phrase reaches over a comma
_RUN = re.compile(r"[^\W_]+")
_MERGED = 200  #: pages of the index rewritten after a removal, so that it does not only grow


def spelled(text: str) -> str:
    """One spelling: full-width and upper case are no difference."""
    return unicodedata.normalize("NFKC", text).casefold()


def runs_of(text: str) -> list[str]:
    """Runs of letters, digits and characters, spelled one way."""
    return _RUN.findall(spelled(text))


def grams(text: str) -> Iterator[str]:
    """Neighbouring pairs of each run of letters, digits and characters; a lone one as itself."""
    first = True
    for run in runs_of(text[:TEXT]):
        if not first:
            yield GAP
        first = False
        if len(run) == 1:
            yield run
        for at in range(len(run) - 1):
            yield run[at : at + 2]


def text_to_index(row: Mapping[Any, Any]) -> str:
    return f"{row['title']}\n{row['text']}\n{row['reply']}"


def put(connection: sa.Connection, post: int, version: int, pairs: Sequence[str]) -> None:
    """Adds one version of one post."""
    if connection.dialect.name == "sqlite":
        connection.execute(
            sa.text("INSERT INTO post_grams(rowid, grams) VALUES (:doc, :grams)"),
            {"doc": _document(post, version), "grams": " ".join(pairs)},
        )
        return
    kept = sorted({pair for pair in pairs if pair != GAP})
    connection.execute(
        sa.text(
            "INSERT INTO post_grams(post, grams) VALUES (:post, array_to_tsvector(:grams)) "
            "ON CONFLICT (post) DO UPDATE SET grams = array_to_tsvector("
            "ARRAY(SELECT DISTINCT unnest(tsvector_to_array(post_grams.grams) || :grams)))"
        ).bindparams(sa.bindparam("grams", type_=sa.ARRAY(sa.Text))),
        {"post": post, "grams": kept},
    )


def remove(connection: sa.Connection, ids: Sequence[int]) -> None:
    """Takes every version of these posts out; call it while their words are still stored.

    SQLite's index keeps no text, so it has to be told the words that go. Only documents that
    are there may be named: a version that was edited before it was indexed never got in.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(
            sa.text("DELETE FROM post_grams WHERE post = ANY(:ids)").bindparams(
                sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger))
            ),
            {"ids": list(ids)},
        )
        return
    taken = set()
    for row in _stored(connection, ids):
        document = _document(row["id"], row["version"])
        pairs = list(grams(text_to_index(row)))
        if not pairs or document in taken or not _holds(connection, document, pairs[0]):
            continue
        taken.add(document)
        connection.execute(
            sa.text(
                "INSERT INTO post_grams(post_grams, rowid, grams) VALUES ('delete', :doc, :grams)"
            ),
            {"doc": document, "grams": " ".join(pairs)},
        )
    if taken:
        connection.execute(
            sa.text("INSERT INTO post_grams(post_grams, rank) VALUES ('merge', :pages)"),
            {"pages": _MERGED},
        )


def _stored(connection: sa.Connection, ids: Sequence[int]) -> Iterable[Mapping[Any, Any]]:
    """The present words of each post, then those of its kept versions."""
    for table, of in ((posts, posts.c.id), (versions, versions.c.post)):
        words = (table.c.version, table.c.title, table.c.text, table.c.reply)
        query = sa.select(of.label("id"), *words).where(of.in_(ids))
        yield from connection.execute(query).mappings().all()


def _holds(connection: sa.Connection, document: int, pair: str) -> bool:
    found = connection.execute(
        sa.text("SELECT 1 FROM post_grams WHERE post_grams MATCH :pair AND rowid = :doc"),
        {"pair": f'"{pair}"', "doc": document},
    )
    return found.first() is not None


def _document(post: int, version: int) -> int:
    return post * VERSIONS + min(version, VERSIONS - 1)
