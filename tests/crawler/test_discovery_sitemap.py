"""Sitemaps, gzipped ones, and the ones that want to fill the memory."""

import gzip
import tracemalloc
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.broken import SitemapBroken
from crawler.discovery.sitemap import SitemapEntry, read_sitemap
from tests.patience import at_most

NOW = datetime(2026, 7, 21, 2, 0, tzinfo=UTC)
SITE = "https://www.qx.example.gov.cn"
URL = f"{SITE}/sitemap.xml"


def urlset(inner, name="urlset", space='xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'):
    return f'<?xml version="1.0" encoding="UTF-8"?><{name} {space}>{inner}</{name}>'.encode()


def read(body, **more):
    return read_sitemap(body, url=URL, now=NOW, **more)


ROWS = """<url><loc> https://www.qx.example.gov.cn/a.html </loc><lastmod>2026-07-20T18:00:00+08:00</lastmod><priority>0.5</priority></url>
<url><lastmod>2026-07-19</lastmod><loc>/b.html?x=1&amp;y=2</loc></url><url><loc>/a.html#again</loc></url>
<url><loc>https://elsewhere.example/c.html</loc></url><url><loc>javascript:x</loc></url><url></url><other/>"""


@pytest.mark.parametrize(
    "pack", [lambda b: b, gzip.compress, lambda b: gzip.compress(b[:50]) + gzip.compress(b[50:])]
)
@pytest.mark.parametrize("space", ['xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"', ""])
def test_addresses_and_their_dates(pack, space):
    found = read(pack(urlset(ROWS, space=space)))

    assert found.kind == "urlset"
    assert found.entries == (
        SitemapEntry(
            f"{SITE}/a.html", datetime(2026, 7, 20, 10, tzinfo=UTC), "2026-07-20T18:00:00+08:00"
        ),
        SitemapEntry(f"{SITE}/b.html?x=1&y=2", datetime(2026, 7, 18, 16, tzinfo=UTC), "2026-07-19"),
    )
    assert (found.offsite, found.refused, found.truncated) == (1, 2, False)


def test_index_names_sitemaps_but_never_itself():
    found = read(
        urlset(
            "<sitemap><loc>/s1.xml.gz</loc></sitemap><sitemap><loc>/sitemap.xml</loc></sitemap>",
            "sitemapindex",
        )
    )

    assert (found.kind, [e.url for e in found.entries]) == ("index", [f"{SITE}/s1.xml.gz"])


@pytest.mark.parametrize(
    "body",
    [b"", b"<html></html>", b"not xml", urlset("")[:-5], gzip.compress(urlset(ROWS))[:-9], b"\x1f\x8b\x08garbage", gzip.compress(b"", mtime=0),
     b"<!DOCTYPE u [<!ENTITY a 'b'>]><urlset/>", gzip.compress(b"a") * 1000],
)  # fmt: skip
def test_what_is_no_sitemap_says_so(body):
    with pytest.raises(SitemapBroken) as broken:
        read(body)
    assert broken.value.reason


def test_gzip_bomb_is_refused_without_being_inflated():
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(300)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(SitemapBroken, match="解压后超过"):
        read(bomb)
    assert tracemalloc.get_traced_memory()[1] < 60 * 1024 * 1024
    tracemalloc.stop()


def test_fifty_thousand_addresses_are_read_and_no_more():
    body = urlset(
        "".join(
            f"<url><loc>/a/{i}.html</loc><lastmod>2026-07-01</lastmod></url>" for i in range(50_100)
        )
    )
    with at_most(3):
        found = read(body)

    assert (len(found.entries), found.truncated) == (50_000, True)


@given(st.binary(max_size=200), st.booleans())
def test_nothing_but_the_named_error_is_raised(body, packed):
    try:
        read(gzip.compress(body) if packed else body)
    except SitemapBroken:
        return
