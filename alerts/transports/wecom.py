"""企业微信群机器人: delivered when HTTP 200 and errcode 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.letters import Letter
from alerts.transports._robot import Robot, RobotOptions, RobotTransport, message
from config.settings import Settings

_LIMIT = 2048  #: bytes of a text message


class Options(RobotOptions):
    pass


class WeCom(RobotTransport):
    later = frozenset({-1, 45009, 45033})  #: busy, too many calls, too many at once

    def request(self, robot: Robot, url: str, letter: Letter) -> tuple[str, dict[str, Any]]:
        text = message(letter, _LIMIT, robot)
        return url, {"msgtype": "text", "text": {"content": text}}

    def verdict(self, answer: Mapping[str, Any]) -> tuple[int | None, str]:
        code = answer.get("errcode")
        return (code if type(code) is int else None), str(answer.get("errmsg", ""))


def build(options: Options, settings: Settings, environ: Mapping[str, str]) -> WeCom:
    return WeCom(options, environ, hosts=frozenset({"qyapi.weixin.qq.com"}))
