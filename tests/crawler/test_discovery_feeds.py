"""Feeds as generators really write them, and as nobody should."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import xmlsafe
from crawler.discovery.broken import FeedBroken
from crawler.discovery.feeds import read_feed
from store.records import Precision
from tests.patience import at_most

NOW = datetime(2026, 7, 21, 2, 0, tzinfo=UTC)
URL = "https://www.qx.example.gov.cn/rss/news.xml"
NS = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:atom="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/"'
)


def rss(items, head=""):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" {NS}><channel><title>市气象局动态</title><link>https://www.qx.example.gov.cn/</link>{head}{items}</channel></rss>'


def read(text, **more):
    body = text if isinstance(text, bytes) else text.encode()
    return read_feed(body, url=URL, now=NOW, **more)


def test_rss_with_everything():
    feed = read(rss("""<item><title><![CDATA[暴雨 & 大风预警解除]]></title><link>/yj/1.html?a=1&amp;b=2</link>
      <guid isPermaLink="false">yj-1</guid><pubDate>Mon, 20 Jul 2026 18:22:05 +0800</pubDate><dc:creator>预报科</dc:creator>
      <media:title>图</media:title><description>摘要</description>
      <content:encoded><![CDATA[<p>橙色预警&nbsp;已解除。</p><script>alert(1)</script><p>请注意</p>]]></content:encoded></item>""",
      '<atom:link rel="self" href="/rss/news.xml"/><atom:link rel="next" href="/rss/news.xml?p=2"/>'))  # fmt: skip
    entry = feed.entries[0]

    assert (feed.kind, feed.title, feed.next_url, feed.repaired) == (
        "rss",
        "市气象局动态",
        URL + "?p=2",
        False,
    )
    assert (entry.key, entry.url) == ("yj-1", "https://www.qx.example.gov.cn/yj/1.html?a=1&b=2")
    assert entry.title == "暴雨 & 大风预警解除"
    assert entry.text == "橙色预警 已解除。\n请注意"
    assert entry.published_at == datetime(2026, 7, 20, 10, 22, 5, tzinfo=UTC)
    assert entry.precision is Precision.SECOND
    assert entry.author_id == "预报科"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        (
            "<guid>https://WWW.qx.example.gov.cn/a.html#x</guid>",
            "https://www.qx.example.gov.cn/a.html",
        ),
        ('<guid isPermaLink="false">A 1</guid><link>/a.html</link>', "A 1"),
        ("<guid>tag-7</guid><link>/a.html</link>", "tag-7"),
        ("<link>/a.html</link>", "https://www.qx.example.gov.cn/a.html"),
        ('<atom:link href="/a.html"/>', "https://www.qx.example.gov.cn/a.html"),
        ("<guid></guid><link> /a.html\n</link>", "https://www.qx.example.gov.cn/a.html"),
    ],
)
def test_key_is_guid_then_link(fields, key):
    assert read(rss(f"<item><title>题</title>{fields}</item>")).entries[0].key == key


def test_without_guid_and_link_the_key_is_a_steady_hash():
    item = "<item><title>停水通知</title><pubDate>Mon, 20 Jul 2026 18:22:05 +0800</pubDate></item>"
    one, again = (
        read(rss(item)).entries[0],
        read(rss("<item><title>新的</title></item>" + item)).entries[1],
    )

    assert one.key == again.key
    assert one.key.startswith("sha256:")
    assert read(rss(item.replace("停水", "停电"))).entries[0].key != one.key


@pytest.mark.parametrize(
    ("raw", "at", "precision"),
    [
        ("Mon, 20 Jul 2026 10:22:05 GMT", datetime(2026, 7, 20, 10, 22, 5), "second"),
        ("20 Jul 2026 18:22 +0800", datetime(2026, 7, 20, 10, 22), "minute"),
        ("Mon, 20 Jul 26 10:22:05 UT", datetime(2026, 7, 20, 10, 22, 5), "second"),
        ("Mon, 20 Jul 2026 18:22:05 CST", datetime(2026, 7, 20, 10, 22, 5), "second"),
        ("Mon Jul 20 18:22:05 CST 2026", datetime(2026, 7, 20, 10, 22, 5), "second"),
        ("Mon, 20 Jul 2026 18:22:05", datetime(2026, 7, 20, 10, 22, 5), "second"),
        ("2026-07-20T18:22:05+08:00", datetime(2026, 7, 20, 10, 22, 5), "second"),
        ("2026-07-20T10:22:05.123Z", datetime(2026, 7, 20, 10, 22, 5, 123000), "second"),
        ("2026-07-20 18:22:05", datetime(2026, 7, 20, 10, 22, 5), "second"),
        ("2026-07-20", datetime(2026, 7, 19, 16, 0), "day"),
        ("2026年7月20日 18时22分", datetime(2026, 7, 20, 10, 22), "minute"),
        ("昨天 18:22", datetime(2026, 7, 20, 10, 22), "minute"),
        ("", None, None),
        ("不详", None, None),
        ("Mon, 32 Jul 2026 18:22:05 +0800", None, None),
        ("2026-02-30T00:00:00Z", None, None),
        ("Mon, 20 Jul 2036 18:22:05 +0800", None, None),  # the future is not trusted
        ("Thu, 01 Jan 1970 00:00:00 GMT", None, None),
        ("0001-01-01T00:00:00+08:00", None, None),
        ("Mon, 20 Jul 99999 18:22:05 +9999", None, None),
    ],
)
def test_publication_dates(raw, at, precision):
    entry = read(
        rss(f"<item><guid>1</guid><title>题</title><pubDate>{raw}</pubDate></item>")
    ).entries[0]

    assert entry.published_at == (at.replace(tzinfo=UTC) if at else None)
    assert entry.precision == precision
    assert entry.published_raw == raw


ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://www.qx.example.gov.cn/blog/">
<title type="html">气象&amp;lt;b&gt;</title><link rel="self" href="feed.atom"/><link rel="next" href="feed.atom?page=2"/>
<author><name>办公室</name></author><updated>2026-07-20T10:00:00Z</updated>
<entry xml:base="2026/"><id>urn:uuid:1</id><title>甲</title><link href="1.html"/><link rel="enclosure" href="1.pdf"/>
<updated>2026-07-20T10:00:00Z</updated><published>2026-07-19T10:00:00Z</published><content type="html">&lt;p&gt;正文&lt;/p&gt;</content></entry>
<entry><id>urn:uuid:2</id><title type="text">1 &lt; 2</title><link rel="alternate" href="2.html"/><updated>2026-07-18T10:00:00Z</updated>
<author><name>李</name><uri>https://u.example/9</uri></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>第一段</p><p>第二段</p></div></content></entry>
<entry><id>urn:uuid:3</id><title>丙</title><summary>只有摘要</summary></entry></feed>"""


