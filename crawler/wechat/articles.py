"""What the account published, read from WeChat's answers: articles and the names they go by.

An article is known as `ID_INDEX` (the platform's msgid: message id, position from 1), which
its long address tells as `mid` and `idx` too. Where only a short address is given, the
published list's own article_id and the position stand in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from crawler.extraction.hygiene import one_line, parse_html
from crawler.extraction.outline import plain
from crawler.wechat.wire import whole
from store.records import Capture, Kind, Precision, Role

DELETED = "已删除"
PUBLISHED = "发布"  #: column of what was published without notifying followers
SENT = "群发"  #: column of what was sent to followers
PLACEHOLDER = "群发消息（标题待平台统计接口返回）"

_MSGID = re.compile(r"\s*([1-9][0-9]{0,19})_([1-9][0-9]?)\s*")
_LARGEST = 4_102_444_800  # 2100-01-01: beyond it, milliseconds were meant


@dataclass(frozen=True, slots=True)
class MsgId:
    """`id_index` of the statistics; the index counts from 1 there and from 0 in comment/list."""

    mid: str  #: a 64-bit number; kept as text, for JSON elsewhere rounds it
    idx: int  #: from 1

    @property
    def key(self) -> str:
        return f"{self.mid}_{self.idx}"

    @property
    def comment_index(self) -> int:
        return self.idx - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One article of the published list."""

    key: str
    msgid: MsgId | None
    capture: Capture
    deleted: bool
    commented: bool  #: readers may comment


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPage:
    """One answer of freepublish/batchget."""

    articles: tuple[Published, ...]
    items: tuple[str, ...]  #: article_ids as they came, one for each publication
    total: int | None  #: a hint; it is known to be wrong at times
    bad: int = 0  #: entries in which nothing could be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One article of the statistics."""

    msgid: MsgId
    title: str
    url: str
    sent: bool  #: to followers; the published list does not have it
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDay:
    """One answer of datacube/getarticletotaldetail."""

    articles: tuple[Counted, ...]
    delayed: bool
    bad: int = 0


def msgid_of(text: Any) -> MsgId | None:
    """`id_index` of the statistics; None where it is not one."""
    found = _MSGID.fullmatch(text) if isinstance(text, str) else None
    return MsgId(found[1], int(found[2])) if found else None


def msgid_in(url: str) -> MsgId | None:
    """mid and idx of a long article address; None for a short one."""
    try:
        query = parse_qs(urlsplit(url.replace("&amp;", "&")).query)
    except ValueError:
        return None
    mid = (query.get("mid") or query.get("appmsgid") or [""])[0]
    idx = (query.get("idx") or query.get("itemidx") or [""])[0]
    return msgid_of(f"{mid}_{idx}")


def published_page(channel: str, data: Mapping[str, Any]) -> PublishedPage | None:
    """Reads an answer; None where the list itself is missing, which is a fault, not an end."""
    rows = data.get("item")
    if rows is None and whole(data.get("item_count"), -1) == 0:
        rows = []
    if not isinstance(rows, list):
        return None
    articles: list[Published] = []
    items: list[str] = []
    bad = 0
    for row in rows:
        article_id = written(row.get("article_id")) if isinstance(row, dict) else ""
        content = row.get("content") if isinstance(row, dict) else None
        news = content.get("news_item") if isinstance(content, dict) else None
        items.append(article_id)
        found = (
            news_of(channel, article_id, news, moment(row.get("update_time")))
            if (article_id and isinstance(news, list))
            else []
        )
        bad += not found
        articles += found
    return PublishedPage(
        articles=tuple(articles),
        items=tuple(items),
        total=whole(data.get("total_count")),
        bad=bad,
    )


def news_of(
    channel: str, article_id: str, news: Sequence[Any], at: datetime | None
) -> list[Published]:
    """The articles of one publication; one that says nothing is left out."""
    found = (
        _article(channel, article_id, position, one, at)
        for position, one in enumerate(news, start=1)
        if isinstance(one, dict)
    )
    return [one for one in found if one is not None]


def counted_day(data: Mapping[str, Any]) -> CountedDay | None:
    """Reads an answer of the statistics; None where the list itself is missing."""
    rows = data.get("list")
    if not isinstance(rows, list):
        return None
    found: dict[str, Counted] = {}
    bad = 0
    for row in rows:
        msgid = msgid_of(row.get("msgid")) if isinstance(row, dict) else None
        if msgid is None:
            bad += 1
            continue
        found[msgid.key] = Counted(
            msgid=msgid,
            title=one_line(written(row.get("title"))),
            url=written(row.get("content_url") or row.get("url")),
            sent=whole(row.get("publish_type"), 0) == 0,
            day=written(row.get("ref_date")),
        )
    delayed = yes(data.get("is_delay"))
    return CountedDay(articles=tuple(found.values()), delayed=delayed, bad=bad)


def counted_capture(channel: str, one: Counted, at: datetime | None) -> Capture:
    """The post a counted article becomes; the statistics have its title and no text."""
    return Capture(
        channel=channel,
        key=one.msgid.key,
        kind=Kind.POST,
        role=Role.OWN,
        title=one.title or PLACEHOLDER,
        text="",
        url=_https(one.url),
        column=SENT if one.sent else PUBLISHED,
        published_at=at,
        published_raw=one.day,
        precision=Precision.DAY if at else None,
        notes={"found_by": "getarticletotaldetail"},
    )


def _article(
    channel: str, article_id: str, position: int, row: Mapping[str, Any], at: datetime | None
) -> Published | None:
    url = _https(written(row.get("url")))
    msgid = msgid_in(url)
    title = one_line(written(row.get("title")))
    text = text_of_html(written(row.get("content"))) or written(row.get("digest")).strip()
    deleted = yes(row.get("is_deleted"))
    key = msgid.key if msgid else f"{article_id}:{position}"
    if not (title or text):
        return None
    capture = Capture(
        channel=channel,
        key=key,
        kind=Kind.POST,
        role=Role.OWN,
        title=title,
        text=text,
        url=url,
        column=PUBLISHED,
        source=one_line(written(row.get("author"))),
        state=DELETED if deleted else "",
        published_at=at,
        published_raw=str(int(at.timestamp())) if at else "",
        precision=Precision.SECOND if at else None,
        notes={"article_id": article_id},
    )
    open_to_comments = whole(row.get("need_open_comment"), 1) != 0
    return Published(
        key=key, msgid=msgid, capture=capture, deleted=deleted, commented=open_to_comments
    )


def text_of_html(markup: str) -> str:
    """What a reader of the article sees, one line a paragraph."""
    root = parse_html(markup)
    if root is None:
        return markup.strip()
    return plain(root)


def moment(value: Any) -> datetime | None:
    seconds = whole(value)
    if seconds is None or not 0 < seconds < _LARGEST:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or isinstance(value, bool | dict | list) else str(value)


def yes(value: Any) -> bool:
    """true, 1, "1" and "true"."""
    return value is True or whole(value) == 1 or value == "true"


def _https(url: str) -> str:
    """WeChat writes http for addresses that it serves by https."""
    return f"https://{url[7:]}" if url.startswith("http://mp.weixin.qq.com/") else url
