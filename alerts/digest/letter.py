"""An issue as a letter: text, page with its charts beside it, and the files that go with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from alerts.digest.content import LISTED, document_of
from alerts.digest.issues import completed, kind_of, mark_of, name_of
from alerts.digest.plain import plain_text
from alerts.digest.web import web_page
from alerts.letters import Attached, Letter
from alerts.notices import Notice
from config.settings import Settings

log = logging.getLogger(__name__)

LARGEST = 5 * 1024 * 1024  #: bytes of a whole mail; many servers refuse more
_WRAPPED = 1.37  #: base64 with its line ends


def digest_letter(notice: Notice, digest: Mapping[str, Any], settings: Settings) -> Letter:
    """What a recipient of an issue gets; the same row gives the same letter."""
    small = bool(notice.detail.get("small"))  # the server said: too large
    html, text, beside = _parts(_Issue(digest, settings), small)
    return Letter(
        id=notice.id,
        recipient=notice.recipient,
        subject=digest_subject(digest, settings),
        text=text,
        html=html,
        date=notice.created_at,
        bulk=True,
        beside=beside,
    )


def digest_subject(digest: Mapping[str, Any], settings: Settings | None = None) -> str:
    """`【舆情周报】2026年第29周：新增舆情条目 6 条，重大及以上 2 条`."""
    told = completed(digest)
    items = told["items"]
    grave = f"，重大及以上 {items['grave']} 条" if items["grave"] else ""
    mark = digest.get("mark") or (mark_of(digest, settings) if settings else "")
    unread = "·未审核稿" if "未审核稿" in mark and digest.get("state") == "sent" else ""
    return f"【{name_of(digest)}{unread}】{told['label']}：新增舆情条目 {items['total']} 条{grave}"


def digest_text(digest: Mapping[str, Any], settings: Settings) -> str:
    return plain_text(document_of(digest, settings, listed=LISTED))


def digest_html(digest: Mapping[str, Any], settings: Settings) -> str:
    """A page that stands alone: its charts are in it."""
    page, _ = web_page(document_of(digest, settings), inline=True)
    return page


class _Issue:
    """A row with the settings it is worded by; equal where both are the same."""

    def __init__(self, row: Mapping[str, Any], settings: Settings) -> None:
        self.row, self.settings = row, settings
        told = json.dumps(row["figures"], sort_keys=True, ensure_ascii=False)
        self.key = (row["id"], row["edition"], row["built_at"], row["state"], row.get("mark"),
                    row.get("edited_at"), hash(told), settings.digest, settings.agency,
                    settings.console.public_url)  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Issue) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=2)
def _parts(issue: _Issue, small: bool) -> tuple[str, str, tuple[Attached, ...]]:
    """Made once for all recipients: page, text, and what lies beside them."""
    row, settings = issue.row, issue.settings
    document = document_of(row, settings, listed=LISTED)
    left = max(0, document_items(row) - LISTED)
    if left:
        document = replace(document, foot=(*document.foot, _unlisted(left, row, settings)))
    if small:
        return "", plain_text(document), ()
    files, failed = _files(row, settings)
    html, pictures = web_page(document, inline=False, name=f"digest-{row['id'] or 0}")
    beside = [
        Attached(f"{one.cid.partition('@')[0]}.png", "image/png", one.content, one.cid)
        for one in pictures
    ]
    room = LARGEST - _WRAPPED * (
        len(html.encode()) + len(plain_text(document).encode())
        + sum(len(one.content) for one in beside)
    )  # fmt: skip
    for one in sorted(files, key=lambda one: len(one.content)):
        if _WRAPPED * len(one.content) > room:
            failed.append(f"{one.name} 过大，未随信发送，请在值班台下载")
            continue
        room -= _WRAPPED * len(one.content)
        beside.append(one)
    if failed:
        document = replace(document, foot=(*document.foot, *failed))
        html, _ = web_page(document, inline=False, name=f"digest-{row['id'] or 0}")
    return html, plain_text(document), tuple(beside)


def document_items(row: Mapping[str, Any]) -> int:
    return int(row["figures"]["items"]["total"])


def _files(row: Mapping[str, Any], settings: Settings) -> tuple[list[Attached], list[str]]:
    """The files asked for, and why some are not there; a letter never waits for them."""
    from alerts.digest.files import MIME, NotRendered, file_name, formatted

    made, failed = [], []
    for format in settings.digest.attach:
        try:
            content = formatted(row, settings, format)
        except NotRendered as error:
            failed.append(f"{format} 附件未能生成：{error}")
        except Exception:
            log.exception("digest.unrendered format=%s digest=%s", format, row["id"])
            failed.append(f"{format} 附件未能生成，见服务日志")
        else:
            made.append(Attached(file_name(row, format), MIME[format].split(";")[0], content))
    return made, failed


def _unlisted(left: int, row: Mapping[str, Any], settings: Settings) -> str:
    """Where the rest is: for who reads it, not for who runs the service."""
    base = settings.console.public_url.rstrip("/")
    if base and row["id"]:
        return f"另有 {left} 条未在信中列出，全部见值班台：{base}/digests/{row['id']}"
    return f"另有 {left} 条未在信中列出，可请管理员导出：tinglan digest {_asked(row)} --out 目录"


def _asked(row: Mapping[str, Any]) -> str:
    """How the command line names this period."""
    flag = {"weekly": "--week", "daily": "--day", "monthly": "--month"}.get(kind_of(row))
    if flag:
        return f"{flag} {row['period']}"
    first, _, last = str(row["period"]).partition("_")
    return f"--from {first} --to {last}"
