"""What a `[[channels]]` table of kind "weibo" may say."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from config.duration import Duration
from config.secrets import SecretName
from config.settings import Section
from crawler import limits
from crawler.site.hosts import Hosts
from crawler.site.options import Host, Seconds, Url

Name = Literal["comments", "mentions", "comment_mentions", "timeline"]
NAMES: tuple[Name, ...] = ("comments", "mentions", "comment_mentions", "timeline")


class Calls(Section):
    """Names of the calls, for contracts under which they are called otherwise."""

    timeline: str = "statuses/user_timeline"
    comments: str = "comments/to_me"
    mentions: str = "statuses/mentions"
    comment_mentions: str = "comments/mentions"
    below: str = "comments/show"
    show: str = "statuses/show"
    limits: str = "account/rate_limit_status"


class Options(Section):
    """One Weibo account that the agency owns and has authorised."""

    token_env: SecretName  #: NAME of the variable (or NAME_FILE) with the access token
    sends: Literal["header", "query"] = "header"  #: how the token goes; a query ends up in logs
    uid: str = Field(default="", pattern=r"^\d{0,20}$")  #: "": whoever gave the authorisation
    base_url: Url = "https://api.weibo.com/2/"  #: commercial: https://c.api.weibo.com/2/
    suffix: str = Field(default=".json", pattern=r"^[a-z0-9_./]{0,20}$")  #: commercial: /biz.json
    oauth_url: Url = "https://api.weibo.com/oauth2/"
    calls: Calls = Calls()
    lists: tuple[Name, ...] = Field(default=NAMES, min_length=1)
    posts_watched: int = Field(default=0, ge=0, le=50)  #: newest own statuses, comments of each
    count: int = Field(default=50, ge=1, le=200)  #: rows of one answer, as far as allowed
    history: int = Field(default=2_000, ge=1, le=10_000)  #: rows back at the very first reading
    calls_per_day: int = Field(default=100, ge=1, le=2_000_000)  #: as the platform granted
    reserve: int = Field(default=10, ge=0)  #: of these, for a person's own `tinglan crawl`
    max_calls: int = Field(default=60, ge=1, le=1_000)  #: in one run; the rest waits
    warn_before: Duration = timedelta(days=7)  #: the authorisation ends
    private_hosts: tuple[Host, ...] = ()
    ca_file: str = ""
    delay: Seconds = timedelta(seconds=limits.DELAY)  #: between two calls
    timeout: Seconds = timedelta(seconds=limits.FETCH_SECONDS)

    @model_validator(mode="after")
    def _whole(self) -> Options:
        for key in ("base_url", "oauth_url"):
            url = getattr(self, key)
            if not url.endswith("/"):
                raise ValueError(f"{key}: expected an address that ends with /")
            if url.startswith("http:") and not self.hosts().all_loopback:
                raise ValueError(f"{key}: expected https, since a token travels there")
        if self.delay.total_seconds() < limits.DELAY and not self.hosts().all_loopback:
            raise ValueError(f"delay: expected {limits.DELAY:g}s or more")
        if not timedelta(milliseconds=500) <= self.timeout <= timedelta(minutes=2):
            raise ValueError("timeout: expected 0.5 seconds to 2m")
        if self.reserve >= self.calls_per_day:
            raise ValueError("reserve: expected less than calls_per_day")
        if len(set(self.lists)) < len(self.lists):
            raise ValueError("lists: expected each once")
        return self

    def hosts(self) -> Hosts:
        return Hosts.of([self.base_url, self.oauth_url], (), self.private_hosts)

    def url(self, call: str) -> str:
        return f"{self.base_url}{call}{self.suffix}"
