"""Visits the pages that are due, and stores what each says with how the fetch ended."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from crawler import tampering
from crawler.fingerprint import Fingerprint
from crawler.site import frontier, reading, revisits
from crawler.site.batch import Batch
from crawler.site.fetcher import Answer
from crawler.site.frontier import Known
from crawler.site.ground import Ground, as_read, conditions
from crawler.site.options import Column
from crawler.site.reading import Unreadable
from store.records import Outcome, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """How a visit of one page ended, to be stored."""

    page: Known
    answer: Answer
    outcome: Outcome
    why: str = ""
    digest: str = ""
    read: reading.Reading | None = None
    taken: Fingerprint | None = None


class Visits:
    """The pages of one channel that are due now."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._columns = {column.url: column for column in ground.options.columns}
        self._batch = Batch(ground.run, ground.threads.write, self._store)

    async def walk(self) -> None:
        due = await self._ground.write(self._due)
        done = 0

        async def visit(page: Known) -> None:
            nonlocal done
            await self._batch.add(await self._visited(page))
            done += 1
            if done % 20 == 0:
                self._ground.tools.progress(f"已抓取 {done}/{len(due)} 页")

        try:
            await self._ground.in_lanes([(page.url, partial(visit, page)) for page in due])
            await self._batch.flush()
        finally:
            self._batch.send()  # told to stop: what was read is still stored

    def _due(self) -> list[Known]:
        with self._ground.run.write() as connection:
            found = frontier.due(
                connection,
                self._ground.channel,
                self._ground.tools.clock.now(),
                self._ground.options.max_fetches,
            )
            planned = set(self._ground.run.plan([page.url for page in found], connection))
        return [page for page in found if page.url in planned]

    async def _visited(self, page: Known) -> _Visit:
        answer = await self._ground.fetcher.get(page.url, headers=conditions(page))
        digest = hashlib.sha256(answer.body).hexdigest()
        end = partial(_Visit, page=page, answer=answer, digest=digest)
        if answer.outcome is not None:
            return end(outcome=answer.outcome, why=answer.why)
        if digest == page.digest:
            return end(outcome=Outcome.OK_UNCHANGED)
        column = self._column_of(page)
        seen = self._ground.page_of(page.url, answer)
        try:
            read = await self._ground.parsed(
                reading.read_post,
                seen,
                page.kind,
                column,
                self._ground.options.selectors,
                listed=str(page.hint.get("title") or ""),
            )
            taken = None
            if self._is_own(page.kind, read.capture.role.value):
                taken = await self._ground.parsed(tampering.taken_of, seen, read.article)
        except Unreadable as failure:
            if failure.outcome is Outcome.BLOCKED:
                self._ground.fetcher.challenged(answer.url)
            taken = None
            if self._is_own(page.kind, page.hint.get("role")):
                with contextlib.suppress(Unreadable):
                    taken = await self._ground.parsed(tampering.taken_of, seen)
            return end(outcome=failure.outcome, why=failure.why, taken=taken)
        return end(outcome=Outcome.OK_NEW, read=read, taken=taken)

    def _is_own(self, kind: str, role: Any) -> bool:
        """Whether a page is watched for tampering."""
        return self._ground.options.revisit and kind == "article" and role == Role.OWN.value

    def _store(self, connection: sa.Connection, visits: Sequence[_Visit]) -> None:
        """Each with its outcome; what was read of all of them in few statements."""
        now = self._ground.tools.clock.now()
        reads = [(visit, visit.read) for visit in visits if visit.read is not None]
        told = self._ground.taken(connection, [read.capture for _, read in reads])
        kept = {
            visit.page.url: (read, counts)
            for (visit, read), counts in zip(reads, told, strict=True)
            if not counts.bad
        }
        first = tampering.begin(
            connection,
            self._ground.channel,
            {v.page.url: v.taken for v in visits if v.taken and v.page.url in kept},
            now=now,
        )
        known: list[Known] = []
        for visit in visits:
            outcome, why = visit.outcome, visit.why
            if visit.page.url in kept:
                read, counts = kept[visit.page.url]
                again = None
                if visit.taken is not None and visit.page.url not in first:
                    again = self._compared(connection, visit, visit.taken, now)
                known.append(self._kept(visit, read, again, now))
                if not (counts.new or counts.changed):
                    outcome = Outcome.OK_UNCHANGED
            elif visit.read is not None:
                outcome, why = Outcome.PARSE_BROKEN, "内容无法入库"
                frontier.trouble(connection, self._ground.channel, visit.page, now)
            elif visit.outcome is Outcome.OK_UNCHANGED:
                known.append(self._unchanged(visit, now))
                tampering.same(connection, self._ground.channel, visit.page.url, now)
                why = ""
            else:
                self._failed(connection, visit, now)
            self._ground.settle(connection, visit.page.url, visit.answer, outcome, why)
        frontier.record(connection, self._ground.channel, *known)

    def _compared(
        self, connection: sa.Connection, visit: _Visit, taken: Fingerprint, now: datetime
    ) -> datetime | None:
        return tampering.look(
            connection, self._ground.channel, visit.page.url,
            taken=taken, now=now, evidence=_evidence(visit.answer, visit.digest),
        )  # fmt: skip

    def _kept(
        self, visit: _Visit, read: reading.Reading, confirm: datetime | None, now: datetime
    ) -> Known:
        page = visit.page
        published = read.capture.published_at
        hint = {
            **page.hint,
            "since": page.hint.get("since") or now.isoformat(),
            "role": read.capture.role.value,
            "at": published.isoformat() if published else page.hint.get("at"),
        }
        after = replace(
            as_read(page, visit.answer, visit.digest, now, kind=page.kind),
            hint=hint,
            closed=read.closed,
        )
        again = [one for one in (self._again(after, now), confirm) if one]
        return replace(after, next_at=min(again, default=None))

    def _unchanged(self, visit: _Visit, now: datetime) -> Known:
        page, answer = visit.page, visit.answer
        after = replace(
            page,
            last_at=now,
            failures=0,
            etag=answer.headers.get("etag", page.etag),
            modified=answer.headers.get("last-modified", page.modified),
        )
        return replace(after, next_at=self._again(after, now))

    def _failed(self, connection: sa.Connection, visit: _Visit, now: datetime) -> None:
        page, channel = visit.page, self._ground.channel
        if visit.outcome is not Outcome.DROPPED:
            frontier.trouble(connection, channel, page, now)
        if visit.taken is not None:
            tampering.look(connection, channel, page.url, taken=visit.taken, now=now)
        else:
            tampering.lost(
                connection, channel, page.url, outcome=visit.outcome, why=visit.why, now=now
            )

    def _again(self, page: Known, now: datetime) -> datetime | None:
        """When a page that was just read is to be seen again."""
        since = _moment(page.hint.get("since")) or now
        if page.kind == "letter":
            if page.closed:
                return None
            return revisits.letter(since, now, self._ground.options.letters_every)
        if page.hint.get("role") != Role.OWN.value or not self._ground.options.revisit:
            return None
        return revisits.own_page(_moment(page.hint.get("at")), since, now)

    def _column_of(self, page: Known) -> Column | None:
        named = page.hint.get("column")
        return self._columns.get(str(named)) if named else self._ground.options.column_of(page.url)


def _evidence(answer: Answer, digest: str) -> dict[str, str]:
    kept = ("server", "last-modified", "content-type", "content-length", "x-powered-by")
    headers = {name: answer.headers[name][:200] for name in kept if name in answer.headers}
    return {"sha256": digest, "status": str(answer.status), "url": answer.url, **headers}


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
