"""Bytes to text: labels on Chinese pages lie too often, so the bytes decide."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_LABEL = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_XML_LABEL = re.compile(r"<\?xml[^>]{0,100}encoding\s*=\s*[\"']([\w.:-]{1,40})", re.I)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_BIG5 = {"big5", "big5-hkscs", "big5hkscs", "cn-big5", "x-x-big5", "csbig5", "cp950", "big5-eten"}
_CJK = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
#: Frequent in any running text; used only to tell Big5 from GB, whose bytes overlap.
_COMMON = frozenset(
    "的一是不在有人了大中上為我這個們來時會國說地為发發布為于於及和日月年，。、的市局请請"
)
_SAMPLE = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Text of a body, the label it wore and the encoding that was true."""

    text: str
    declared: str  #: lower case; the header's label, else the page's own, else ""
    used: str
    replaced: int  #: places where bytes were lost


def decode(body: bytes, content_type: str = "") -> Decoded:
    """Text of a page. Order: BOM; UTF-16 where evident; strict UTF-8; UTF-8 with few bad
    bytes; Big5 if declared; GB18030 (also for the labels gb2312 and gbk). Never raises."""
    labels = _labels(body, content_type)
    declared = labels[0] if labels else ""
    for bom, name in _BOMS:
        if body.startswith(bom):
            return _decoded(body[len(bom) :], name, declared)
    wide = _utf16(body)
    if wide:
        return _decoded(body, wide, declared)
    try:
        return Decoded(text=body.decode("utf-8"), declared=declared, used="utf-8", replaced=0)
    except UnicodeDecodeError:
        pass
    whole = _whole_utf8(body)
    if _mostly_utf8(whole):
        return _decoded(whole, "utf-8", declared, lost=int(len(whole) < len(body)))
    if _western(body):
        return _decoded(body, "cp1252", declared)
    if any(label in _BIG5 for label in labels) and _looks_big5(body):
        return _decoded(body, "big5hkscs", declared)
    return _decoded(body, "gb18030", declared)


def _labels(body: bytes, content_type: str) -> list[str]:
    head = body[:4096].decode("latin-1").replace("\x00", "")
    found = [match.group(1) for match in (_LABEL.search(content_type or ""),) if match]
    found += _LABEL.findall(head) + _XML_LABEL.findall(head)
    return [label.lower() for label in found]


def _decoded(body: bytes, name: str, declared: str, lost: int = 0) -> Decoded:
    text = body.decode(name, "replace")
    if name == "gb18030":
        text = _without_torn_tail(body, text)
    replaced = lost + max(text.count("\ufffd") - body.count(b"\xef\xbf\xbd"), 0)
    return Decoded(text=text, declared=declared, used=name, replaced=replaced)


def _without_torn_tail(body: bytes, text: str) -> str:
    torn = text.endswith("\ufffd") and body[-1:] >= b"\x80"
    return text[:-1] if torn else text


def _utf16(body: bytes) -> str:
    """Name of the byte order where ASCII markup leaves NULs in every other byte, else ""."""
    sample = body[:4096]
    pairs = len(sample) // 2
    if pairs < 8:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > pairs * 0.2 and even < pairs * 0.02:
        return "utf-16-le"
    if even > pairs * 0.2 and odd < pairs * 0.02:
        return "utf-16-be"
    return ""


def _whole_utf8(body: bytes) -> bytes:
    """Without a last character that was cut in the middle."""
    for back in range(1, min(4, len(body) + 1)):
        byte = body[-back]
        if byte >= 0xC0:
            width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return body[:-back] if back < width else body
        if byte < 0x80:
            break
    return body


def _mostly_utf8(body: bytes) -> bool:
    """Few bad bytes against many good multi-byte characters.

    GBK read as UTF-8 yields some valid pairs by chance but hardly a Chinese character.
    """
    text = body.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad == 0:
        return True
    chinese = len(_CJK.findall(text))
    if chinese >= 3 * bad:
        return True
    other = sum(1 for char in text if ord(char) > 0x7F) - bad
    return chinese == 0 and other >= 3 * bad and not _paired(body)


def _western(body: bytes) -> bool:
    """High bytes that stand alone between ASCII letters, as é or ’ do; Chinese ones do not."""
    return bool(body) and not _paired(body) and _HIGH_RUN.search(body) is not None


def _paired(body: bytes) -> bool:
    runs = [len(run) for run in _HIGH_RUN.findall(body[: _SAMPLE * 16])]
    lonely = sum(1 for run in runs if run == 1)
    return lonely < 0.8 * sum(runs)


def _looks_big5(body: bytes) -> bool:
    sample = body[:_SAMPLE]
    big5, gb = sample.decode("big5hkscs", "replace"), sample.decode("gb18030", "replace")
    return _familiar(big5) >= _familiar(gb)


def _familiar(text: str) -> int:
    return sum(1 for char in text if char in _COMMON) - 3 * text.count("\ufffd")
