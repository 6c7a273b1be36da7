"""飞书群机器人: delivered when HTTP 200 and code (or the older StatusCode) 0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

from alerts.letters import Letter
from alerts.transports._robot import Robot, RobotOptions, RobotTransport, message
from config.settings import Settings

_LIMIT = 18_000  #: bytes; the platform stops at 20 KB of the whole body


class Options(RobotOptions):
    pass


class Feishu(RobotTransport):
    later = frozenset({9499, 11232, 99991400})  #: too many requests

    def request(self, robot: Robot, url: str, letter: Letter) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {
            "msg_type": "text",
            "content": {"text": message(letter, _LIMIT, robot)},
        }
        if robot.secret_env is not None:
            stamp = int(time.time())
            body |= {
                "timestamp": str(stamp),
                "sign": signature(self.secret(robot.secret_env), stamp),
            }
        return url, body

    def verdict(self, answer: Mapping[str, Any]) -> tuple[int | None, str]:
        code = answer.get("code", answer.get("StatusCode"))
        words = answer.get("msg", answer.get("StatusMessage", ""))
        return (code if type(code) is int else None), str(words)


def signature(secret: str, stamp: int) -> str:
    """As the platform asks: the key signs nothing but itself; `stamp` in seconds."""
    told = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(told).decode()


def build(options: Options, settings: Settings, environ: Mapping[str, str]) -> Feishu:
    return Feishu(options, environ, hosts=frozenset({"open.feishu.cn", "open.larksuite.com"}))
