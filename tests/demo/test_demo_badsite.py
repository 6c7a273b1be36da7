"""The bad site really sends what its rows promise; spiders are tested against it elsewhere."""

import gzip
import re
import socket
import ssl
import zlib
from email.utils import parsedate_to_datetime

import httpx
import pytest

from demo.badsite import BOMB, CHARSET_TEXT, BadSite


@pytest.fixture(scope="module")
def site():
    with BadSite(retry_after=0) as running:
        yield running


@pytest.fixture(scope="module")
def client():
    with httpx.Client(trust_env=False, timeout=5) as running:
        yield running


def raw(site, name, patience=2.0, limit=1 << 20):
    """What stands on the wire, until the line is cut, `limit` is reached or time is up."""
    address = httpx.URL(site.url(name))
    got = b""
    with socket.create_connection((address.host, address.port), timeout=patience) as line:
        line.sendall(f"GET {address.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        try:
            while len(got) < limit and (more := line.recv(65536)):
                got += more
        except TimeoutError:
            return got, "timeout"
        except ConnectionResetError:
            return got, "reset"
    return got, "closed"


def test_redirect_to_itself(site, client):
    answer = client.get(site.url("redirect-loop"))

    assert answer.status_code == 302
    assert answer.headers["location"] == "/redirect-loop"


def test_thirty_hops_and_then_a_page(site):
    with httpx.Client(trust_env=False, follow_redirects=True, max_redirects=40) as walker:
        answer = walker.get(site.url("redirect-chain"))

    assert len(answer.history) == 30
    assert "一篇好文章" in answer.text


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("redirect-host", "http://localhost:"),
        ("redirect-file", "file:"),
        ("redirect-data", "data:"),
    ],
)
def test_redirects_off_the_site(site, name, start):
    assert f"\r\nLocation: {start}".encode() in raw(site, name)[0]


def test_meta_refresh_to_another_host(site, client):
    assert "url=http://localhost:" in client.get(site.url("refresh-host")).text


def test_bomb_is_small_and_inflates_to_what_it_says(site):
    wire, _ = raw(site, "gzip-bomb")
    packed = wire.partition(b"\r\n\r\n")[2]
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    size, rest = 0, packed
    while rest and not unpack.eof:
        size += len(unpack.decompress(rest, 1 << 24))
        rest = unpack.unconsumed_tail

    assert 200_000 < len(packed) < 400_000
    assert unpack.eof
    assert size == BOMB


def test_broken_gzip(site):
    wire, _ = raw(site, "gzip-broken")

    with pytest.raises(EOFError):
        gzip.decompress(wire.partition(b"\r\n\r\n")[2])


def test_endless_body_does_not_end(site):
    wire, _ = raw(site, "endless", limit=4 << 20)

    assert len(wire) >= 4 << 20


@pytest.mark.parametrize(("name", "least"), [("drip", 1), ("drip-head", 1), ("silent", 0)])
def test_slow_rows_never_finish(site, name, least):
    wire, end = raw(site, name, patience=0.2)

    assert end == "timeout"
    assert len(wire) >= least


def test_short_body(site):
    wire, end = raw(site, "short")
    promised = int(re.search(rb"Content-Length: (\d+)", wire)[1])

    assert end == "closed"
    assert len(wire.partition(b"\r\n\r\n")[2]) == promised - 5000


def test_short_once_then_whole(site, client):
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(site.url("flaky-short"))

    assert "一篇好文章" in client.get(site.url("flaky-short")).text


@pytest.mark.parametrize("name", ["reset", "reset-midway"])
def test_reset_is_a_real_reset(site, name):
    assert raw(site, name)[1] == "reset"


def test_no_http_at_all(site):
    assert not raw(site, "bad-status")[0].startswith(b"HTTP/")
    assert raw(site, "hang-up") == (b"", "closed")


def test_huge_heads(site):
    assert b"X-Big: " + b"x" * 200_000 in raw(site, "big-header")[0]
    assert raw(site, "many-headers")[0].count(b"\r\nX-") == 4000


