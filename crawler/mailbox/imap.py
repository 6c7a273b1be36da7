"""A look into one folder by IMAP: EXAMINE and BODY.PEEK only, so nothing there changes."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from crawler.mailbox.options import Options
from crawler.trust import NoAuthority, trusting
from store.records import Outcome

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPARE = 64 * 1024  #: bytes of an answer besides the letter itself
_SIZE = re.compile(rb"RFC822\.SIZE (\d{1,15})")
_UID = re.compile(rb"\bUID (\d{1,10})\b")


class Unreadable(Exception):
    """The mailbox could not be looked into; `why` is Chinese and holds no secret."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One mail as the server gave it; `whole` is False where only its beginning was read."""

    raw: bytes
    size: int
    received_at: datetime | None
    whole: bool = True


class Folder:
    """One folder, opened read-only."""

    def __init__(self, connection: imaplib.IMAP4, options: Options, validity: int) -> None:
        self._connection = connection
        self._options = options
        self.validity = validity  #: while it stays the same, so do the numbers of letters

    def after(self, uid: int) -> list[int]:
        """Numbers above `uid`, rising. Raises Unreadable."""
        # `n:*` always names the last letter, even where it lies below n.
        return [n for n in self._search(f"UID {uid + 1}:*") if n > uid]

    def since(self, day: date) -> list[int]:
        """Numbers of letters received from `day` on. Raises Unreadable."""
        return self._search(f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}")

    def between(self, low: int, high: int) -> list[int]:
        """Raises Unreadable."""
        return [n for n in self._search(f"UID {low}:{high}") if low <= n <= high]

    def fetch(self, uid: int) -> Fetched | None:
        """One letter, its beginning where it is large; None where it is gone. Raises Unreadable."""
        cap = self._options.max_bytes
        wanted = f"(UID INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{cap}>)"
        answer = self._asked(lambda: self._connection.uid("FETCH", str(uid), wanted))
        for part in answer:
            if not isinstance(part, tuple) or len(part) < 2:
                continue
            head, raw = bytes(part[0]), bytes(part[1])
            named = _UID.search(head)
            if named is not None and int(named[1]) != uid:
                continue
            size = _SIZE.search(head)
            told = int(size[1]) if size else len(raw)
            return Fetched(raw=raw, size=told, received_at=_internal(head), whole=len(raw) < cap)
        return None

    def _search(self, what: str) -> list[int]:
        answer = self._asked(lambda: self._connection.uid("SEARCH", what))
        words = b" ".join(part for part in answer if isinstance(part, bytes)).split()
        return sorted({int(word) for word in words if word.isdigit() and len(word) <= 10})

    def _asked(self, command: Callable[[], tuple[str, Any]]) -> list[Any]:
        with _explained(self._options):
            state, answer = command()
        if state != "OK":
            raise Unreadable(Outcome.HTTP_ERROR, "邮件服务器拒绝了查询")
        return list(answer or ())


@contextmanager
def opened(options: Options, password: str) -> Iterator[Folder]:
    """The folder, for as long as a run may take. Raises Unreadable."""
    with _explained(options):
        connection = _connected(options)
    over = threading.Timer(options.session.total_seconds(), lambda: _cut(connection))
    over.daemon = True
    over.start()
    try:
        with _explained(options):
            _log_in(connection, options, password)
            validity = _examine(connection, options)
        yield Folder(connection, options, validity)
    finally:
        over.cancel()
        with contextlib.suppress(OSError, imaplib.IMAP4.error, ValueError):
            connection.logout()


class _Bounded:
    """Refuses answers larger than anything we asked for."""

    cap = 0

    def read(self, size: int) -> bytes:
        if self.cap and size > self.cap:
            raise imaplib.IMAP4.abort("answer too large")
        return bytes(super().read(size))  # type: ignore[misc]


class _Plain(_Bounded, imaplib.IMAP4):
    pass


class _Sealed(_Bounded, imaplib.IMAP4_SSL):
    pass


