"""Whatever a hijacked site sends: an answer within two seconds, and no exception."""

import random
from datetime import datetime

import pytest

from crawler.extraction import charset, dates
from crawler.extraction.article import Selectors, read_article
from crawler.extraction.letters import is_letter, read_letter
from tests.patience import at_most

NOW = datetime.fromisoformat("2026-08-01T09:00:00+08:00")
TEXT = "请各单位检查排水系统，采取必要的排涝措施，加强值班值守，及时报送有关情况。"
NOISE = random.Random(7).randbytes(200_000)

HOSTILE = {
    "nested divs": b"<html><body>" + b"<div>" * 50_000 + TEXT.encode() + b"</div>" * 50_000,
    "nested tables": b"<table><tr><td>" * 20_000 + TEXT.encode(),
    "nested inline": b"<b><i><font>" * 20_000 + TEXT.encode(),
    "unclosed links": b"<a href=x>" * 50_000 + TEXT.encode(),
    "nul bytes": b"<html>\x00<body>\x00<p>\x00" + TEXT.encode() + b"\x00</p>" + b"\x00" * 100_000,
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + NOISE,
    "noise": NOISE,
    "noise in a body": b"<html><body><p>" + NOISE + b"</p>",
    "empty": b"",
    "long attribute": b"<div class='"
    + b"a-" * 100_000
    + b"' style='"
    + b"display " * 25_000
    + b"'>x</div>",
    "long title": b"<title>"
    + "防".encode() * 200_000
    + b"</title><h1>"
    + b"- " * 100_000
    + b"</h1>",
    "many metas": b"<meta name='PubDate' content='2026-07-20'>" * 20_000,
    "many brs": TEXT.encode() + b"<br>" * 200_000 + TEXT.encode(),
    "one long line": b"<p>" + TEXT.encode() * 20_000 + b"</p>",
    "spaces": b"<p>" + b" " * 1_000_000 + b"</p><title>" + b" " * 500_000,
    "labels": ("<p>" + "发布时间：来源：" * 40_000 + "</p>").encode(),
    "digits": ("<p>发布时间：" + "2026-" * 100_000 + "</p><p>" + "1" * 500_000 + "</p>").encode(),
    "letter labels": ("<p>" + "回复内容：办理状态：" * 20_000 + "</p>").encode(),
    "many cards": b"<ul>"
    + "<li><a href='/x'>标题文字标题文字</a>摘要。</li>".encode() * 20_000
    + b"</ul>",
    "many classes": b"<div class='related share nav content zoom'><p>x</p>" * 10_000,
    "xml declaration": b"<?xml version='1.0' encoding='utf-16'?><html><body><p>" + TEXT.encode(),
    "doctype bomb": b"<!DOCTYPE html [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]><p>&b;&b;&b;</p>",
    "json deep": b"[" * 100_000,
    "ld+json deep": b"<script type='application/ld+json'>" + b"[" * 100_000 + b"</script><p>x</p>",
    "bad links": b"<p>x</p>"
    + b"<a href='http://[::1/a.pdf'>a.pdf</a><a href='//[bad'>b.doc</a>" * 2000,
    "surrogates": b"<p>\xed\xa0\x80\xed\xbf\xbf</p>" * 2000,
    "comments": b"<!--" * 100_000 + TEXT.encode(),
    "script soup": b"<script>" + b"<div>'\"" * 50_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_an_answer_within_two_seconds_and_no_exception(body, caplog):
    with at_most(2):
        article = read_article(body, url="http://www.example.gov.cn/a.html", fetched_at=NOW,
                               selectors=Selectors(remove=(".ad",)))  # fmt: skip
    with at_most(4):
        is_letter(body)
        read_letter(body, fetched_at=NOW)

    assert isinstance(article.text, str)
    assert article.soft_failure != "页面解析失败"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_random_mutations_never_raise():
    seed = random.Random(20260801)
    page = f"<html><head><title>通报</title></head><body><h1>通报</h1><p>发布时间：2026-07-20</p><div id='zoom'><p>{TEXT}</p></div></body></html>"
    for _ in range(300):
        body = bytearray(
            page.encode(seed.choice(["utf-8", "gb18030", "utf-16", "big5"]), "replace")
        )
        for _ in range(seed.randrange(1, 12)):
            place = seed.randrange(len(body))
            body[place : place + seed.randrange(4)] = seed.randbytes(seed.randrange(5))

        article = read_article(bytes(body), fetched_at=NOW)

        assert article.soft_failure != "页面解析失败"


def test_dates_and_charsets_survive_anything():
    seed = random.Random(3)
    alphabet = "0123456789-/.:年月日时分秒前天昨今星期一二三十〇上下午 TZ+GMT点半周发布时间"
    for _ in range(3000):
        text = "".join(seed.choice(alphabet) for _ in range(seed.randrange(40)))
        moment = dates.parse(text, NOW)
        assert moment is None or moment.at.tzinfo is not None
        charset.decode(seed.randbytes(seed.randrange(60)), text)


def test_what_follows_an_early_end_of_the_page_is_read():
    page = (
        "<html><body><div>页头</div></body></html><div class='TRS_Editor'>"
        "<p>请各单位检查排水系统，加强值班值守，及时报送有关情况。</p></div></body></html>"
    )

    assert "检查排水系统" in read_article(page.encode(), fetched_at=NOW).text


def test_a_tag_with_half_a_million_attributes_is_given_up_at_once():
    page = "<html><body><p " + " ".join(f"a{n}" for n in range(500_000)) + ">x</p></body></html>"

    with at_most(4):
        assert read_article(page.encode(), fetched_at=NOW).text == ""
