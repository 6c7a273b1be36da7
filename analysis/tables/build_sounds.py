"""Builds `sounds.json`, how each common character is read: run by hand, never by the product.

    pip install pypinyin && python -m analysis.tables.build_sounds

pypinyin (MIT) is a build-time tool; its data come from Unihan and pinyin-data (MIT).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections import defaultdict
from pathlib import Path

TARGET = Path(__file__).with_name("sounds.json")


def characters() -> list[str]:
    """The 6,763 of GB 2312: what people who write to an agency use."""
    made = []
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                made.append(bytes((row, cell)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return made


def main() -> int:
    pypinyin = importlib.import_module("pypinyin")
    by_sound: dict[str, list[str]] = defaultdict(list)
    for character in characters():
        ((sound,),) = pypinyin.pinyin(character, style=pypinyin.Style.TONE3, v_to_u=False)
        by_sound[sound if sound[-1].isdigit() else f"{sound}5"].append(character)
    table = {sound: "".join(some) for sound, some in sorted(by_sound.items())}
    head = {"made_by": "analysis.tables.build_sounds", "pypinyin": pypinyin.__version__}
    body = json.dumps(table, ensure_ascii=True, separators=(",", ":"))
    TARGET.write_text(f"{json.dumps(head)}\n{body}\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
