"""The published list: the newest page, on from it while there is news, then what was left.

The list may be asked 100 times a day, is not always sorted, repeats its last page, and gives
totals that are wrong. So nothing ends because a number says so: a walk ends on an empty page,
on a page it has seen, or well inside what is known. What still slipped in deep shows as a
total that grew by more than was found, and sends one walk a day through the whole list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from crawler.quota import Purpose, beijing_day
from crawler.wechat import articles
from crawler.wechat.articles import Published, PublishedPage
from crawler.wechat.caller import Page, Question, Skipped
from crawler.wechat.desk import Desk, Paused
from crawler.wechat.errors import Failed
from store.records import Outcome
from store.tables import posts

PATH = "/cgi-bin/freepublish/batchget"
NAME = "已发布列表"
PAGE = 20  #: entries in one call; the platform's own limit
OVERLAP = 5  #: entries read again after a stop: deleting moves the rest up
KNOWN = 2  #: pages known in full, in a row, after which a resumed walk believes to be through


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where reading of the list stands."""

    begun: bool = False
    resume: int | None = None  #: offset from which entries are still unread
    to_end: bool = False  #: unread down to the end, not only down to what is known
    total: int | None = None  #: as last told
    counted: int | None = None  #: as told when all was read last
    found: int = 0  #: new entries since then
    swept: str = ""  #: day of the last walk through the whole list
    had: bool = False  #: there were entries once


def read(desk: Desk) -> None:
    """One poll. Raises Skipped or Failed where not even the newest page could be read."""
    absent = desk.caller.absent("published")
    if absent:
        desk.notes.append(f"{NAME}：{absent}，暂不读取")
        return
    place = _place(desk.places.get("published"))
    purpose = Purpose.FOLLOW if desk.urgent else Purpose.POLL
    try:
        if not place.begun:
            place = _Walk(desk, place, whole=True).go(0, purpose)
        else:
            head = _Walk(desk, place, earlier=place.resume, earlier_to_end=place.to_end)
            place = head.go(0, purpose)
            if place.resume is not None:
                start = max(0, place.resume + head.new - OVERLAP)
                rest = _Walk(desk, place, whole=place.to_end, patient=True)
                place = rest.go(start, Purpose.FOLLOW)
        _sweep(desk, place)
    except Paused as paused:
        desk.backlog += paused.left
        if paused.why:
            desk.notes.append(f"{NAME}：{paused.why}，余下的下次接着读")


def _sweep(desk: Desk, place: Place) -> None:
    """Where the total grew by more than was found, the whole list is read, once a day at most."""
    missing = 0
    if place.total is not None and place.counted is not None:
        missing = place.total - place.counted - place.found
    today = beijing_day(desk.now()).isoformat()
    if missing > 0:
        if place.swept == today:
            return
        desk.notes.append(f"{NAME}总数比读到的多 {missing} 篇，从头核对一遍")
        place = _Walk(desk, replace(place, swept=today), whole=True).go(0, Purpose.FOLLOW)
    with desk.run.write() as connection:
        settled = replace(place, counted=place.total, found=0)
        desk.places.put(connection, "published", asdict(settled), desk.now())


