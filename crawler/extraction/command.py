"""`tinglan extract`: what the site spider reads from one page, or from a batch of them."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from crawler.extraction.article import Article, Selectors, read_article
from crawler.extraction.dates import SHANGHAI
from crawler.extraction.letters import Letter, is_letter, read_letter
from crawler.extraction.markup import Markup

#: A page longer than this is refused by the spider too.
MAX_BYTES = 8 * 1024 * 1024


class BadLine(ValueError):
    """A line of a batch that cannot be answered; the message is Chinese and names the key."""


def extract_one(
    body: bytes,
    *,
    content_type: str = "",
    url: str = "",
    fetched_at: datetime,
    selectors: Selectors | None = None,
) -> dict[str, Any]:
    """The article in `body` as plain JSON values; a letter page also has `letter`."""
    page = Markup(body=body, content_type=content_type)
    article = read_article(page, url=url, fetched_at=fetched_at, selectors=selectors)
    answer = _plain(article)
    if not article.soft_failure and is_letter(page):
        letter = read_letter(page, url=url, fetched_at=fetched_at)
        answer["letter"] = _plain_letter(letter)
    return answer


def extract_batch(lines: Iterable[str], *, now: datetime) -> Iterator[dict[str, Any]]:
    """One answer for each non-empty line, in order; a bad line answers {"id", "error"}.

    A line is {"id", "html_file" | "body_base64", "content_type"?, "url"?, "fetched_at"?};
    `now` stands in where "fetched_at" is missing.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        known: object = None
        try:
            row = _row(line, number)
            known = row.get("id")
            answer = extract_one(
                _bytes(row),
                content_type=_text(row, "content_type"),
                url=_text(row, "url"),
                fetched_at=_moment(row, now),
            )
        except BadLine as error:
            yield {"id": known, "error": str(error)}
        else:
            yield {"id": known, **answer}


def _row(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise BadLine(f"第 {number} 行不是有效的 JSON") from None
    if not isinstance(row, dict):
        raise BadLine(f"第 {number} 行应为 JSON 对象，实为 {type(row).__name__}")
    return row


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadLine(f"{key}：应为字符串，实为 {type(value).__name__}")
    return value


def _bytes(row: dict[str, Any]) -> bytes:
    encoded, path = _text(row, "body_base64"), _text(row, "html_file")
    if "body_base64" in row and "html_file" in row:
        raise BadLine("html_file 与 body_base64 只能给出一个")
    if "body_base64" in row:
        try:
            body = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise BadLine("body_base64：不是有效的 Base64") from None
    elif path:
        body = _file(path)
    else:
        raise BadLine("缺少 html_file 或 body_base64")
    if len(body) > MAX_BYTES:
        raise BadLine(f"页面超过 {MAX_BYTES // 1024 // 1024} MiB")
    return body


def _file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise BadLine(f"html_file：无法读取 {path}（{why}）") from None


def _moment(row: dict[str, Any], now: datetime) -> datetime:
    told = _text(row, "fetched_at")
    if not told:
        return now
    try:
        at = datetime.fromisoformat(told)
        at = at if at.tzinfo else at.replace(tzinfo=SHANGHAI)
        return at.astimezone(SHANGHAI)
    except (ValueError, OverflowError):
        raise BadLine(f"fetched_at：应为 ISO 8601 时间，实为 {told[:40]}") from None


def _plain(article: Article) -> dict[str, Any]:
    return {
        "title": article.title,
        "text": article.text,
        "published_at": _iso(article.published_at),
        "precision": article.precision.value if article.precision else None,
        "published_raw": article.published_raw,
        "source": article.source,
        "column": article.column,
        "site": article.site,
        "url": article.url,
        "attachments": [{"name": file.name, "url": file.url} for file in article.attachments],
        "images": list(article.images),
        "how": dict(article.how),
        "confidence": article.confidence,
        "charset": {"used": article.charset_used, "declared": article.charset_declared},
        "soft_failure": article.soft_failure or None,
    }


def _plain_letter(letter: Letter) -> dict[str, Any]:
    return {
        "title": letter.title,
        "text": letter.text,
        "category": letter.category,
        "state": letter.state,
        "sent_at": _iso(letter.sent_at),
        "reply": letter.reply,
        "replying_unit": letter.replying_unit,
        "replied_at": _iso(letter.replied_at),
        "closed": letter.closed,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def print_batch(lines: Iterable[str], out: TextIO, *, now: datetime) -> int:
    """Writes the answers as JSON Lines, each as soon as it is known; the number of bad lines."""
    bad = 0
    for answer in extract_batch(lines, now=now):
        bad += "error" in answer
        out.write(json.dumps(answer, ensure_ascii=False) + "\n")
        out.flush()
    return bad


def main(arguments: list[str]) -> int:
    """`python -m crawler.extraction.command --batch FILE|-`; the real command line is tinglan's."""
    names = [argument for argument in arguments if argument not in {"--json", "--batch"}]
    if "--batch" not in arguments or len(names) > 1:
        sys.stderr.write("用法：python -m crawler.extraction.command --batch FILE|-\n")
        return 2
    now = datetime.now(SHANGHAI)
    if not names or names[0] == "-":
        return 1 if print_batch(sys.stdin, sys.stdout, now=now) else 0
    with Path(names[0]).open(encoding="utf-8") as stream:
        return 1 if print_batch(stream, sys.stdout, now=now) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
