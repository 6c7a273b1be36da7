"""What exists is in the docs: every command, setting, channel kind, stage, watch and transport."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

import tinglan
from config.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
}
ALL = "\n".join(PAGES.values())


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield str(field.alias or field.validation_alias or name)
        for part in [field.annotation, *get_args(field.annotation)]:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from keys(part)


def test_every_setting_is_explained() -> None:
    settings = PAGES["docs/settings.md"] + PAGES["docs/duty.md"]

    unknown = {key for key in keys(Settings) if f"{key}" not in settings} - {"options"}

    assert unknown == set()


@pytest.mark.parametrize("section", ["channels", "stages", "watches", "transports"])
def test_every_plug_in_and_its_options_are_explained(section: str) -> None:
    missing = {
        f"{section}.{name}.{key}"
        for name, options in getattr(tinglan.catalogue(), section).items()
        for key in [name, *options.model_fields]
        if key not in ALL and name != "memory"
    }

    assert missing == set()


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = {
        f"{page} → {target}"
        for page, text in PAGES.items()
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
        if not target.startswith(("http", "mailto"))
        and not (ROOT / page).parent.joinpath(target).exists()
    }

    assert broken == set()


def test_every_bench_is_named_in_its_list() -> None:
    from benchmarks import stages

    assert stages()
    assert all(module.TITLE for module in stages().values())
