"""What a line of the ledger says, in the words of the office."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from store.records import Level, State

KINDS = {
    "opened": "发现", "joined": "新帖并入", "grew": "升级", "updated": "帖文更新",
    "repeated": "再次发生", "moved": "流转", "taken": "认领办理", "noted": "记录",
    "levelled": "核定等级", "assigned": "交办处室", "watched": "约定复查", "paused": "中止计时",
    "instruction": "批示", "order": "交办", "supervision": "督办", "absorbed": "并入本条目",
    "reminded": "催办", "acknowledged": "已阅", "notified": "通知送达", "refused": "通知被拒收",
    "resent": "重发通知", "overdue": "超时通报", "bounced": "通知被退回",
    "delayed": "通知途中滞留", "brief": "出具报告", "handover": "交接班", "thresholds": "调整界限",
    "passed-on": "改走第二通道", "superseded": "通知不再需要",
    "transport-back": "通道恢复", "drill": "演练", "evidence": "下载证据副本",
    "login": "登录", "login-failed": "登录失败", "logout": "退出", "denied": "越权被拒",
    "user-added": "新建账号", "user-disabled": "停用账号", "user-enabled": "恢复账号",
    "password-changed": "修改口令", "password-reset": "重置口令", "exported": "导出",
    "rules-saved": "修改规则", "test-mail": "发测试信", "verified": "核验台账",
    "digest-built": "生成周报", "digest-edited": "修改周报", "digest-approved": "签发周报",
    "purged": "到期删除", "restored": "恢复备份",
}  # fmt: skip

VIA = {"desk": "值班台", "cli": "命令行", "service": "系统", "link": "邮件链接"}

_LABELS = {
    **{state.value: state.label for state in State},
    **{level.value: f"{level.numeral}级（{level.label}）" for level in Level},
}


def said(event: Mapping[str, Any], office_name: Callable[[str], str]) -> str:
    """What happened, without who, when and the note."""
    name = KINDS.get(event["kind"], event["kind"])
    before, after = event["before"], event["after"]
    if event["kind"] == "assigned":
        return f"{name}：{office_name(after)}"
    if before and after and before != after:
        return f"{name}：{_LABELS.get(before, before)} → {_LABELS.get(after, after)}"
    return str(name)
