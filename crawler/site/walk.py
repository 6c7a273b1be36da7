"""One reading of one site: its lists first, then the pages that are due, each accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from crawler import limits, tampering
from crawler.catalogue import Reading, Tools
from crawler.discovery.paging import NextPage
from crawler.extraction.markup import Markup
from crawler.fingerprint import Fingerprint
from crawler.intake import Counts, intake
from crawler.runs import RunLog
from crawler.site import frontier, reading, revisits, robots
from crawler.site.fetcher import Answer, Fetcher, Rest
from crawler.site.frontier import Known
from crawler.site.hosts import split
from crawler.site.options import Column, Options
from crawler.site.reading import Listed, Page, Unreadable
from store.records import Capture, Outcome, Role, RunState

log = logging.getLogger("crawler.site")

T = TypeVar("T")
_ROBOTS, _RESTS = "robots", "rests"
_SMALL = 64 * 1024  #: bytes of a page that takes a few milliseconds to parse
_FAULTS = 3  #: of ours in a row, after which a run is given up
_LEFT_OFF = 5  #: places of one list at which earlier runs left off


@dataclass(frozen=True, slots=True)
class Threads:
    """Where parsing and writing happen, so that no host waits for either."""

    parse: ThreadPoolExecutor
    write: ThreadPoolExecutor


@dataclass(slots=True)
class _Told:
    """What the reading says of itself at the end."""

    lists: int = 0
    read: int = 0  #: lists that could be read
    troubles: list[str] = field(default_factory=list)
    broken: bool = False


@dataclass(slots=True)
class _Step:
    """One request of a walk along a list."""

    ask: NextPage
    number: int = 1

    @property
    def kept(self) -> dict[str, Any]:
        return {
            "url": self.ask.url,
            "method": self.ask.method,
            "form": [list(pair) for pair in self.ask.form],
            "number": self.number,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> _Step:
        form = tuple((str(name), str(value)) for name, value in kept["form"])
        return cls(NextPage(kept["url"], kept["method"], form), int(kept["number"]))


@dataclass(frozen=True, slots=True)
class _Paged:
    """What came of one page of a list: nothing where it is unchanged or could not be read."""

    listed: Listed | None = None
    fresh: int = 0
    gone: bool = False  #: a further page that need not be tried again


class Walk:
    """Reads one site channel once."""

    def __init__(
        self, *, channel: str, options: Options, tools: Tools, run: RunLog, threads: Threads
    ) -> None:
        self.channel = channel
        self.options = options
        self.hosts = options.allowed()
        self.reading: Reading | None = None
        self.error: Exception | None = None
        self.begun = False
        self._tools = tools
        self._run = run
        self._threads = threads
        self._columns = {column.url: column for column in options.columns}
        self._started = tools.clock.now()
        span = run.deadline - self._started
        self._stop_at = run.deadline - max(span / 10, timedelta(seconds=2))
        self._told = _Told()
        self._fetcher: Fetcher

    async def go(self, fetcher: Callable[..., Fetcher]) -> None:
        """Leaves its Reading, or the error that ended it. Cancelled, it leaves neither."""
        self.begun = True
        try:
            kept_robots, rests = await self._write(self._remembered)
            self._fetcher = fetcher(
                hosts=self.hosts,
                now=self._tools.clock.now,
                delay=self.options.delay.total_seconds(),
                timeout=self.options.timeout.total_seconds(),
                robots_kept=kept_robots,
                resting=rests,
                ledger=self._run,
            )
            try:
                await self._lists()
                await self._pages()
            finally:
                self._remember()
            self.reading = self._summed(await self._write(self._backlog))
        except Exception as error:
            log.exception("site.failed", extra={"channel": self.channel})
            self.error = error

    # --- lists ----------------------------------------------------------------------------

    async def _lists(self) -> None:
        work: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            (column.url, partial(self._column, column)) for column in self.options.columns
        ]
        work += [(url, partial(self._feed, url)) for url in self.options.feeds]
        if self.options.sitemap:
            work.append((self.options.sitemap, self._sitemap))
        await self._in_lanes(work)

    async def _column(self, column: Column) -> None:
        """Walks a list from its head to what is known and one page more; then on from where
        earlier runs left off."""
        left = await self._write(partial(self._left_off, column.url))
        seen: set[str] = set()
        budget = column.pages
        for start in [_Step(NextPage(column.url)), *left]:
            step: _Step | None = start
            known_pages, spread = 0, 0
            while step is not None and budget > 0 and not self._late():
                parse = partial(
                    reading.read_column,
                    column=column,
                    number=step.number,
                    asked=step.ask,
                    seen=frozenset(seen),
                )
                paged = await self._list_page(step, column.name or column.url, parse, spread)
                budget -= 1
                seen.add(step.ask.key)
                following = None
                if paged.listed is not None:
                    spread += len(paged.listed.found)
                    known_pages = 0 if paged.fresh else known_pages + 1
                    if known_pages < 2 and step.number < column.depth:
                        following = paged.listed.next
                elif not paged.gone:
                    break
                went, step = step, _Step(following, step.number + 1) if following else None
                await self._write(partial(self._move_on, column.url, left, went, step))

    async def _feed(self, url: str) -> None:
        """A feed and its further pages, as far as they are new."""
        ask: NextPage | None = NextPage(url)
        for number in range(1, limits.FEED_PAGES + 1):
            if ask is None or self._late():
                return
            paged = await self._list_page(
                _Step(ask, number), url, partial(reading.read_feed, options=self.options), 0, "feed"
            )
            ask = paged.listed.next if paged.listed is not None and paged.fresh else None

    async def _sitemap(self) -> None:
        read = partial(reading.read_sitemap, options=self.options)
        step = _Step(NextPage(self.options.sitemap))
        paged = await self._list_page(step, "站点地图", read, 0, "sitemap")
        for url in paged.listed.more if paged.listed is not None else ():
            await self._list_page(_Step(NextPage(url)), "站点地图", read, 0, "sitemap")

    async def _list_page(
        self,
        step: _Step,
        label: str,
        parse: Callable[[Page], Listed],
        spread: int,
        kind: str = "list",
    ) -> _Paged:
        """One page of a list. Its first page is asked for on condition that it changed."""
        url = step.ask.url
        page = await self._planned(url)
        if page is None:
            return _Paged()
        first = step.number == 1
        self._told.lists += first
        answer = await self._fetcher.get(
            url,
            headers=_conditions(page) if first else {},
            form=dict(step.ask.form) if step.ask.method == "POST" else None,
        )
        digest = hashlib.sha256(answer.body).hexdigest()
        same = answer.outcome is None and first and page.digest == digest
        if same or answer.outcome is Outcome.OK_UNCHANGED:
            self._told.read += first
            await self._write(partial(self._settled, page, answer, Outcome.OK_UNCHANGED, ""))
            return _Paged()
        try:
            if answer.outcome is not None:
                raise Unreadable(answer.outcome, answer.why)
            listed = await self._parsed(parse, self._page_of(url, answer))
            if kind == "list" and first and not listed.found:
                raise Unreadable(Outcome.OK_EMPTY, "栏目中没有文章")
        except Unreadable as failure:
            if failure.outcome is Outcome.BLOCKED and answer.outcome is None:
                self._fetcher.challenged(answer.url)
            await self._list_failed(
                page=page, answer=answer, failure=failure, kind=kind, label=label, first=first
            )
            return _Paged(gone=not first and failure.outcome is not Outcome.DROPPED)
        fresh = await self._write(
            partial(
                self._listed,
                page=page,
                answer=answer,
                listed=listed,
                digest=digest,
                kind=kind,
                spread=spread,
            )
        )
        self._told.read += first
        if fresh:
            self._tools.progress(f"{label}：第 {step.number} 页新发现 {fresh} 条")
        return _Paged(listed, fresh)

    def _left_off(self, url: str) -> list[_Step]:
        with self._tools.database.read() as connection:
            kept = frontier.position(connection, self.channel, f"list:{url}")
        return [_Step.of(one) for one in kept.get("left", [])][:_LEFT_OFF]

    def _move_on(self, url: str, left: list[_Step], went: _Step, step: _Step | None) -> None:
        """Keeps where this list is to be read on, in case this run does not come to it."""
        before = [one.ask.key for one in left]
        left[:] = [one for one in left if one.ask.key != went.ask.key]
        if step is not None and all(one.ask.key != step.ask.key for one in left):
            left.insert(0, step)
        if before == [one.ask.key for one in left]:
            return
        with self._run.write() as connection:
            frontier.leave(
                connection,
                self.channel,
                f"list:{url}",
                {"left": [one.kept for one in left[:_LEFT_OFF]]} if left else None,
                self._tools.clock.now(),
            )

    async def _list_failed(
        self,
        *,
        page: Known,
        answer: Answer,
        failure: Unreadable,
        kind: str,
        label: str,
        first: bool,
    ) -> None:
        outcome, why = failure.outcome, failure.why
        failures = await self._write(partial(self._list_troubled, page, answer, outcome, why, kind))
        if outcome is Outcome.DROPPED and not first:
            return
        if outcome is Outcome.OK_EMPTY and failures < limits.EMPTY_IN_A_ROW:
            self._told.read += first
            self._told.troubles.append(f"「{label}」为空")
            return
        if outcome is Outcome.OK_EMPTY:
            self._told.broken = True
            why = f"连续 {failures} 次为空，疑似改版或失效"
        self._told.troubles.append(f"「{label}」{why or outcome.value}")

    def _list_troubled(
        self, page: Known, answer: Answer, outcome: Outcome, why: str, kind: str
    ) -> int:
        now = self._tools.clock.now()
        failures = page.failures + (0 if outcome is Outcome.DROPPED else 1)
        with self._run.write() as connection:
            # Its validators are forgotten: a list that was empty must not hide behind a 304.
            frontier.record(
                connection,
                self.channel,
                replace(
                    page,
                    kind=kind,
                    etag="",
                    modified="",
                    digest="",
                    last_at=now,
                    failures=failures,
                ),
            )
            self._settle(connection, page.url, answer, outcome, why)
        return failures

    def _listed(
        self, *, page: Known, answer: Answer, listed: Listed, digest: str, kind: str, spread: int
    ) -> int:
        """Stores a page of a list; answers how many new things it named."""
        now = self._tools.clock.now()
        with self._run.write() as connection:
            news = frontier.discover(connection, self.channel, listed.found, now, spread=spread)
            counts = self._taken(connection, listed.captures)
            frontier.record(
                connection,
                self.channel,
                _as_read(page, answer, digest, now, kind=kind),
            )
            fresh = news.fresh + counts.new + counts.changed
            notes = [f"站外链接 {listed.offsite} 条"] if listed.offsite else []
            notes += [f"跳过 {listed.skipped} 条"] if listed.skipped else []
            self._settle(
                connection,
                page.url,
                answer,
                Outcome.OK_NEW if fresh else Outcome.OK_UNCHANGED,
                "，".join(notes),
            )
        return fresh

    # --- pages ----------------------------------------------------------------------------

    async def _pages(self) -> None:
        due = await self._write(self._due)
        done = 0

        async def visit(page: Known) -> None:
            nonlocal done
            await self._page(page)
            done += 1
            if done % 20 == 0:
                self._tools.progress(f"已抓取 {done}/{len(due)} 页")

        await self._in_lanes([(page.url, partial(visit, page)) for page in due])

    def _due(self) -> list[Known]:
        with self._run.write() as connection:
            found = frontier.due(
                connection, self.channel, self._tools.clock.now(), self.options.max_fetches
            )
            planned = set(self._run.plan([page.url for page in found], connection))
        return [page for page in found if page.url in planned]

    async def _page(self, page: Known) -> None:
        answer = await self._fetcher.get(page.url, headers=_conditions(page))
        digest = hashlib.sha256(answer.body).hexdigest()
        if answer.outcome is Outcome.OK_UNCHANGED or (
            answer.outcome is None and digest == page.digest
        ):
            await self._write(partial(self._unchanged, page, answer))
            return
        if answer.outcome is not None:
            await self._write(partial(self._failed, page, answer, answer.outcome, answer.why))
            return
        column = self._column_of(page)
        seen = self._page_of(page.url, answer)
        try:
            read = await self._parsed(
                reading.read_post,
                seen,
                page.kind,
                column,
                self.options.selectors,
                listed=str(page.hint.get("title") or ""),
            )
            taken = None
            if self._is_own(page.kind, read.capture.role.value):
                taken = await self._parsed(tampering.taken_of, seen, read.article)
        except Unreadable as failure:
            if failure.outcome is Outcome.BLOCKED:
                self._fetcher.challenged(answer.url)
            taken = None
            if self._is_own(page.kind, page.hint.get("role")):
                with contextlib.suppress(Unreadable):
                    taken = await self._parsed(tampering.taken_of, seen)
            await self._write(
                partial(self._failed, page, answer, failure.outcome, failure.why, taken)
            )
            return
        await self._write(partial(self._kept, page, answer, digest, read, taken))

    def _is_own(self, kind: str, role: Any) -> bool:
        """Whether a page is watched for tampering."""
        return self.options.revisit and kind == "article" and role == Role.OWN.value

    def _kept(
        self,
        page: Known,
        answer: Answer,
        digest: str,
        read: reading.Reading,
        taken: Fingerprint | None,
    ) -> None:
        now = self._tools.clock.now()
        with self._run.write() as connection:
            counts = self._taken(connection, [read.capture])
            if counts.bad:
                frontier.trouble(connection, self.channel, page, now)
                self._settle(connection, page.url, answer, Outcome.PARSE_BROKEN, "内容无法入库")
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
                _as_read(page, answer, digest, now, kind=page.kind), hint=hint, closed=read.closed
            )
            confirm = taken and tampering.look(
                connection, self.channel, page.url,
                taken=taken, now=now, evidence=_evidence(answer, digest),
            )  # fmt: skip
            again = [one for one in (self._again(after, now), confirm) if one]
            frontier.record(
                connection,
                self.channel,
                replace(after, next_at=min(again, default=None)),
            )
            fresh = counts.new or counts.changed
            self._settle(
                connection, page.url, answer, Outcome.OK_NEW if fresh else Outcome.OK_UNCHANGED, ""
            )

    def _unchanged(self, page: Known, answer: Answer) -> None:
        now = self._tools.clock.now()
        after = replace(
            page,
            last_at=now,
            failures=0,
            etag=answer.headers.get("etag", page.etag),
            modified=answer.headers.get("last-modified", page.modified),
        )
        with self._run.write() as connection:
            frontier.record(
                connection,
                self.channel,
                replace(after, next_at=self._again(after, now)),
            )
            tampering.same(connection, self.channel, page.url, now)
            self._settle(connection, page.url, answer, Outcome.OK_UNCHANGED, "")

    def _failed(
        self,
        page: Known,
        answer: Answer,
        outcome: Outcome,
        why: str,
        taken: Fingerprint | None = None,
    ) -> None:
        now = self._tools.clock.now()
        with self._run.write() as connection:
            if outcome is not Outcome.DROPPED:
                frontier.trouble(connection, self.channel, page, now)
            if taken is not None:
                tampering.look(
                    connection, self.channel, page.url,
                    taken=taken, now=now,
                )  # fmt: skip
            else:
                tampering.lost(
                    connection, self.channel, page.url, outcome=outcome, why=why, now=now
                )
            self._settle(connection, page.url, answer, outcome, why)

    def _again(self, page: Known, now: datetime) -> datetime | None:
        """When a page that was just read is to be seen again."""
        since = _moment(page.hint.get("since")) or now
        if page.kind == "letter":
            if page.closed:
                return None
            return revisits.letter(since, now, self.options.letters_every)
        if page.hint.get("role") != Role.OWN.value or not self.options.revisit:
            return None
        return revisits.own_page(_moment(page.hint.get("at")), since, now)

    def _column_of(self, page: Known) -> Column | None:
        named = page.hint.get("column")
        return self._columns.get(str(named)) if named else self.options.column_of(page.url)

    # --- what both share ------------------------------------------------------------------

    def _taken(self, connection: sa.Connection, captures: Iterable[Capture]) -> Counts:
        counts = intake(
            connection,
            captures,
            now=self._tools.clock.now(),
            author_key=self._tools.author_key,
        )
        self._run.count(counts, connection)
        return counts

    async def _planned(self, url: str) -> Known | None:
        """Plans a fetch; None where this run has planned it before."""

        def plan() -> Known | None:
            with self._run.write() as connection:
                if not self._run.plan([url], connection):
                    return None
                return frontier.get(connection, self.channel, url)

        return await self._write(plan)

    def _settled(self, page: Known, answer: Answer, outcome: Outcome, why: str) -> None:
        now = self._tools.clock.now()
        with self._run.write() as connection:
            frontier.record(
                connection,
                self.channel,
                replace(page, last_at=now, failures=0),
            )
            self._settle(connection, page.url, answer, outcome, why)

    def _settle(
        self, connection: sa.Connection, url: str, answer: Answer, outcome: Outcome, why: str
    ) -> None:
        self._run.settle(
            url,
            outcome,
            status=answer.status,
            bytes=answer.size,
            ms=answer.ms,
            why=why,
            connection=connection,
        )

    def _page_of(self, url: str, answer: Answer) -> Page:
        return Page(
            channel=self.channel,
            url=url,
            at=answer.url,
            markup=Markup(body=answer.body, content_type=answer.headers.get("content-type", "")),
            hosts=self.hosts,
            now=self._tools.clock.now(),
        )

    async def _in_lanes(self, work: Iterable[tuple[str, Callable[[], Awaitable[None]]]]) -> None:
        """One thing after the other on each host, hosts side by side: one that is slow, or
        that asked us to wait, holds up no other."""
        lanes: dict[str, list[Callable[[], Awaitable[None]]]] = {}
        for url, do in work:
            lanes.setdefault(split(url).host, []).append(do)

        async def lane(jobs: list[Callable[[], Awaitable[None]]]) -> None:
            failed = 0
            for do in jobs:
                if self._late():
                    return
                try:
                    await do()
                    failed = 0
                except Exception:  # a fault of ours at one page must not cost the others
                    log.exception("site.visit_failed", extra={"channel": self.channel})
                    failed += 1
                    if failed == _FAULTS:
                        raise

        async with asyncio.TaskGroup() as group:
            for jobs in lanes.values():
                group.create_task(lane(jobs))

    def _late(self) -> bool:
        return self._tools.clock.now() >= self._stop_at

    async def _parsed(self, work: Callable[..., T], *given: Any, **named: Any) -> T:
        """Parses beside the event loop, for a while. Raises Unreadable."""
        do = partial(work, *given, **named)
        page = next(one for one in given if isinstance(one, Page))
        try:
            if len(page.body) <= _SMALL:  # read sooner than handed to a thread
                return do()
            loop = asyncio.get_running_loop()
            return await asyncio.wait_for(
                loop.run_in_executor(self._threads.parse, do), limits.PARSE_SECONDS
            )
        except TimeoutError:
            raise Unreadable(Outcome.PARSE_BROKEN, "页面解析超时") from None
        except Unreadable:
            raise
        except Exception as error:  # a page must not end the run, whatever is in it
            log.exception("site.page_failed", extra={"channel": self.channel})
            raise Unreadable(Outcome.PARSE_BROKEN, f"解析出错（{type(error).__name__}）") from None

    async def _write(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        # A write that has begun is seen through, also when the run is told to stop.
        return await asyncio.shield(loop.run_in_executor(self._threads.write, work))

    def _backlog(self) -> int:
        with self._tools.database.read() as connection:
            return frontier.backlog(connection, self.channel, self._started)

    def _summed(self, backlog: int) -> Reading:
        told = self._told
        failed = told.broken or (told.lists > 0 and told.read == 0)
        return Reading(
            state=RunState.FAILED if failed else RunState.DONE,
            why="；".join(told.troubles)[: limits.WHY],
            backlog=backlog,
        )

    def _remembered(self) -> tuple[dict[str, robots.Rules], dict[str, Rest]]:
        with self._tools.database.read() as connection:
            kept = frontier.position(connection, self.channel, _ROBOTS)
            rests = frontier.position(connection, self.channel, _RESTS)
        now = self._tools.clock.now()
        self._before = (kept, rests)
        return (
            {
                o: robots.Rules(one["text"], datetime.fromisoformat(one["at"]))
                for o, one in kept.items()
            },
            {
                host: Rest(until, one["why"])
                for host, one in rests.items()
                if now < (until := datetime.fromisoformat(one["until"])) <= now + timedelta(days=1)
            },
        )

    def _remember(self) -> None:
        """Also at the very end of a cancelled run, so it writes by itself."""
        now = self._tools.clock.now()
        kept = {
            origin: {"text": rules.text, "at": rules.at.isoformat()}
            for origin, rules in self._fetcher.robots_kept.items()
        }
        rests = {
            host: {"until": rest.until.isoformat(), "why": rest.why}
            for host, rest in self._fetcher.resting.items()
            if rest.until > now
        }
        if (kept, rests) == self._before:
            return
        with self._run.write() as connection:
            for name, value in ((_ROBOTS, kept), (_RESTS, rests)):
                frontier.leave(connection, self.channel, name, value, now)


def _evidence(answer: Answer, digest: str) -> dict[str, str]:
    kept = ("server", "last-modified", "content-type", "content-length", "x-powered-by")
    headers = {name: answer.headers[name][:200] for name in kept if name in answer.headers}
    return {"sha256": digest, "status": str(answer.status), "url": answer.url, **headers}


def _conditions(page: Known) -> dict[str, str]:
    if page.last_at is None or not page.digest:
        return {}
    asked = {"If-None-Match": page.etag, "If-Modified-Since": page.modified}
    return {name: value for name, value in asked.items() if value and value.isascii()}


def _as_read(page: Known, answer: Answer, digest: str, now: datetime, *, kind: str) -> Known:
    return replace(
        page,
        kind=kind,
        etag=answer.headers.get("etag", ""),
        modified=answer.headers.get("last-modified", ""),
        digest=digest,
        last_at=now,
        next_at=None,
        failures=0,
    )


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
