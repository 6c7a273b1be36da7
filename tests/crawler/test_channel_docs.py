"""Every setting of a channel stands in its page of the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.catalogue import channel_options

DOCS = Path(__file__).parents[2] / "docs" / "channels"


@pytest.mark.parametrize("kind", ["wechat", "weibo", "app", "mailbox"])
def test_every_setting_is_explained(kind):
    page = (DOCS / f"{kind}.md").read_text(encoding="utf-8")

    missing = [name for name in channel_options()[kind].model_fields if name not in page]

    assert missing == []
    assert "绝不做" in page
