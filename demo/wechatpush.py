"""Pushes to an account's callback as WeChat does: signed, sealed or in clear, three tries."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape

import httpx

from config.clock import Clock
from crawler.wechat.sealing import aes_key, seal, signature

TRIES = 3
PATIENCE = 5.0  #: seconds for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One request: the query and the body."""

    query: Mapping[str, str]
    body: bytes


class Pusher:
    """Speaks for WeChat to one callback address."""

    def __init__(
        self,
        clock: Clock,
        *,
        token: str,
        app_id: str = "wxdemo0123456789",
        encoding_aes_key: str = "",
        account: str = "gh_demo",
    ) -> None:
        self._clock = clock
        self._token = token
        self._app_id = app_id
        self._key = aes_key(encoding_aes_key) if encoding_aes_key else None
        self._account = account

    def letter(self, xml: str, *, sealed: bool | None = None, at: datetime | None = None) -> Letter:
        """A request that carries this message; sealed where there is a key, unless told not to."""
        stamp = str(int((at or self._clock.now()).timestamp()))
        nonce = str(secrets.randbelow(10**9))
        query = {
            "signature": signature(self._token, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
        }
        if self._key is None or sealed is False:
            return Letter(query=query, body=xml.encode())
        text = seal(self._key, self._app_id, xml.encode())
        query |= {
            "encrypt_type": "aes",
            "msg_signature": signature(self._token, stamp, nonce, text),
        }
        body = f"<xml>{_tag('ToUserName', self._account)}{_tag('Encrypt', text)}</xml>"
        return Letter(query=query, body=body.encode())

    def url_check(self, echo: str) -> dict[str, str]:
        """The query of the check that WeChat makes when the address is entered."""
        return {**self.letter("", sealed=False).query, "echostr": echo}

    def text(self, words: str, *, openid: str, msgid: int, at: datetime | None = None) -> str:
        """A citizen's text message."""
        head = self._head("text", openid, at)
        return f"<xml>{head}{_tag('Content', words)}<MsgId>{msgid}</MsgId></xml>"

    def media(self, kind: str, *, openid: str, msgid: int, more: Mapping[str, str]) -> str:
        """A picture, a voice message, a place."""
        rest = "".join(_tag(name, value) for name, value in more.items())
        return f"<xml>{self._head(kind, openid, None)}{rest}<MsgId>{msgid}</MsgId></xml>"

    def sent(
        self, urls: list[str], *, status: str = "send success", at: datetime | None = None
    ) -> str:
        """The event that a mass message has been sent."""
        items = "".join(
            f"<item><ArticleIdx>{number}</ArticleIdx>{_tag('ArticleUrl', url)}</item>"
            for number, url in enumerate(urls, start=1)
        )
        return (
            f"<xml>{self._head('event', 'o-platform', at)}{_tag('Event', 'MASSSENDJOBFINISH')}"
            f"<MsgID>1000001625</MsgID>{_tag('Status', status)}<TotalCount>100</TotalCount>"
            "<SentCount>75</SentCount><ErrorCount>5</ErrorCount>"
            f"<ArticleUrlResult><Count>{len(urls)}</Count><ResultList>{items}</ResultList>"
            "</ArticleUrlResult></xml>"
        )

    def published(
        self, article_id: str, urls: list[str], *, status: int = 0, at: datetime | None = None
    ) -> str:
        """The event that an article has been published."""
        items = "".join(
            f"<item><idx>{number}</idx>{_tag('article_url', url)}</item>"
            for number, url in enumerate(urls, start=1)
        )
        return (
            f"<xml>{self._head('event', 'o-platform', at)}{_tag('Event', 'PUBLISHJOBFINISH')}"
            f"<PublishEventInfo><publish_id>2247503051</publish_id>"
            f"<publish_status>{status}</publish_status>{_tag('article_id', article_id)}"
            f"<article_detail><count>{len(urls)}</count>{items}</article_detail>"
            "</PublishEventInfo></xml>"
        )

    def send(self, url: str, letter: Letter) -> int:
        """Delivers as WeChat does: again, twice, where no 200 comes; answers the last status."""
        status = 0
        for _ in range(TRIES):
            try:
                answer = httpx.post(
                    url, params=dict(letter.query), content=letter.body, timeout=PATIENCE
                )
            except httpx.TransportError:
                continue
            status = answer.status_code
            if status == 200:
                break
        return status

    def _head(self, kind: str, openid: str, at: datetime | None) -> str:
        stamp = int((at or self._clock.now()).timestamp())
        return (
            f"{_tag('ToUserName', self._account)}{_tag('FromUserName', openid)}"
            f"<CreateTime>{stamp}</CreateTime>{_tag('MsgType', kind)}"
        )


def _tag(name: str, text: str) -> str:
    if "]]>" in text:
        return f"<{name}>{escape(text)}</{name}>"
    return f"<{name}><![CDATA[{text}]]></{name}>"
