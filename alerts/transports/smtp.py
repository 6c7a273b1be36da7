"""Mail by SMTP: one letter, one recipient, one connection, one process with a deadline."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts.headers import clean_header
from alerts.letters import Letter, NotDelivered, Receipt, Trouble
from alerts.mail import compose, domain_of
from alerts.outcomes import End, judge
from config.secrets import SecretMissing, read_secret
from config.settings import Mail, Section, Settings, is_loopback

_COURIER = Path(__file__).with_name("_courier.py")
_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT", "LD_LIBRARY_PATH")


class Options(Section):
    """None of its own: mail is required, and `[mail]` says everything."""


class Smtp:
    """The one channel that must exist."""

    def __init__(self, mail: Mail, environ: Mapping[str, str]) -> None:
        self._mail = mail
        self._environ = environ
        self.deadline: timedelta = mail.deadline
        self.rate: int = mail.rate

    def send(self, letter: Letter) -> Receipt:
        """Raises NotDelivered; never takes longer than `[mail] deadline` and a moment."""
        password = self._password()
        job = self._job(letter, password)
        lines, killed, parts = _run(job, self.deadline.total_seconds())
        last = lines[-1] if lines else {"step": "connect"}
        if last["step"] == "accepted":
            return Receipt(self._said(last, password), parts)
        accepted = next((line for line in lines if line["step"] == "accepted"), None)
        if accepted is not None:
            return Receipt(self._said(accepted, password), parts)
        steps = [line["step"] for line in lines if line["step"] != "failed"]
        failed = last if last["step"] == "failed" else {}
        error = "deadline" if killed else str(failed.get("error", "courier"))
        end = End(
            step=steps[-1] if steps else "connect",
            code=int(failed.get("code", 0)),
            error=error,
            reply=self._said(failed, password),
        )
        raise judge(end, parts)

    def _password(self) -> str:
        mail = self._mail
        if not mail.username or mail.password_env is None:
            return ""
        if mail.security == "none" and not mail.insecure and not is_loopback(mail.host):
            raise judge(End("auth", error="settings", reply="拒绝在未加密的连接上发送口令"))
        try:
            return read_secret(mail.password_env, self._environ).get_secret_value()
        except SecretMissing as error:
            raise judge(End("auth", error="settings", reply=str(error))) from None

    def _job(self, letter: Letter, password: str) -> dict[str, Any]:
        mail = self._mail
        return {
            "host": mail.host,
            "port": mail.port,
            "security": mail.security,
            "ca_file": mail.ca_file,
            "hello": domain_of(mail),
            "username": mail.username,
            "password": password,
            "sender": mail.sender,
            "recipient": letter.recipient,
            "connect_timeout": mail.connect_timeout.total_seconds(),
            "data_timeout": mail.data_timeout.total_seconds(),
            "message": base64.b64encode(compose(letter, mail)).decode(),
        }

    def _said(self, line: Mapping[str, Any], password: str) -> str:
        """The server's words, without our secrets: some servers echo what they were sent."""
        said = str(line.get("reply", ""))
        if password:
            user = self._mail.username
            for secret in (password, f"\0{user}\0{password}", f"{user}\0{user}\0{password}"):
                said = said.replace(base64.b64encode(secret.encode()).decode(), "***")
                said = said.replace(secret, "***")
        return clean_header(said, limit=200)


def build(options: Options, settings: Settings, environ: Mapping[str, str]) -> Smtp:
    return Smtp(settings.mail, environ)


def _run(job: dict[str, Any], seconds: float) -> tuple[list[dict[str, Any]], bool, dict[str, int]]:
    """(what the courier told, whether it was killed, milliseconds by step)."""
    began = time.monotonic()
    # Its own session: Ctrl-C on the service must not cut a letter in the middle.
    command = [sys.executable, "-I", "-S", str(_COURIER)]
    environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        courier = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        raise NotDelivered(Trouble.LINK, f"无法启动投递进程：{type(error).__name__}") from None
    killed = False
    with courier:
        try:
            out, _ = courier.communicate(json.dumps(job).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            courier.kill()
            killed = True
            out, _ = courier.communicate()
    lines = [json.loads(line) for line in out.splitlines() if line.endswith(b"}")]
    return lines, killed, _parts(lines, began)


def _parts(lines: list[dict[str, Any]], began: float) -> dict[str, int]:
    parts: dict[str, int] = {}
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        until = after["at"] if after else line["at"]
        if after:
            parts[line["step"]] = parts.get(line["step"], 0) + round(1000 * (until - line["at"]))
    if lines:
        parts["start"] = max(0, round(1000 * (lines[0]["at"] - began)))
    return parts
