"""Writes characters.json, the one table behind `analysis.normalise`; run by hand, never shipped.

    python -m venv /tmp/build && /tmp/build/bin/pip install opencc==1.4.2
    /tmp/build/bin/python analysis/tables/build.py

Sources: `unicodedata` of the Python that runs it (NFKC, case folding, categories) and the
single-character conversions of OpenCC's t2s (Apache-2.0). The zhconv family is GPL and is not
used. Freezing the result in a file keeps every Python version's answers the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
import unicodedata
from pathlib import Path

#: What a normalised character is, for stretching and separators; the order is part of the file.
KINDS = ("other", "digit", "han", "stop", "hard", "soft", "space", "newline")

HAN = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)
#: Punctuation that ends or divides a thought: words never match across it.
STOPS = set(",.;:!?()[]{}<>\"'、。〈〉《》「」『』【】〔〕〖〗“”‘’")
#: Invisible, or drawn over the character before: removed. Combining marks are how 燃̶气̶ is written.
MARKS = (
    (0x0300, 0x036F),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
)
SURROGATES = (0xD800, 0xDFFF)


def is_in(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


def is_removed(char: str) -> bool:
    """Zero-width, bidi and other format controls, control characters, overlaid marks."""
    if char in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return False
    return unicodedata.category(char) in {"Cc", "Cf"} or is_in(ord(char), MARKS)


def target(char: str, simplify: dict[str, str]) -> str:
    """What one character becomes; empty where it is removed."""
    if char in "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029":
        return "\n"
    if is_removed(char):
        return ""
    if char.isspace() or char in "\u2800\u3164\u115f\u1160\uffa0":  # blanks that are letters by law
        return " "
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
    return "".join(" " if c.isspace() else simplify.get(c, c) for c in folded if not is_removed(c))


def kind(char: str) -> int:
    if char == "\n":
        return KINDS.index("newline")
    if char == " ":
        return KINDS.index("space")
    category = unicodedata.category(char)
    if category == "Nd":
        return KINDS.index("digit")
    if is_in(ord(char), HAN):
        return KINDS.index("han")
    if char in "…":
        return KINDS.index("soft")
    if char == ".":
        return KINDS.index("soft")
    if char in STOPS:
        return KINDS.index("stop")
    if ord(char) < 0x2190 and (category[0] in "PS"):
        return KINDS.index("hard")
    if category in {"So", "Sk"} or 0x1F000 <= ord(char) <= 0x1FAFF:
        return KINDS.index("soft")  # emoji also stand between sentences
    if category[0] in "PS":
        return KINDS.index("hard")
    return KINDS.index("other")


def main() -> None:
    import opencc  # type: ignore[import-not-found]  # only ever installed for this

    converter = opencc.OpenCC("t2s")
    simplify: dict[str, str] = {}
    for low, high in HAN:
        for code in range(low, high + 1):
            char = chr(code)
            if unicodedata.category(char) == "Cn":
                continue
            done = converter.convert(char)
            if done != char and len(done) == 1:
                simplify[char] = done
    simplify["著"] = "着"  # OpenCC keeps 著 for 著名; rules need 著火 and 着火 to be one word
    for char, done in simplify.items():
        simplify[char] = simplify.get(done, done)  # 薴 → 苧 → 苎
    one: list[tuple[int, int]] = []
    many: dict[str, str] = {}
    gone: list[int] = []
    for code in range(0x110000):
        if SURROGATES[0] <= code <= SURROGATES[1]:
            one.append((code, 0xFFFD))
            continue
        char = chr(code)
        done = target(char, simplify)
        if done == char:
            continue
        if not done:
            gone.append(code)
        elif len(done) == 1:
            one.append((code, ord(done)))
        else:
            many[f"{code:x}"] = done
    # Runs [first, last, step to the target] say the same in a tenth of the room.
    body = {
        "kinds": KINDS,
        "gone": ranges_of(gone),
        "one": runs_of(one),
        "many": many,
        "kind": kind_runs(),
    }
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    head = {
        "about": "built by analysis/tables/build.py; do not edit",
        "unicode": unicodedata.unidata_version,
        "opencc": "1.4.2 t2s, single characters, Apache-2.0",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    out = Path(__file__).with_name("characters.json")
    out.write_text(json.dumps(head, separators=(",", ":")) + "\n" + text + "\n", encoding="ascii")
    print(
        f"{out}: {out.stat().st_size} bytes, {len(one)} to one, {len(many)} to many",
        file=sys.stderr,
    )


def ranges_of(codes: list[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def runs_of(pairs: list[tuple[int, int]]) -> list[list[int]]:
    """[first, last, target of the first, 1 where targets rise together or 0 where all are one]."""
    runs: list[list[int]] = []
    for code, to in pairs:
        if runs and code == runs[-1][1] + 1:
            first, last, start, step = runs[-1]
            if to == start + (code - first) and (step == 1 or first == last):
                runs[-1] = [first, code, start, 1]
                continue
            if to == start and (step == 0 or first == last):
                runs[-1] = [first, code, start, 0]
                continue
        runs.append([code, code, to, 0])
    return runs


def kind_runs() -> list[list[int]]:
    runs: list[list[int]] = []
    for code in range(0x110000):
        if SURROGATES[0] <= code <= SURROGATES[1]:
            continue
        number = kind(chr(code))
        if number == 0:
            continue
        if runs and runs[-1][1] == code - 1 and runs[-1][2] == number:
            runs[-1][1] = code
        else:
            runs.append([code, code, number])
    return runs


if __name__ == "__main__":
    main()
