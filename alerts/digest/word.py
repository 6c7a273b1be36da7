"""A report as a Word file laid out after GB/T 9704-2012, opened clean by Word and LibreOffice.

A4, 37 mm above, 28 mm at the binding edge, a text area of 156 by 225 mm; 3号 (16 pt) 仿宋 in 22
lines of 28.95 pt; a red head with its line; level one 黑体, two 楷体. The office's Windows has
the fonts that are named; elsewhere they are substituted.
"""

from __future__ import annotations

import io
import zipfile
from datetime import UTC
from typing import Any

from alerts.digest.model import (
    APPENDIX,
    Chart,
    Document,
    Heading,
    Paragraph,
    Run,
    Table,
    Text,
    for_paper,
)
from alerts.digest.pictures import NoPictures, png
from config.settings import DigestFonts

MISSING = '要生成 Word 文件，请先安装附加组件：pip install "tinglan[report]"'

_LINE = 28.95  #: points: 16 pt and 7/8 of it would be 30; 22 lines in 225 mm give this
_BODY, _TITLE, _SMALL, _CELL, _PAGE = 16, 22, 12, 10.5, 14
_LATIN = "Times New Roman"
_BLUE, _RED, _GREY = "1F4E9E", "C00000", "595F67"
_WIDTH = 156  #: mm
_MANY, _TINY = 7, 9  #: tables of more columns are set in 小五
_NUMBERS = 2  #: item numbers in a paragraph that is not set even at the right
_KEPT = 9  #: rows of a table that is not parted between pages


class NotInstalled(Exception):
    """python-docx is missing; the text says what to install."""


def word_file(document: Document, fonts: DigestFonts) -> bytes:
    """The bytes of a .docx; the same report gives the same bytes. Raises NotInstalled."""
    try:
        import docx
    except ImportError:
        raise NotInstalled(MISSING) from None
    page = _Page(docx.Document(), for_paper(document), fonts)
    page.write()
    return _settled(page.saved())