def test_atom_with_base_and_xhtml():
    feed = read(ATOM)
    one, two, three = feed.entries

    assert (feed.kind, feed.next_url) == (
        "atom",
        "https://www.qx.example.gov.cn/blog/feed.atom?page=2",
    )
    assert one.url == "https://www.qx.example.gov.cn/blog/2026/1.html"
    assert (one.text, one.author_id) == ("正文", "办公室")
    assert (one.published_raw, one.updated_raw) == ("2026-07-19T10:00:00Z", "2026-07-20T10:00:00Z")
    assert (two.title, two.text, two.author_id) == (
        "1 < 2",
        "第一段\n第二段",
        "https://u.example/9",
    )
    assert two.published_at == datetime(2026, 7, 18, 10, tzinfo=UTC)  # updated stands in
    assert (three.key, three.text, three.published_at) == ("urn:uuid:3", "只有摘要", None)


def test_rss_1_has_its_items_beside_the_channel():
    feed = read("""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
    <channel rdf:about="https://x.example/"><title>旧式</title></channel>
    <item rdf:about="https://www.qx.example.gov.cn/1.html"><title>甲</title><link>https://www.qx.example.gov.cn/1.html</link><dc:date>2026-07-20T18:00+08:00</dc:date></item></rdf:RDF>""")  # fmt: skip

    assert (feed.kind, feed.title) == ("rdf", "旧式")
    assert feed.entries[0].key == "https://www.qx.example.gov.cn/1.html"
    assert feed.entries[0].published_at == datetime(2026, 7, 20, 10, tzinfo=UTC)


def json_feed(items, **more):
    return json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "应用公告", "items": items, **more}
    )


def test_json_feed():
    feed = read(
        json_feed(
            [
                {"id": 9007199254740993, "url": "/n/1", "content_text": "甲\n\n乙 < 丙", "date_published": "2026-07-20T18:00:00+08:00",
                 "authors": [{"name": "科普办"}]},
                {"id": "2", "external_url": "https://x.example/", "content_html": "<b>粗</b>", "author": {"url": "https://u.example/1"},
                 "date_modified": "2026-07-19T10:00:00Z"},
                "not an object", None, {},
                {"id": {"a": 1}, "title": ["x"], "content_text": "只有正文", "authors": "谁"},
            ],
            next_url="/n/?page=2", expired=True,
        )
    )  # fmt: skip

    assert (feed.kind, feed.title, feed.expired) == ("json", "应用公告", True)
    assert feed.next_url == "https://www.qx.example.gov.cn/n/?page=2"
    assert [e.key for e in feed.entries][:2] == ["9007199254740993", "2"]
    assert [e.text for e in feed.entries] == ["甲\n乙 < 丙", "粗", "只有正文"]
    assert [e.author_id for e in feed.entries][:2] == ["科普办", "https://u.example/1"]
    assert feed.entries[1].updated_raw == "2026-07-19T10:00:00Z"
    assert [reason.split("：")[0] for reason in feed.skipped] == ["第 3 条", "第 4 条", "第 5 条"]


