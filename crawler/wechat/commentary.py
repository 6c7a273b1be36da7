"""Comments of every watched article whose turn has come: the most overdue first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from crawler.quota import Purpose
from crawler.wechat import articles
from crawler.wechat.articles import MsgId
from crawler.wechat.caller import Page, Question, Skipped
from crawler.wechat.comments import MOST, CommentPage, comment_page, pause_after
from crawler.wechat.desk import Desk, Paused, when
from crawler.wechat.errors import Failed, Refused, Remedy
from crawler.wechat.places import WATCH

PATH = "/cgi-bin/comment/list"
NAME = "文章评论"
WHOLE_AGAIN = timedelta(hours=6)  #: all is read again, also where the first page is as it was
MANY_AGAIN = timedelta(minutes=30)  #: the same where comments fill several pages
PAGES = 200  #: of one article in one run
MISSES = 5  #: times that comments of an article "do not exist" before it is left
FAILURES = 3  #: articles in a row that cannot be read, after which the run stops asking
MISSED = timedelta(hours=1)

_WHOLE_RUN = {Remedy.ABSENT, Remedy.MIDNIGHT, Remedy.MINUTE}


def read(desk: Desk) -> None:
    """One round. Raises Failed where nothing more can be asked."""
    absent = desk.caller.absent("comments")
    if absent:
        desk.notes.append(f"{NAME}：{absent}，暂不读取")
        return
    due = _due(desk)
    failures = 0
    for number, (msgid, watch) in enumerate(due):
        left = len(due) - number
        if desk.late():
            desk.backlog += left
            return
        try:
            _Thread(desk, msgid, watch).read()
        except Skipped as skipped:
            desk.backlog += left
            desk.skipped(NAME, skipped)
            return
        except Paused as paused:
            desk.backlog += left
            if paused.why:
                desk.notes.append(f"{NAME}：{paused.why}，余下的下次接着读")
            return
        except Failed as error:
            remedy = error.remedy if isinstance(error, Refused) else None
            if remedy is Remedy.GONE:
                _missed(desk, msgid, watch)
                continue
            failures += 1
            if remedy in _WHOLE_RUN or failures >= FAILURES:
                desk.backlog += left
                raise
            desk.troubles.append(f"{NAME}：{error.why}")
        else:
            failures = 0


def _due(desk: Desk) -> list[tuple[MsgId, dict[str, Any]]]:
    """Articles whose turn has come; too old ones are dropped.

    One begun goes first, then the most overdue as measured by its own pause: five minutes
    late where people talk weighs more than ten where nobody does, and nobody waits for ever.
    """
    now = desk.now()
    due = []
    for name, watch in desk.places.all(WATCH).items():
        msgid = articles.msgid_of(name)
        at = when(watch.get("at")) or now
        if msgid is None or now - at > desk.options.watch:
            with desk.run.write() as connection:
                desk.places.drop(connection, WATCH + name)
            continue
        if watch.get("gone"):  # noted until it is too old, or the list would bring it back
            continue
        next_at = when(watch.get("next_at")) or at
        if next_at <= now or desk.tools.manual:
            pause = max(1.0, float(watch.get("pause") or desk.every.total_seconds()))
            overdue = (now - next_at).total_seconds() / pause
            due.append((not watch.get("begin"), -overdue, name, msgid, watch))
    due.sort(key=lambda one: one[:3])
    return [(msgid, watch) for *_, msgid, watch in due]


class _Thread:
    """Reads the comments of one article, page after page, from where the last run stopped."""

    def __init__(self, desk: Desk, msgid: MsgId, watch: dict[str, Any]) -> None:
        self._desk = desk
        self._msgid = msgid
        self._watch = watch
        self._article = str(watch.get("article") or msgid.key)
        self._begin = int(watch.get("begin") or 0)
        self._from_start = not self._begin
        self._seen: set[str] = set()

    def read(self) -> None:
        """Raises Skipped and Failed at the first page, Paused later."""
        purpose = Purpose.FOLLOW if self._begin else Purpose.POLL
        for number in range(PAGES):
            if number and self._desk.late():
                raise Paused(0)
            try:
                page = self._ask(purpose)
            except Skipped as skipped:
                if number:
                    raise Paused(0, skipped.denied.why) from None
                raise
            if self._take(page):
                return
            purpose = Purpose.FOLLOW
        raise Paused(0)

    def _ask(self, purpose: Purpose) -> Page:
        body = {
            "msg_data_id": int(self._msgid.mid),
            "index": self._msgid.comment_index,
            "begin": self._begin,
            "count": MOST,
            "type": 0,
        }
        shown = {"msgid": self._msgid.key, "begin": self._begin}
        return self._desk.caller.call(Question("comments", PATH, body, shown), purpose)

    def _take(self, page: Page) -> bool:
        """Stores a page; answers whether it was the last."""
        desk, now = self._desk, self._desk.now()
        read = comment_page(desk.channel, self._article, self._msgid, page.data)
        if read is None:
            desk.broken(page, "评论的答复里没有列表，接口格式可能已变")
        if not read.keys and not self._begin and read.claimed:
            desk.notes.append(f"平台称文章 {self._msgid.key} 有 {read.claimed} 条评论，却没有给出")
        ended = self._turn(read, now)
        with desk.run.write() as connection:
            counts = desk.intake(connection, read.captures)
            desk.places.put(connection, WATCH + self._msgid.key, self._watch, now)
            desk.settle(connection, page, counts, anything=bool(read.keys), bad=read.bad)
        if counts.new:
            desk.tools.progress(f"公众号{NAME}：文章 {self._msgid.key} 新评论 {counts.new} 条")
        return ended

    def _turn(self, read: CommentPage, now: datetime) -> bool:
        """Moves the place on; answers whether the article is through.

        Neither the total nor a short page says that this was the last: only an empty page
        does, or one that brings nothing but what this walk has seen. What a whole reading has
        proved spares the next ones its further pages for some hours.
        """
        watch = dict(self._watch)
        spared = not self._begin and self._spared(read, now)
        through = not read.keys or (bool(self._seen) and set(read.keys) <= self._seen)
        self._seen.update(read.keys)
        latest = [one.published_at for one in read.captures if one.published_at is not None]
        latest += [known] if (known := when(watch.get("latest"))) else []
        if latest:
            watch["latest"] = min(now, max(latest)).isoformat()
        if not self._begin:
            watch |= {"reading": read.digest, "length": len(read.keys), "total": read.total}
        if through:
            watch |= {
                "full_at": now.isoformat(),
                "many": self._begin >= max(1, int(watch.get("length") or 0)),
                "honest": self._from_start and len(self._seen) == watch.get("total"),
            }
        if spared or through:
            # A little early, so that a run that starts a second sooner is not one too late.
            pause = self._pause(watch, now) * 0.9
            watch |= {
                "pause": pause.total_seconds(),
                "first": watch.get("reading", ""),
                "begin": 0,
                "misses": 0,
                "next_at": (now + pause).isoformat(),
            }
        else:
            self._begin += max(1, len(read.keys) - 1)
            watch["begin"] = self._begin
        self._watch = watch
        return spared or through

    def _spared(self, read: CommentPage, now: datetime) -> bool:
        """Whether the first page tells enough: it is as it was, or it is all there is.

        The total is believed only where the last whole reading found it right.
        """
        full_at = when(self._watch.get("full_at"))
        again = MANY_AGAIN if self._watch.get("many") else WHOLE_AGAIN
        if full_at is None or now - full_at >= again:
            return False
        same = self._watch.get("first") == read.digest and self._watch.get("total") == read.total
        return same or (bool(self._watch.get("honest")) and len(set(read.keys)) == read.total)

    def _pause(self, watch: dict[str, Any], now: datetime) -> timedelta:
        published = when(watch.get("at")) or now
        quiet = now - max(published, when(watch.get("latest")) or published)
        return pause_after(now - published, quiet, self._desk.every)


def _missed(desk: Desk, msgid: MsgId, watch: dict[str, Any]) -> None:
    """The number in an article's address is not always a message: tried some times more."""
    misses = int(watch.get("misses") or 0) + 1
    with desk.run.write() as connection:
        next_at = (desk.now() + misses * MISSED).isoformat()
        later = {**watch, "misses": misses, "next_at": next_at, "gone": misses >= MISSES}
        desk.places.put(connection, WATCH + msgid.key, later, desk.now())
