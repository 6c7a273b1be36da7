"""Runs SnowNLP where it can do no harm: its own process, JSON lines in and out.

Started by `analysis.engines.snownlp`, also by hand: `python -m analysis.engines._snownlp_worker`.
Answers {"ready": true} once the model is loaded, then {"id", "score"} for each {"id", "text"};
a score of null means that SnowNLP failed on that text. Imports nothing of tinglan, so that it
starts as a lone script in Python's isolated mode.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(argv: list[str]) -> int:
    if len(argv) > 1:
        _cap_memory(int(argv[1]))
    from snownlp import sentiment  # 4 s of CPU, 400 MB: the reason for this process

    if len(argv) > 2:
        sentiment.classifier.load(argv[2].removesuffix(".3"))  # the package puts the .3 back
    _say({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        score: float | None
        try:
            # Empty text divides by zero in SnowNLP; it is never sent, and not tried here either.
            score = float(sentiment.classify(asked["text"])) if asked["text"].strip() else None
        except Exception:
            score = None
        _say({"id": asked["id"], "score": score})
    return 0


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _cap_memory(size: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ImportError, ValueError, OSError):
        return  # not on this system; the caller's time limit still holds


if __name__ == "__main__":
    sys.exit(main(sys.argv))