def test_expired_must_be_true_itself():
    assert not read(json_feed([], expired="false")).expired


@pytest.mark.parametrize("href", ["https://evil.example/2", "javascript:x", URL, "", "//["])
def test_next_leads_on_within_the_site(href):
    assert read(json_feed([], next_url=href)).next_url is None


def test_next_on_a_second_configured_host():
    feed = read(
        json_feed([], next_url="https://api.example.gov.cn/2"), hosts=["api.example.gov.cn"]
    )

    assert feed.next_url == "https://api.example.gov.cn/2"


def test_gbk_is_read_whole_whatever_the_labels_say():
    body = (
        rss("<item><guid>1</guid><title>堃镕㙍€</title></item>")
        .replace("UTF-8", "gb2312")
        .encode("gb18030")
    )

    feed = read(body, content_type="text/xml; charset=utf-8")

    assert (feed.title, feed.entries[0].title) == ("市气象局动态", "堃镕㙍€")


def test_one_id_on_every_entry_does_not_cost_the_others():
    items = "".join(
        f"<item><guid>1</guid><title>第{i}条</title><link>/a{i}.html</link></item>"
        for i in range(3)
    )
    no_links = "".join(f"<item><guid>1</guid><title>第{i}条</title></item>" for i in (0, 1, 2, 2))

    assert [e.title for e in read(rss(items)).entries] == ["第0条", "第1条", "第2条"]
    again = read(rss(no_links))
    assert len({e.key for e in again.entries}) == 3
    assert again.skipped == ("第 4 条：与前面一条重复",)


def test_broken_markup_is_mended_and_said():
    text = rss(
        "<item><guid>1</guid><title>A & B &nbsp; C &lt;</title><link><![CDATA[/a?x=1&y=2]]></link></item>"
        "<item><guid>2</guid><title>坏\x0b字符</title></item><item><guid>3</guid><title>没有关<b></title></item>"
    ).removesuffix("</channel></rss>")
    feed = read(text)

    assert feed.repaired
    assert [e.key for e in feed.entries][:2] == ["1", "2"]
    assert feed.entries[0].title == "A & B C <"
    assert feed.entries[0].url == "https://www.qx.example.gov.cn/a?x=1&y=2"


def test_prefixes_nobody_declared():
    text = '<rss version="2.0"><channel><item><guid>1</guid><content:encoded>&lt;p&gt;正文&lt;/p&gt;</content:encoded><dc:creator>甲</dc:creator></item></channel></rss>'

    entry = read(text).entries[0]

    assert (entry.text, entry.author_id) == ("正文", "甲")


BOMB = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha">%s]><rss><channel><title>&%s;</title></channel></rss>'


@pytest.mark.parametrize(
    "body",
    [
        BOMB
        % ("".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)), "j"),
        BOMB % ('<!ENTITY x SYSTEM "file:///etc/passwd">', "x"),
        BOMB % ('<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;', "a"),
        '<!-- a --> <?pi x?>\n<!DOCTYPE rss PUBLIC "a>b" "c[d" [ ]><rss/>',
        "\ufeff <!doctype rss SYSTEM 'x>y' [<!ENTITY a 'b'>]><rss/>",
        (BOMB % ("", "a")).encode("utf-16"),
    ],
)
def test_entities_are_refused(body):
    with pytest.raises(FeedBroken, match="已拒绝"):
        read(body)


def test_public_doctype_alone_is_harmless():
    old = '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://127.0.0.1:9/rss.dtd"><rss version="0.91"><channel><item><title>甲</title></item></channel></rss>'

    assert read(old).entries[0].title == "甲"


def test_doctype_quoted_in_a_post_is_text():
    assert read(
        rss(
            "<item><guid>1</guid><description><![CDATA[<!DOCTYPE a [<!ENTITY b 'c'>]>文]]></description></item>"
        )
    ).entries


@pytest.mark.parametrize(
    "body",
    ["", "  \n", "<html><body>系统维护中</body></html>", "<!DOCTYPE html><html></html>", "维护中", "<x/>", "<rss", "[]", "{}",
     '{"errcode": 40001, "errmsg": "invalid"}', '{"items": 3}', '{"version": "2", "items": ["a"]}', "[" * 100_000, "{" + '"a":' * 50,
     b"\xff\xd8\xff\xe0", b"\x00" * 50, "<feed xmlns='http://purl.org/atom/ns#'/>", '{"items": [1' + "0" * 10_000],
)  # fmt: skip
def test_what_is_no_feed_says_so(body):
    with pytest.raises(FeedBroken) as broken:
        read(body)
    assert broken.value.reason


