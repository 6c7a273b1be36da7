"""A table that an office exported: CSV in any encoding the office's programs write."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crawler import limits
from crawler.extraction.charset import decode

ROWS = 50_000  #: of one file
CELL = 200_000  #: characters of one cell
_SEPARATORS = ",\t;，"


@dataclass(frozen=True, slots=True)
class Line:
    """One record, by the names of the header."""

    number: int  #: of its first line in the file, from 1
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A record that cannot be read; `why` is Chinese."""

    number: int
    why: str


class SheetBroken(ValueError):
    """A file that is no table we can read, or lacks a column; `reason` is Chinese."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_sheet(body: bytes, needed: Sequence[str]) -> Iterator[Line | BadLine]:
    """The records below the header line; a bad one costs no other. Raises SheetBroken.

    UTF-8 with or without mark, UTF-16 and GB18030 are told apart by the bytes. `needed` are
    columns that must be there.
    """
    if len(body) > limits.BODY:
        raise SheetBroken(f"文件超过 {limits.BODY >> 20} MB")
    text = decode(body).text.lstrip("\ufeff")
    if "\x00" in text[:1000]:
        raise SheetBroken("不是文本表格（若是 Excel 文件，请另存为 CSV）")
    head = next((line for line in text.splitlines() if line.strip()), "")
    if not head:
        raise SheetBroken("文件是空的")
    separator = max(_SEPARATORS, key=head.count)
    names = [_name(cell) for cell in next(csv.reader([head], delimiter=separator))]
    missing = [name for name in needed if name not in names]
    if missing:
        found = "、".join(name for name in names if name)[:100]
        raise SheetBroken(f"第 1 行：缺少列“{'”“'.join(missing)}”；发现的列：{found}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise SheetBroken(f"第 1 行：列“{twice[0]}”出现了两次")
    return _lines(text, separator, names)


def _lines(text: str, separator: str, names: Sequence[str]) -> Iterator[Line | BadLine]:
    old = csv.field_size_limit(CELL)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        headed, count, start = False, 0, 1
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield BadLine(start, f"单元格超过 {CELL} 字，或引号不成对")
                return
            if not any(cell.strip() for cell in cells):
                continue
            if not headed:
                headed = True
                continue
            count += 1
            if count > ROWS:
                yield BadLine(start, f"超过 {ROWS} 行，其余未读")
                return
            if len(cells) != len(names):
                yield BadLine(start, f"有 {len(cells)} 列，应为 {len(names)} 列")
                continue
            yield Line(start, {n: c.strip() for n, c in zip(names, cells, strict=True) if n})
    finally:
        csv.field_size_limit(old)


def _name(cell: str) -> str:
    return "".join(cell.split()).strip("\ufeff")
