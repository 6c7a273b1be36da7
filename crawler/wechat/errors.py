"""WeChat's error codes, and what each one asks of us. The body tells, not the HTTP status."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from store.records import Outcome


class Remedy(StrEnum):
    """What to do about a refused call."""

    LATER = "later"  #: busy or not ready: the next run asks again
    RENEW = "renew"  #: the token is bad: fetch one, once, and ask once more
    STOP = "stop"  #: only the administrator can mend it: no more calls in this run, alarm
    ABSENT = "absent"  #: the account does not have this ability: not asked again for days
    MIDNIGHT = "midnight"  #: the day's quota is spent: until midnight in Beijing
    MINUTE = "minute"  #: asked too often in this minute
    GONE = "gone"  #: what was asked for does not exist
    BUG = "bug"  #: we asked wrongly: log it, do not repeat it

    @property
    def outcome(self) -> Outcome:
        return _OUTCOME[self]


_OUTCOME = {
    Remedy.LATER: Outcome.SOFT_FAILURE,
    Remedy.RENEW: Outcome.AUTH,
    Remedy.STOP: Outcome.AUTH,
    Remedy.ABSENT: Outcome.AUTH,
    Remedy.MIDNIGHT: Outcome.QUOTA,
    Remedy.MINUTE: Outcome.QUOTA,
    Remedy.GONE: Outcome.REMOVED,
    Remedy.BUG: Outcome.HTTP_ERROR,
}

#: code → remedy and what it means, for the administrator
TABLE: dict[int, tuple[Remedy, str]] = {
    -1: (Remedy.LATER, "微信系统繁忙"),
    40001: (Remedy.RENEW, "接口调用凭证无效"),
    40014: (Remedy.RENEW, "接口调用凭证不合法"),
    42001: (Remedy.RENEW, "接口调用凭证已过期"),
    40013: (Remedy.STOP, "AppID 不正确，请核对设置 app_id"),
    40125: (Remedy.STOP, "AppSecret 不正确，可能已在公众平台重置"),
    40164: (Remedy.STOP, "本机出口地址不在公众平台的 IP 白名单内"),
    48004: (Remedy.STOP, "接口已被微信封禁，请登录公众平台查看通知"),
    50002: (Remedy.STOP, "账号受限，可能违规后接口被封禁"),
    89503: (Remedy.STOP, "调用须由公众号管理员确认，请管理员在微信中确认"),
    48001: (Remedy.ABSENT, "账号没有这项接口权限（可能未认证）"),
    88000: (Remedy.ABSENT, "账号没有留言功能权限"),
    45009: (Remedy.MIDNIGHT, "今日调用额度已用完"),
    48006: (Remedy.BUG, "本月清零次数已用完"),
    45011: (Remedy.MINUTE, "调用过于频繁"),
    88001: (Remedy.GONE, "这篇消息不存在"),
    53600: (Remedy.GONE, "这篇文章不存在"),
    61503: (Remedy.LATER, "统计数据尚未就绪"),
    40097: (Remedy.BUG, "参数错误"),
    41001: (Remedy.BUG, "缺少接口调用凭证"),
    43002: (Remedy.BUG, "应使用 POST"),
    44002: (Remedy.BUG, "POST 内容为空"),
    61500: (Remedy.BUG, "日期格式错误"),
    61501: (Remedy.BUG, "日期范围错误"),
    88010: (Remedy.BUG, "一次读取的留言数超出范围"),
}

_RID = re.compile(r"\brid:\s*([0-9A-Za-z-]{6,60})")


class Failed(Exception):
    """A call that brought nothing: how it is booked, and why, in Chinese and without secrets."""

    def __init__(
        self, outcome: Outcome, why: str, *, status: int | None = None, retry_after: str = ""
    ) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why
        self.status = status
        self.retry_after = retry_after  #: as the server wrote it


@dataclass(frozen=True, slots=True)
class Ruling:
    remedy: Remedy
    meaning: str


def ruling(code: int) -> Ruling:
    """What a code asks for; one that nobody told us of is tried again by the next run."""
    remedy, meaning = TABLE.get(code, (Remedy.LATER, "未知错误码"))
    return Ruling(remedy, meaning)


class Refused(Failed):
    """The platform answered with an error code."""

    def __init__(self, code: int, message: str = "", *, status: int | None = None) -> None:
        ruled = ruling(code)
        found = _RID.search(message)
        self.code = code
        self.remedy = ruled.remedy
        self.rid = found[1] if found else ""  #: what WeChat's support asks for
        why = f"{ruled.meaning}（{code}）"
        super().__init__(
            ruled.remedy.outcome, f"{why}，rid {self.rid}" if self.rid else why, status=status
        )
