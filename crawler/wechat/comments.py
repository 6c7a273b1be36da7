"""Comments below the account's articles, with the account's replies, read from WeChat's answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crawler.wechat.articles import MsgId, moment, written
from crawler.wechat.wire import whole
from store.records import Capture, Kind, Precision, Role

MOST = 49  #: comments a call; the documentation refuses 50
WORDLESS = "［评论没有文字］"

#: An article's comments are left alone no longer than this, by the age of the article.
LONGEST: tuple[tuple[timedelta, timedelta], ...] = (
    (timedelta(days=1), timedelta(hours=1)),
    (timedelta(days=3), timedelta(hours=3)),
    (timedelta(days=7), timedelta(hours=6)),
    (timedelta(days=14), timedelta(hours=12)),
)
RARELY = timedelta(days=1)
QUIET = 6  #: and no longer than a sixth of the time for which nobody has said anything


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentPage:
    """One answer of comment/list."""

    captures: tuple[Capture, ...]
    keys: tuple[str, ...]  #: of every entry that came, in order
    total: int | None  #: never relied on: known to be 0 with comments there, and the reverse
    claimed: int = 0  #: comment_cnt, undocumented: seen at 182 beside an empty list
    bad: int = 0

    @property
    def digest(self) -> str:
        """What tells two readings of the same page apart: new, edited, answered, promoted."""
        said = "\x1e".join(
            "\x1f".join((one.key, one.text, one.reply, one.notes.get("elected", "")))
            for one in self.captures
        )
        return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]


def comment_page(
    channel: str, article: str, msgid: MsgId, data: Mapping[str, Any]
) -> CommentPage | None:
    """Reads an answer; None where the list itself is missing, which is a fault, not an end."""
    rows = data.get("comment")
    if rows is None and "comment" in data:
        rows = []
    if rows is None and whole(data.get("total"), -1) == 0:
        rows = []
    if not isinstance(rows, list):
        return None
    captures: dict[str, Capture] = {}
    keys: list[str] = []
    bad = 0
    for row in rows:
        number = written(row.get("user_comment_id")).strip() if isinstance(row, dict) else ""
        if not number:
            bad += 1
            keys.append("")
            continue
        key = f"{msgid.key}:{number}"
        keys.append(key)
        captures[key] = _comment(channel, article, key, row)
    return CommentPage(
        captures=tuple(captures.values()),
        keys=tuple(keys),
        total=whole(data.get("total")),
        claimed=whole(data.get("comment_cnt"), 0) or 0,
        bad=bad,
    )


def pause_after(age: timedelta, quiet: timedelta, every: timedelta) -> timedelta:
    """How long an article is left alone after a reading: most is said soon after something."""
    longest = next((pause for until, pause in LONGEST if age < until), RARELY)
    return max(every, min(longest, quiet / QUIET))


def _comment(channel: str, article: str, key: str, row: Mapping[str, Any]) -> Capture:
    at = moment(row.get("create_time"))
    reply = row.get("reply")
    answered = reply if isinstance(reply, dict) else {}
    elected = whole(row.get("comment_type"), 0) == 1
    return Capture(
        channel=channel,
        key=key,
        kind=Kind.COMMENT,
        role=Role.PUBLIC,
        text=written(row.get("content")).strip() or WORDLESS,
        parent=article,
        author_id=written(row.get("openid")),  # absent for an identity outside WeChat
        reply=written(answered.get("content")).strip(),
        replied_at=moment(answered.get("create_time")),
        published_at=at,
        published_raw=_raw(row.get("create_time")),
        precision=Precision.SECOND if at else None,
        notes={"elected": "精选"} if elected else {},
    )


def _raw(value: Any) -> str:
    return written(value)[:40]
