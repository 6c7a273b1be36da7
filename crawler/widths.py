"""NFKC, as `unicodedata.normalize` has it, at a fraction of its cost on Chinese text.

Full-width punctuation alone makes Python decompose and compose every character of a text.
With that made half-width first, nearly every text is seen to be normal already.
"""

from __future__ import annotations

import unicodedata
from typing import Final

#: What stands in nearly every Chinese sentence. Each is one ASCII character in NFKC, so putting
#: that in its place beforehand leaves the result what it was, whatever stands around it.
_COMMON: Final = tuple(zip("，：；！？（）\u3000", ",:;!?() ", strict=True))


def nfkc(text: str) -> str:
    """The same string as `unicodedata.normalize("NFKC", text)`."""
    for wide, plain in _COMMON:
        text = text.replace(wide, plain)
    if unicodedata.is_normalized("NFKC", text):
        return text
    return unicodedata.normalize("NFKC", text)
