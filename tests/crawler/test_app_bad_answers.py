"""What an interface can answer badly ends in its outcome, over real HTTP, and stops no other list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from config.loading import check
from config.plugins import Catalogue
from crawler.asking import Asker, Unanswered
from crawler.catalogue import channel_options
from crawler.command import crawl
from crawler.site.hosts import Hosts
from demo.badsite import BadSite
from store.tables import fetches

EXPECTED = {
    "404": "removed",
    "410": "removed",
    "429": "quota",
    "500": "http-error",
    "503": "http-error",
    "bad-status": "http-error",
    "big-header": "http-error",
    "challenge-403": "blocked",
    "challenge-412": "blocked",
    "drip": "timeout",
    "drip-head": "timeout",
    "empty": "ok-empty",
    "endless": "too-large",
    "flaky-short": "wrong-type",
    "gzip-bomb": "too-large",
    "gzip-broken": "decode-error",
    "gzip-false": "decode-error",
    "hang-up": "http-error",
    "jpeg": "soft-failure",
    "login": "soft-failure",
    "maintenance": "soft-failure",
    "redirect-chain": "redirect-loop",
    "redirect-data": "redirected-off",
    "redirect-file": "redirected-off",
    "redirect-host": "redirected-off",
    "redirect-loop": "redirect-loop",
    "reset": "http-error",
    "reset-midway": "truncated",
    "short": "truncated",
    "silent": "timeout",
    "soft-404": "soft-failure",
    "waf": "soft-failure",
}


@pytest.fixture(scope="module")
def bad():
    with BadSite() as site:
        yield site


def test_each_bad_answer_has_its_outcome(bad, sqlite_database, clock):
    late = {name for name, outcome in EXPECTED.items() if outcome == "timeout"}

    def app(number: str, names: Iterable[str], seconds: float) -> dict[str, Any]:
        rows = [{"url": bad.url(name), "body": "text", "name": name} for name in names]
        return {
            "id": number,
            "name": "气象客户端",
            "kind": "app",
            "delay": "0s",
            "timeout": seconds,
            "lists": rows,
        }

    settings = check(
        {
            "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
            # Short only where nothing comes: a loaded machine may be slow to answer.
            "channels": [app("late", sorted(late), 0.7), app("app", EXPECTED.keys() - late, 30)],
            "offices": [{"id": "duty", "name": "值班室", "addresses": ["d@example.gov.cn"]}],
            "roster": {"fallback": ["leader@example.gov.cn"]},
            "mail": {"host": "127.0.0.1", "security": "none", "from": "t@example.gov.cn"},
        },
        "tinglan.toml",
        Catalogue(channels=channel_options()),
    )

    results = crawl(settings, sqlite_database, clock, environ={"TINGLAN_AUTHOR_KEY": "k" * 32})

    with sqlite_database.read() as connection:
        found = connection.execute(sa.select(fetches.c.url, fetches.c.outcome)).all()
    got = {urlsplit(row.url).path.strip("/").partition("/")[0]: row.outcome for row in found}
    assert {name: got[name] for name in EXPECTED} == EXPECTED
    assert [result.state for result in results] == ["failed", "failed"]
    assert sum(result.planned for result in results) == len(EXPECTED)


@pytest.mark.parametrize("name", ["expired", "wrong-name", "untrusted"])
def test_certificates_that_are_not_right_are_refused(bad, tmp_path, name):
    authority = tmp_path / "ca.pem"
    authority.write_bytes(bad.authority)
    url = bad.tls_url(name)
    with (
        Asker(Hosts.of([url], (), ()), user_agent="t", ca_file=str(authority)) as asker,
        pytest.raises(Unanswered) as caught,
    ):
        asker.ask(url)

    assert caught.value.outcome == "tls-error"
    assert "证书" in caught.value.why


def test_a_right_certificate_of_the_offices_own_authority_is_taken(bad, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_bytes(bad.authority)
    url = bad.tls_url("good")

    with Asker(Hosts.of([url], (), ()), user_agent="t", ca_file=str(authority)) as asker:
        assert asker.ask(url).status == 200


def test_a_name_that_leads_inside_is_not_connected_to(bad, monkeypatch):
    url = bad.url("article", host="www.example.gov.cn")
    monkeypatch.setattr("crawler.asking._resolved", lambda *_: ["127.0.0.1", "10.0.0.1"])

    with (
        Asker(Hosts.of([url], (), ()), user_agent="t") as asker,
        pytest.raises(Unanswered) as caught,
    ):
        asker.ask(url)
    with Asker(Hosts.of([url], (), ["www.example.gov.cn"]), user_agent="t") as asker:
        assert asker.ask(url).status == 200

    assert "内网地址" in caught.value.why
    assert "example" not in caught.value.why