class _Page:
    """One document being written."""

    def __init__(self, file: Any, document: Document, fonts: DigestFonts) -> None:
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        self.file, self.document, self.fonts = file, document, fonts
        self.element, self.qn = OxmlElement, qn
        self.anchors = self.document.anchors()
        self.marked = 0

    def write(self) -> None:
        self._paper()
        self._head()
        for block in self.document.blocks:
            if isinstance(block, Heading) and block.anchor == APPENDIX:
                self._foot()
            match block:
                case Heading():
                    self._heading(block)
                case Paragraph():
                    self._paragraph(block)
                case Table():
                    self._table(block)
                case Chart():
                    self._chart(block)
        if APPENDIX not in self.anchors:
            self._foot()

    def _foot(self) -> None:
        for at, line in enumerate(self.document.foot):
            made = self._line(line=16, before=10 if not at else 0)
            made.paragraph_format.keep_with_next = at < len(self.document.foot) - 1 or None
            self._run(made, line, self.fonts.kai, _CELL, colour=_GREY)

    def saved(self) -> bytes:
        out = io.BytesIO()
        self.file.save(out)
        return out.getvalue()

    # --- the paper ---

    def _paper(self) -> None:
        from docx.shared import Mm

        section = self.file.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.top_margin, section.bottom_margin = Mm(37), Mm(35)
        section.left_margin, section.right_margin = Mm(28), Mm(26)
        section.header_distance, section.footer_distance = Mm(15), Mm(25)
        grid = self.element("w:docGrid")
        grid.set(self.qn("w:type"), "lines")
        grid.set(self.qn("w:linePitch"), str(round(_LINE * 20)))
        for old in section._sectPr.findall(self.qn("w:docGrid")):
            section._sectPr.remove(old)
        section._sectPr.append(grid)
        normal = self.file.styles["Normal"]
        about = normal.element.get_or_add_rPr()
        self._face(about, self.fonts.body, _BODY)
        tongue = self.element("w:lang")
        tongue.set(self.qn("w:val"), "en-US")
        tongue.set(self.qn("w:eastAsia"), "zh-CN")
        about.append(tongue)
        self.file.settings.odd_and_even_pages_header_footer = True
        self._folio(section.footer, "right")
        self._folio(section.even_page_footer, "left")
        known = self.file.core_properties
        known.title, known.author, known.comments = self.document.title, self.document.agency, ""
        known.last_modified_by, known.language = self.document.agency, "zh-CN"
        if self.document.made:
            known.created = known.modified = self.document.made.astimezone(UTC).replace(tzinfo=None)

    def _folio(self, footer: Any, side: str) -> None:
        """Page number: 4号 宋体 between dashes, outside edge, one character in."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH
        from docx.shared import Pt

        footer.is_linked_to_previous = False
        made = footer.paragraphs[0]
        made.alignment = WD_ALIGN_PARAGRAPH.RIGHT if side == "right" else WD_ALIGN_PARAGRAPH.LEFT
        if side == "right":
            made.paragraph_format.right_indent = Pt(_PAGE)
        else:
            made.paragraph_format.left_indent = Pt(_PAGE)
        self._run(made, "— ", self.fonts.song, _PAGE)
        for kind, code in (("begin", ""), ("", " PAGE "), ("separate", ""), ("", "1"), ("end", "")):
            run = self._run(made, "", self.fonts.song, _PAGE)
            if kind:
                field = self.element("w:fldChar")
                field.set(self.qn("w:fldCharType"), kind)
            else:
                field = self.element("w:instrText" if code != "1" else "w:t")
                field.set(self.qn("xml:space"), "preserve")
                field.text = code
            run._r.append(field)
        self._run(made, " —", self.fonts.song, _PAGE)

    def _head(self) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT
        from docx.shared import Mm

        told = self.document
        if told.mark:
            made = self._line(side=WD_ALIGN_PARAGRAPH.RIGHT)
            self._run(made, told.mark, self.fonts.heading, _BODY, colour=_RED)
        if told.red:
            made = self._line(side=WD_ALIGN_PARAGRAPH.CENTER, line=58, after=6)
            self._run(made, told.red, self.fonts.title, 42, colour=_RED)
        if told.issue:
            made = self._line(side=WD_ALIGN_PARAGRAPH.CENTER)
            self._run(made, told.issue, self.fonts.body, _BODY)
        if told.red:
            made = self._line(after=14)
            made.paragraph_format.tab_stops.add_tab_stop(Mm(_WIDTH), WD_TAB_ALIGNMENT.RIGHT)
            signer = f"签发人：{told.signer}　" if told.signer else ""
            self._run(made, f"{told.agency}\t{signer}{told.date}", self.fonts.body, _BODY)
            self._rule(made)
        made = self._line(side=WD_ALIGN_PARAGRAPH.CENTER, line=35, before=4, after=10)
        self._run(made, told.heading, self.fonts.title, _TITLE)

    def _rule(self, made: Any) -> None:
        edge = self.element("w:pBdr")
        line = self.element("w:bottom")
        for name, value in (("val", "single"), ("sz", "18"), ("space", "4"), ("color", _RED)):
            line.set(self.qn(f"w:{name}"), value)
        edge.append(line)
        self._insert(made._p.get_or_add_pPr(), edge)

    # --- blocks ---

    def _heading(self, block: Heading) -> None:
        face = {1: self.fonts.heading, 2: self.fonts.kai}.get(block.level, self.fonts.body)
        made = self._line(indent=True)
        made.paragraph_format.keep_with_next = True
        if block.anchor == APPENDIX and any(name.startswith("n") for name in self.anchors):
            made.paragraph_format.page_break_before = True  # 附件另面编排
        self._outline(made, block.level)
        self._bookmark(made, block.anchor)
        self._run(made, block.text, face, _BODY, bold=block.level == 3)

    def _outline(self, made: Any, level: int) -> None:
        mark = self.element("w:outlineLvl")
        mark.set(self.qn("w:val"), str(level - 1))
        made._p.get_or_add_pPr().append(mark)

    def _paragraph(self, block: Paragraph) -> None:
        if block.style == "small":
            made = self._line(line=20)
            self._pieces(made, block.runs, self.fonts.body, _SMALL)
        elif block.style == "note":
            made = self._line(line=20)
            self._pieces(made, block.runs, self.fonts.kai, _SMALL, colour=_GREY)
        elif block.style == "quote":
            made = self._line(indent=True)
            self._pieces(made, block.runs, self.fonts.kai, _BODY)
        else:
            made = self._line(indent=True)
            face = self.fonts.heading if block.style == "warning" else self.fonts.body
            # What announces the next lines stays with them.
            made.paragraph_format.keep_with_next = (
                bool(block.runs) and block.runs[-1].text.endswith("：")
            ) or None
            if sum(run.text.count("TL-") for run in block.runs) >= _NUMBERS:
                self._left(made)
            self._pieces(made, block.runs, face, _BODY)

    @staticmethod
    def _left(made: Any) -> None:
        """Lines that break at the hyphens of numbers leave gaps where both edges are even."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        made.alignment = WD_ALIGN_PARAGRAPH.LEFT

    def _chart(self, block: Chart) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH
        from docx.shared import Mm

        try:
            picture = png(block.svg)
        except NoPictures:
            return  # the table that follows says the same
        self._caption(f"{block.title}（单位：{block.unit}）")
        made = self.file.add_paragraph()  # no exact line here: it would cut the picture
        made.alignment = WD_ALIGN_PARAGRAPH.CENTER
        made.paragraph_format.space_after = 0
        self._loose(made)
        run = self._run(made, "", self.fonts.body, _BODY)
        drawn = run.add_picture(io.BytesIO(picture), width=Mm(132))
        told = drawn._inline.docPr
        told.set("descr", f"{block.title}（单位：{block.unit}）：{block.told}"[:1000])
        told.set("title", block.title)

    def _caption(self, words: str) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        made = self._line(side=WD_ALIGN_PARAGRAPH.CENTER, line=22, before=4)
        made.paragraph_format.keep_with_next = True
        self._run(made, words, self.fonts.heading, _SMALL)

    def _table(self, block: Table) -> None:
        from docx.shared import Mm

        self._caption(block.title)
        made = self.file.add_table(rows=0, cols=len(block.head))
        made.autofit = False
        self._borders(made)
        whole = sum(block.widths)
        widths = [Mm(_WIDTH * one / whole) for one in block.widths]
        for column, width in zip(made.columns, widths, strict=True):
            column.width = width
        head = tuple((Run(name),) for name in block.head)
        rows = [head, *block.rows]
        for at, row in enumerate(rows):
            bold = block.total and at == len(rows) - 1
            anchor = block.anchors[at - 1] if at and block.anchors else ""
            self._row(
                made, block, row, widths, head=not at, bold=bold, anchor=anchor,
                kept=len(rows) <= _KEPT and at < len(rows) - 1,
            )  # fmt: skip
        self._line(line=8)

    def _row(
        self, made: Any, block: Table, row: tuple[Text, ...], widths: list[Any], *,
        head: bool, bold: bool, anchor: str, kept: bool,
    ) -> None:  # fmt: skip
        from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        sides = {
            "l": WD_ALIGN_PARAGRAPH.LEFT, "c": WD_ALIGN_PARAGRAPH.CENTER,
            "r": WD_ALIGN_PARAGRAPH.RIGHT,
        }  # fmt: skip
        line = made.add_row()
        about = line._tr.get_or_add_trPr()
        about.append(self.element("w:cantSplit"))
        if head:
            about.append(self.element("w:tblHeader"))
        for at, (cell, runs) in enumerate(zip(line.cells, row, strict=True)):
            cell.width = widths[at]
            cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
            inside = cell.paragraphs[0]
            self._spaced(inside, 14 if len(row) > _MANY else 16)
            inside.paragraph_format.keep_with_next = kept or None
            inside.alignment = WD_ALIGN_PARAGRAPH.CENTER if head else sides[block.side(at)]
            if not at:
                self._bookmark(inside, anchor)
            face = self.fonts.heading if head or bold else self.fonts.body
            self._pieces(inside, runs, face, _TINY if len(row) > _MANY else _CELL)

    def _borders(self, made: Any) -> None:
        about = made._tbl.tblPr
        edges = self.element("w:tblBorders")
        for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
            edge = self.element(f"w:{side}")
            for name, value in (
                ("val", "single"),
                ("sz", "4"),
                ("space", "0"),
                ("color", "7F868E"),
            ):
                edge.set(self.qn(f"w:{name}"), value)
            edges.append(edge)
        about.append(edges)
        room = self.element("w:tblCellMar")
        for side in ("left", "right"):
            edge = self.element(f"w:{side}")
            edge.set(self.qn("w:w"), "60")
            edge.set(self.qn("w:type"), "dxa")
            room.append(edge)
        about.append(room)

    # --- lines and runs ---

    def _line(
        self, *, side: Any = None, line: float = _LINE, before: float = 0, after: float = 0,
        indent: bool = False,
    ) -> Any:  # fmt: skip
        made = self.file.add_paragraph()
        if side is not None:
            made.alignment = side
        elif indent:
            from docx.enum.text import WD_ALIGN_PARAGRAPH

            made.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
        self._spaced(made, line, before, after)
        if indent:
            place = made._p.get_or_add_pPr().get_or_add_ind()
            place.set(self.qn("w:firstLineChars"), "200")
            place.set(self.qn("w:firstLine"), str(2 * _BODY * 20))
        return made

    def _spaced(self, made: Any, line: float, before: float = 0, after: float = 0) -> None:
        from docx.enum.text import WD_LINE_SPACING
        from docx.shared import Pt

        shape = made.paragraph_format
        shape.line_spacing_rule = WD_LINE_SPACING.EXACTLY
        shape.line_spacing = Pt(line)
        shape.space_before, shape.space_after = Pt(before), Pt(after)
        if line != _LINE:  # small lines must not be spread over the grid of the big ones
            self._loose(made)

    def _loose(self, made: Any) -> None:
        loose = self.element("w:snapToGrid")
        loose.set(self.qn("w:val"), "0")
        self._insert(made._p.get_or_add_pPr(), loose)

    def _pieces(self, made: Any, runs: Text, face: str, size: float, *, colour: str = "") -> None:
        for run in runs:
            if run.to in self.anchors or run.url.startswith(("http://", "https://")):
                self._link(made, run, face, size)
            else:
                self._run(made, run.text, face, size, bold=run.bold, colour=colour)

    def _link(self, made: Any, run: Run, face: str, size: float) -> None:
        link = self.element("w:hyperlink")
        if run.to in self.anchors:
            link.set(self.qn("w:anchor"), run.to)
        else:
            from docx.opc.constants import RELATIONSHIP_TYPE

            key = made.part.relate_to(run.url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
            link.set(self.qn("r:id"), key)
        inner = self._run(made, run.text, face, size, bold=run.bold, colour=_BLUE)
        link.append(inner._r)
        made._p.append(link)

    def _run(
        self, made: Any, words: str, face: str, size: float, *, bold: bool = False,
        colour: str = "",
    ) -> Any:  # fmt: skip
        from docx.shared import RGBColor

        run = made.add_run(words)
        self._face(run._r.get_or_add_rPr(), face, size)
        run.font.bold = bold or None
        if colour:
            run.font.color.rgb = RGBColor.from_string(colour)
        return run

    def _face(self, about: Any, face: str, size: float) -> None:
        """Names the font for Chinese and for Latin; a theme's own would win over both."""
        fonts = about.get_or_add_rFonts()
        for name in list(fonts.attrib):
            del fonts.attrib[name]
        for name, value in (
            ("ascii", _LATIN),
            ("hAnsi", _LATIN),
            ("eastAsia", face),
            ("cs", _LATIN),
        ):
            fonts.set(self.qn(f"w:{name}"), value)
        # Quotes and dashes stand in both scripts: read them as Chinese.
        fonts.set(self.qn("w:hint"), "eastAsia")
        about.get_or_add_sz().val = _points(size)

    def _bookmark(self, made: Any, anchor: str) -> None:
        if not anchor:
            return
        self.marked += 1
        for name, end in (("w:bookmarkStart", False), ("w:bookmarkEnd", True)):
            mark = self.element(name)
            mark.set(self.qn("w:id"), str(self.marked))
            if not end:
                mark.set(self.qn("w:name"), anchor)
            made._p.append(mark)

    def _insert(self, about: Any, edge: Any) -> None:
        """Before what the schema wants after it: Word refuses a border in the wrong place."""
        later = ("shd", "tabs", "spacing", "ind", "jc", "outlineLvl", "rPr")
        for child in about:
            if child.tag in {self.qn(f"w:{name}") for name in later}:
                child.addprevious(edge)
                return
        about.append(edge)


def _points(size: float) -> Any:
    from docx.shared import Pt

    return Pt(size)


def _settled(content: bytes) -> bytes:
    """The same archive with one fixed time in it."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return out.getvalue()
