"""How many posts a CPU second does the whole `tinglan assess` judge, and what does it need?

The command runs as an office would run it, on JSON Lines with 10,000 rule words beside the
shipped ones. SnowNLP alone, import left out, is the peer; a first run on one line says what the
start costs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import Figure, _peers, _texts

TITLE = "整条研判命令：一万个规则词，与 SnowNLP 同场比；内存与冷启动"

_ROOT: Final = Path(__file__).parents[1]
_SETTINGS: Final = """
[agency]
name = "测速"
contact = "https://www.example.gov.cn/"
[[channels]]
id = "board"
name = "信箱"
kind = "site"
[[channels.columns]]
url = "http://127.0.0.1:9/list.html"
name = "信箱"
kind = "letters"
style = "plain"
[[offices]]
id = "duty"
name = "值班室"
addresses = ["duty@example.gov.cn"]
[roster]
fallback = ["chief@example.gov.cn"]
[mail]
host = "127.0.0.1"
security = "none"
from = "t@example.gov.cn"
[stages.rules]
folder = "rules"
"""
#: A child's most memory counts from its parent's size at the start, so a small one starts it.
_LAUNCHER: Final = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
told = [os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss]
print(json.dumps(told), file=sys.stderr)
"""


class _Spent(NamedTuple):
    cpu: float  #: seconds
    mb: float  #: most resident memory
    lines: int  #: of output


def run(argv: Sequence[str]) -> Iterable[Figure]:
    parser = argparse.ArgumentParser(prog="tinglan bench assess")
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--words", type=int, default=10_000)
    parser.add_argument("--peer-posts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(argv)
    texts = _texts.posts(given.posts)
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "rules").mkdir()
        (folder / "tinglan.toml").write_text(_SETTINGS, encoding="utf-8")
        words = _texts.words(given.words, texts)
        (folder / "rules" / "bench.toml").write_text(_texts.pack(words), encoding="utf-8")
        one, many = (_file(folder / name, some) for name, some in
                     (("one.jsonl", texts[:1]), ("many.jsonl", texts)))  # fmt: skip
        rounds = [
            (_peers.snownlp_seconds(texts[: given.peer_posts]), _command(folder, one),
             _command(folder, many))
            for _ in range(given.rounds)
        ]  # fmt: skip
        # A machine's pace drifts: of each the best of all rounds, taken in turn.
        peer_s, started, whole = (min(some) for some in zip(*rounds, strict=True))
        if whole.lines != given.posts:
            raise RuntimeError(f"{whole.lines} answers for {given.posts} lines")
        peer = given.peer_posts / peer_s
        yield _rate("snownlp alone, import left out", peer, peer_s)
        judging = max(1e-9, whole.cpu - started.cpu)
        yield _rate("tinglan assess, start left out", given.posts / judging, judging, peer, 100)
        yield _rate("tinglan assess, with its start", given.posts / whole.cpu, whole.cpu, peer)
        yield Figure(
            stage="assess", candidate="cold start, one line", rate=round(started.cpu, 2),
            unit="cpu-s", peak_mb=round(started.mb),
        )  # fmt: skip
        plain = _python("import snownlp.sentiment as s; s.classify('好')", folder)
        yield Figure(
            stage="assess", candidate="cold start of snownlp", rate=round(plain.cpu, 2),
            unit="cpu-s", peak_mb=round(plain.mb),
        )  # fmt: skip
        yield Figure(
            stage="assess", candidate="most memory", rate=round(whole.mb), unit="MB",
            ratio=round(whole.mb / plain.mb, 2), peer="snownlp", peak_mb=round(whole.mb),
            goal="<= 150 MB with 10,000 words of one's own", met=whole.mb <= 150,
        )  # fmt: skip


def _rate(
    name: str, rate: float, cost: float, peer: float | None = None, least: float | None = None
) -> Figure:
    ratio = None if peer is None else rate / peer
    return Figure(
        stage="assess",
        candidate=name,
        rate=round(rate, 1),
        unit="posts/cpu-s",
        ratio=None if ratio is None else round(ratio, 1),
        peer="" if peer is None else "snownlp",
        cpu_s=round(cost, 3),
        goal="" if least is None else f">= {least:g}x",
        met=None if least is None or ratio is None else ratio >= least,
    )


def _file(path: Path, texts: Sequence[str]) -> Path:
    rows = (json.dumps({"id": i, "text": t}, ensure_ascii=False) for i, t in enumerate(texts))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def _command(folder: Path, lines: Path) -> _Spent:
    return _spent(["-m", "tinglan", "assess", str(lines)], folder)


def _python(code: str, folder: Path) -> _Spent:
    return _spent(["-c", code], folder)


def _spent(arguments: Sequence[str], folder: Path) -> _Spent:
    out = folder / "out.jsonl"
    with open(out, "wb") as file:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, sys.executable, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            check=True,
        )
    status, cpu, kilobytes = json.loads(done.stderr)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with {status}")
    with open(out, "rb") as file:
        count = sum(1 for _ in file)
    return _Spent(cpu, kilobytes / 1024, count)
