"""Makes the two fonts that the digest embeds: GB 2312 subsets of Noto Sans SC and Noto Serif SC.

usage: python scripts/fonts.py SANS SERIF   (needs fonttools)

SANS:  500Medium/NotoSansSC_500Medium.ttf of the npm package @expo-google-fonts/noto-sans-sc 0.4.3
SERIF: NotoSerifSC-Regular.otf of the PyPI package pylopdf-fonts-zh-cn 0.1.1
The same sources and the same fonttools give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from alerts.digest.glyphs import covered  # noqa: E402

FOLDER = ROOT / "alerts" / "digest" / "fonts"


def subset(source: Path, target: Path, family: str) -> None:
    font = TTFont(source, recalcTimestamp=False)
    options = Options()
    options.layout_features = ["kern", "locl", "palt", "vert", "halt", "ccmp"]
    options.hinting = False
    options.desubroutinize = False
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.name_languages = [0x409]
    options.notdef_outline = True
    options.drop_tables += ["DSIG", "vhea", "vmtx", "VORG", "BASE"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[ord(one) for one in covered()])
    subsetter.subset(font)
    # A name of its own: a page must not pick another Noto of the machine by chance.
    for identifier, text in (
        (1, family),
        (2, "Regular"),
        (4, family),
        (6, family.replace(" ", "")),
    ):
        font["name"].setName(text, identifier, 3, 1, 0x409)
    for identifier in (16, 17):
        font["name"].removeNames(nameID=identifier)
    font["OS/2"].usWeightClass = 400  # one weight a family: nothing to choose, nothing to miss
    font.save(target)
    known = set(font.getBestCmap())
    missing = sorted(one for one in covered() if ord(one) not in known)
    print(f"{target.name}: {target.stat().st_size} bytes, {len(known)} characters, "
          f"missing {''.join(missing) or 'none'}")  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    subset(Path(sys.argv[1]), FOLDER / "TinglanSans.ttf", "Tinglan Sans")
    subset(Path(sys.argv[2]), FOLDER / "TinglanSerif.otf", "Tinglan Serif")
