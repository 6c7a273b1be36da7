"""Every bad answer a site can send ends in its outcome, and none stops the run."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from demo.badsite import CHARSET_TEXT, BadSite
from store.tables import fetches, posts

EXPECTED = {
    "article": "ok-new",
    "bad-status": "http-error",
    "big-header": "http-error",
    "challenge-403": "blocked",
    "challenge-412": "blocked",
    "date-future": "ok-new",
    "date-impossible": "ok-new",
    "date-missing": "ok-new",
    "drip": "timeout",
    "drip-head": "timeout",
    "empty": "ok-empty",
    "endless": "too-large",
    "flaky-429": "ok-new",
    "flaky-503": "ok-new",
    "flaky-503-date": "ok-new",
    "flaky-short": "ok-new",
    "gzip-bomb": "too-large",
    "gzip-broken": "decode-error",
    "gzip-false": "decode-error",
    "hang-up": "http-error",
    "huge": "too-large",
    "jpeg": "wrong-type",
    "login": "auth",
    "maintenance": "soft-failure",
    "nested": "parse-broken",
    "private": "robots-denied",
    "redirect-chain": "redirect-loop",
    "redirect-data": "redirected-off",
    "redirect-empty": "http-error",
    "redirect-file": "redirected-off",
    "redirect-host": "redirected-off",
    "redirect-loop": "redirect-loop",
    "redirect-short": "ok-new",
    "refresh-host": "redirected-off",
    "refresh-self": "parse-broken",
    "reset": "http-error",
    "reset-midway": "truncated",
    "short": "truncated",
    "silent": "timeout",
    "soft-404": "soft-failure",
    "waf": "blocked",
    "charset-bogus": "ok-new",
    "charset-bom": "ok-new",
    "charset-gbk-as-latin1": "ok-new",
    "charset-gbk-as-utf8": "ok-new",
    "charset-none": "ok-new",
    "charset-utf8-as-gbk": "ok-new",
}
#: rows whose names are numbers read as page numbers in a list, so they are columns here
AS_COLUMNS = {
    "404": "removed",
    "410": "removed",
    "429": "quota",
    "500": "http-error",
    "503": "http-error",
    "503-date": "http-error",
}


@pytest.fixture(scope="module")
def bad_site():
    with BadSite(retry_after=1) as site:
        yield site


@pytest.fixture(scope="module")
def outcomes(bad_site, nursery, tmp_path_factory):
    """One crawl over every row; name of the row → its fetch."""
    import json
    from types import SimpleNamespace

    from store.engine import Database
    from store.schema import upgrade

    folder = tmp_path_factory.mktemp("bad")
    database = Database(f"sqlite:///{folder}/tinglan.db")
    upgrade(database)
    channel = {
        "id": "bad",
        "name": "坏网站",
        "kind": "site",
        "delay": 0,
        "timeout": 3,
        "columns": [{"url": bad_site.url(""), "name": "坏页面"}],
    }
    failing = dict(channel, id="failing", columns=[{"url": bad_site.url(n)} for n in AS_COLUMNS])
    out = folder / "out.json"
    asked = {"channels": [channel, failing], "database": str(database.url), "out": str(out)}
    nursery.stdin.write(json.dumps(asked) + "\n")
    nursery.stdin.flush()
    assert nursery.stdout.readline().strip() == "0", (folder / "out.json.err").read_text()
    told = json.loads(out.read_text())
    with database.read() as connection:
        rows = connection.execute(sa.select(fetches)).mappings().all()
        kept = connection.execute(sa.select(posts)).mappings().all()
    database.close()
    prefix = bad_site.url("")
    return SimpleNamespace(
        fetch={row["url"].removeprefix(prefix): SimpleNamespace(**row) for row in rows},
        post={post["url"].removeprefix(prefix): SimpleNamespace(**post) for post in kept},
        results={r["channel"]: SimpleNamespace(**r) for r in told["results"]},
        memory_mb=told["memory_mb"],
    )


@pytest.mark.parametrize("name", sorted({*EXPECTED, *AS_COLUMNS}))
def test_each_bad_answer_has_its_outcome(name, outcomes):
    fetch = outcomes.fetch[name]

    assert fetch.outcome == (EXPECTED | AS_COLUMNS)[name], fetch.why
    if not fetch.outcome.startswith("ok-"):
        assert fetch.why
        assert name not in outcomes.post


def test_every_planned_fetch_has_one_outcome_and_the_run_went_through(outcomes):
    result = outcomes.results["bad"]

    assert result.planned == sum(result.outcomes.values())
    assert result.state == "done"
    assert outcomes.results["failing"].state == "failed"
    assert set(BadSite.names()) - set(outcomes.fetch) <= {"charset-big5"}


def test_nobody_went_where_a_redirect_or_refresh_pointed(bad_site, outcomes):
    hosts = {one.headers.get("host", "").partition(":")[0] for one in bad_site.requests}

    assert hosts == {"127.0.0.1"}
    assert len(bad_site.asked("redirect-chain")) == 6


def test_a_bomb_does_not_fill_the_memory(outcomes):
    assert outcomes.memory_mb < 150


def test_no_fetch_takes_longer_than_its_deadline_in_all(outcomes):
    for name in ("drip", "drip-head", "silent"):
        assert 2900 <= outcomes.fetch[name].ms < 20_000  # they would go on for an hour


def test_a_hostile_tree_is_given_up_in_time(outcomes):
    assert outcomes.fetch["nested"].ms < 20_000


def test_a_short_answer_is_asked_for_once_more(bad_site, outcomes):
    assert len(bad_site.asked("short")) == 2
    assert len(bad_site.asked("flaky-short")) == 2


def test_retry_after_is_waited_for_in_seconds_and_as_a_date(bad_site, outcomes):
    for name in ("flaky-429", "flaky-503", "flaky-503-date"):
        first, *_, last = bad_site.asked(name)
        assert last.at - first.at >= 1
        assert len(bad_site.asked(name)) <= 3


def test_what_robots_txt_forbids_is_not_asked_for(bad_site, outcomes):
    assert bad_site.asked("private") == []


@pytest.mark.parametrize("name", sorted(n for n in EXPECTED if n.startswith("charset-")))
def test_a_page_is_read_right_whatever_its_labels_say(name, outcomes):
    assert outcomes.post[name].text == CHARSET_TEXT


@pytest.mark.parametrize("name", ["date-future", "date-impossible", "date-missing"])
def test_a_date_that_cannot_be_is_no_date(name, outcomes):
    assert outcomes.post[name].published_at is None


def test_bad_certificates_are_refused_and_said(bad_site, crawl, stored, tmp_path):
    authority = tmp_path / "authority.pem"
    authority.write_bytes(bad_site.authority)
    kinds = ("expired", "wrong-name", "untrusted", "good")
    channel = {
        "id": "tls",
        "name": "加密",
        "kind": "site",
        "delay": 0,
        "columns": [{"url": bad_site.tls_url(kind, "")} for kind in kinds],
        "max_fetches": 1,
    }

    crawl(channel, environ={"SSL_CERT_FILE": str(authority)})

    found = {kind: stored.fetches(url=bad_site.tls_url(kind, ""))[-1] for kind in kinds}
    assert found["good"].outcome == "ok-new"
    for kind in ("expired", "wrong-name", "untrusted"):
        assert found[kind].outcome == "tls-error"
        assert "证书" in found[kind].why
    assert "已过期" in found["expired"].why
    assert "名称" in found["wrong-name"].why
    good = urlsplit(bad_site.tls_url("good")).port
    plain = urlsplit(bad_site.url("")).port
    assert {one.port for one in bad_site.requests} - {plain} == {good}
