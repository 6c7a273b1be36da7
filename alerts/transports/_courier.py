"""Carries one letter over SMTP in a process of its own, so that a deadline can end it for sure.

A socket's timeout does not bound an attempt (a server may drip one byte a minute, a name may
take minutes to resolve); killing a process does. The job comes as JSON on stdin, never on the
command line; each step is told on stdout before it is taken, so whoever kills this process knows
whether the letter had been handed over. Only the standard library, started with `-I -S`: it is
up in a few hundredths of a second and loads nothing of the product.
"""

from __future__ import annotations

import base64
import json
import re
import smtplib
import socket
import ssl
import sys
import time
from typing import Any


class _Refused(Exception):
    """The server answered, and the answer was no."""

    def __init__(self, code: int, reply: bytes) -> None:
        self.code = code
        self.reply = reply


class _Line(smtplib.SMTP):
    """SMTP whose steps are told one by one."""

    def __init__(self, job: dict[str, Any], context: ssl.SSLContext | None) -> None:
        # The name we say hello with is given: finding it out would ask DNS, which may hang.
        super().__init__(timeout=job["connect_timeout"], local_hostname=job["hello"])
        self._host = job["host"]  # what starttls() checks the certificate against
        self._implicit = context if job["security"] == "tls" else None

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        if self._implicit is None:
            tell("banner")
            return plain
        tell("tls")
        wrapped = self._implicit.wrap_socket(plain, server_hostname=host)
        tell("banner")
        return wrapped


def tell(step: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"step": step, "at": time.monotonic(), **more}) + "\n")
    sys.stdout.flush()


def carry(job: dict[str, Any]) -> None:
    """Takes every step, or raises."""
    context = None
    if job["security"] != "none":
        tell("tls")
        context = ssl.create_default_context(cafile=job["ca_file"] or None)
    tell("connect")
    line = _Line(job, context)
    try:
        _expect(2, *line.connect(job["host"], job["port"]))
        tell("hello")
        line.ehlo_or_helo_if_needed()
        if job["security"] == "starttls":
            tell("tls")
            _expect(2, *line.starttls(context=context))
            tell("hello")
            line.ehlo_or_helo_if_needed()
        if job["username"]:
            tell("auth")
            line.login(job["username"], job["password"])
        tell("sender")
        _expect(2, *line.mail(job["sender"]))
        if line.sock is not None:
            line.sock.settimeout(job["data_timeout"])
        tell("recipient")
        _expect(2, *line.rcpt(job["recipient"]))
        _hand_over(line, base64.b64decode(job["message"]))
    finally:
        _leave(line)


def _hand_over(line: smtplib.SMTP, message: bytes) -> None:
    tell("data")
    line.putcmd("data")
    _expect(3, *line.getreply())
    stuffed = re.sub(rb"(?m)^\.", b"..", message)
    line.send(stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n")
    tell("handed")  # before the dot: from here on the server may have it
    line.send(b".\r\n")
    code, reply = line.getreply()
    _expect(2, code, reply)
    tell("accepted", code=code, reply=_text(reply))


def _expect(kind: int, code: int, reply: bytes) -> None:
    if code // 100 != kind:
        raise _Refused(code, reply)


def _leave(line: smtplib.SMTP) -> None:
    try:
        if line.sock is not None:
            line.sock.settimeout(2)
            line.quit()
    except (OSError, smtplib.SMTPException):
        pass  # what matters has been said already
    finally:
        line.close()


def _text(reply: Any) -> str:
    return (reply.decode("utf-8", "backslashreplace") if isinstance(reply, bytes) else str(reply))[
        :500
    ]


def main() -> None:
    job = json.loads(sys.stdin.buffer.read())
    try:
        carry(job)
    except _Refused as error:
        tell("failed", code=error.code, reply=_text(error.reply), error="")
    except smtplib.SMTPResponseException as error:
        # "Line too long." is smtplib's own 500: the server said nothing we could read.
        own = error.smtp_code == 500 and _text(error.smtp_error) == "Line too long."
        code = 0 if own or error.smtp_code < 400 else error.smtp_code
        name = "garbage" if not code else ""
        tell("failed", code=code, reply=_text(error.smtp_error), error=name)
    except OSError as error:
        # SMTPException is an OSError too. The text of these is the library's own.
        tell("failed", code=0, reply=_text(error), error=type(error).__name__)
    except Exception as error:
        tell("failed", code=0, reply="", error=type(error).__name__)


if __name__ == "__main__":
    main()
