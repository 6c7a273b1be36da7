"""Short names the desk gives to what the service sends."""

from __future__ import annotations

#: Stage of a notice → what kind of letter it is.
STAGES = {
    "alert": "预警", "growth": "升级", "update": "动态", "assign": "交办", "closed": "办结",
    "reopened": "复燃", "fallback": "转送", "second": "第二通道", "bundle": "合并通知",
    "reminder": "催办", "overdue": "超时", "review": "复查提醒", "progress": "进展催报",
    "instruction": "批示", "order": "交办", "supervision": "督办", "digest": "周报",
    "test": "测试", "watch": "系统告警", "system": "系统告警",
}  # fmt: skip
