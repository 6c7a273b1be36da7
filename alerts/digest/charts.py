"""Charts as SVG text, for the desk and for paper: no script, no style, numbers written beside.

On the desk, colours and strokes are classes of desk.css, so that dark mode and print need
nothing here. On paper (`Paint`), every shape carries its own: hatching, dots, dashes and marks
tell the parts apart where there is no colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

_INSET = 22
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


@dataclass(frozen=True, slots=True)
class Look:
    """How one kind of part is drawn on paper."""

    colour: str
    ink: str = "#ffffff"  #: of the number inside
    pattern: str = ""  #: hatch, dots, back
    dash: str = ""  #: of a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Paint:
    """Paper: a font that is there, a look for each kind, a legend above."""

    font: str = "Tinglan Sans"
    looks: dict[str, Look] = field(
        default_factory=lambda: {
            "plain": Look("#3f6fa8"),
            "negative": Look("#b3261e", pattern="hatch", dash="7 4"),
            "neutral": Look("#6b7480"),
            "positive": Look("#2e7d4f", pattern="dots"),
            "unknown": Look("#c9ced4", ink="#1f2328", pattern="back"),
            "I": Look("#b3261e", pattern="hatch"),
            "II": Look("#b54708", pattern="back"),
            "III": Look("#d9a400", ink="#1f2328", pattern="dots"),
            "IV": Look("#1f5fbf"),
        }
    )

    def look(self, kind: str) -> Look:
        return self.looks.get(kind) or self.looks["plain"]


PAPER = Paint()


def bars(title: str, unit: str, rows: Sequence[Row], paint: Paint | None = None) -> Markup:
    """Horizontal bars, one a row, in parts; the total stands at the end of each."""
    legend = _kinds(rows) if paint else []
    top = 30 if len(legend) > 1 else 0
    height = _ROW * len(rows) + 4 + top
    most = max((row.total for row in rows), default=0) or 1
    room = _W - _LABEL - _NUMBER
    out = [_head(title, unit, rows, height, paint)]
    if top and paint:
        out += _legend(legend, paint)
    for at, row in enumerate(rows):
        y = at * _ROW + 4 + top
        label = row.label if len(row.label) <= _WIDE else row.label[: _WIDE - 1] + "…"
        out.append(_text(_LABEL - 10, y + 19, label, "end", paint))
        x = float(_LABEL)
        for part in row.parts:
            width = room * part.value / most
            if width > 0:
                out.append(_box(part.kind, paint, (x, y), (max(width, 1), 26)))
                if paint and len(row.parts) > 1 and width >= 11 * len(str(part.value)) + 8:
                    out.append(_inside(x + width / 2, y + 18, str(part.value), part.kind, paint))
            x += width
        out.append(_text(x + 8, y + 19, f"{row.total} {unit}", "start", paint))
    return Markup("".join(out) + "</svg>")  # noqa: S704 - every text in it went through escape()


def trend(
    title: str,
    unit: str,
    days: Sequence[str],
    lines: Sequence[Row],
    paint: Paint | None = None,
) -> Markup:
    """Lines over days; `parts` of each row are its values, in the order of `days`."""
    height, top, bottom, left, right = 220, 16, 36, 44, 24
    most = max((part.value for line in lines for part in line.parts), default=0) or 1
    if paint:
        height, top, bottom, right = 196, 44, 46, 44
        most = _round(most)
    first = left + (_INSET if paint else 0)  #: numbers of the first day stay clear of the axis
    step = (_W - first - right) / max(1, len(days) - 1)

    def y(value: int) -> float:
        return top + (height - top - bottom) * (1 - value / most)

    out = [_head(title, unit, lines, height, paint)]
    if paint:
        out += _legend([(_kind(line), line.label) for line in lines], paint, line=True)
    for value in sorted({0, most // 2, most}):
        at_y = f"{y(value):.1f}"
        grid = 'stroke="#d5dae0" stroke-width="1"' if paint else 'class="grid"'
        out.append(f'<line {grid} x1="{left}" x2="{_W - 16}" y1="{at_y}" y2="{at_y}"/>')
        out.append(_text(left - 8, y(value) + 5, str(value), "end", paint))
    for at, day in enumerate(days):
        if len(days) <= 10 or at % (len(days) // 7) == 0:
            out.append(_text(first + at * step, height - 10, day, "middle", paint))
    above: list[float] = []
    for number, line in enumerate(lines):
        kind = _kind(line)
        points = [(first + at * step, y(part.value)) for at, part in enumerate(line.parts)]
        path = " ".join(f"{x:.1f},{v:.1f}" for x, v in points)
        out.append(f'<polyline {_stroke(kind, paint)} points="{path}"/>')
        out += [_mark(x, v, kind, number, paint) for x, v in points]
        if paint:
            out += _values(points, line.parts, paint, above if number else [])
            above = [v for _, v in points]
    return Markup("".join(out) + "</svg>")  # noqa: S704 - every text in it went through escape()


def share_bar(share: int, kind: str, words: str) -> Markup:
    """How much of a limit is gone."""
    share = max(0, min(100, share))
    return Markup(  # noqa: S704 - numbers, fixed words and escape()
        f'<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}"><rect class="track" width="100" height="8"/>'
        f'<rect class="bar-{escape(kind)}" width="{share}" height="8"/></svg>'
    )


def told(unit: str, rows: Sequence[Row]) -> str:
    """The same in words, for whoever cannot see it."""
    return "；".join(f"{row.label} {row.total}{unit}" for row in rows)


def size(svg: str) -> tuple[int, int]:
    """Width and height of a chart made here, in its own units."""
    box = svg.split('viewBox="0 0 ', 1)[1].split('"', 1)[0].split()
    return int(float(box[0])), int(float(box[1]))


def _head(title: str, unit: str, rows: Sequence[Row], height: int, paint: Paint | None) -> str:
    label = f"{escape(title)}：{escape(told(unit, rows))}"
    if paint is None:
        return (
            f'<svg class="chart" viewBox="0 0 {_W} {height}" role="img" '
            f'aria-label="{label}"><title>{escape(title)}</title>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_W} {height}" width="{_W}" '
        f'height="{height}" role="img" aria-label="{label}"><title>{escape(title)}</title>'
        f"<defs>{_patterns(paint)}</defs>"
    )


def _patterns(paint: Paint) -> str:
    made = []
    for kind, look in paint.looks.items():
        shape = {
            "hatch": '<path d="M0,8 L8,0 M-2,2 L2,-2 M6,10 L10,6" stroke="#ffffff" '
            'stroke-opacity="0.45" stroke-width="1.4"/>',
            "back": '<path d="M0,0 L8,8 M-2,6 L2,10 M6,-2 L10,2" stroke="#5b6470" '
            'stroke-opacity="0.55" stroke-width="1.4"/>',
            "dots": '<circle cx="4" cy="4" r="1.3" fill="#ffffff" fill-opacity="0.6"/>',
        }.get(look.pattern)
        if shape:
            made.append(
                f'<pattern id="p-{kind}" width="8" height="8" patternUnits="userSpaceOnUse">'
                f"{shape}</pattern>"
            )
    return "".join(made)


def _kinds(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Each kind of part with its label, where rows have more than one."""
    if max((len(row.parts) for row in rows), default=0) < 2:
        return []
    return list(dict.fromkeys((part.kind, part.label) for row in rows for part in row.parts))


