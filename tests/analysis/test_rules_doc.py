"""The guide for offices is true: its example loads, every key and pack is in it."""

import re
from pathlib import Path

from analysis.packs import Rule, load, shipped
from analysis.rules import Rulebook
from analysis.subject import Subject

GUIDE = Path(__file__).parents[2].joinpath("docs", "rules.md").read_text(encoding="utf-8")


def test_the_example_in_the_guide_loads_and_works(tmp_path):
    example = next(b for b in re.findall(r"```toml\n(.*?)```", GUIDE, re.S) if "[pack]" in b)
    file = tmp_path / "metro.toml"
    file.write_text(example, encoding="utf-8")

    book = Rulebook([r for r in load([*shipped(), file]) if r.pack == "metro"])

    (trace,) = book.hits(Subject(text="盾构过后我们楼多了一道裂缝"))
    assert trace.rule.name == "metro/metro-sink"


def test_every_key_of_a_rule_is_explained():
    for key in Rule.model_fields:
        assert f"`{key}`" in GUIDE or f"\n{key} = " in GUIDE, key


def test_every_shipped_pack_is_listed():
    for file in shipped():
        assert f"`{file.name}`" in GUIDE