class _Walk:
    """Reads page after page; the place is stored with every page.

    `whole` goes to the end of the list; otherwise the walk ends in what is known: at once
    where nothing was new, else one page later, or later still where `patient`. An `earlier`
    stretch is still unread while this walk goes on, and is not forgotten by it.
    """

    def __init__(
        self,
        desk: Desk,
        place: Place,
        *,
        whole: bool = False,
        patient: bool = False,
        earlier: int | None = None,
        earlier_to_end: bool = False,
    ) -> None:
        self._desk = desk
        self._place = replace(place, begun=True)
        self._whole = whole
        self._patient = patient
        self._earlier = earlier
        self._earlier_to_end = earlier_to_end
        self._seen: set[str] = set()
        self._known = 0  # pages known in full, in a row
        self.new = 0  #: entries that were not stored before

    def go(self, start: int, purpose: Purpose) -> Place:
        """The place at the end. Raises Paused on the way, Skipped and Failed at the first page."""
        offset, size, asked = start, PAGE, 0
        while True:
            if asked and (asked >= self._desk.options.pages or self._desk.late()):
                raise Paused(self._left(offset))
            try:
                page = self._ask(offset, size, purpose)
            except Skipped as skipped:
                if not asked:
                    raise
                raise Paused(self._left(offset), skipped.denied.why) from None
            except Failed as error:
                if error.outcome is Outcome.TOO_LARGE:
                    self._desk.troubles.append(f"{NAME}第 {offset + 1} 条起：{error.why}")
                    offset, size = (offset, size // 4 or 1) if size > 1 else (offset + 1, PAGE)
                elif asked:
                    self._desk.troubles.append(f"{NAME}：{error.why}")
                    raise Paused(self._left(offset)) from None
                else:
                    raise
            else:
                following = self._take(page, offset, first=offset == start)
                if following is None:
                    return self._place
                offset = following
            asked += 1
            purpose = Purpose.FOLLOW

    def _ask(self, offset: int, size: int, purpose: Purpose) -> Page:
        body = {"offset": offset, "count": size, "no_content": 0}
        shown = {"offset": offset, "count": size}
        return self._desk.caller.call(Question("published", PATH, body, shown), purpose)

    def _take(self, page: Page, offset: int, *, first: bool) -> int | None:
        """Stores a page; answers where to go on, None at the end of the walk."""
        desk = self._desk
        read = articles.published_page(desk.channel, page.data)
        if read is None:
            desk.broken(page, f"{NAME}的答复里没有列表，接口格式可能已变")
        if not offset and not read.items and (self._place.had or read.total):
            desk.broken(page, f"{NAME}突然为空，不可信")
        with desk.run.write() as connection:
            fresh = _fresh(connection, desk.channel, read.articles)
            counts = desk.keep_own(connection, read.articles)
            self.new += fresh
            self._known = 0 if fresh else self._known + 1
            following = None if self._ended(read, first) else offset + max(1, len(read.items) - 1)
            self._seen.update(read.items)
            self._place = self._moved(read, fresh, following)
            desk.places.put(connection, "published", asdict(self._place), desk.now())
            desk.settle(connection, page, counts, anything=bool(read.items), bad=read.bad)
        if read.bad:
            desk.notes.append(f"{NAME}中有 {read.bad} 条读不出内容")
        desk.tools.progress(
            f"公众号{NAME}：第 {offset + 1} 条起 {len(read.items)} 条，新 {fresh} 条"
        )
        return following

    def _ended(self, read: PublishedPage, first: bool) -> bool:
        if not read.items or (not first and set(read.items) <= self._seen):
            return True
        if self._whole:
            return False
        return self._known > (KNOWN if self._patient else 1 if self.new else 0)

    def _moved(self, read: PublishedPage, fresh: int, following: int | None) -> Place:
        resume, to_end = self._earlier, self._earlier_to_end
        if following is not None:
            # Two stretches unread: the walk to come goes through both, to the end.
            to_end = self._whole or self._earlier is not None
            resume = following if resume is None else min(following, resume)
        return replace(
            self._place,
            resume=resume,
            to_end=to_end,
            total=read.total if read.total is not None else self._place.total,
            found=self._place.found + fresh,
            had=self._place.had or bool(read.items),
        )

    def _left(self, offset: int) -> int:
        return max(1, (self._place.total or 0) - offset)


def _fresh(connection: sa.Connection, channel: str, found: Iterable[Published]) -> int:
    """How many publications hold an article that is not stored yet."""
    publication = {one.key: one.capture.notes["article_id"] for one in found}
    asked = sa.select(posts.c.key).where(
        posts.c.channel == channel, posts.c.key.in_(list(publication))
    )
    known: set[str] = set(connection.execute(asked).scalars())
    return len({publication[key] for key in publication.keys() - known})


def _place(value: dict[str, Any]) -> Place:
    """What is stored; keys of another version of this program do no harm."""
    return Place(**{name: value[name] for name in Place.__slots__ if name in value})
