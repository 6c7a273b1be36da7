"""One POST to WeChat and back: bounded in bytes and seconds, and mute about secrets."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from crawler import limits
from crawler.site.inflate import Broken, TooLarge, inflate
from crawler.wechat.errors import Failed, Refused
from store.records import Outcome

_TOKEN = re.compile(r"(access_token=)[^&\s\"']+")


class _Mute(logging.Filter):
    """httpx writes whole addresses into its log, and WeChat wants the token in the address."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        muted = _TOKEN.sub(r"\1***", said)
        if muted != said:
            record.msg, record.args = muted, None
        return True


logging.getLogger("httpx").addFilter(_Mute())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call brought."""

    data: Mapping[str, Any]
    status: int
    size: int  #: bytes, as sent
    ms: int


class Wire:
    """Speaks with one base address. One call at a time; close it when done."""

    def __init__(
        self,
        base_url: str,
        *,
        user_agent: str,
        seconds: float = limits.FETCH_SECONDS,
        body: int = limits.BODY,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._seconds = seconds
        self._body = body
        self._socket: socket.socket | None = None
        self._client = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(min(10.0, seconds)),
            follow_redirects=False,  # the token is for this host and no other
            trust_env=False,
            # Certificates are always checked; without TLS (the stand-in) none need be loaded.
            verify=base_url.startswith("https:"),
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"},
        )

    def close(self) -> None:
        self._client.close()

    def address(self, path: str) -> str:
        """As it is written into the ledger: never with a token."""
        return self._base + path

    def post(self, path: str, body: Mapping[str, Any], *, token: str = "") -> Answer:
        """The parsed answer. Raises Refused for an error code, Failed for anything else."""
        began = time.monotonic()
        cut = threading.Event()
        timer = threading.Timer(self._seconds, self._cut, [cut])
        timer.daemon = True
        timer.start()
        try:
            status, raw, headers = self._exchange(path, body, token)
        except httpx.TimeoutException:
            raise Failed(Outcome.TIMEOUT, "没有在规定时间内答复") from None
        except httpx.InvalidURL:  # httpx looks at a Location even where it is not to follow it
            raise Failed(Outcome.REDIRECTED_OFF, "答复要转往不合法的地址，已拒绝") from None
        except httpx.TransportError as error:
            if cut.is_set():
                raise Failed(Outcome.TIMEOUT, f"{self._seconds:g} 秒内没有收完") from None
            raise _link(error) from None
        finally:
            timer.cancel()
        if cut.is_set():  # a body without a length ends well when the line is cut
            raise Failed(Outcome.TIMEOUT, f"{self._seconds:g} 秒内没有收完", status=status)
        ms = round((time.monotonic() - began) * 1000)
        return Answer(_object(status, raw, headers, self._body), status, len(raw), ms)

    def _exchange(
        self, path: str, body: Mapping[str, Any], token: str
    ) -> tuple[int, bytes, httpx.Headers]:
        with self._client.stream(
            "POST",
            self._base + path,
            params={"access_token": token} if token else None,
            json=dict(body),
            extensions={"trace": self._trace},
        ) as response:
            raw = bytearray()
            for chunk in response.iter_raw():
                raw += chunk
                if len(raw) > self._body:
                    raise Failed(Outcome.TOO_LARGE, "答复超过大小上限", status=response.status_code)
            return response.status_code, bytes(raw), response.headers

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self, cut: threading.Event) -> None:
        """httpx bounds each read; an answer that drips needs an end as a whole."""
        cut.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _link(error: httpx.TransportError) -> Failed:
    said = str(error).lower()
    if "certificate" in said or "ssl" in said or "tls" in said:
        return Failed(Outcome.TLS_ERROR, "证书或加密连接有问题，已拒绝")
    if isinstance(error, httpx.RemoteProtocolError) and "complete message" in said:
        return Failed(Outcome.TRUNCATED, "答复没有发完就断了")
    return Failed(Outcome.HTTP_ERROR, f"连接不成（{type(error).__name__}）")


def _object(status: int, raw: bytes, headers: httpx.Headers, cap: int) -> Mapping[str, Any]:
    """The JSON object of an answer. Raises Failed, Refused."""
    later = headers.get("retry-after", "")
    if 300 <= status < 400:
        raise Failed(Outcome.REDIRECTED_OFF, "答复要转往别处，已拒绝", status=status)
    if status in {403, 412}:
        raise Failed(Outcome.BLOCKED, f"被拒绝（HTTP {status}）", status=status)
    if status == 429:
        raise Failed(
            Outcome.QUOTA, "对方限制访问频率（HTTP 429）", status=status, retry_after=later
        )
    if status != 200:
        raise Failed(Outcome.HTTP_ERROR, f"HTTP {status}", status=status, retry_after=later)
    try:
        plain = inflate(raw, headers.get("content-encoding", ""), cap)
    except TooLarge:
        raise Failed(Outcome.TOO_LARGE, "答复解压后超过大小上限", status=status) from None
    except Broken:
        raise Failed(Outcome.DECODE_ERROR, "答复的压缩数据损坏", status=status) from None
    if not plain.strip():
        raise Failed(Outcome.SOFT_FAILURE, "答复为空", status=status)
    try:
        data = json.loads(plain.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        if plain.lstrip().startswith(b"<"):
            raise Failed(
                Outcome.WRONG_TYPE, "答复是网页，不是接口数据（可能在维护）", status=status
            ) from None
        raise Failed(Outcome.PARSE_BROKEN, "答复不是有效的 JSON", status=status) from None
    if not isinstance(data, dict):
        raise Failed(Outcome.PARSE_BROKEN, "答复不是 JSON 对象", status=status)
    code = whole(data.get("errcode"), 0)
    if code is None:
        raise Failed(Outcome.PARSE_BROKEN, "错误码不是数字", status=status)
    if code:
        raise Refused(code, str(data.get("errmsg") or ""), status=status)
    return data


def whole(value: Any, missing: int | None = None) -> int | None:
    """An integer, also one written as a string or as 3.0; `missing` for null, None for nonsense."""
    if value is None:
        return missing
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,19}\s*", value):
        return int(value)
    return None
