"""What the group robots share: one JSON POST, and a success that only the body can prove.

A robot's address holds its key, so it is a secret: settings name the variable it is in, and no
reply, log or error repeats it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from alerts.headers import clean_header
from alerts.letters import Letter, NotDelivered, Receipt, Trouble
from config.secrets import SecretMissing, SecretName, read_secret
from config.section import Section
from config.settings import is_loopback

_TIMEOUT = 10.0
_LARGEST = 65_536  #: bytes of an answer that are read


class Robot(Section):
    """One group: the variables that hold its address and, where it has one, its secret."""

    url_env: SecretName
    secret_env: SecretName | None = None
    keyword: str = Field(default="", max_length=20)  #: put before the text where the robot asks


class RobotOptions(Section):
    """`[transports.NAME.groups."防汛群"]`; a recipient is then `NAME:防汛群`."""

    groups: Mapping[str, Robot] = Field(min_length=1)
    rate: int = Field(default=18, ge=1, le=600)  #: letters a minute; the platforms stop at 20


class RobotTransport:
    """Finds the group, posts, and reads what the platform really said."""

    def __init__(
        self,
        options: RobotOptions,
        environ: Mapping[str, str],
        *,
        hosts: frozenset[str],
        client: httpx.Client | None = None,
    ) -> None:
        self._groups = options.groups
        self._environ = environ
        self._hosts = hosts
        # No redirects: where an address with a key in it goes is not for a stranger to say.
        self._client = client or httpx.Client(
            timeout=_TIMEOUT, follow_redirects=False, trust_env=False
        )
        self.deadline = timedelta(seconds=4 * _TIMEOUT)
        self.rate = options.rate

    def request(self, robot: Robot, url: str, letter: Letter) -> tuple[str, dict[str, Any]]:
        """(address, body) of one message. For each platform to say."""
        raise NotImplementedError

    def verdict(self, answer: Mapping[str, Any]) -> tuple[int | None, str]:
        """(code, words) of an answer; None where it holds no code. For each platform to say."""
        raise NotImplementedError

    #: Codes that mean "too fast" or "busy": the letter goes again later.
    later: frozenset[int] = frozenset()

    def send(self, letter: Letter) -> Receipt:
        """Raises NotDelivered. A robot set up wrongly is refused for good: others must be told."""
        robot = self._groups.get(letter.recipient)
        if robot is None:
            raise _refused(f"设置中没有名为“{clean_header(letter.recipient, 40)}”的群")
        address, body = self.request(robot, self._address(robot), letter)
        try:
            answer = self._client.post(address, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotDelivered(Trouble.LINK, f"无法连接群机器人：{type(error).__name__}") from None
        except httpx.HTTPError as error:
            # Sent, or half sent; a second copy in a group costs less than none.
            raise NotDelivered(
                Trouble.UNSURE, f"已提交，未收到答复：{type(error).__name__}"
            ) from None
        return self._judge(answer)

    def secret(self, name: SecretName) -> str:
        try:
            return read_secret(name, self._environ).get_secret_value()
        except SecretMissing as error:
            raise _refused(str(error)) from None

    def _address(self, robot: Robot) -> str:
        url = self.secret(robot.url_env).strip()
        try:
            parts = urlsplit(url)
            host, scheme = parts.hostname or "", parts.scheme
        except ValueError:
            host, scheme = "", ""
        plain = scheme == "http" and is_loopback(host)
        if not plain and (scheme != "https" or host not in self._hosts):
            raise _refused(f"${robot.url_env}：应为 https://{min(self._hosts)}/… 形式的地址")
        return url

    def _judge(self, answer: httpx.Response) -> Receipt:
        if answer.status_code == 429 or answer.status_code >= 500:
            raise NotDelivered(Trouble.MESSAGE, f"平台暂不受理：HTTP {answer.status_code}")
        if answer.status_code != 200:
            raise _refused(f"平台拒绝：HTTP {answer.status_code}")
        try:
            told = json.loads(answer.content[:_LARGEST])
        except ValueError:
            told = None
        code, words = self.verdict(told) if isinstance(told, dict) else (None, "")
        words = _without_keys(clean_header(words, 120))
        if code == 0:
            return Receipt(f"平台答复 0 {words}".rstrip())
        if code is None:
            raise NotDelivered(Trouble.MESSAGE, "平台答复无法识别，按未送达处理")
        if code in self.later:
            raise NotDelivered(Trouble.MESSAGE, f"平台限流：{code} {words}")
        raise _refused(f"平台拒绝：{code} {words}")


def message(letter: Letter, limit: int, robot: Robot) -> str:
    """Subject and text, at most `limit` bytes of UTF-8, cut between characters and said so."""
    head = f"{robot.keyword} " if robot.keyword and robot.keyword not in letter.subject else ""
    whole = f"{head}{letter.subject}\n\n{letter.text}".strip()
    if len(whole.encode()) <= limit:
        return whole
    tail = "\n…（内容过长已截断，全文见值班台或邮件）"
    room = limit - len(tail.encode())
    return whole.encode()[:room].decode("utf-8", "ignore").rstrip() + tail


def _refused(why: str) -> NotDelivered:
    return NotDelivered(Trouble.RECIPIENT, why, permanent=True)


def _without_keys(text: str) -> str:
    return re.sub(r"[A-Za-z0-9_-]{24,}", "***", re.sub(r"https?://\S+", "***", text))