def test_bodies_that_only_look_right(site, client):
    assert client.get(site.url("empty")).content == b""
    assert client.get(site.url("jpeg")).content.startswith(b"\xff\xd8\xff")
    assert client.get(site.url("jpeg")).headers["content-type"].startswith("text/html")
    assert client.get(site.url("nested")).text.count("<div>") == 50_000
    assert len(client.get(site.url("huge")).content) == 12 << 20


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("maintenance", 200, "维护"),
        ("waf", 200, "<script>"),
        ("soft-404", 200, "不存在"),
        ("login", 200, "登录"),
        ("challenge-412", 412, "script"),
        ("challenge-403", 403, "验证"),
        ("404", 404, "404"),
        ("410", 410, "410"),
        ("500", 500, "Error"),
        ("date-future", 200, "来自未来"),
        ("date-impossible", 200, "2026-02-30"),
        ("date-missing", 200, "没有日期"),
    ],
)
def test_pages_and_their_status(site, client, name, status, word):
    answer = client.get(site.url(name))

    assert answer.status_code == status
    assert word in answer.text


def test_retry_after_in_seconds_and_as_a_date(client):
    with BadSite(retry_after=7) as site:
        assert client.get(site.url("429")).headers["retry-after"] == "7"
        answer = client.get(site.url("flaky-503-date"))

    assert answer.status_code == 503
    assert parsedate_to_datetime(answer.headers["retry-after"]).tzinfo is not None


def test_flaky_rows_are_well_after_the_time_asked_for(site, client):
    assert client.get(site.url("flaky-503")).status_code == 200  # retry_after is 0 here


@pytest.mark.parametrize(
    ("robots", "status", "word"),
    [
        ("open", 200, "/private"),
        ("delay", 200, "Crawl-delay: 1"),
        ("503", 503, ""),
        ("404", 404, ""),
    ],
)
def test_robots(client, robots, status, word):
    with BadSite(robots=robots) as site:
        answer = client.get(site.url("robots.txt"))

    assert answer.status_code == status
    assert word in answer.text


def test_robots_reset(client):
    with BadSite(robots="reset") as site, pytest.raises(httpx.TransportError):
        client.get(site.url("robots.txt"))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("expired", "expired"),
        ("wrong-name", "IP address mismatch|doesn't match|not valid for"),
        ("untrusted", "self-signed|local issuer|signature failure"),
    ],
)
def test_bad_certificates_are_refused_by_a_verifying_client(site, name, why):
    trusted = ssl.create_default_context(cadata=site.authority.decode())

    with httpx.Client(verify=trusted, trust_env=False) as client:
        assert client.get(site.tls_url("good")).status_code == 200
        with pytest.raises(httpx.ConnectError, match=why):
            client.get(site.tls_url(name))


@pytest.mark.parametrize(
    ("name", "encoding", "label"),
    [
        ("charset-gbk-as-utf8", "gb18030", "utf-8"),
        ("charset-gbk-as-latin1", "gb18030", "ISO-8859-1"),
        ("charset-utf8-as-gbk", "utf-8", "gb2312"),
        ("charset-bom", "utf-8-sig", "gb2312"),
    ],
)
def test_charset_labels_lie(site, client, name, encoding, label):
    answer = client.get(site.url(name))

    assert label in answer.headers["content-type"]
    assert CHARSET_TEXT in answer.content.decode(encoding)


def test_requests_are_noted_with_time_and_name(client):
    with BadSite() as site:
        client.get(site.url("article"), headers={"User-Agent": "tinglan-test"})
        client.get(site.url("404"))
        first, second = site.requests

    assert (first.name, second.name) == ("article", "404")
    assert first.headers["user-agent"] == "tinglan-test"
    assert first.at <= second.at


def test_unknown_rows_are_a_mistake_in_the_test(site):
    with pytest.raises(KeyError):
        site.url("no-such-row")
