"""The administrator's page names every setting and every refusal."""

from __future__ import annotations

from pathlib import Path

from crawler.wechat.errors import TABLE, Remedy, ruling
from crawler.wechat.options import Options, Quotas

PAGE = (Path(__file__).parents[3] / "docs" / "channels" / "wechat.md").read_text(encoding="utf-8")


def test_every_setting_is_explained():
    names = [*Options.model_fields, *Quotas.model_fields]

    assert [name for name in names if name not in PAGE] == []


def test_every_refusal_that_needs_somebody_is_explained():
    bugs = {Remedy.BUG, Remedy.GONE}

    assert [c for c in TABLE if ruling(c).remedy not in bugs and str(c) not in PAGE] == []


def test_what_is_never_done_is_promised():
    assert "听澜绝不做" in PAGE
