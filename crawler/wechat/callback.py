"""Takes WeChat's pushes: proves where they come from, stores them, answers nothing."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections import OrderedDict
from datetime import timedelta

from crawler.callbacks import Push, Reply
from crawler.catalogue import Tools
from crawler.intake import intake
from crawler.wechat.messages import Announced, envelope, field, message
from crawler.wechat.places import PUSH, Places
from crawler.wechat.sealing import Unsealed, signed, unseal
from crawler.xmlsafe import NotXml
from store.records import Capture

log = logging.getLogger("crawler.wechat")

WINDOW = timedelta(seconds=300)  #: how far a push's time may be from ours, either way
REMEMBERED = 10_000  #: pushes within the window, of which a replay with another text is known
_ECHO = 128  #: characters

REFUSED = Reply(status=403)
UNREADABLE = Reply(status=400)
UNKEPT = Reply(status=500)
TAKEN = Reply()


class PushReceiver:
    """The receiver of one account."""

    def __init__(
        self,
        *,
        channel: str,
        tools: Tools,
        token: str,
        app_id: str,
        key: bytes | None = None,
        plain: bool = True,
    ) -> None:
        self._channel = channel
        self._tools = tools
        self._token = token
        self._app_id = app_id
        self._key = key
        self._plain = plain
        self._places = Places(tools.database, channel)
        self._recent: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def receive(self, push: Push) -> Reply:
        stamp, nonce = push.query.get("timestamp", ""), push.query.get("nonce", "")
        if not (nonce and self._timely(stamp)):
            return self._refused("time")
        if not signed(push.query.get("signature", ""), self._token, stamp, nonce):
            return self._refused("signature")
        if push.method == "GET":
            return self._echo(push)
        if push.method != "POST":
            return self._refused("method")
        sealed = push.query.get("encrypt_type", "raw") == "aes"
        if not (sealed or self._once(f"{stamp}:{nonce}", push.body)):
            return self._refused("replay")
        try:
            body = self._opened(push, stamp, nonce)
            if body is None:
                return self._refused("mode")
            said = message(self._channel, envelope(body), self._tools.author_key)
        except Unsealed:
            return self._refused("sealing")
        except NotXml:
            return self._refused("xml", UNREADABLE)
        return self._store(said)

    def _echo(self, push: Push) -> Reply:
        echo = push.query.get("echostr", "")
        if not echo or len(echo) > _ECHO or not (echo.isascii() and echo.isprintable()):
            return self._refused("echo", UNREADABLE)
        return Reply(body=echo.encode())

    def _opened(self, push: Push, stamp: str, nonce: str) -> bytes | None:
        """The message in clear; None where it comes in a mode that is not accepted.

        Raises Unsealed, NotXml.
        """
        sealed = push.query.get("encrypt_type", "raw") == "aes"
        if not sealed:
            return push.body if self._plain else None
        if self._key is None:
            return None
        encrypted = field(envelope(push.body), "Encrypt")
        given = push.query.get("msg_signature", "")
        if not encrypted or not signed(given, self._token, stamp, nonce, encrypted):
            raise Unsealed
        return unseal(self._key, self._app_id, encrypted)

    def _store(self, said: Capture | Announced | None) -> Reply:
        """Commits, then answers; what came before is stored once."""
        if said is None:
            return TAKEN
        now = self._tools.clock.now()
        with self._tools.database.write() as connection:
            if isinstance(said, Announced):
                fresh = self._places.add(connection, PUSH + said.key, said.value, now)
                return Reply(wake=fresh)
            counts = intake(connection, [said], now=now, author_key=self._tools.author_key)
        if counts.bad:  # WeChat sends again what was not taken
            log.error("push.unkept", extra={"channel": self._channel})
            return UNKEPT
        return TAKEN

    def _timely(self, stamp: str) -> bool:
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            return False
        return abs(self._tools.clock.now().timestamp() - int(stamp)) <= WINDOW.total_seconds()

    def _once(self, name: str, body: bytes) -> bool:
        """Whether a push is new, or the very one that came before and is sent again.

        In clear mode the signature does not cover the text: who has seen one push could send
        any other under its signature for as long as the window is open. A sealed push is signed
        whole, and a second try of it may be sealed anew.
        """
        print_ = hashlib.sha256(body).digest()
        with self._lock:
            known = self._recent.setdefault(name, print_)
            while len(self._recent) > REMEMBERED:
                self._recent.popitem(last=False)
        return hmac.compare_digest(known, print_)

    def _refused(self, why: str, reply: Reply = REFUSED) -> Reply:
        log.warning("push.refused", extra={"channel": self._channel, "why": why})
        return reply
