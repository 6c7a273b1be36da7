"""Logs: one JSON object a line, each with an event name; nothing a post says can forge a line."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

#: Libraries of which only troubles are worth a line, whatever they set their own loggers to.
_NOISY = (
    "httpx", "httpcore", "apscheduler", "alembic", "mail.log", "scrapy", "twisted", "py.warnings",
    "uvicorn",
)  # fmt: skip
_EVENT = re.compile(r"[a-z][\w.]*(?:\.%s)?(?: \w+=%[sdr])+")
_PLACED = re.compile(r"(\w+)=%")
#: PostgreSQL repeats the whole row, or the key, that it refused.
_ROW = re.compile(r"(?m)^DETAIL: .*(?:\n(?!\s|\[SQL|Traceback|\(Background).*)*")
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """`{"at", "level", "event", …extra}`; the event is the log message's constant part."""

    def format(self, record: logging.LogRecord) -> str:
        event, told = _told(record)
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": event,
            "part": record.name,
        }
        line |= told
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["trace"] = _ROW.sub("DETAIL: (not shown)", self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True, default=str)


def _told(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """(event, fields) of `notice.sent notice=%s attempts=%d`; else the message as it stands."""
    said = record.msg
    if not (isinstance(said, str) and isinstance(record.args, tuple) and _EVENT.fullmatch(said)):
        return record.getMessage(), {}
    event, names = said.split(" ", 1)[0], _PLACED.findall(said)
    own = event.count("%s")
    if own + len(names) != len(record.args):
        return record.getMessage(), {}
    return event % record.args[:own], dict(zip(names, record.args[own:], strict=True))


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Scrapy and uvicorn set their loggers back to INFO when they start."""
    return record.levelno >= logging.WARNING or not any(
        record.name == noisy or record.name.startswith(f"{noisy}.") for noisy in _NOISY
    )


def set_up(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sends every log line to stderr (or `stream`); call once, at the edge."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(_worth_a_line)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
