"""The quick way to NFKC ends where Python's own does."""

from __future__ import annotations

import random
import sys
import unicodedata

import pytest

from crawler.widths import nfkc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "关于做好强降雨防范应对工作的通知",
        "各单位：要加强值班，遇有情况立即报告！（联系电话：１２３４５）？；\u3000",
        "Ａ区㈱①ｶﾞ㎡Å…",
        "，\u0327；\u0338！\u0301（\u0323",  # marks that seek something to compose with
        "é\u0301a\u0301\u0323",
        "\u3000\u3099か\u3099",
    ],
)
def test_it_is_nfkc(text):
    assert nfkc(text) == unicodedata.normalize("NFKC", text)


def test_it_is_nfkc_whatever_stands_together():
    chance = random.Random(1)
    wide = "，：；！？（）\u3000"
    for _ in range(300):
        codes = (chance.randrange(sys.maxunicode + 1) for _ in range(30))
        text = "".join(chr(c) + chance.choice(wide) for c in codes if not 0xD800 <= c < 0xE000)
        assert nfkc(text) == unicodedata.normalize("NFKC", text)
