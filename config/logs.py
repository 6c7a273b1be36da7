"""Logs: one JSON object a line, each with an event name; nothing a post says can forge a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

_NOISY = ("httpx", "httpcore", "apscheduler", "alembic", "mail.log", "scrapy", "py.warnings")
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """`{"at", "level", "event", …extra}`; the event is the log message's constant part."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "part": record.name,
        }
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def set_up(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sends every log line to stderr (or `stream`); call once, at the edge."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in (*_NOISY, "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