def _legend(kinds: Sequence[tuple[str, str]], paint: Paint, *, line: bool = False) -> list[str]:
    out, x = [], 46.0 if line else float(_LABEL)
    for number, (kind, label) in enumerate(kinds):
        if line:
            out.append(f'<path {_stroke(kind, paint)} d="M{x:.1f},14 L{x + 28:.1f},14"/>')
            out.append(_mark(x + 14, 14, kind, number, paint))
            width = 34
        else:
            out.append(_box(kind, paint, (x, 6), (18, 14)))
            width = 24
        out.append(_text(x + width, 19, label, "start", paint))
        x += width + 15 * len(label) + 22
    return out


def _values(
    points: Sequence[tuple[float, float]],
    parts: Sequence[Part],
    paint: Paint,
    above: Sequence[float],
) -> list[str]:
    """Every number where there is room; else the highest and the last.

    A number stands under its mark where the line above it comes too near.
    """
    shown: Sequence[int] = range(len(parts))
    if len(parts) > 10:
        shown = sorted({max(shown, key=lambda at: parts[at].value), len(parts) - 1})
    out = []
    for at in shown:
        x, v = points[at]
        under = bool(above) and v - above[at] < 30
        out.append(
            _text(x, v + 18 if under else v - 8, str(parts[at].value), "middle", paint, small=True)
        )
    return out


def _round(most: int) -> int:
    """The next number that is easy to read, and even, so that its half is whole."""
    if most <= 10:
        return most + most % 2
    tenth = int("1" + "0" * (len(str(most)) - 2))
    steps = (10, 12, 16, 20, 24, 30, 40, 50, 60, 80, 100)
    return next(one * tenth for one in steps if one * tenth >= most)


def _mark(x: float, y: float, kind: str, number: int, paint: Paint | None) -> str:
    if paint is None or number % 2 == 0:
        solid = _fill(kind, paint, flat=True)
        return f'<circle {solid} cx="{x:.1f}" cy="{y:.1f}" r="{4 if paint else 3}"/>'
    return (
        f'<rect {_fill(kind, paint, flat=True)} x="{x - 4:.1f}" y="{y - 4:.1f}" '
        'width="8" height="8"/>'
    )


def _kind(line: Row) -> str:
    return line.parts[0].kind if line.parts else "plain"


def _fill(kind: str, paint: Paint | None, *, flat: bool = False) -> str:
    if paint is None:
        return f'class="fill-{escape(kind)}"'
    look = paint.look(kind)
    known = kind if kind in paint.looks else "plain"
    return f'fill="url(#p-{known})"' if look.pattern and not flat else f'fill="{look.colour}"'


def _box(kind: str, paint: Paint | None, at: tuple[float, int], size: tuple[float, int]) -> str:
    """A coloured bar; a pattern lies over it, for its tiles alone would show seams on paper."""
    place = f'x="{at[0]:.1f}" y="{at[1]}" width="{size[0]:.1f}" height="{size[1]}"'
    plain = f"<rect {_fill(kind, paint, flat=True)} {place}/>"
    if paint is None or not paint.look(kind).pattern:
        return plain
    return f"{plain}<rect {_fill(kind, paint)} {place}/>"


def _stroke(kind: str, paint: Paint | None) -> str:
    if paint is None:
        return f'class="line-{escape(kind)}"'
    look = paint.look(kind)
    dash = f' stroke-dasharray="{look.dash}"' if look.dash else ""
    return f'fill="none" stroke="{look.colour}" stroke-width="2.4"{dash}'


def _inside(x: float, y: float, words: str, kind: str, paint: Paint) -> str:
    look = paint.look(kind)
    halo = f' stroke="{look.colour}" stroke-width="3" paint-order="stroke"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{look.ink}"{halo} '
        f'font-family="{paint.font}" font-size="14">{escape(words)}</text>'
    )


def _text(
    x: float, y: float, words: str, anchor: str, paint: Paint | None, *, small: bool = False
) -> str:
    face = ""
    if paint:
        face = f' font-family="{paint.font}" font-size="{13 if small else 14}" fill="#1f2328"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{face}>{escape(words)}</text>'
