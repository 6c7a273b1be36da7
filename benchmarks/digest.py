"""How long a stormy week of 10⁴ and 10⁵ posts takes on paper, how much memory, how large it gets.

`tinglan bench digest [POSTS…]`. Each size in a process of its own, so that peaks are its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import Figure

TITLE = "周报：一周一万、十万条帖文的统计和成文用时、内存，邮件、Word、PDF 的大小"

SIZES = (10_000, 100_000)
LARGEST_MB = 5.0  #: of a mail
_CASES = 200


def run(argv: Sequence[str]) -> Iterable[Figure]:
    for size in [int(one) for one in argv] or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _child("fill", str(size), folder)
            yield from _figures(size, json.loads(_child("tell", str(size), folder)))


def _figures(size: int, told: dict[str, Any]) -> Iterable[Figure]:
    name = f"{size:,} posts"
    for part, seconds in told["seconds"].items():
        yield Figure(
            stage="digest", candidate=f"{part}, {name}", rate=seconds, unit="s",
            peak_mb=told["peak_mb"][part],
        )  # fmt: skip
    for part, size_ in told["bytes"].items():
        is_mail = part == "mail"
        yield Figure(
            stage="digest", candidate=f"{part}, {name}", rate=size_ / 1e6, unit="MB",
            goal=f"≤ {LARGEST_MB:g} MB" if is_mail else "",
            met=size_ <= LARGEST_MB * 1e6 if is_mail else None,
        )  # fmt: skip


def _child(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.digest", *words],
        capture_output=True, text=True, check=True, timeout=900,
    )  # fmt: skip
    return done.stdout


def _fill(size: int, folder: Path) -> None:
    from benchmarks._weeks import SETTINGS, fill
    from config.settings import Settings
    from store.engine import Database
    from store.schema import upgrade

    database = Database(f"sqlite:///{folder}/digest.db")
    upgrade(database)
    settings, week = Settings.model_validate(SETTINGS), _week()
    before = week.starts_at - timedelta(days=7)
    fill(database, settings, before, size // 2, cases=40, seed=3)
    fill(database, settings, week.starts_at, size, mood="storm", cases=_CASES)
    database.close()


def _tell(folder: Path) -> dict[str, Any]:
    from alerts.digest.build import build_digest
    from alerts.digest.files import formatted
    from alerts.digest.letter import digest_letter
    from alerts.mail import compose
    from alerts.notices import notice_of
    from benchmarks._weeks import SETTINGS
    from config.settings import Settings
    from store.engine import Database
    from store.tables import notices

    database = Database(f"sqlite:///{folder}/digest.db")
    settings, week = Settings.model_validate(SETTINGS), _week()
    now = week.ends_at + timedelta(hours=8)
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}
    sizes: dict[str, int] = {}

    def timed(name: str, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = act()
        seconds[name] = round(time.perf_counter() - began, 3)
        peaks[name] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        return made

    made = timed("figures", lambda: build_digest(database, settings, week, now, send=True))
    for format in ("html", "docx", "pdf", "csv"):
        sizes[format] = len(timed(format, partial(formatted, made.row, settings, format)))
    with database.read() as connection:
        row = dict(connection.execute(notices.select().limit(1)).mappings().one())
    notice = notice_of(row)
    letter = timed("letter", lambda: digest_letter(notice, made.row, settings))
    sizes["mail"] = len(timed("mail", lambda: compose(letter, settings.mail)))
    database.close()
    return {"seconds": seconds, "peak_mb": peaks, "bytes": sizes}


def _week() -> Any:
    from alerts.digest.weeks import Week

    return Week(2026, 30)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        _fill(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        print(json.dumps(_tell(Path(sys.argv[3]))))
