"""One call to Weibo: the token stays out of addresses and errors, every answer has a meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crawler.asking import Answer, Asker, Unanswered, unfit
from crawler.extraction.charset import decode
from crawler.weibo.errors import Refusal, refusal
from crawler.weibo.options import Options
from store.records import Outcome

NOTHING = "接口没有给出任何内容（可能已被平台限制；不等于没有新内容）"


class Client:
    """Calls of one account."""

    def __init__(self, options: Options, token: str, asker: Asker) -> None:
        self.options = options
        self._token = token
        self._asker = asker
        self._in_query = options.sends == "query"

    def get(self, call: str, params: Mapping[str, str], now: datetime) -> tuple[Any, Answer]:
        """(parsed answer, how it came). Raises Refusal, Unanswered."""
        try:
            return self._get(call, params, now)
        except Refusal as error:
            # Some contracts know the token only as a parameter; they miss the application then.
            if error.code != 10006 or self._in_query:
                raise
            self._in_query = True
            return self._get(call, params, now)

    def token_info(self, now: datetime) -> tuple[Any, Answer]:
        """What the platform says of our own token. Raises Refusal, Unanswered."""
        answer = self._asker.ask(
            f"{self.options.oauth_url}get_token_info",
            method="POST",
            form={"access_token": self._token},
        )
        return read(answer, now), answer

    def _get(self, call: str, params: Mapping[str, str], now: datetime) -> tuple[Any, Answer]:
        sent = dict(params)
        headers = {}
        if self._in_query:
            sent["access_token"] = self._token
        else:
            headers["Authorization"] = f"OAuth2 {self._token}"
        answer = self._asker.ask(self.options.url(call), params=sent, headers=headers)
        return read(answer, now), answer


def read(answer: Answer, now: datetime) -> Any:
    """The JSON of an answer. Raises Refusal for an error it tells, Unanswered for the rest."""
    if not answer.body.strip():
        trouble = unfit(answer, now)
        if trouble is not None:
            raise trouble
        raise Unanswered(Outcome.OK_EMPTY, NOTHING, status=answer.status)
    try:
        found = json.loads(decode(answer.body, answer.headers.get("content-type", "")).text)
    except (ValueError, RecursionError):
        raise unfit(answer, now) or Unanswered(
            Outcome.WRONG_TYPE, "应答不是 JSON（可能是维护页或被拦截）", status=answer.status
        ) from None
    code = _code(found)
    if code is not None:
        raise refusal(code, answer.status)
    trouble = unfit(answer, now)
    if trouble is not None:
        raise trouble
    if not isinstance(found, dict | list):
        raise Unanswered(Outcome.PARSE_BROKEN, "应答的结构无法识别", status=answer.status)
    return found


def _code(found: Any) -> int | None:
    """The error number of an answer, 0 for one that cannot be read; None where there is none."""
    if not isinstance(found, dict):
        return None
    code = found.get("error_code")
    if code in (None, "", 0, "0"):
        return 0 if isinstance(found.get("error"), str) and found["error"] else None
    try:
        return int(str(code))
    except ValueError:
        return 0
