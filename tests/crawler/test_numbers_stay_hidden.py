"""A personal number is hidden wherever it was written: as a state, as an id, at the edge of a cut."""

from __future__ import annotations

import hashlib

import pytest
import sqlalchemy as sa

from crawler import limits
from crawler.byhand import Entry, Way, record
from crawler.intake import intake
from store.records import Capture, Kind, Role
from store.tables import posts, versions

KEY = b"k" * 32
PHONE = "13812345678"


@pytest.fixture
def everything(database):
    """All that is stored of posts, as one text."""

    def read():
        with database.read() as connection:
            rows = [connection.execute(sa.select(table)).all() for table in (posts, versions)]
        return str(rows)

    return read


def register(database, clock, **fields):
    return record(database, Entry(**fields), now=clock.now(), author_key=KEY)


def test_a_number_in_the_state_of_a_matter_is_masked(database, clock, everything):
    register(database, clock, way=Way.PHONE, text="路灯不亮", state=f"办理中，联系人{PHONE}")

    assert PHONE not in everything()
    assert "138****5678" in everything()


def test_a_matter_numbered_by_who_called_is_still_one_matter(database, clock, everything):
    other = "13812340000"  # masked alike, which must not make one matter of two
    told = [
        register(database, clock, way=Way.PHONE, text="路灯不亮", number=number)
        for number in (PHONE, PHONE, other)
    ]

    assert [(one.new, one.known) for one in told] == [(1, 0), (0, 1), (1, 0)]
    assert PHONE not in everything()


def test_hidden_digits_cannot_be_guessed_from_what_names_the_matter(database, clock, everything):
    text = f"路灯不亮，请打{PHONE}"
    register(database, clock, way=Way.OTHER, text=text)

    for parts in ([text], [Way.OTHER, "", text, ""], ["", text, ""]):
        plain = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        assert plain[:16] not in everything()


@pytest.mark.parametrize("left", range(1, 11))
def test_a_cut_through_a_number_bares_nothing_of_it(database, clock, left):
    text = "水" * (limits.TEXT - left) + PHONE + "，快来"
    capture = Capture(
        channel="site", key="1", kind=Kind.LETTER, role=Role.PUBLIC, title="", text=text
    )
    with database.write() as connection:
        intake(connection, [capture], now=clock.now(), author_key=KEY)
        kept = connection.execute(sa.select(posts.c.text)).scalar_one()

    assert len(kept) == limits.TEXT
    assert kept[-left:] == "138****5678"[:left]
