"""One spelling for one address: what is fetched, compared and kept as key goes through here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urljoin, urlsplit

from crawler.discovery import limits

_PORTS = {"http": 80, "https": 443}
_BLANKS = " \t\r\n\f\u3000\xa0"
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff\u2028\u2029]")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\Z")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!\Z)|\Z)){4}\Z")
_IPV6 = re.compile(r"\[[0-9a-f:.]{2,45}\]\Z")
_NUMBER_LAST = re.compile(r"(?:\A|\.)(?:\d+|0x[0-9a-f]*)\.?\Z")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_PLAIN = re.compile(r"[A-Za-z0-9/._~=&-]*\Z")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SESSION = re.compile(r";(?:jsessionid|phpsessid)=[^/?#;]*", re.I)
_TRACKING = re.compile(r"utm_[a-z]+=", re.I)
_SAFE = "/:@!$&'()*+,;=~-._%"


def canonical(url: str) -> str | None:
    """The address in its one spelling, or None where it is not one we would ever open.

    Scheme and host lower case, IDN as punycode, no fragment, no default port, no session id,
    no utm_… ; dots resolved, escapes tidied, the order of the query kept, because some servers
    mind it. Refused: other schemes than http(s), user names, backslashes, control characters,
    hosts that are numbers in disguise, anything beyond `limits.URL` characters.
    """
    url = url.strip(_BLANKS)
    if not url or len(url) > limits.URL or _FORBIDDEN.search(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc:
        return None
    host = _host(parts.hostname or "")
    if not host or port == 0:
        return None
    netloc = host if port in {None, _PORTS[parts.scheme]} else f"{host}:{port}"
    path = _escaped(_undotted(_SESSION.sub("", parts.path)), "/")
    query = "&".join(
        piece for piece in parts.query.split("&") if piece and not _TRACKING.match(piece)
    )
    tail = f"?{_escaped(query, '/?')}" if query else ""
    result = f"{parts.scheme}://{netloc}{path}{tail}"
    return result if len(result) <= 3 * limits.URL else None


def absolute(href: str, base: str) -> str | None:
    """`href` as it stands in a page at `base`, canonical; None where it leads nowhere safe."""
    href = href.strip(_BLANKS)
    if not href or len(href) > limits.URL or _FORBIDDEN.search(href):
        return None
    if href[:8].lower().startswith(("http://", "https://")):
        return canonical(href)
    try:
        return canonical(urljoin(base, href))
    except ValueError:
        return None


def hosts_of(hosts: Iterable[str], url: str) -> frozenset[str]:
    """The configured hosts in lower case; where none are given, the page's own."""
    given = frozenset(host.strip().lower() for host in hosts if host.strip())
    return given or frozenset({_netloc(url)})


def on_site(url: str, hosts: frozenset[str]) -> bool:
    """Whether a canonical address is on a host of the list; `name` allows any port of it,
    `name:port` that port alone."""
    netloc = _netloc(url)
    return netloc in hosts or _bare(netloc) in hosts


def path_of(url: str) -> str:
    """Path of a canonical address, without its query."""
    return url.split("?", 1)[0].split("/", 3)[-1] if url.count("/") >= 3 else ""


def _netloc(url: str) -> str:
    return url.split("/", 3)[2].lower() if url.count("/") >= 2 else ""


def _bare(netloc: str) -> str:
    if netloc.startswith("["):
        return netloc.partition("]")[0] + "]"
    return netloc.partition(":")[0]


def _host(name: str) -> str:
    if ":" in name:  # urlsplit has taken the brackets off
        literal = f"[{name.lower()}]"
        return literal if _IPV6.match(literal) else ""
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except (UnicodeError, ValueError):
            return ""
    name = name.lower().removesuffix(".")
    if not _HOST.match(name) or ".." in name:
        return ""
    # 0x7f.1 and 2130706433 are loopback to some resolvers and names to others
    if _NUMBER_LAST.search(name) and not _IPV4.match(name):
        return ""
    return name


def _undotted(path: str) -> str:
    if path.startswith("/") and "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:] if path.startswith("/") else [path] if path else [""]
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def _escaped(text: str, extra: str) -> str:
    if _PLAIN.match(text):
        return text
    tidy = _ESCAPE.sub(_escape, text)
    return quote(tidy, safe=_SAFE + extra)


def _escape(match: re.Match[str]) -> str:
    if match[1] is None:
        return "%25"
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else f"%{match[1].upper()}"
