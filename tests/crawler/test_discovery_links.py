"""One address, one spelling; and what is no address we would open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.links import absolute, canonical, hosts_of, on_site


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ("http://WWW.Example.GOV.cn", "http://www.example.gov.cn/"),
        ("HTTP://www.example.gov.cn:80/a", "http://www.example.gov.cn/a"),
        ("https://www.example.gov.cn:443/a?", "https://www.example.gov.cn/a"),
        ("https://www.example.gov.cn:8443/a", "https://www.example.gov.cn:8443/a"),
        ("http://www.example.gov.cn./a", "http://www.example.gov.cn/a"),
        ("http://www.example.gov.cn/a/./b/../c", "http://www.example.gov.cn/a/c"),
        ("http://www.example.gov.cn/../../c", "http://www.example.gov.cn/c"),
        ("http://www.example.gov.cn/a/..", "http://www.example.gov.cn/"),
        ("http://www.example.gov.cn/a#top", "http://www.example.gov.cn/a"),
        ("http://www.example.gov.cn/a?b=2&a=1", "http://www.example.gov.cn/a?b=2&a=1"),
        ("http://www.example.gov.cn/a?a=1&&b=2&", "http://www.example.gov.cn/a?a=1&b=2"),
        ("http://www.example.gov.cn/a?utm_source=wx&id=3", "http://www.example.gov.cn/a?id=3"),
        ("http://www.example.gov.cn/a;jsessionid=0F3A.n1?id=3", "http://www.example.gov.cn/a?id=3"),
        ("http://www.example.gov.cn/通知 1", "http://www.example.gov.cn/%E9%80%9A%E7%9F%A5%201"),
        ("http://www.example.gov.cn/%e9%80%9a%7E", "http://www.example.gov.cn/%E9%80%9A~"),
        ("http://www.example.gov.cn/100%", "http://www.example.gov.cn/100%25"),
        ("http://气象.example/a", "http://xn--4qw020e.example/a"),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
        ("http://[::1]:8000/a", "http://[::1]:8000/a"),
        ("  http://www.example.gov.cn/a\r\n", "http://www.example.gov.cn/a"),
        (
            "http://www.example.gov.cn/a?u=http://x.example/b?c=1",
            "http://www.example.gov.cn/a?u=http://x.example/b?c=1",
        ),
    ],
)
def test_one_spelling(given_, meant):
    assert canonical(given_) == meant
    assert canonical(meant) == meant


@pytest.mark.parametrize(
    "url",
    [
        "", "   ", "a.html", "//www.example.gov.cn/a", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x",
        "file:///etc/passwd", "ftp://www.example.gov.cn/", "mailto:a@b.example", "tel:12345", "http:", "http://", "http:///a",
        "http://user@www.example.gov.cn/", "http://user:pw@www.example.gov.cn/", "http://www.example.gov.cn\\@evil.example/",
        "http:\\\\evil.example/", "http://www.example.gov.cn/\x00", "http://www.example.gov.cn/a\nb", "java\nscript:alert(1)",
        "http://www.example.gov.cn:0/", "http://www.example.gov.cn:99999/", "http://www.example.gov.cn:x/", "http://[::1/",
        "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/", "http://256.1.1.1/", "http://1.2.3.4.5/",
        "http://www..example/", "http://-x.example/", "http://ex%61mple.gov.cn/", "http://exa mple/", "http://\ud800.example/",
        "http://www.example.gov.cn/" + "x" * 3000,
    ],
)  # fmt: skip
def test_what_is_never_opened(url):
    assert canonical(url) is None


@pytest.mark.parametrize(
    ("href", "meant"),
    [
        ("../b.html", "http://www.example.gov.cn/b.html"),
        ("?page=2", "http://www.example.gov.cn/a/c.jsp?page=2"),
        ("//m.example.gov.cn/x", "http://m.example.gov.cn/x"),
        ("javascript:void(0)", None),
        ("..\\b.html", None),
        ("http://[", None),
        ("\x01javascript:alert(1)", None),
    ],
)
def test_links_of_a_page(href, meant):
    assert absolute(href, "http://www.example.gov.cn/a/c.jsp?id=1") == meant


def test_hosts_with_and_without_port():
    hosts = hosts_of(["WWW.example.gov.cn", "127.0.0.1:8000"], "http://ignored.example/")

    assert on_site("https://www.example.gov.cn:8443/a", hosts)
    assert on_site("http://127.0.0.1:8000/a", hosts)
    assert not on_site("http://127.0.0.1:22/a", hosts)
    assert not on_site("http://www.example.gov.cn.evil.example/", hosts)
    assert not on_site("http://evilwww.example.gov.cn/", hosts)
    assert hosts_of([], "http://www.example.gov.cn:81/a") == {"www.example.gov.cn:81"}


@given(
    st.text(max_size=60),
    st.sampled_from(["", "http://", "https://h.example/", "http://h.example:80?", "//"]),
)
def test_canonical_never_raises_and_settles_at_once(tail, head):
    found = canonical(head + tail)
    joined = absolute(head + tail, "http://h.example/a/")

    assert found is None or canonical(found) == found
    assert joined is None or canonical(joined) == joined
