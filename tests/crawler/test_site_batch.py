"""What is read a moment apart is stored in one transaction, and none of it is lost by that."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from crawler import runs
from crawler.runs import NotPlanned
from crawler.site.batch import FAULTS, MOST, Batch, GivenUp
from store.records import Outcome
from store.tables import fetches


@pytest.fixture
def run(database, clock):
    return runs.start(
        database, "site", planned_at=clock.now(), now=clock.now, deadline=timedelta(hours=1)
    )


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
def outcomes(database):
    def outcomes():
        with database.read() as connection:
            asked = sa.select(fetches.c.url, fetches.c.outcome).order_by(fetches.c.id)
            return dict(connection.execute(asked).all())

    return outcomes


class Shop:
    """Settles what it is given, and breaks where it is told to."""

    def __init__(self, run, broken=()):
        self.run = run
        self.broken = set(broken)
        self.sizes = []

    def store(self, connection, pages):
        self.sizes.append(len(pages))
        for page in pages:
            self.run.settle(page, Outcome.OK_NEW, connection=connection)
            if page in self.broken:
                raise ValueError(page)


def added(batch, pages, *, flush=True):
    async def add():
        for page in pages:
            await batch.add(page)
        if flush:
            await batch.flush()

    asyncio.run(asyncio.wait_for(add(), 60))


def test_pages_that_come_together_share_a_transaction(run, pool, outcomes):
    pages = run.plan([f"page {n}" for n in range(MOST + 3)])
    shop = Shop(run)

    added(Batch(run, pool, shop.store), pages)

    assert shop.sizes == [MOST, 3]
    assert set(outcomes().values()) == {"ok-new"}


def test_a_page_that_cannot_be_stored_costs_no_other(run, pool, outcomes):
    pages = run.plan(["a", "b", "c", "d"])
    shop = Shop(run, broken=["b"])

    added(Batch(run, pool, shop.store), pages)

    assert shop.sizes == [4, 1, 1, 1, 1]
    assert outcomes() == {"a": "ok-new", "b": None, "c": "ok-new", "d": "ok-new"}
    assert run.finish().outcomes == {"dropped": 1, "ok-new": 3}


def test_where_nothing_can_be_stored_the_run_is_given_up(run, pool, outcomes):
    pages = run.plan([f"page {n}" for n in range(FAULTS + 2)])
    shop = Shop(run, broken=pages)

    with pytest.raises(GivenUp):
        added(Batch(run, pool, shop.store), pages)

    assert shop.sizes == [len(pages)] + [1] * FAULTS
    assert set(outcomes().values()) == {None}


def test_a_single_page_does_not_wait_for_company(run, pool, outcomes):
    pages = run.plan(["a"])
    shop = Shop(run)

    async def add():
        stored = asyncio.Event()
        loop = asyncio.get_running_loop()

        def store(connection, pages):
            shop.store(connection, pages)
            loop.call_soon_threadsafe(stored.set)

        await Batch(run, pool, store).add(pages[0])
        await asyncio.wait_for(stored.wait(), 60)

    asyncio.run(add())
    pool.shutdown()
    assert outcomes() == {"a": "ok-new"}


def test_what_was_read_before_we_were_told_to_stop_is_stored(run, pool, outcomes):
    pages = run.plan(["a", "b"])
    batch = Batch(run, pool, Shop(run).store)

    added(batch, pages, flush=False)
    batch.send()
    pool.shutdown()

    assert outcomes() == {"a": "ok-new", "b": "ok-new"}


def test_what_a_failed_transaction_settled_is_still_open(run, outcomes):
    run.plan(["a"])

    with pytest.raises(ValueError, match="torn"), run.write() as connection:
        run.settle("a", Outcome.OK_NEW, connection=connection)
        with pytest.raises(NotPlanned):
            run.settle("a", Outcome.TIMEOUT, connection=connection)
        raise ValueError("torn")

    assert run.is_open("a")
    run.settle("a", Outcome.TIMEOUT)
    assert outcomes() == {"a": "timeout"}
