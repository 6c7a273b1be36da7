"""What Weibo's error numbers mean for us; sources: the platform's error code page."""

from __future__ import annotations

from enum import StrEnum

from store.records import Outcome


class Act(StrEnum):
    """What to do about a refusal."""

    LATER = "later"  #: theirs, and passing: this list waits for the next run
    WAIT = "wait"  #: the account's or address's quota: nothing is asked until it is reset
    WAIT_CALL = "wait_call"  #: the quota of this one call
    AUTHORISE = "authorise"  #: the token is no longer good: nothing until there is a new one
    LACKING = "lacking"  #: this call was never granted: leave it alone for a day
    GONE = "gone"  #: the one thing asked for is no longer there
    WRONG = "wrong"  #: settings or program: asking again is no use, somebody must look


class Refusal(Exception):
    """A call that the platform answered with an error; `why` is Chinese, with what to do."""

    def __init__(
        self, code: int, outcome: Outcome, act: Act, why: str, *, status: int | None = None
    ) -> None:
        super().__init__(why)
        self.code = code  #: 0 where there was none that could be read
        self.outcome = outcome
        self.act = act
        self.why = why
        self.status = status


_TABLE: dict[int, tuple[Outcome, Act, str]] = {
    10001: (Outcome.HTTP_ERROR, Act.LATER, "微博系统错误，稍后自动再试"),
    10002: (Outcome.HTTP_ERROR, Act.LATER, "微博服务暂停，稍后自动再试"),
    10003: (Outcome.HTTP_ERROR, Act.LATER, "微博远程服务错误，稍后自动再试"),
    10004: (Outcome.BLOCKED, Act.WAIT, "本机出口地址受限，请核对应用的 IP 白名单"),
    10005: (Outcome.AUTH, Act.LACKING, "此接口需要更高权限，请在开放平台申请"),
    10006: (Outcome.AUTH, Act.WRONG, "平台没有收到应用标识，请核对设置 sends 和访问令牌"),
    10007: (Outcome.HTTP_ERROR, Act.WRONG, "平台不支持这种请求格式"),
    10008: (Outcome.HTTP_ERROR, Act.WRONG, "参数错误，请核对 uid、count 等设置"),
    10009: (Outcome.HTTP_ERROR, Act.LATER, "微博任务过多，稍后自动再试"),
    10010: (Outcome.TIMEOUT, Act.LATER, "微博处理超时，稍后自动再试"),
    10011: (Outcome.HTTP_ERROR, Act.LATER, "微博内部错误，稍后自动再试"),
    10012: (Outcome.HTTP_ERROR, Act.WRONG, "平台认为请求不合法"),
    10013: (Outcome.AUTH, Act.AUTHORISE, "平台认为用户不合法，请用本单位账号重新授权"),
    10014: (Outcome.AUTH, Act.LACKING, "应用没有此接口的权限，请在开放平台申请"),
    10016: (Outcome.HTTP_ERROR, Act.WRONG, "缺少必需参数，请核对设置"),
    10017: (Outcome.HTTP_ERROR, Act.WRONG, "参数值不合法，请核对 uid、count 等设置"),
    10018: (Outcome.HTTP_ERROR, Act.WRONG, "请求长度超过限制"),
    10020: (Outcome.REMOVED, Act.WRONG, "接口不存在，请核对 base_url 和 suffix"),
    10021: (Outcome.HTTP_ERROR, Act.WRONG, "请求方法不被支持"),
    10022: (Outcome.QUOTA, Act.WAIT, "本机出口地址的调用额度已用完"),
    10023: (Outcome.QUOTA, Act.WAIT, "账号的调用额度已用完"),
    10024: (Outcome.QUOTA, Act.WAIT_CALL, "账号对此接口的调用额度已用完"),
    20003: (Outcome.REMOVED, Act.WRONG, "账号不存在，请核对 uid"),
    20101: (Outcome.REMOVED, Act.GONE, "微博已不存在"),
    20112: (Outcome.REMOVED, Act.GONE, "微博已不公开"),
    20201: (Outcome.REMOVED, Act.GONE, "评论已不存在"),
    21315: (Outcome.AUTH, Act.AUTHORISE, "访问令牌已过期，请重新授权"),
    21317: (Outcome.AUTH, Act.AUTHORISE, "访问令牌被拒绝，请重新授权"),
    21327: (Outcome.AUTH, Act.AUTHORISE, "访问令牌已过期，请重新授权"),
    21330: (Outcome.AUTH, Act.AUTHORISE, "账号拒绝了授权，请重新授权"),
    21331: (Outcome.HTTP_ERROR, Act.LATER, "微博授权服务暂时不可用，稍后自动再试"),
    21332: (Outcome.AUTH, Act.AUTHORISE, "访问令牌无效，请重新授权"),
}


def refusal(code: int, status: int | None) -> Refusal:
    """The meaning of one number. The platform's own error text is left out: it may repeat
    what was sent."""
    known = _TABLE.get(code)
    if known is None and 21300 <= code < 21400:
        known = (Outcome.AUTH, Act.AUTHORISE, "访问令牌不可用，请重新授权")
    if known is None and (code < 20000 or (status or 0) >= 500):
        known = (Outcome.HTTP_ERROR, Act.LATER, "微博报错，稍后自动再试")
    if known is None:
        known = (Outcome.HTTP_ERROR, Act.LATER, "微博报出未见过的错误，稍后自动再试")
    outcome, act, why = known
    return Refusal(code, outcome, act, f"{why}（{code}）", status=status)
