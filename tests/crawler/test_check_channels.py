"""`tinglan check` names every plug-in file that cannot be used, and every secret that is missing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import crawler.channels
from config.loading import check as checked
from config.plugins import Catalogue
from console.checking import check
from crawler.catalogue import channel_options

NOW = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)


@pytest.fixture
def look(tmp_path):
    def look(environ, *channels):
        settings = checked(
            {
                "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
                "database": {"url": f"sqlite:///{tmp_path}/tinglan.db"},
                "privacy": {"author_key_file": str(tmp_path / "author.key")},
                "channels": list(channels),
                "offices": [{"id": "d", "name": "值班室", "addresses": ["d@example.gov.cn"]}],
                "roster": {"fallback": ["leader@example.gov.cn"]},
                "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
            },
            "tinglan.toml",
            Catalogue(channels=channel_options()),
        )
        return check(settings, tmp_path, environ, now=NOW, offline=True)

    return look


WEIBO = {"id": "weibo", "name": "官方微博", "kind": "weibo", "token_env": "WEIBO_TOKEN"}
APP = {
    "id": "app",
    "name": "客户端",
    "kind": "app",
    "webhook": {"secret_env": "APP_HOOK"},
}


def test_a_broken_plugin_file_is_named_with_its_error(look, tmp_path, monkeypatch):
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "douyin.py").write_text("from nowhere import thing\n")
    (tmp_path / "channels" / "bilibili.py").write_text("Options = 1\n")
    monkeypatch.setattr(
        crawler.channels, "__path__", [*crawler.channels.__path__, str(tmp_path / "channels")]
    )

    told = [one for one in look({"WEIBO_TOKEN": "t"}, WEIBO) if one.what == "插件"]

    bad = [one.text for one in told if one.state == "bad"]
    assert any("crawler.channels.douyin" in text and "nowhere" in text for text in bad)
    assert any("crawler.channels.bilibili: has no build" in text for text in bad)
    assert len(bad) == 2
    assert any(one.state == "ok" and "渠道 5" in one.text for one in told)


def test_secrets_of_channels_are_looked_for_however_deep_they_are_named(look):
    results = look({"WEIBO_TOKEN": "geheim"}, WEIBO, APP)

    told = {one.what: (one.state, one.text) for one in results if one.what.startswith("渠道")}
    assert told["渠道 官方微博"] == ("ok", "口令已从 WEIBO_TOKEN 读到")
    assert told["渠道 客户端"][0] == "bad"
    assert "APP_HOOK" in told["渠道 客户端"][1]
    assert "geheim" not in str(results)
