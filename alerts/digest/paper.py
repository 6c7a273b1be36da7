"""A report as a PDF by typst, with the fonts that come with us embedded and no other looked for."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from alerts.digest.model import Chart, Document, Heading, Paragraph, Run, Table, for_paper
from alerts.digest.pictures import SANS, SERIF, font_folder
from alerts.digest.word import NotInstalled
from config.settings import DigestFonts

MISSING = '要生成 PDF 文件，请先安装附加组件：pip install "tinglan[report]"'


class NotCompiled(Exception):
    """typst refused; the text says what it said."""


def pdf_file(document: Document, fonts: DigestFonts, base: Path | None = None) -> bytes:
    """The bytes of a PDF; the same report gives the same bytes.

    Texts go in as data, never as typst source. A relative `folder` of the office's own fonts is
    taken from `base`. Raises NotInstalled, NotCompiled.
    """
    try:
        import typst
    except ImportError:
        raise NotInstalled(MISSING) from None
    page = for_paper(document)
    folders = [str(font_folder())]
    if fonts.folder:
        folders.insert(0, str((base or Path()) / fonts.folder))
    source = (resources.files("alerts.digest") / "report.typ").read_bytes()
    try:
        compile: Any = typst.compile  # its types want all paths to be bytes where the source is
        made = compile(
            source,
            root=str(font_folder()),
            font_paths=folders,
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"data": json.dumps(_plain(page, fonts), ensure_ascii=False)},
        )
    except RuntimeError as error:  # TypstError is one
        raise NotCompiled(str(error)[:400]) from None
    if not isinstance(made, bytes):
        raise NotCompiled("typst 没有给出文件")
    return made


def _plain(document: Document, fonts: DigestFonts) -> dict[str, Any]:
    return {
        **{
            name: getattr(document, name)
            for name in (
                "title", "red", "issue", "agency", "date", "signer", "mark", "heading",
            )
        },
        "foot": list(document.foot),
        "blocks": [_block(one) for one in document.blocks],
        "anchors": sorted(document.anchors()),
        "fonts": _faces(fonts),
    }  # fmt: skip


def _faces(fonts: DigestFonts) -> dict[str, list[str]]:
    """The office's own face first, where its files are there; ours always behind it."""
    own = bool(fonts.folder)
    return {
        name: [*([getattr(fonts, name)] if own else []), SANS if name == "heading" else SERIF,
               SERIF if name == "heading" else SANS]
        for name in ("title", "body", "heading", "kai", "song")
    }  # fmt: skip


def _block(block: Any) -> dict[str, Any]:
    match block:
        case Heading():
            return {
                "kind": "heading", "level": block.level, "text": block.text,
                "anchor": block.anchor,
            }  # fmt: skip
        case Paragraph():
            return {"kind": "paragraph", "style": block.style, "runs": list(map(_run, block.runs))}
        case Table():
            return {
                "kind": "table", "title": block.title, "head": list(block.head),
                "rows": [[list(map(_run, cell)) for cell in row] for row in block.rows],
                "widths": list(block.widths),
                "sides": [block.side(at) for at in range(len(block.head))],
                "anchors": list(block.anchors), "total": block.total,
            }  # fmt: skip
        case Chart():
            return {
                "kind": "chart", "title": block.title, "unit": block.unit, "svg": block.svg,
                "told": block.told,
            }  # fmt: skip
    raise TypeError(type(block).__name__)


def _run(run: Run) -> dict[str, Any]:
    url = run.url if run.url.startswith(("http://", "https://")) else ""
    return {"text": run.text, "bold": run.bold, "to": run.to, "url": url}
