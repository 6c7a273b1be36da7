"""The table of how an SMTP attempt can end, and what each end means (facts: mail §2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from alerts.letters import NotDelivered, Trouble

#: In the order they happen. Up to `auth` nothing depends on the letter.
STEPS = ("connect", "banner", "hello", "tls", "auth", "sender", "recipient", "data", "handed")
_DOOR = frozenset({"connect", "banner", "hello", "tls", "auth"})
_SIGN_IN = frozenset({530, 534, 535, 538})
_SPAM = re.compile(
    r"spam|junk|bulk|block|blacklist|policy|reputation|suspect|denied by content|垃圾|屏蔽|拦截",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"5\.3\.4|too (large|big)|exceeds? .*size|size .*exceed", re.IGNORECASE)
#: Errors before the letter that no waiting mends: certificates, a plain port, files, settings.
_MENDABLE = frozenset(
    {
        "SSLError",
        "SSLCertVerificationError",
        "FileNotFoundError",
        "PermissionError",
        "SMTPNotSupportedError",
        "settings",
    }
)


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended: at which step, with which reply code or which error."""

    step: str
    code: int = 0  #: of the server's reply; 0 where there was none
    error: str = ""  #: class name of the exception; "deadline" where the courier was killed
    reply: str = ""


def judge(end: End, parts: Mapping[str, int] | None = None) -> NotDelivered:
    """What this end means. Pure; the rows are tested one by one against a real server."""
    kind, permanent, too_large = _verdict(end)
    return NotDelivered(kind, _said(end), permanent=permanent, too_large=too_large, parts=parts)


def _verdict(end: End) -> tuple[Trouble, bool, bool]:
    code = end.code if 400 <= end.code < 600 else 0  # anything else is garbage: no answer
    if end.step in _DOOR:
        return _at_the_door(end, code), False, False
    if end.step == "handed" and not code:
        return Trouble.UNSURE, False, False
    if code in _SIGN_IN:
        return Trouble.SYSTEM, False, False
    if code == 421 or not code:
        # The link broke on this letter. It waits by itself and holds nobody else up: a letter
        # that upsets a server must not close the door for all.
        return Trouble.MESSAGE, False, False
    if code < 500:
        return (Trouble.RECIPIENT if end.step == "recipient" else Trouble.MESSAGE), False, False
    if (code == 552 and end.step != "recipient") or _TOO_LARGE.search(end.reply):
        return Trouble.MESSAGE, True, True
    if end.step == "sender":
        # Our own address is refused: no other letter would fare better, and once it is mended
        # all of them must still be there.
        return Trouble.SYSTEM, False, False
    if _SPAM.search(end.reply) or end.step != "recipient":
        return Trouble.PROVIDER, True, False
    return Trouble.RECIPIENT, True, False


def _at_the_door(end: End, code: int) -> Trouble:
    if end.error in _MENDABLE:
        return Trouble.SYSTEM
    return Trouble.SYSTEM if code >= 500 else Trouble.LINK


_STEP_LABEL = {
    "connect": "连接邮件服务器",
    "banner": "等待服务器应答",
    "hello": "与服务器握手",
    "tls": "建立加密连接",
    "auth": "登录邮件服务器",
    "sender": "提交发件人",
    "recipient": "提交收件人",
    "data": "提交正文",
    "handed": "正文已交出、等待确认",
}
_ERROR_LABEL = {
    "deadline": "超过总时限",
    "TimeoutError": "超时",
    "ConnectionRefusedError": "连接被拒绝",
    "gaierror": "主机名无法解析",
    "SMTPServerDisconnected": "连接中断",
    "SSLCertVerificationError": "证书校验未通过",
    "SSLError": "加密协商失败",
    "SSLEOFError": "加密协商时连接中断",
    "ConnectionResetError": "连接被重置",
    "SMTPNotSupportedError": "服务器不支持所需功能",
    "FileNotFoundError": "证书文件不存在",
    "PermissionError": "证书文件无法读取",
    "settings": "设置有误",
    "garbage": "应答无法识别",
}


def _said(end: End) -> str:
    where = _STEP_LABEL.get(end.step, end.step)
    if end.code > 0:
        return f"{where}：{end.code} {end.reply}".rstrip()
    why = _ERROR_LABEL.get(end.error, end.error or "无应答")
    return f"{where}：{why}" + (f"（{end.reply}）" if end.reply else "")
