"""Bodies whose labels lie, lack, or are bogus; every one is made here by encoding."""

import codecs

import pytest

from crawler.extraction.charset import decode

CHINESE = "澜江市气象台发布暴雨红色预警信号，请转移群众，值班电话已公布，特此公告。"
RARE = CHINESE + "联系人：朱镕某、周堃、㙍村，经费€100。"
TAIWAN = "氣象局發布豪雨特報，請民眾注意山區道路的安全，並隨時留意最新的預報。"
WEST = "Le café est fermé ; l’été à Besançon — “déjà vu” — coûte 10 £."


def page(text, label="", *, before=""):
    tag = f"<meta charset='{label}'>" if label else ""
    return f"<!DOCTYPE html><html><head>{before}{tag}<title>公告</title></head><body><p>{text}</p></body></html>"


def western(text, label=""):
    return page(text, label).replace("公告", "Avis")


GB, GBK = page(CHINESE, "gb2312").encode("gb18030"), page(CHINESE, "gbk").encode("gbk")
UTF8 = page(CHINESE, "utf-8").encode()
HALF = UTF8[: len(UTF8) // 2]

CASES = {
    "utf8 with all labels right": (UTF8, "text/html; charset=utf-8", CHINESE, "utf-8"),
    "utf8 without label": (page(CHINESE).encode(), "text/html", CHINESE, "utf-8"),
    "utf8 labelled gb2312": (page(CHINESE, "gb2312").encode(), "", CHINESE, "utf-8"),
    "utf8 under a latin header": (UTF8, "text/html; charset=ISO-8859-1", CHINESE, "utf-8"),
    "utf8 with bom labelled gbk": (codecs.BOM_UTF8 + page(CHINESE, "gbk").encode(), "", CHINESE, "utf-8"),
    "utf8 with an empty label": (page(CHINESE).encode(), "text/html; charset=", CHINESE, "utf-8"),
    "utf8 with a bogus label": (page(CHINESE, "utf8mb4").encode(), "charset=unicode", CHINESE, "utf-8"),
    "utf8 with a late label": (page(CHINESE, "gbk", before="<style>" + "a" * 3000 + "</style>").encode(), "", CHINESE, "utf-8"),
    "utf8 with two labels": (page(CHINESE, "utf-8", before="<meta charset=gbk>").encode(), "", CHINESE, "utf-8"),
    "gbk labelled gbk": (GBK, "", CHINESE, "gb18030"),
    "gbk without label": (page(CHINESE).encode("gbk"), "text/html", CHINESE, "gb18030"),
    "gbk under a utf8 header": (GBK, "text/html; charset=utf-8", CHINESE, "gb18030"),
    "gbk under a latin header": (GBK, "text/html; charset=iso-8859-1", CHINESE, "gb18030"),
    "gbk labelled utf8": (page(CHINESE, "utf-8").encode("gbk"), "", CHINESE, "gb18030"),
    "gbk labelled big5": (page(CHINESE, "big5").encode("gbk"), "", CHINESE, "gb18030"),
    "gb18030 labelled gb2312": (page(RARE, "gb2312").encode("gb18030"), "", RARE, "gb18030"),
    "gb18030 with its bom": (b"\x84\x31\x95\x33" + GB, "", CHINESE, "gb18030"),
    "big5 labelled big5": (page(TAIWAN, "big5").encode("big5"), "", TAIWAN, "big5hkscs"),
    "big5 by the header only": (page(TAIWAN).encode("big5"), "text/html; charset=Big5", TAIWAN, "big5hkscs"),
    "utf16 with bom": (codecs.BOM_UTF16_LE + page(CHINESE).encode("utf-16-le"), "", CHINESE, "utf-16-le"),
    "utf16 without bom": (page(CHINESE).encode("utf-16-le"), "", CHINESE, "utf-16-le"),
    "utf16 the other way round": (page(CHINESE).encode("utf-16-be"), "charset=utf-8", CHINESE, "utf-16-be"),
    "ascii": (b"<p>plain</p>", "charset=gbk", "plain", "utf-8"),
    "western under a utf8 label": (western(WEST, "utf-8").encode("cp1252"), "", WEST, "cp1252"),
    "western in utf8": (western(WEST).encode(), "charset=gbk", WEST, "utf-8"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "header", "text", "used"), CASES.values(), ids=CASES.keys())
def test_the_bytes_decide(body, header, text, used):
    decoded = decode(body, header)

    assert text in decoded.text
    assert decoded.used == used
    assert decoded.replaced == 0


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3\x28", b"\xe6\xb0", b"\x80\x80"])
@pytest.mark.parametrize("place", [40, len(UTF8) - 20])
def test_a_few_bad_bytes_do_not_turn_utf8_into_something_else(bad, place):
    decoded = decode(UTF8[:place] + bad + UTF8[place:], "text/html")

    assert decoded.used == "utf-8"
    assert decoded.replaced >= 1
    assert sum(a in decoded.text for a in ("暴雨红色预警信号", "值班电话")) == 2


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_torn_tail_costs_one_character_and_no_more(cut):
    text = page(CHINESE).split("</p>")[0]

    utf8, gbk = decode(text.encode()[:-cut]), decode(text.encode("gbk")[:-cut])

    assert utf8.used == "utf-8"
    assert "值班电话" in utf8.text
    assert "\ufffd" not in utf8.text
    assert gbk.used == "gb18030"
    assert "值班电话" in gbk.text
    assert "\ufffd" not in gbk.text


def test_bad_bytes_in_gbk_are_counted():
    decoded = decode(GBK[:120] + b"\xff\xff" + GBK[120:])

    assert decoded.used == "gb18030"
    assert decoded.replaced >= 1
    assert "值班电话" in decoded.text


@pytest.mark.parametrize(
    ("header", "body", "declared"),
    [
        ("text/html; charset=GB2312", b"", "gb2312"),
        ('text/html; charset="utf-8"', b"<meta charset=gbk>", "utf-8"),
        ("text/html", b"<META content='text/html; CHARSET=GBK'>", "gbk"),
        ("", b"<?xml version='1.0' encoding='GB18030'?>", "gb18030"),
        ("", b"", ""),
    ],
)
def test_the_declared_label_is_kept_as_evidence(header, body, declared):
    assert decode(body, header).declared == declared
