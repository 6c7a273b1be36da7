"""Charts as SVG text made on the server: no script, no style attribute, numbers written beside.

Colours and strokes are classes of desk.css, so that dark mode and print need nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_W, _ROW, _LABEL, _NUMBER = 640, 34, 150, 110
_WIDE = 12  #: characters of a label


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of a bar; `kind` is a class of desk.css, `label` says what it is."""

    label: str
    value: int
    kind: str = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    label: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        return sum(part.value for part in self.parts)


def bars(title: str, unit: str, rows: Sequence[Row]) -> Markup:
    """Horizontal bars, one a row, in parts; the total stands at the end of each."""
    height = _ROW * len(rows) + 4
    most = max((row.total for row in rows), default=0) or 1
    room = _W - _LABEL - _NUMBER
    out = [_head(title, unit, rows, height)]
    for at, row in enumerate(rows):
        y = at * _ROW + 4
        label = row.label if len(row.label) <= _WIDE else row.label[: _WIDE - 1] + "…"
        out.append(_text(_LABEL - 10, y + 19, label, "end"))
        x = float(_LABEL)
        for part in row.parts:
            width = room * part.value / most
            if width > 0:
                out.append(
                    f'<rect class="fill-{escape(part.kind)}" x="{x:.1f}" y="{y}" '
                    f'width="{max(width, 1):.1f}" height="26"/>'
                )
            x += width
        out.append(_text(x + 8, y + 19, f"{row.total} {unit}", "start"))
    return Markup("".join(out) + "</svg>")  # noqa: S704 - every text in it went through escape()


def trend(title: str, unit: str, days: Sequence[str], lines: Sequence[Row]) -> Markup:
    """Lines over days; `parts` of each row are its values, in the order of `days`."""
    height, top, bottom, left = 220, 16, 36, 44
    most = max((part.value for line in lines for part in line.parts), default=0) or 1
    step = (_W - left - 24) / max(1, len(days) - 1)

    def y(value: int) -> float:
        return top + (height - top - bottom) * (1 - value / most)

    out = [_head(title, unit, lines, height)]
    for value in sorted({0, most // 2, most}):
        at_y = f"{y(value):.1f}"
        out.append(f'<line class="grid" x1="{left}" x2="{_W - 16}" y1="{at_y}" y2="{at_y}"/>')
        out.append(_text(left - 8, y(value) + 5, str(value), "end"))
    for at, day in enumerate(days):
        if len(days) <= 10 or at % (len(days) // 7) == 0:
            out.append(_text(left + at * step, height - 10, day, "middle"))
    for line in lines:
        kind = escape(line.parts[0].kind if line.parts else "plain")
        points = [(left + at * step, y(part.value)) for at, part in enumerate(line.parts)]
        path = " ".join(f"{x:.1f},{v:.1f}" for x, v in points)
        out.append(f'<polyline class="line-{kind}" points="{path}"/>')
        out += [f'<circle class="fill-{kind}" cx="{x:.1f}" cy="{v:.1f}" r="3"/>' for x, v in points]
    return Markup("".join(out) + "</svg>")  # noqa: S704 - every text in it went through escape()


def share_bar(share: int, kind: str, words: str) -> Markup:
    """How much of a limit is gone."""
    share = max(0, min(100, share))
    return Markup(  # noqa: S704 - numbers, fixed words and escape()
        f'<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}"><rect class="track" width="100" height="8"/>'
        f'<rect class="bar-{escape(kind)}" width="{share}" height="8"/></svg>'
    )


def _head(title: str, unit: str, rows: Sequence[Row], height: int) -> str:
    told = "；".join(f"{row.label} {row.total}{unit}" for row in rows)
    return (
        f'<svg class="chart" viewBox="0 0 {_W} {height}" role="img" '
        f'aria-label="{escape(title)}：{escape(told)}"><title>{escape(title)}</title>'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
