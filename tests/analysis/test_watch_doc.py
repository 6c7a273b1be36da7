"""docs/watches.md names every watch and every setting of it."""

from pathlib import Path

import pytest

from analysis.watching import watch_options

TEXT = (Path(__file__).parents[2] / "docs" / "watches.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(watch_options()))
def test_every_watch_and_setting_is_in_the_docs(name):
    assert f"`{name}`" in TEXT
    section = TEXT.split(f"`{name}`\n", 1)[1].split("\n## ", 1)[0]
    for key in set(watch_options()[name].model_fields) - {"enabled"}:
        assert f"`{key}`" in section, f"{name}.{key}"
