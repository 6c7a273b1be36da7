"""One reading of an app: new pages of each list first, then what was left, then exports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from config.clock import shown
from crawler import limits
from crawler.app import exports
from crawler.app.options import Export, Feed, JsonList, Options
from crawler.app.pages import Page, Unreadable, back, feed_page, json_page
from crawler.asking import Answer, Asker, Unanswered, unfit
from crawler.catalogue import Reading, Tools
from crawler.intake import Counts, intake
from crawler.places import keep, recall
from crawler.runs import RunLog
from crawler.sheet import SheetBroken
from crawler.site.hosts import split
from crawler.telling import tell
from store.records import Capture, Level, Outcome, RunState
from store.tables import posts

Source = Feed | JsonList
_KNOWN_ENDS = 2  #: pages in a row without anything new: the fully known one and one more
_EMPTY_BREAKS = limits.EMPTY_IN_A_ROW
_RESTS = "rests"
_HELD = 20  #: walks that may wait to be finished


class _Failed(Exception):
    """A page could not be read; it has its outcome and reason."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True)
class Walk:
    """One reading; made for one run and used once."""

    channel: str
    title: str
    options: Options
    tools: Tools
    run: RunLog
    asker: Asker
    token: str = ""
    troubles: list[str] = field(default_factory=list)
    asked: int = 0
    good: int = 0
    backlog: int = 0
    over: list[str] = field(default_factory=list)  #: lists that are broken or have ended
    rests: dict[str, Any] = field(default_factory=dict)  #: host → until when it wants to be left

    def read(self) -> Reading:
        sources: list[Source] = [*self.options.feeds, *self.options.lists]
        with self.tools.database.read() as connection:
            self.rests = recall(connection, self.channel, _RESTS)
        for source in sources:
            try:
                self._source(source)
            except _Failed as error:
                self.troubles.append(f"“{source.name or '列表'}”{error.why}")
        for export in self.options.exports:
            self._folder(export)
        why = "；".join(self.over)
        if not why and self.asked and not self.good:
            why = self.troubles[-1]
        told = "；".join(dict.fromkeys([*([why] if why else []), *self.troubles]))
        return Reading(
            state=RunState.FAILED if why else RunState.DONE, why=told, backlog=self.backlog
        )

    # --- lists --------------------------------------------------------------------------------

    def _source(self, source: Source) -> None:
        place = self._recalled(source)
        name = source.name or "列表"
        if place.get("expired") and not self.tools.manual:
            self.over.append(f"“{name}”已声明停止更新，不再读取")
            return
        held = [str(url) for url in place.get("held", ())]
        try:
            self._follow(source, place, source.url, held)
            for url in held[: self.options.pages]:
                rest = [one for one in place.get("held", ()) if one != url]
                again = back(source.paging, url) if isinstance(source, JsonList) else url
                self._follow(source, place, again, rest, resumed=True)
        finally:
            self.backlog += len(place.get("held", ()))
        if place.get("empty", 0) >= _EMPTY_BREAKS:
            since = "，而以前一直有内容" if place.get("had") else ""
            self.over.append(f"“{name}”连续 {place['empty']} 次什么也没有返回{since}，疑似接口异常")

    def _follow(
        self,
        source: Source,
        place: dict[str, Any],
        url: str,
        held: list[str],
        *,
        resumed: bool = False,
    ) -> None:
        """Walks back from `url`; every page is stored together with where the next begins."""
        known, before, walked = (-1 if resumed else 0), frozenset[str](), set[str]()
        read_new = False
        for count in range(self.options.pages):
            if url in walked:
                # The list goes in a ring: to be tried again, unless that is all there is to it.
                if not resumed or read_new:
                    place["held"] = [url, *held][:_HELD]
                    self.troubles.append(f"“{source.name or '列表'}”翻页回到读过的一页，下次接着读")
                with self.run.write() as connection:
                    self._keep(source, place, connection)
                return
            walked.add(url)
            head = not resumed and count == 0
            label, page, answer = self._page(source, place, url, head=head)
            if page is None:  # unchanged since last time
                return
            keys = frozenset(one.key for one in page.captures)
            last = False
            if keys and keys == before:  # a page that came twice; asked again, it may be mended
                self._settle(label, answer, Outcome.OK_UNCHANGED, "与上一页相同，再取一次")
                label, page, answer = self._page(source, place, url, head=False)
                if page is None:
                    return
                keys = frozenset(one.key for one in page.captures)
                last = keys == before  # some interfaces give their last page for ever
            before = keys
            depth = int(place.get("depth", 0)) + 1
            fresh = self._fresh(keys)
            known = 0 if fresh else known + 1
            read_new = read_new or fresh
            ended = (
                not keys
                or last
                or page.next is None
                or (bool(held or place.get("whole")) and known >= _KNOWN_ENDS)
                or (not place.get("whole") and depth >= self.options.depth)
            )
            left = [] if ended or page.next is None else [page.next]
            place["held"] = [*left, *held][:_HELD]
            if ended and not held:
                place["whole"] = True
            place["depth"] = 0 if place.get("whole") else depth
            if head:
                place["empty"] = 0 if keys else int(place.get("empty", 0)) + 1
                place["had"] = bool(place.get("had") or keys)
                place["seen"] = _validators(answer) if ended else {}
                place["expired"] = page.expired
            self._store(source, place, label, page, answer)
            if ended or page.next is None:
                return
            url = page.next

    def _page(
        self, source: Source, place: Mapping[str, Any], url: str, *, head: bool
    ) -> tuple[str, Page | None, Answer]:
        """(how the ledger names it, what it says, how it came); unsettled where it was read."""
        self._rested(url)
        self.asked += 1
        label = self._planned(url)
        headers = dict(place.get("seen") or {}) if head else {}
        if self.token and isinstance(source, JsonList):
            said = f"{self.options.token_scheme} {self.token}".strip()
            headers[self.options.token_header] = said
        try:
            answer = self.asker.ask(url, headers=headers, redirects=limits.REDIRECTS)
            trouble = unfit(answer, self.now)
            if trouble is not None:
                raise trouble
            if not answer.body.strip():
                raise Unanswered(Outcome.OK_EMPTY, "应答为空", status=answer.status)
        except Unanswered as error:
            with self.run.write() as connection:
                self.run.settle(
                    label, error.outcome, status=error.status, why=error.why, connection=connection
                )
                self._rest(url, error.wait, connection)
            if error.outcome is Outcome.OK_UNCHANGED and head:
                self.good += 1
                return label, None, Answer(url=url, status=304)
            if error.outcome is Outcome.OK_EMPTY and head:
                self._count_empty(source, place)
            raise _Failed(error.why) from None
        try:
            page = self._read(source, answer)
        except Unreadable as error:
            self._settle(label, answer, error.outcome, error.why)
            raise _Failed(error.why) from None
        self.good += 1
        return label, page, answer

    def _rest(self, url: str, wait: float | None, connection: sa.Connection) -> None:
        """Remembers that a host asked to be left alone; the others are read all the same."""
        if wait is None:
            return
        until = self.now + timedelta(seconds=min(wait, 86_400.0))
        self.rests = {**self.rests, split(url).host: until.isoformat()}
        keep(
            self.tools.database,
            connection,
            channel=self.channel,
            name=_RESTS,
            value=self.rests,
            now=self.now,
        )

    def _rested(self, url: str) -> None:
        """Raises _Failed while the host of an address wants to be left alone."""
        at = self.rests.get(split(url).host)
        until = datetime.fromisoformat(str(at)) if at else self.now
        if self.now < until and not self.tools.manual:
            raise _Failed(f"对方要求稍后再来，{shown(until)} 后再试")

    def _planned(self, url: str) -> str:
        """Plans one fetch; an address asked for again in one run is numbered."""
        for count in range(1, 1_000):
            label = url if count == 1 else f"{url}#{count}"
            if self.run.plan([label]):
                return label
        raise _Failed("同一地址反复读取")

    def _read(self, source: Source, answer: Answer) -> Page:
        kind = answer.headers.get("content-type", "")
        if isinstance(source, JsonList):
            return json_page(
                source,
                answer.body,
                url=answer.url,
                content_type=kind,
                now=self.now,
                channel=self.channel,
            )
        hosts = [
            host if port in {80, 443} else f"{host}:{port}"
            for host, port in self.options.allowed().places
        ]
        return feed_page(
            source,
            answer.body,
            url=answer.url,
            content_type=kind,
            now=self.now,
            hosts=hosts,
            channel=self.channel,
        )

    def _store(
        self, source: Source, place: dict[str, Any], url: str, page: Page, answer: Answer
    ) -> None:
        with self.run.write() as connection:
            counts = self._taken(connection, page.captures)
            outcome = _outcome(counts, bool(page.captures))
            why = page.skipped[0] if page.skipped else ""
            self._settle(url, answer, outcome, why, connection)
            self._keep(source, place, connection)
            if page.expired:
                tell(
                    connection,
                    key=f"app:{self.channel}:{_mark(source)}:expired",
                    channel=self.channel,
                    reason=(
                        f"“{self.title}”的“{source.name or '订阅源'}”声明已停止更新（expired），"
                        "听澜不再读取。请核实是否更换了地址，并改设置。"
                    ),
                    now=self.now,
                    level=Level.III,
                )
        if page.expired:
            self.over.append(f"“{source.name or '订阅源'}”已声明停止更新，不再读取")
        self.tools.progress(f"{self.title}：{source.name or '列表'}，读到 {counts.seen} 条")

    def _fresh(self, keys: frozenset[str]) -> bool:
        """Whether a page names anything that is not kept yet."""
        with self.tools.database.read() as connection:
            asked = sa.select(sa.func.count()).where(
                posts.c.channel == self.channel,
                posts.c.key.in_([key[: limits.KEY] for key in keys]),
            )
            return int(connection.execute(asked).scalar_one()) < len(keys)

    def _count_empty(self, source: Source, place: Mapping[str, Any]) -> None:
        value = {**place, "empty": int(place.get("empty", 0)) + 1}
        with self.run.write() as connection:
            self._keep(source, value, connection)

    def _recalled(self, source: Source) -> dict[str, Any]:
        with self.tools.database.read() as connection:
            return recall(connection, self.channel, f"list:{_mark(source)}")

    def _keep(self, source: Source, place: Mapping[str, Any], connection: sa.Connection) -> None:
        keep(
            self.tools.database,
            connection,
            channel=self.channel,
            name=f"list:{_mark(source)}",
            value=place,
            now=self.now,
        )

    # --- exports ------------------------------------------------------------------------------

    def _folder(self, export: Export) -> None:
        """Every table whose content is not known yet, oldest first; files are left alone."""
        try:
            files = exports.tables(Path(export.folder))
        except OSError as error:
            self.asked += 1
            self.troubles.append(f"“{export.name}”的文件夹读不到：{type(error).__name__}")
            return
        name = f"export:{hashlib.sha256(export.folder.encode()).hexdigest()[:12]}"
        with self.tools.database.read() as connection:
            known = recall(connection, self.channel, name)
        for path in files:
            self._table(export, path, name, known)

    def _table(self, export: Export, path: Path, name: str, known: dict[str, Any]) -> None:
        url = f"file:{path.name}"
        try:
            body = exports.content(path)
        except OSError as error:
            if self.run.plan([url]):
                self.run.settle(url, Outcome.HTTP_ERROR, why=f"读不到：{type(error).__name__}")
            self.troubles.append(f"{path.name} 读不到")
            return
        digest = hashlib.sha256(body).hexdigest()
        if known.get(path.name) == digest or not self.run.plan([url]):
            return
        self.asked += 1
        try:
            rows = list(exports.captures(export, body, self.channel, self.now))
        except SheetBroken as error:
            self.run.settle(url, Outcome.PARSE_BROKEN, bytes=len(body), why=error.reason)
            self.troubles.append(f"{path.name}：{error.reason}")
            return
        bad = [row for row in rows if isinstance(row, str)]
        with self.run.write() as connection:
            counts = self._taken(connection, [row for row in rows if isinstance(row, Capture)])
            self.run.settle(
                url,
                _outcome(counts, bool(counts.seen)),
                bytes=len(body),
                why="；".join(bad[:5]),
                connection=connection,
            )
            known[path.name] = digest
            keep(
                self.tools.database,
                connection,
                channel=self.channel,
                name=name,
                value=known,
                now=self.now,
            )
        self.good += 1
        if bad:
            self.troubles.append(f"{path.name}：{bad[0]}" + (f"等 {len(bad)} 处" * (len(bad) > 1)))

    # --- both ---------------------------------------------------------------------------------

    def _taken(
        self, connection: sa.Connection, captures: tuple[Capture, ...] | list[Capture]
    ) -> Counts:
        counts = intake(connection, captures, now=self.now, author_key=self.tools.author_key)
        self.run.count(counts, connection)
        return counts

    def _settle(
        self,
        url: str,
        answer: Answer,
        outcome: Outcome,
        why: str,
        connection: sa.Connection | None = None,
    ) -> None:
        self.run.settle(
            url,
            outcome,
            status=answer.status,
            bytes=answer.size,
            ms=answer.ms,
            why=why,
            connection=connection,
        )

    @property
    def now(self) -> datetime:
        return self.tools.clock.now()


def _outcome(counts: Counts, any_rows: bool) -> Outcome:
    if counts.new or counts.changed:
        return Outcome.OK_NEW
    return Outcome.OK_UNCHANGED if any_rows else Outcome.OK_EMPTY


def _validators(answer: Answer) -> dict[str, str]:
    """What to send so that the other side can say: unchanged."""
    found = {
        "If-None-Match": answer.headers.get("etag", ""),
        "If-Modified-Since": answer.headers.get("last-modified", ""),
    }
    return {name: value for name, value in found.items() if value}


def _mark(source: Source) -> str:
    return hashlib.sha256(source.url.encode()).hexdigest()[:12]
