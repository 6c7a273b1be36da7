"""Templates that name nothing: tables for layout, bare divs, line breaks for paragraphs."""

from datetime import datetime

import pytest

from crawler.extraction.article import Selectors, read_article

NOW = datetime.fromisoformat("2026-08-01T09:00:00+08:00")
ONE = "各有关单位要压实责任，落实值班值守制度，确保汛期信息畅通。"
TWO = "经现场核查，该路段积水已于当日18时全部排除，交通恢复正常。"
THREE = "下一步，我局将会同街道开展排水管网隐患排查，及时公布进展情况。"
SITE = "澜江区应急管理局"
NAV = "<table><tr><td><a href='/'>首页</a></td><td><a href='/a'>机构概况</a></td><td><a href='/b'>政务公开</a></td></tr></table>"
SIDE = (
    "<td width=200><b>通知公告</b><ul>"
    + "".join(
        f"<li><a href='/t{n}.html'>关于开展第{n}批物资储备检查工作的通知</a> 07-1{n}</li>"
        for n in range(6)
    )
    + "</ul><b>气象科普</b><p>雷电来临时，不要在大树下避雨，不要触摸金属门窗。</p></td>"
)
FOOT = (
    f"<table><tr><td align=center>主办单位：{SITE}　地址：江边路1号　邮编：000000<br>"
    "备案序号：粤ICP备00000号　网站标识码：4400000088</td></tr></table>"
)
TABLES = (
    f"{NAV}<table><tr>{SIDE}<td><table><tr><td align=center><font size=5>情况说明</font></td></tr>"
    f"<tr><td align=center>2026-07-20 08:10:00 &nbsp; 阅读次数：312</td></tr><tr><td><p>{ONE}</p><p>{TWO}</p><p>{THREE}</p>"
    f"<p align=right>{SITE}</p></td></tr></table></td></tr></table>{FOOT}"
)
BREAKS = (
    f"{NAV}<div><div>情况说明</div><div>{SITE} 2026-07-20 08:10:00</div><div>&nbsp;&nbsp;&nbsp;&nbsp;{ONE}<br/><br/>"
    f"&nbsp;&nbsp;&nbsp;&nbsp;{TWO}<br/>&nbsp;&nbsp;&nbsp;&nbsp;{THREE}<br/><div align=right>{SITE}</div></div></div>{FOOT}"
)
SECTIONS = (
    f"{NAV}<h1>情况说明</h1><div>发布时间：2026-07-20 08:10:00</div><div><div><div><p>{ONE}</p></div></div>"
    f"<div><div><p>{TWO}</p></div></div><div><div><p>{THREE}</p></div></div><div><p>{SITE}</p></div></div>{FOOT}"
)


def read(inner, title=f"情况说明-{SITE}", **more):
    html = f"<html><head><title>{title}</title></head><body>{inner}</body></html>"
    return read_article(html.encode("gb18030"), fetched_at=NOW, **more)


@pytest.mark.parametrize("inner", [TABLES, BREAKS, SECTIONS], ids=["tables", "breaks", "sections"])
def test_prose_is_found_without_any_name_to_go_by(inner):
    article = read(inner)

    assert article.title == "情况说明"
    assert article.text.splitlines() == [ONE, TWO, THREE, SITE]
    assert article.published_at.isoformat() == "2026-07-20T08:10:00+08:00"
    assert article.how["text"] == "generic"
    assert article.confidence < 0.7


def test_a_list_of_names_keeps_its_short_lines():
    names = ["张三 男 大学本科", "李四 女 硕士研究生", "王五 男 大学本科"]
    lines = "".join(f"<p>{name}</p>" for name in names)

    text = read(
        f"<h1>情况说明</h1><div><p>现将拟录用人员名单公示如下：</p>{lines}</div>{FOOT}"
    ).text

    assert text.splitlines() == ["现将拟录用人员名单公示如下：", *names]


def test_one_short_sentence_is_an_article():
    inner = f"{NAV}<div class=bt>情况说明</div><div class=sj>[2026-07-20]</div><div>明日8时至12时机房检修。</div>{FOOT}"

    article = read(inner)

    assert article.text == "明日8时至12时机房检修。"
    assert article.published_at.isoformat() == "2026-07-20T00:00:00+08:00"


def test_a_lively_discussion_does_not_become_the_article():
    angry = "你们的预警又晚了，我家已经进水了，打电话也没有人接，怎么回事？"
    items = f"<div class=item><p>{angry}</p></div>" * 12

    text = read(
        f"<h1>情况说明</h1><div><p>{ONE}</p><p>{TWO}</p></div><div class=comment-list>{items}</div>"
    ).text

    assert text.splitlines() == [ONE, TWO]


def test_a_planted_hidden_block_is_not_read():
    planted = "<p>立即注册领取彩金，客服在线解答您的各种问题。</p>" * 2000

    text = read(
        f"<h1>情况说明</h1><div><p>{ONE}</p></div><div style='DISPLAY : none;'>{planted}</div>{FOOT}"
    ).text

    assert text == ONE


def test_teasers_beside_the_article_stay_out():
    cards = "".join(
        f"<div class=c><h4><a href='/{n}'>各地开展演练之{n}</a></h4><p>{TWO}{THREE}</p></div>"
        for n in range(6)
    )

    text = read(
        f"<div><h1>情况说明</h1><div><p>{ONE}</p><p>{THREE}</p></div><div>{cards}</div></div>{FOOT}"
    ).text

    assert text.splitlines() == [ONE, THREE]


def test_english_prose_is_read_the_same_way():
    prose = [
        f"The bureau said on day {n} that water levels along the river had fallen below the warning line."
        for n in range(5)
    ]
    inner = (
        "<nav><a href='/'>Home</a></nav><article><h1>River levels fall</h1><p class='byline'>By A. Reporter</p>"
        + "".join(f"<p>{text}</p>" for text in prose)
        + "<aside><p>Subscribe to our newsletter for daily updates on the weather in your inbox.</p></aside></article>"
        "<footer><p>© 2026 Example. All rights reserved.</p></footer>"
    )

    article = read(inner, title="River levels fall | Example News")

    assert article.title == "River levels fall"
    assert article.text.splitlines() == prose


def test_a_chosen_inline_element_is_a_body_too():
    article = read(
        f"<h1>情况说明</h1><p>{ONE}<span class=x>{TWO}</span></p>",
        selectors=Selectors(body="span.x"),
    )

    assert article.text == TWO
    assert article.how["text"] == "selector"
