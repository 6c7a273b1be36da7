"""Which addresses may be asked for: scheme, host, port, and the machine a name leads to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit

from crawler import limits

_PORTS = {"http": 80, "https": 443}
# One plain form only: where address parsers could disagree about the host, the address is
# refused instead of guessed.
_FORM = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9\-._]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?([/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
_ENTRY = re.compile(r"([a-z0-9](?:[a-z0-9\-.]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", re.I)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class BadAddress(ValueError):
    """Not an address we would ever ask for; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address points."""

    scheme: str
    host: str  #: lower case, without brackets
    port: int

    @property
    def origin(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}:{self.port}"


@lru_cache(maxsize=1024)  # an address is looked at some seven times on its way
def split(url: str) -> Place:
    """Raises BadAddress."""
    if len(url) > limits.URL:
        raise BadAddress("地址过长")
    if _UNSAFE.search(url):
        raise BadAddress("地址含有空白或非法字符")
    found = _FORM.fullmatch(url)
    if found is None:
        scheme = url.partition(":")[0][:12]
        raise BadAddress(f"不是规范的 http(s) 地址（{scheme}）")
    scheme, host = found[1].lower(), found[2].lower()
    port = int(found[3]) if found[3] else _PORTS[scheme]
    parsed = urlsplit(url)
    if (parsed.hostname or "") != host.strip("[]") or "@" in parsed.netloc:
        raise BadAddress("地址的主机名有歧义")
    if not 0 < port < 65536 or ".." in host:
        raise BadAddress("主机名或端口不合法")
    return Place(scheme, host.strip("[]").rstrip("."), port)


def absolute(base: str, target: str) -> str:
    """A link or Location against the page it stands on, in ASCII. Raises BadAddress."""
    try:
        joined = urljoin(base, target.strip())
        parts = urlsplit(joined)
        if not joined.isascii():
            host = parts.netloc.encode("idna").decode("ascii") if parts.netloc else ""
            joined = parts._replace(
                netloc=host,
                path=quote(parts.path, safe="/%:@!$&'()*+,;=~-._"),
                query=quote(parts.query, safe="/%:@!$&'()*+,;=~-._?"),
            ).geturl()
    except (ValueError, UnicodeError):
        raise BadAddress("地址不合法") from None
    url = joined.split("#", 1)[0]
    split(url)
    return url


def host_entry(text: str) -> tuple[str, int | None]:
    """`host` or `host:port` of the settings. Raises BadAddress."""
    found = _ENTRY.fullmatch(text)
    if found is None:
        raise BadAddress(text[:60])
    return found[1].lower().strip("[]"), int(found[2]) if found[2] else None


@dataclass(frozen=True, slots=True)
class Hosts:
    """The configured hosts of one channel."""

    places: frozenset[tuple[str, int]]
    private: frozenset[str]  #: hosts that may lead to private addresses

    @classmethod
    def of(cls, urls: Iterable[str], hosts: Iterable[str], private: Iterable[str]) -> Hosts:
        """An address or `localhost` in the settings is its own permission to be private."""
        places = {(place.host, place.port) for place in map(split, urls)}
        places |= {
            (host, port)
            for host, given in map(host_entry, hosts)
            for port in ((given,) if given else (80, 443))
        }
        named = {host_entry(entry)[0] for entry in private}
        named |= {host for host, _ in places if is_literal(host) or host == "localhost"}
        return cls(frozenset(places), frozenset(named))

    def refuse(self, url: str) -> str:
        """Why this address may not be asked for; empty where it may."""
        try:
            place = split(url)
        except BadAddress as error:
            return str(error)
        if (place.host, place.port) not in self.places:
            return f"{place.host}:{place.port} 不在允许的主机之列"
        return ""

    @property
    def all_loopback(self) -> bool:
        return all(is_loopback(host) for host, _ in self.places)


def is_literal(host: str) -> bool:
    return literal(host) is not None


def literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    address = literal(host)
    return host == "localhost" if address is None else address.is_loopback


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        inner: Address | None = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved)
