"""Links fit for a letter in the agency's name: http and https only, the host in plain sight."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from alerts.headers import clean_header, cut


@dataclass(frozen=True, slots=True)
class Link:
    """`url` is empty where the address must not be clicked; `shown` is then its text."""

    url: str
    host: str
    shown: str


def link_of(address: str) -> Link | None:
    """None for an empty address. An address that is not plain http(s) is shown, never linked."""
    text = clean_header(address, 2000)
    if not text:
        return None
    shown = cut(text, 120)
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
    except (ValueError, UnicodeError):
        return Link("", "", shown)
    if (
        parts.scheme.lower() not in {"http", "https"}
        or not host
        or "@" in parts.netloc
        or "\\" in text
        or any(c.isspace() for c in text)
    ):
        return Link("", "", shown)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    tail = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    return Link(f"{parts.scheme.lower()}://{netloc}{tail}{query}", netloc, shown)
