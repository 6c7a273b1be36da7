"""What a `[[channels]]` table of kind "wechat" may say."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from config.duration import Duration
from config.secrets import SecretName
from config.settings import Section
from crawler import limits
from crawler.quota import Allowance
from crawler.site.hosts import BadAddress, is_loopback, split

OFFICIAL = "https://api.weixin.qq.com"


def _base(url: str) -> str:
    try:
        place = split(url)
    except BadAddress as error:
        raise ValueError(f"expected an https address: {error}") from None
    if place.scheme != "https" and not is_loopback(place.host):
        raise ValueError("expected https: the account's secret goes there")
    return url.rstrip("/")


Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Quotas(Section):
    """Calls a Beijing day. Defaults: a new account's, as documented, or a careful guess.

    They rise with the number of followers; the platform's console shows the true ones.
    """

    token: Count = 2000
    published: Count = 100  #: the published list
    article: Count = 100  #: one published article
    statistics: Count = 100  #: not documented; one call a day is enough
    comments: Count = 500  #: not documented
    reserve: int = Field(default=10, ge=0, le=50)  #: percent of each, kept for a person's refresh

    def allowances(self) -> tuple[Allowance, ...]:
        rows = (
            ("token", "接口令牌", self.token),
            ("published", "已发布列表", self.published),
            ("article", "单篇文章", self.article),
            ("statistics", "群发统计", self.statistics),
            ("comments", "文章评论", self.comments),
        )
        return tuple(
            Allowance(call=call, what=what, per_day=n, reserve=n * self.reserve // 100)
            for call, what, n in rows
        )


class Options(Section):
    """The agency's own official account, read by official interfaces; nothing is ever posted."""

    app_id: str = Field(pattern=r"^[A-Za-z0-9_-]{6,40}$")
    app_secret_env: SecretName  #: NAME of the variable with the AppSecret
    token_env: SecretName | None = None  #: NAME of the variable with the push token; none: no push
    aes_key_env: SecretName | None = None  #: NAME of the variable with the EncodingAESKey
    plain_pushes: bool = False  #: take pushes in clear although there is an EncodingAESKey
    base_url: Annotated[str, AfterValidator(_base)] = OFFICIAL
    timeout: Duration = timedelta(seconds=limits.FETCH_SECONDS)  #: one call, in all
    quotas: Quotas = Quotas()
    published: bool = True  #: read the published list
    statistics: bool = True  #: read the statistics, which alone tell what was sent to followers
    comments: bool = True
    watch: Duration = timedelta(days=30)  #: comments of articles up to this age are read
    pages: int = Field(default=40, ge=1, le=200)  #: list pages in one run; the rest waits
    days_back: int = Field(default=7, ge=1, le=30)  #: days of statistics read at the first start

    @model_validator(mode="after")
    def _whole(self) -> Options:
        if self.aes_key_env and not self.token_env:
            raise ValueError("token_env: expected, for pushes are signed with it")
        if not timedelta(seconds=1) <= self.timeout <= timedelta(minutes=2):
            raise ValueError("timeout: expected 1s to 2m")
        if not timedelta(days=1) <= self.watch <= timedelta(days=365):
            raise ValueError("watch: expected 1d to 365d")
        return self