def _connected(options: Options) -> imaplib.IMAP4:
    context = trusting(options.ca_file)
    seconds = options.timeout.total_seconds()
    connection: _Plain | _Sealed
    if options.security == "tls":
        connection = _Sealed(options.host, options.port, ssl_context=context, timeout=seconds)
    else:
        connection = _Plain(options.host, options.port, timeout=seconds)
        if options.security == "starttls":
            connection.starttls(context)
    connection.cap = options.max_bytes + _SPARE
    return connection


def _log_in(connection: imaplib.IMAP4, options: Options, password: str) -> None:
    try:
        if password.isascii() and options.username.isascii():
            connection.login(options.username, password)
        else:
            said = f"\0{options.username}\0{password}".encode()
            connection.authenticate("PLAIN", lambda _challenge: said)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        # The server's own words may repeat what was sent.
        raise Unreadable(
            Outcome.AUTH, "邮件服务器不接受账号或口令；多数邮箱要用客户端专用口令（授权码）"
        ) from None
    # Some Chinese providers open a folder only to clients that say who they are (RFC 2971).
    if "ID" in connection.capabilities:
        with contextlib.suppress(imaplib.IMAP4.error):
            connection.xatom("ID", '("name" "tinglan" "vendor" "tinglan")')


def _examine(connection: imaplib.IMAP4, options: Options) -> int:
    state, _ = connection.select(_quoted(options.folder), readonly=True)
    if state != "OK":
        raise Unreadable(Outcome.REMOVED, f"信箱里打不开文件夹“{options.folder}”")
    _, told = connection.response("UIDVALIDITY")
    first = told[0] if told else None
    if not isinstance(first, bytes) or not first.isdigit():
        raise Unreadable(Outcome.PARSE_BROKEN, "邮件服务器没有给出 UIDVALIDITY，无法续读")
    return int(first)


@contextmanager
def _explained(options: Options) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        why = f"邮件服务器的证书不被信任，已拒绝连接（{error.verify_message}）"
        raise Unreadable(Outcome.TLS_ERROR, why) from None
    except NoAuthority as error:
        raise Unreadable(Outcome.TLS_ERROR, error.why) from None
    except ssl.SSLError:
        raise Unreadable(Outcome.TLS_ERROR, "与邮件服务器的加密连接失败") from None
    except TimeoutError:
        seconds = options.timeout.total_seconds()
        raise Unreadable(Outcome.TIMEOUT, f"邮件服务器 {seconds:g} 秒内没有答复") from None
    except (socket.gaierror, UnicodeError):
        raise Unreadable(Outcome.HTTP_ERROR, "邮件服务器的域名无法解析") from None
    except imaplib.IMAP4.abort as error:
        large = "too large" in str(error)
        raise Unreadable(
            Outcome.TOO_LARGE if large else Outcome.TRUNCATED,
            "邮件服务器的答复过大" if large else "与邮件服务器的连接中断",
        ) from None
    except imaplib.IMAP4.error:
        raise Unreadable(Outcome.HTTP_ERROR, "邮件服务器的答复无法识别") from None
    except OSError:
        raise Unreadable(Outcome.HTTP_ERROR, "连接不上邮件服务器，或连接中断") from None


def _cut(connection: imaplib.IMAP4) -> None:
    """Ends a session that lasts too long, whatever it is waiting for."""
    with contextlib.suppress(OSError):
        connection.socket().shutdown(socket.SHUT_RDWR)


def _internal(head: bytes) -> datetime | None:
    found = imaplib.Internaldate2tuple(head)
    if found is None:
        return None
    try:
        return datetime.fromtimestamp(time.mktime(found), UTC)
    except (ValueError, OverflowError):
        return None


def _quoted(folder: str) -> str:
    """A folder's name as IMAP writes it: modified UTF-7 (RFC 3501, 5.1.3), in quotes."""
    made: list[str] = []
    for ascii_run, other in re.findall(r"([ -~]+)|([^ -~]+)", folder):
        if ascii_run:
            made.append(ascii_run.replace("&", "&-"))
        else:
            coded = base64.b64encode(other.encode("utf-16-be")).decode()
            made.append(f"&{coded.rstrip('=').replace('/', ',')}-")
    name = "".join(made).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}"'
