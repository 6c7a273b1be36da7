"""钉钉群机器人: by signature or keyword; delivered when HTTP 200 and errcode 0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from alerts.letters import Letter
from alerts.transports._robot import Robot, RobotOptions, RobotTransport, message
from config.settings import Settings

_LIMIT = 18_000  #: bytes; the platform stops at 20,000 of the whole body


class Options(RobotOptions):
    pass


class DingTalk(RobotTransport):
    later = frozenset({-1, 130101, 130102, 410100})  #: busy, sent too fast

    def request(self, robot: Robot, url: str, letter: Letter) -> tuple[str, dict[str, Any]]:
        text = message(letter, _LIMIT, robot)
        if robot.secret_env is not None:
            url = signed(url, self.secret(robot.secret_env), round(1000 * time.time()))
        return url, {"msgtype": "text", "text": {"content": text}}

    def verdict(self, answer: Mapping[str, Any]) -> tuple[int | None, str]:
        code = answer.get("errcode")
        return (code if type(code) is int else None), str(answer.get("errmsg", ""))


def signed(url: str, secret: str, stamp: int) -> str:
    """The address with its signature; `stamp` in milliseconds, good for an hour."""
    told = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}timestamp={stamp}&sign={quote_plus(base64.b64encode(told))}"


def build(options: Options, settings: Settings, environ: Mapping[str, str]) -> DingTalk:
    return DingTalk(options, environ, hosts=frozenset({"oapi.dingtalk.com"}))
