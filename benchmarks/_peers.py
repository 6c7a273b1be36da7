"""Peers that are measured in a process of their own, so that neither weighs on the other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

_SNOWNLP: Final = """
import json, sys, time
from snownlp import sentiment
sentiment.classify("好")
texts = json.load(sys.stdin)
began = time.process_time()
for text in texts:
    sentiment.classify(text)
print(time.process_time() - began)
"""


def snownlp_seconds(texts: Sequence[str]) -> float:
    """CPU seconds SnowNLP takes to judge these, its import left out."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _SNOWNLP],
        input=json.dumps(list(texts)).encode(),
        capture_output=True,
        check=True,
    )
    return float(done.stdout)
