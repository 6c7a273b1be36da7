"""What a `[[channels]]` table of kind "mailbox" may say."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from config.duration import Duration
from config.secrets import SecretName
from config.settings import Section, is_loopback
from crawler import limits
from crawler.quota import Allowance
from crawler.site.options import Seconds

CALL = "login"


class Options(Section):
    """One folder of one mailbox, read-only."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.\-:]+$")
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = Field(min_length=1, max_length=254)
    password_env: SecretName  #: NAME of the variable (or NAME_FILE) with the password
    folder: str = Field(default="INBOX", min_length=1, max_length=200)
    column: str = Field(default="局长信箱", max_length=40)  #: as duty staff read it
    ignore: tuple[str, ...] = ()  #: sender addresses whose mails are no letters
    history: Duration = timedelta(days=30)  #: how far back the very first reading goes
    max_letters: int = Field(default=200, ge=1, le=5_000)  #: in one run; the rest waits
    max_bytes: int = Field(default=1024 * 1024, ge=10_000, le=limits.BODY)  #: read of one letter
    logins_per_day: int = Field(default=1_000, ge=1, le=1_000_000)  #: as the provider allows
    reserve: int = Field(default=10, ge=0)  #: of these, for a person's own `tinglan crawl`
    ca_file: str = ""
    timeout: Seconds = timedelta(seconds=limits.FETCH_SECONDS)  #: for one answer
    session: Seconds = timedelta(minutes=5)  #: for one run in all

    @model_validator(mode="after")
    def _safe(self) -> Options:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                'security: "none" sends the password in clear; expected "tls" or "starttls"'
            )
        if not timedelta(milliseconds=200) <= self.timeout <= timedelta(minutes=2):
            raise ValueError("timeout: expected 0.2 seconds to 2m")
        if self.reserve >= self.logins_per_day:
            raise ValueError("reserve: expected less than logins_per_day")
        if self.session < self.timeout:
            raise ValueError("session: expected no less than timeout")
        return self

    def allowance(self) -> Allowance:
        return Allowance(
            call=CALL, what="信箱登录", per_day=self.logins_per_day, reserve=self.reserve
        )
