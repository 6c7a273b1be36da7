"""Files and pictures that hang on an article."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from crawler.extraction import hygiene
from crawler.extraction.outline import Element, is_hidden

_FILE = re.compile(
    r"\.(?:docx?|xlsx?|pptx?|pdf|wps|et|dps|ofd|ceb|zip|rar|7z|tar|gz|txt|csv|rtf)$", re.I
)
#: A link without any of this names no file; most links of a page go no further.
_PERHAPS = re.compile(
    r"[?\t\r\n]|\.(?:doc|xls|ppt|pdf|wps|et|dps|ofd|ceb|zip|rar|7z|tar|gz|txt|csv|rtf)", re.I
)
_DOWNLOAD = re.compile(r"downfile|download|downloadservlet|attach|/fj/|filename=", re.I)
_NOT_IMAGES = re.compile(
    r"(?:icon|logo|share|print|close|ewm|qrcode|blank|spacer|loading)[^/]*$", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file offered by the article; `url` is absolute where the page's own is known."""

    name: str
    url: str


def attachments(root: Element, url: str) -> Iterator[Attachment]:
    """Links to files anywhere but in the navigation and the foot of the page, each once."""
    seen: set[str] = set()
    for link in root.iter("a"):
        href = (link.get("href") or "").strip()[:2000]
        if not href or href.startswith(("#", "javascript:", "mailto:", "data:")):
            continue
        said = ("".join(link.itertext()) if len(link) else link.text or "")[:500]
        if "." not in said and not _PERHAPS.search(href):
            continue
        name = hygiene.one_line(said)
        if not _is_file(href, name) or _in_frame(link):
            continue
        absolute = _absolute(url, href)
        if absolute not in seen:
            seen.add(absolute)
            named = name or hygiene.one_line(link.get("title") or "") or _basename(href)
            yield Attachment(name=re.sub(r"^附件\s*\d*\s*[:：.、]\s*", "", named), url=absolute)


def _is_file(href: str, name: str) -> bool:
    try:
        parts = urlsplit(href)
        values = [value for _, value in parse_qsl(parts.query, max_num_fields=50)]
    except ValueError:
        return False
    if _FILE.search(parts.path) or any(_FILE.search(value) for value in values):
        return True
    return bool(_FILE.search(name) and _DOWNLOAD.search(href)) or bool(_FILE.search(name))


def _basename(href: str) -> str:
    return unquote(href.split("?", maxsplit=1)[0].rstrip("/").rsplit("/", 1)[-1])


def _in_frame(link: Element) -> bool:
    """In the navigation or the foot of the page, or hidden."""
    for above in link.iterancestors():
        marks = f"{above.get('class') or ''} {above.get('id') or ''}"[:200].lower().split()
        if above.tag in {"nav", "footer"} or {"footer", "nav", "foot", "header"} & set(marks):
            return True
        if is_hidden(above):
            return True
    return False


def images(scope: Element, url: str) -> Iterator[str]:
    """Addresses of the pictures in an element, icons left out, each once."""
    seen: set[str] = set()
    for image in scope.iter("img"):
        src = (image.get("data-src") or image.get("src") or "").strip()[:2000]
        if src and not src.startswith("data:") and not _NOT_IMAGES.search(src):
            absolute = _absolute(url, src)
            if absolute not in seen:
                seen.add(absolute)
                yield absolute


def _absolute(url: str, href: str) -> str:
    try:
        return urljoin(url, href)
    except ValueError:
        return href