def test_empty_feed_is_empty():
    feed = read(rss(""))

    assert (feed.entries, feed.skipped) == ((), ())


HOSTILE = {
    "nested": "<rss><channel>" + "<item>" * 500_000,
    "items": "<rss><channel>" + "<item/>" * 1_000_000 + "</channel></rss>",
    "long items": "<rss><channel>" + ("<item><description>" + "&lt;b&gt;x" * 500 + "</description></item>") * 1_500,
    "one long item": "<rss><channel><item><description><![CDATA[" + "<b>x" * 1_900_000 + "]]></description></item></channel></rss>",
    "attribute": f'<rss x="{"y" * 7_000_000}"/>',
    "attributes": "<rss><channel><item " + " ".join(f'a{i}="1"' for i in range(400_000)) + "/></channel></rss>",
    "html attributes": "<rss><channel><item><description><![CDATA[<a " + " ".join(f"a{i}=1" for i in range(400_000)) + ">]]></description></item></channel></rss>",
    "namespaces": "<rss " + " ".join(f'xmlns:a{i}="u{i}"' for i in range(200_000)) + "/>",
    "ampersands": "<rss><channel>" + "&" * 7_000_000,
    "cdata": "<rss><channel>" + "<![CDATA[" * 800_000,
    "many cdata": "<rss><channel><item><title>" + "<![CDATA[&]]>" * 500_000 + "&</title></item></channel></rss>",
    "comments": "<!-- -->" * 1_000_000 + "<rss/>",
    "doctype": "<!DOCTYPE " + "'" * 7_000_000,
    "fields": "<rss><channel><item>" + "<x/>" * 1_500_000 + "</item></channel></rss>",
    "markup in title": "<rss><channel><item><title>" + "<b>x</b>" * 900_000 + "</title></item></channel></rss>",
    "json": '{"version":"https://jsonfeed.org/version/1","items":[' + "{}," * 2_000_000 + "{}]}",
    "json text": json.dumps({"items": [{"id": "1", "content_html": "<p>" * 2_000_000}]}),
    "dates": "<rss><channel>" + "<item><guid>%s</guid><pubDate>" + "一" * 5_000_000,
    "angles": "<" * 8_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_feed_costs_two_seconds_at_most(name):
    body = HOSTILE[name].encode()[: 8 << 20]
    with at_most(2), suppress(FeedBroken):
        feed = read(body)
        assert len(feed.entries) <= 1_000
        assert len(feed.skipped) <= 50


def test_a_feed_beyond_the_cap_is_refused_and_long_lists_are_cut_aloud():
    with pytest.raises(FeedBroken, match="8 MiB"):
        read(b" " * (8 * 1024 * 1024 + 1))
    feed = read(rss("".join(f"<item><guid>{i}</guid></item>" for i in range(1_200))))
    assert len(feed.entries) == 1_000
    assert feed.skipped == ("订阅源超过 1000 条，其余未读",)


PIECES = st.lists(
    st.sampled_from(
        ["<rss>", "<channel>", "<item>", "</item>", "<guid>", "1", "</guid>", "<title>", "甲", "</title>", "<link>", "//[", "</link>",
         "<pubDate>", "Mon, 20 Jul 2026", " 99:99:99 +0800", "</pubDate>", "<feed xmlns='http://www.w3.org/2005/Atom'>", "<entry>",
         "<link href='http://[::1'/>", "xml:base='//['", "&#x1F;", "&#0;", "&a;", "&", "<![CDATA[", "]]>", "<!--", "<?xml version='1.0'?>",
         "<!DOCTYPE", "[", "\x00", "\ud800", "￾", "{\"items\":[", "{\"id\":1e999}", "]}", "NaN", "<a:b>", "<a:b:c/>", "²"]
    ),
    max_size=40,
).map(lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass"))  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "url", "title", "authors", "author", "content_html", "date_published", "name"]), inner),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=200),
        PIECES,
        VALUES.map(
            lambda items: json.dumps(
                {"version": "https://jsonfeed.org/version/1", "items": [items]}
            ).encode()
        ),
    )
)
def test_nothing_but_the_named_error_is_raised(body):
    try:
        feed = read_feed(body, url=URL, now=NOW)
    except FeedBroken:
        return
    for entry in feed.entries:
        assert entry.key
        entry.title.encode()
        entry.text.encode()
        assert entry.published_at is None or entry.published_at.utcoffset() is not None


@given(st.text(max_size=200), st.booleans())
def test_xml_helper_raises_its_own_error_only(text, repair):
    with suppress(xmlsafe.NotXml):
        xmlsafe.parse("<" + text, repair=repair)
