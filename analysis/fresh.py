"""Stages that follow the office's rule files: built anew on a change, kept where one is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from analysis.packs import PacksWrong
from analysis.subject import Stage

log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]


def stamp(folder: Path | None) -> Stamp:
    """What tells one state of a folder of packs from another: names, times, sizes."""
    if folder is None:
        return ()
    made = []
    for path in sorted(folder.glob("*.toml")):
        try:
            told = path.stat()
        except OSError:
            continue  # gone between the two looks
        made.append((path.name, told.st_mtime_ns, told.st_size))
    return tuple(made)


class FreshStages:
    """Asked before each batch. `refused` hears of files that cannot be used, and "" when they can.

    Raises PacksWrong when made on wrong files: a service must not start on half its rules.
    """

    def __init__(
        self,
        build: Callable[[], Mapping[str, Stage]],
        folder: Path | None,
        *,
        refused: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._build, self._folder, self._refused = build, folder, refused
        self._stamp = stamp(folder)
        self._stages = build()

    def __call__(self) -> Mapping[str, Stage]:
        found = stamp(self._folder)
        if found != self._stamp:
            self._stamp = found
            try:
                self._stages = self._build()
            except (PacksWrong, FileNotFoundError) as error:
                log.error("rules-refused", extra={"mistakes": str(error).splitlines()[:20]})
                self._refused(str(error))
            else:
                log.info("rules-renewed")
                self._refused("")
        return self._stages
