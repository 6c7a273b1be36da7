"""What a push says: a citizen's message, or that articles were published or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crawler.pseudonyms import pseudonym
from crawler.wechat.articles import moment
from crawler.xmlsafe import NotXml, parse
from store.records import Capture, Kind, Precision, Role

COLUMN = "公众号留言"
URLS = 20  #: articles of one event; the platform allows 8
_MEDIA = {
    "image": "［图片］",
    "voice": "［语音］",
    "video": "［视频］",
    "shortvideo": "［小视频］",
    "location": "［位置］",
    "link": "［链接］",
}
_JOB = {"MASSSENDJOBFINISH", "PUBLISHJOBFINISH"}
_PUBLISH_TROUBLE = {
    "2": "原创校验未通过",
    "3": "常规失败",
    "4": "平台审核未通过",
    "5": "成功后被用户删除",
    "6": "成功后被平台封禁",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """An event that articles were published or sent; `value` is what a place keeps of it."""

    key: str
    value: Mapping[str, Any]


def envelope(body: bytes) -> Any:
    """The root element of a push. Raises NotXml; any DOCTYPE is refused, used or not."""
    root = parse(body.decode("utf-8", "replace"))
    if root.tag != "xml" or root.getroottree().docinfo.doctype:
        raise NotXml("推送内容不合要求")
    return root


def field(root: Any, name: str) -> str:
    """The text of a direct child; empty where there is none."""
    return str(root.findtext(name) or "").strip()


def message(channel: str, root: Any, author_key: bytes) -> Capture | Announced | None:
    """What a push brings; None for what nobody needs to see (menu taps, followers)."""
    kind = field(root, "MsgType").lower()
    if kind == "event":
        event = field(root, "Event").upper()
        return _announced(channel, root, event, author_key) if event in _JOB else None
    text = _words(root, kind)
    if not text:
        return None
    sender, raw = field(root, "FromUserName"), field(root, "CreateTime")
    number = field(root, "MsgId")
    at = moment(raw)
    key = f"msg:{number}" if number.isdigit() else f"msg:{_print(channel, root, kind, author_key)}"
    return Capture(
        channel=channel,
        key=key,
        kind=Kind.MESSAGE,
        role=Role.PUBLIC,
        text=text,
        column=COLUMN,
        author_id=sender,
        published_at=at,
        published_raw=raw[:40],
        precision=Precision.SECOND if at else None,
        notes={"found_by": "push", "type": kind[:20]},
    )


def _words(root: Any, kind: str) -> str:
    if kind == "text":
        return field(root, "Content")
    said = [_MEDIA.get(kind, f"［{kind[:20]}消息］")]
    if kind == "voice":
        said.append(field(root, "Recognition"))
    elif kind == "location":
        said.append(field(root, "Label"))
    elif kind == "link":
        said += [field(root, "Title"), field(root, "Description"), field(root, "Url")]
    return " ".join(filter(None, said)) if kind else ""


def _announced(channel: str, root: Any, event: str, author_key: bytes) -> Announced:
    at = moment(field(root, "CreateTime"))
    value: dict[str, Any] = {"event": event, "at": at.isoformat() if at else ""}
    if event == "MASSSENDJOBFINISH":
        urls = root.findall("ArticleUrlResult/ResultList/item/ArticleUrl")
        status = field(root, "Status")
        if status.lower() not in {"send success", "sendsuccess", ""}:
            value["trouble"] = f"群发未成功：{status[:60]}"
    else:
        info = root.find("PublishEventInfo")
        info = root if info is None else info
        urls = info.findall("article_detail/item/article_url")
        status = field(info, "publish_status")
        value["article_id"] = field(info, "article_id")[:200]
        if status not in {"0", "1", ""}:
            value["trouble"] = f"发布未成功：{_PUBLISH_TROUBLE.get(status, status[:20])}"
    found = [str(url.text or "").strip() for url in urls[:URLS]]
    value["urls"] = [url for url in found if url.startswith(("http://", "https://"))]
    return Announced(key=_print(channel, root, event, author_key), value=value)


def _print(channel: str, root: Any, kind: str, author_key: bytes) -> str:
    """Sender, time and kind name an event; the sender's openid is not kept."""
    sender = pseudonym(channel, field(root, "FromUserName"), author_key)
    stamp = _digits(field(root, "CreateTime"))
    return f"{kind}:{stamp}:{sender}"


def _digits(text: str) -> str:
    """The digits of a time as sent, at most 20 of them."""
    return "".join(letter for letter in text if letter.isdecimal() and letter.isascii())[:20]
