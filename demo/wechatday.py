"""A day on the invented agency's official account: what stands there, and what is pushed when."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from demo.wechat import Article, Comment
from demo.wechatpush import Pusher

SCENARIO = Path(__file__).with_name("wechat.toml")
_FIRST_MESSAGE = 24_000_000_000_000_001  # beyond 2**53, as real ones are
_FIRST_ARTICLE = 2_247_480_000
_KINDS = {"articles", "sent", "comments", "messages"}


@dataclass(frozen=True, slots=True)
class Push:
    """Something that the platform tells us, once its moment has come."""

    at: datetime
    xml: str


class WechatDay:
    """The stories of a scenario file, tied to a start; `speed` 2 lets them come twice as fast.

    Hand `articles` to a WechatStandIn: they show themselves when their moment has come.
    """

    def __init__(self, pusher: Pusher, *, start: datetime, speed: float = 1.0) -> None:
        if start.tzinfo is None or speed <= 0:
            raise ValueError("expected a start with its zone and a speed above 0")
        self.articles: list[Article] = []
        self._pusher = pusher
        self._start = start
        self._speed = speed
        self._coming: list[Push] = []

    @classmethod
    def load(
        cls, pusher: Pusher, *, start: datetime, speed: float = 1.0, path: Path = SCENARIO
    ) -> WechatDay:
        """Raises ValueError naming the file and the story where it is wrong."""
        day = cls(pusher, start=start, speed=speed)
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("stories", [])
        for number, row in enumerate(rows, start=1):
            try:
                day._tell(number, row)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path.name}: story {number}: {error}") from error
        day._coming.sort(key=lambda push: push.at)
        return day

    def deliver(self, url: str, now: datetime) -> int:
        """Pushes what has come due since the last time; answers how many were taken.

        What had happened before the start is not pushed: nobody was listening then.
        """
        taken = 0
        for push in self._due(now):
            taken += self._pusher.send(url, self._pusher.letter(push.xml)) == 200
        return taken

    def _due(self, now: datetime) -> Iterator[Push]:
        while self._coming and self._coming[0].at <= now:
            push = self._coming.pop(0)
            if push.at >= self._start:
                yield push

    def _tell(self, number: int, row: dict[str, Any]) -> None:
        kind, at, text = row["in"], self._moment(row["at"]), str(row["text"]).strip()
        if kind not in _KINDS:
            raise ValueError(f"in: expected one of {', '.join(sorted(_KINDS))}, found {kind!r}")
        if kind == "messages":
            xml = self._pusher.text(
                text, openid=f"o-demo-{number}", msgid=_FIRST_MESSAGE + number, at=at
            )
            self._coming.append(Push(at, xml))
        elif kind == "comments":
            self._article(int(row["on"])).comments.append(
                Comment(
                    id=number,
                    text=text,
                    at=at,
                    openid=f"o-demo-{number}",
                    reply=str(row.get("reply", "")),
                    reply_at=self._moment(row["reply_at"]) if "reply_at" in row else None,
                )
            )
        else:
            self._publish(int(row["id"]), str(row["title"]), text, at, sent=kind == "sent")

    def _publish(self, number: int, title: str, text: str, at: datetime, *, sent: bool) -> None:
        html = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line.strip())
        article = Article(mid=_FIRST_ARTICLE + number, title=title, at=at, html=html, sent=sent)
        self.articles.append(article)
        if sent:
            xml = self._pusher.sent([article.url], at=at)
        else:
            xml = self._pusher.published(article.article_id, [article.url], at=at)
        self._coming.append(Push(at, xml))

    def _article(self, number: int) -> Article:
        for article in self.articles:
            if article.mid == _FIRST_ARTICLE + number:
                return article
        raise ValueError(f"on: no article {number} before this comment")

    def _moment(self, seconds: float) -> datetime:
        """What comes after the start is hurried by the speed; what was before it is not."""
        return self._start + timedelta(seconds=seconds / self._speed if seconds > 0 else seconds)
