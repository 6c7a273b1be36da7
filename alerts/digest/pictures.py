"""SVG to PNG by resvg, with the font that comes with us and no other."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

SANS, SERIF = "Tinglan Sans", "Tinglan Serif"
_WIDTH = 1280  #: pixels; drawn at 640, so that it is sharp on paper


class NoPictures(Exception):
    """resvg-py is not installed: `pip install "tinglan[report]"`."""


def font_folder() -> Path:
    """Where the shipped fonts lie. The package is never run from a zip."""
    return Path(str(resources.files("alerts.digest") / "fonts"))


@lru_cache(maxsize=32)
def png(svg: str, width: int = _WIDTH) -> bytes:
    """The picture; the same SVG gives the same bytes. Raises NoPictures."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise NoPictures("缺少 resvg-py") from None
    try:
        return svg_to_bytes(
            svg_string=svg,
            width=width,
            background="#ffffff",
            skip_system_fonts=True,
            font_files=[str(font_folder() / "TinglanSans.ttf")],
            sans_serif_family=SANS,
            font_family=SANS,
        )
    except ValueError as error:  # a picture less is better than no report
        raise NoPictures(str(error)) from None
