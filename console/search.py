"""Finds Chinese text of two characters and more: an index over pairs of neighbouring characters.

How it is written is in `store.grams`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from store.engine import Database
from store.grams import VERSIONS, grams, put, runs_of, spelled, text_to_index
from store.tables import item_posts, posts, versions

SHORTEST = 2  #: characters of a term
LOOKED_AT = 50_000  #: newest matching documents that a search for items looks at


def terms(query: str) -> list[str]:
    """What is looked for: all of these must be there. Runs of one character say too little."""
    found = dict.fromkeys(runs_of(query[:200]))
    return [run for run in found if len(run) >= SHORTEST][:10]


def index_pending(database: Database, limit: int = 500) -> int:
    """Indexes posts whose present version is not yet; answers how many there were."""
    with database.read() as connection:
        waiting = connection.execute(
            sa.select(posts.c.id, posts.c.version, posts.c.title, posts.c.text, posts.c.reply)
            .where(posts.c.indexed < posts.c.version)
            .order_by(posts.c.id)
            .limit(limit)
        ).all()
    made = [(row.id, row.version, list(grams(text_to_index(row._mapping)))) for row in waiting]
    if not made:
        return 0
    with database.write() as connection:
        for post, version, pairs in made:
            done = connection.execute(
                posts.update()
                .where(posts.c.id == post, posts.c.indexed < version)
                .values(indexed=version)
            )
            if done.rowcount:  # nobody else was first
                put(connection, post, version, pairs)
    return len(made)


def matching(
    connection: sa.Connection, wanted: Sequence[str], limit: int = LOOKED_AT
) -> sa.Select[int]:
    """A query for the ids of posts that contain every term, the newest `limit` of them.

    Posts that wait for the index are read as they are: a search is right at every moment.
    """
    waiting = sa.select(posts.c.id.label("post")).where(
        posts.c.indexed < posts.c.version,
        *(_contains(connection, term) for term in wanted),
    )
    if connection.dialect.name == "sqlite":
        phrases = " AND ".join(f'"{" ".join(_pairs(term))}"' for term in wanted)
        found = (
            sa.text(
                f"SELECT rowid / {VERSIONS} AS post FROM post_grams "  # noqa: S608
                "WHERE post_grams MATCH :phrases ORDER BY rowid DESC LIMIT :most"
            )
            .bindparams(phrases=phrases, most=limit)
            .columns(post=sa.Integer)
            .subquery("found")
        )
        indexed = sa.select(found.c.post)
    else:
        from sqlalchemy.dialects.postgresql import TSQUERY  # loaded already, where it is spoken

        pairs = dict.fromkeys(pair for term in wanted for pair in _pairs(term))
        lexemes = " & ".join(f"'{pair}'" for pair in pairs)  # letters and digits only
        holds = sa.literal_column("post_grams.grams").op("@@")(sa.cast(lexemes, TSQUERY))
        indexed = (
            sa.select(posts.c.id.label("post"))
            .select_from(
                posts.join(
                    sa.table("post_grams", sa.column("post")), sa.text("post_grams.post = posts.id")
                )
            )
            .where(holds, *map(_ever_contained, wanted))
            .order_by(posts.c.id.desc())
            .limit(limit)
        )
        indexed = sa.select(indexed.subquery("found").c.post)
    both = sa.union_all(indexed, waiting).subquery("matching")
    return sa.select(both.c.post)


def near(
    connection: sa.Connection, phrase: str, first: int, last: int, limit: int
) -> Iterable[int]:
    """Ids of indexed posts from one to another that hold a phrase, the oldest of them.

    For a hint beside other things, so it must cost nothing: SQLite's index is several times
    faster from a place forward than back from the end.
    """
    if connection.dialect.name != "sqlite":
        found = matching(connection, [phrase], _FEW).subquery("few")
        here = sa.select(found.c.post).where(found.c.post.between(first, last)).limit(limit)
        return [int(row[0]) for row in connection.execute(here)]
    rows = connection.execute(
        _NEAR,
        {
            "phrase": f'"{" ".join(_pairs(phrase))}"',
            "first": first * VERSIONS,
            "last": last * VERSIONS + VERSIONS - 1,
            "most": limit,
        },
    )
    return dict.fromkeys(int(row[0]) for row in rows)


_FEW = 2_000  #: posts that PostgreSQL reads for one phrase
_NEAR = sa.text(
    f"SELECT rowid / {VERSIONS} FROM post_grams WHERE post_grams MATCH :phrase "  # noqa: S608
    "AND rowid BETWEEN :first AND :last ORDER BY rowid LIMIT :most"
)


def items_matching(connection: sa.Connection, wanted: Sequence[str]) -> sa.Select[int]:
    """A query for the ids of items one of whose posts contains every term."""
    found = matching(connection, wanted).subquery("hits")
    return sa.select(item_posts.c.item).join(found, found.c.post == item_posts.c.post)


def waiting_count(connection: sa.Connection) -> int:
    """How many posts are not in the index yet."""
    return int(
        connection.execute(
            sa.select(sa.func.count()).select_from(posts).where(posts.c.indexed < posts.c.version)
        ).scalar_one()
    )


def _pairs(term: str) -> list[str]:
    return [term] if len(term) == 1 else [term[at : at + 2] for at in range(len(term) - 1)]


def _ever_contained(term: str) -> sa.ColumnElement[bool]:
    """PostgreSQL's index knows pairs, not phrases: looks them up in the words, old ones as well."""
    before = sa.select(versions.c.id).where(
        versions.c.post == posts.c.id, sa.or_(*_strpos(versions, term))
    )
    return sa.or_(*_strpos(posts, term), before.exists())


def _strpos(table: sa.Table, term: str) -> list[sa.ColumnElement[bool]]:
    form: sa.ColumnElement[str] = sa.literal_column("NFKC")
    return [
        sa.func.strpos(sa.func.lower(sa.func.normalize(table.c[one], form)), term) > 0
        for one in ("title", "text", "reply")
    ]


def _contains(connection: sa.Connection, term: str) -> sa.ColumnElement[bool]:
    """The plain question, in the spelling that the index has."""
    if connection.dialect.name == "sqlite":
        raw = connection.connection.dbapi_connection
        assert raw is not None  # noqa: S101 - a connection in use has one
        raw.create_function("spelled", 1, spelled, deterministic=True)
        return sa.or_(*(sa.func.instr(sa.func.spelled(one), term) > 0 for one in _COLUMNS))
    return sa.or_(*_strpos(posts, term))


_COLUMNS = (posts.c.title, posts.c.text, posts.c.reply)
