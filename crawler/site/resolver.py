"""Resolves names for Twisted and hands on only addresses we may connect to.

The check stands between the resolver and the connection, so a name that changes its address
between two look-ups gains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from zope.interface import implementer  # type: ignore[import-untyped]

from crawler import limits
from crawler.site.hosts import is_public, literal

PRIVATE_HOSTS = "TINGLAN_PRIVATE_HOSTS"  #: Scrapy setting: names that may lead inside

#: host → the address it led to and was refused; the fetcher says so in its outcome.
refused: dict[str, str] = {}


@implementer(IHostnameResolver)
class GuardedResolver:
    def __init__(self, reactor: Any, private: Sequence[str], seconds: float) -> None:
        self._reactor = reactor
        self._resolver = reactor.nameResolver
        self._private = frozenset(private)
        self._seconds = seconds

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> GuardedResolver:
        return cls(reactor, crawler.settings.getlist(PRIVATE_HOSTS), limits.DNS_SECONDS)

    def install_on_reactor(self) -> None:
        self._reactor.installNameResolver(self)

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        guard = _Guard(resolutionReceiver, hostName, hostName.lower() in self._private)
        guard.timer = self._reactor.callLater(self._seconds, guard.resolutionComplete)
        return self._resolver.resolveHostName(
            guard, hostName, portNumber, addressTypes, transportSemantics
        )


@implementer(IResolutionReceiver)
class _Guard:
    """Passes on what may be connected to, and ends once: when resolved or when late."""

    def __init__(self, receiver: Any, host: str, private: bool) -> None:
        self._receiver = receiver
        self._host = host.lower()
        self._private = private
        self._over = False
        self.timer: Any = None

    def resolutionBegan(self, resolution: Any) -> None:
        self._receiver.resolutionBegan(resolution)

    def addressResolved(self, address: Any) -> None:
        if self._over:
            return
        found = literal(str(address.host).partition("%")[0])
        if found is not None and (self._private or is_public(found)):
            self._receiver.addressResolved(address)
        else:
            refused[self._host] = str(address.host)

    def resolutionComplete(self) -> None:
        if self._over:
            return
        self._over = True
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self._receiver.resolutionComplete()
