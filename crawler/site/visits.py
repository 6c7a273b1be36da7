"""Visits the pages that are due, and stores what each says with how the fetch ended."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from crawler import tampering
from crawler.fingerprint import Fingerprint
from crawler.site import frontier, reading, revisits
from crawler.site.fetcher import Answer
from crawler.site.frontier import Known
from crawler.site.ground import Ground, as_read, conditions
from crawler.site.options import Column
from crawler.site.reading import Unreadable
from store.records import Outcome, Role


class Visits:
    """The pages of one channel that are due now."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._columns = {column.url: column for column in ground.options.columns}

    async def walk(self) -> None:
        due = await self._ground.write(self._due)
        done = 0

        async def visit(page: Known) -> None:
            nonlocal done
            await self._page(page)
            done += 1
            if done % 20 == 0:
                self._ground.tools.progress(f"已抓取 {done}/{len(due)} 页")

        await self._ground.in_lanes([(page.url, partial(visit, page)) for page in due])

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

    async def _page(self, page: Known) -> None:
        answer = await self._ground.fetcher.get(page.url, headers=conditions(page))
        digest = hashlib.sha256(answer.body).hexdigest()
        if answer.outcome is Outcome.OK_UNCHANGED or (
            answer.outcome is None and digest == page.digest
        ):
            await self._ground.write(partial(self._unchanged, page, answer))
            return
        if answer.outcome is not None:
            await self._ground.write(
                partial(self._failed, page, answer, answer.outcome, answer.why)
            )
            return
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
            await self._ground.write(
                partial(self._failed, page, answer, failure.outcome, failure.why, taken)
            )
            return
        await self._ground.write(partial(self._kept, page, answer, digest, read, taken))

    def _is_own(self, kind: str, role: Any) -> bool:
        """Whether a page is watched for tampering."""
        return self._ground.options.revisit and kind == "article" and role == Role.OWN.value

    def _kept(
        self,
        page: Known,
        answer: Answer,
        digest: str,
        read: reading.Reading,
        taken: Fingerprint | None,
    ) -> None:
        now = self._ground.tools.clock.now()
        with self._ground.run.write() as connection:
            counts = self._ground.taken(connection, [read.capture])
            if counts.bad:
                frontier.trouble(connection, self._ground.channel, page, now)
                self._ground.settle(
                    connection, page.url, answer, Outcome.PARSE_BROKEN, "内容无法入库"
                )
                return
            since = page.hint.get("since") or now.isoformat()
            published = read.capture.published_at
            hint = {
                **page.hint,
                "since": since,
                "role": read.capture.role.value,
                "at": published.isoformat() if published else page.hint.get("at"),
            }
            after = replace(
                as_read(page, answer, digest, now, kind=page.kind), hint=hint, closed=read.closed
            )
            confirm = taken and tampering.look(
                connection, self._ground.channel, page.url,
                taken=taken, now=now, evidence=_evidence(answer, digest),
            )  # fmt: skip
            again = [one for one in (self._again(after, now), confirm) if one]
            frontier.record(
                connection,
                self._ground.channel,
                replace(after, next_at=min(again, default=None)),
            )
            fresh = counts.new or counts.changed
            self._ground.settle(
                connection, page.url, answer, Outcome.OK_NEW if fresh else Outcome.OK_UNCHANGED, ""
            )

    def _unchanged(self, page: Known, answer: Answer) -> None:
        now = self._ground.tools.clock.now()
        after = replace(
            page,
            last_at=now,
            failures=0,
            etag=answer.headers.get("etag", page.etag),
            modified=answer.headers.get("last-modified", page.modified),
        )
        with self._ground.run.write() as connection:
            frontier.record(
                connection,
                self._ground.channel,
                replace(after, next_at=self._again(after, now)),
            )
            tampering.same(connection, self._ground.channel, page.url, now)
            self._ground.settle(connection, page.url, answer, Outcome.OK_UNCHANGED, "")

    def _failed(
        self,
        page: Known,
        answer: Answer,
        outcome: Outcome,
        why: str,
        taken: Fingerprint | None = None,
    ) -> None:
        now = self._ground.tools.clock.now()
        with self._ground.run.write() as connection:
            if outcome is not Outcome.DROPPED:
                frontier.trouble(connection, self._ground.channel, page, now)
            if taken is not None:
                tampering.look(
                    connection, self._ground.channel, page.url,
                    taken=taken, now=now,
                )  # fmt: skip
            else:
                tampering.lost(
                    connection, self._ground.channel, page.url, outcome=outcome, why=why, now=now
                )
            self._ground.settle(connection, page.url, answer, outcome, why)

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
