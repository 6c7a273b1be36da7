"""Invented pages in the manner of each content system, with the traps such pages carry."""

from datetime import datetime

import pytest

from crawler.extraction.article import Selectors, read_article

NOW = datetime.fromisoformat("2026-08-01T09:00:00+08:00")
FIRST = "受副热带高压边缘暖湿气流影响，今天夜里到明天白天，全市自西向东有一次明显降水过程。"
SECOND = "请市民尽量减少外出，不要在低洼路段停留，发现险情请及时拨打应急值守电话。"
THIRD = "市气象台将密切监视天气变化，适时更新预警信号，请以本台最新发布为准。"
BODY = f"{FIRST}\n{SECOND}\n{THIRD}"
FOOT = (
    "<div class='foot'><p>主办：澜江市气象局　承办：澜江市气象信息中心　技术支持：某某公司</p>"
    "<p>网站标识码：4400000099　备案号：粤ICP备00000000号　公网安备 44000000000000号</p></div>"
)
NAV = (
    "<ul class='menu'><li><a href='/'>首页</a></li><li><a href='/zw/'>政务公开</a></li>"
    "<li><a href='/hd/'>互动交流</a></li></ul>"
)
HOT = (
    "<div class='rmtj'><h3>热门推荐</h3><ul>"
    + "".join(f"<li><a href='/a/{n}.html'>第{n}次会商研判汛情工作部署</a></li>" for n in range(6))
    + "</ul></div>"
)


def paragraphs(*texts, tag="p"):
    return "".join(f"<{tag}>　　{text}</{tag}>" for text in texts)


def page(inner, head="", title="澜江市发布暴雨黄色预警-澜江市气象局"):
    return (
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>{title}</title>{head}</head>"
        f"<body>{NAV}{inner}{HOT}{FOOT}</body></html>"
    )


def read(html, **more):
    more.setdefault("fetched_at", NOW)
    more.setdefault("url", "http://www.example.gov.cn/zw/tz/content.html")
    return read_article(html.encode(), **more)


TRS = page(
    "<div class='crumb'>当前位置：<a>首页</a> &gt; <a>预警服务</a> &gt; 预警信息</div>"
    "<h2 class='bt'>澜江市发布暴雨黄色预警</h2>"
    "<div class='xx'><span>发布时间：2026-07-20 06:45</span><span>来源：澜江市气象台</span>"
    "<span>浏览次数：2026</span></div>"
    f"<div class='view TRS_UEDITOR trs_paper_default trs_web'>{paragraphs(FIRST, SECOND, THIRD)}"
    "<p style='display:none'>隐藏的推广文字不应被读到，也不应当出现在正文里面。</p></div>"
    "<p>责任编辑：王某</p><p>分享到：微信 微博</p>"
)
TRS_OLD = page(
    "<div class='cas_content'><div id='title'>澜江市发布暴雨黄色预警</div>"
    "<div class='TRS_Editor'><style>.TRS_Editor P{line-height:2}</style>"
    f"<div class='TRS_Editor'><p class=MsoNormal><o:p></o:p><font face=宋体>{FIRST}</font></p>"
    f"<p class=MsoNormal>{SECOND}</p><p>&nbsp;</p><p>{THIRD}</p></div></div></div>"
    "<div>【字体：<a>大</a> <a>小</a>】【<a>打印</a>】2026年7月20日 6时45分</div>",
    head="<META CONTENT='2026-07-20 06:45' NAME='pubdate'><meta content='澜江市气象台' "
    "name='CONTENTSOURCE'><meta name=ArticleTitle content='澜江市发布暴雨黄色预警'>",
)
JPAGE = page(
    "<table width=980><tr><td class='title'>澜江市发布暴雨黄色预警</td></tr>"
    "<tr><td align=center>日期：2026-07-20 06:45&nbsp;&nbsp;来源：澜江市气象台&nbsp;&nbsp;"
    "浏览次数：<script>document.write(81)</script>&nbsp;字号：[ 大 中 小 ]</td></tr>"
    f"<tr><td class='bt_content'><div id='zoom'><!--ZJEG_RSS.content.begin-->{paragraphs(FIRST, SECOND, THIRD)}"
    "<!--ZJEG_RSS.content.end--></div></td></tr>"
    "<tr><td>【打印本页】【关闭窗口】</td></tr></table>",
    title="澜江市气象局 预警信息 澜江市发布暴雨黄色预警",
)
VSB = page(
    "<form name='_newscontent_fromname'><div class='ar_title'><h3>澜江市发布暴雨黄色预警</h3>"
    "<h6>作者：   时间：2026-07-20   点击数：<span id='dynclicks'></span></h6></div>"
    f"<div id='vsb_content_2'><div class='v_news_content'>{paragraphs(FIRST, SECOND, THIRD)}</div></div>"
    "<p>【<a href='javascript:window.close()'>关闭</a>】</p>"
    "<p>上一条：<a href='1.htm'>关于开展隐患排查的通知</a></p><p>下一条：无</p></form>"
)
WEBPLUS = page(
    "<div class='article'><h1 class='arti_title'>澜江市发布暴雨黄色预警</h1>"
    "<p class='arti_metas'><span class='arti_publisher'>发布者：办公室</span>"
    "<span class='arti_update'>发布时间：2026-07-20</span>"
    "<span class='arti_views'>浏览次数：<span>10</span></span></p>"
    f"<div class='entry'><div class='read'><div class='wp_articlecontent'>{paragraphs(FIRST, SECOND, THIRD)}</div></div></div></div>"
)
UCAP = page(
    "<div class='pages-title'>澜江市发布暴雨<br>黄色预警</div>"
    "<div class='pages-date'>2026-07-20 06:45<span class='font'>来源： 澜江市气象台</span>"
    "<div class='pages-print'>【字体：大 中 小】打印</div></div>"
    f"<div class='pages_content' id='UCAP-CONTENT'><ucapcontent>{paragraphs(FIRST, SECOND, THIRD)}</ucapcontent>"
    "<div class='editor'><span>责任编辑：</span>李某</div></div>"
)
GKMLPT = page(
    "<div class='classify'><table><tr><td>索引号</td><td>006-2026-00099</td><td>分类</td>"
    "<td>预警信息</td></tr><tr><td>发布机构：</td><td>澜江市气象台</td><td>成文日期：</td>"
    "<td>2026-07-19</td></tr><tr><td>名称：</td><td>澜江市发布暴雨黄色预警</td>"
    "<td>发布日期：</td><td>2026-07-20</td></tr></table></div>"
    "<h1 class='title'>澜江市发布暴雨黄色预警</h1>"
    f"<div class='content'><div class='article-content'>{paragraphs(FIRST, SECOND, THIRD)}</div></div>"
    "<script>var SID='755099';</script>"
)
JPAAS = page(
    "<div class='article'><div class='sp_title'><h1>澜江市发布暴雨黄色预警</h1></div>"
    "<div class='sp_time'><font>发布时间：2026-07-20 06:45</font><font>来源：澜江市气象台</font></div>"
    f"<div class='article-conter' id='zoom'>{paragraphs(FIRST, SECOND, THIRD)}</div></div>"
)
WECHAT = (
    "<!DOCTYPE html><html><head><meta charset='utf-8'><title></title>"
    "<meta property='og:title' content='澜江市发布暴雨黄色预警'></head><body id='activity-detail'>"
    "<h1 class='rich_media_title' id='activity-name'>\n  澜江市发布暴雨黄色预警\n</h1>"
    "<div id='meta_content'><a id='js_name'>澜江气象</a><em id='publish_time'></em></div>"
    "<div class='rich_media_content' id='js_content' style='visibility: hidden; opacity: 0;'>"
    f"<section><section><p><span>{FIRST}</span></p></section><p>{SECOND}</p></section><p>{THIRD}</p></div>"
    "<div class='rich_media_tool'>阅读 1000+ 赞 在看</div>"
    "<script>var ct = \"1784501100\"; var nickname = '澜江气象';</script></body></html>"
)
PLAIN = page(
    "<center><b>澜江市发布暴雨黄色预警</b></center><center>2026年7月20日</center>"
    f"<table><tr><td><font size=3>{FIRST}<br><br>　　{SECOND}<br>　　{THIRD}</font></td></tr></table>"
)


@pytest.mark.parametrize(
    ("html", "found", "day"),
    [
        pytest.param(TRS, "container:trs", "2026-07-20T06:45", id="trs"),
        pytest.param(TRS_OLD, "container:trs", "2026-07-20T06:45", id="trs-word"),
        pytest.param(JPAGE, "container:jpage", "2026-07-20T06:45", id="jpage"),
        pytest.param(VSB, "container:vsb", "2026-07-20T00:00", id="vsb"),
        pytest.param(WEBPLUS, "container:webplus", "2026-07-20T00:00", id="webplus"),
        pytest.param(UCAP, "container:ucap", "2026-07-20T06:45", id="ucap"),
        pytest.param(GKMLPT, "container:common", "2026-07-20T00:00", id="gkmlpt"),
        pytest.param(JPAAS, "container:jpaas", "2026-07-20T06:45", id="jpaas"),
        pytest.param(WECHAT, "container:wechat", "2026-07-20T06:45", id="wechat"),
        pytest.param(PLAIN, "generic", "2026-07-20T00:00", id="hand-made"),
    ],
)
def test_each_system_gives_title_time_and_the_whole_body(html, found, day):
    article = read(html)

    assert article.title == "澜江市发布暴雨黄色预警"
    assert article.text == BODY
    assert article.published_at is not None
    assert article.published_at.isoformat() == f"{day}:00+08:00"
    assert article.how["text"] == found
    assert article.soft_failure == ""
    assert article.confidence > 0.5


@pytest.mark.parametrize("html", [TRS, TRS_OLD, JPAGE, UCAP, GKMLPT, JPAAS])
def test_the_signing_source_is_read(html):
    assert read(html).source == "澜江市气象台"


def test_column_comes_from_the_crumbs_where_no_tag_names_it():
    assert read(TRS).column == "预警信息"


def test_tags_of_another_city_do_not_win_over_what_is_visible():
    wrong = (
        "<meta name='SiteName' content='远山市人民政府'><meta name='PubDate' content='2019-01-01 "
        "00:00:00'><meta name='ArticleTitle' content='远山市召开人事工作会议'>"
        "<meta name='ContentSource' content='远山市人民政府办公室'>"
    )

    article = read(TRS.replace("</head>", wrong + "</head>"))

    assert article.title == "澜江市发布暴雨黄色预警"
    assert article.published_at.isoformat() == "2026-07-20T06:45:00+08:00"
    assert article.source == "澜江市气象台"
    assert article.site == "澜江市气象局"
    assert "disagrees" in article.how["published_at"]
    assert article.confidence < read(TRS).confidence


def test_the_tag_adds_the_time_of_day_to_a_visible_day():
    head = "<meta name='PubDate' content='2026-07-20 16:08:31'>"

    article = read(VSB.replace("</head>", head + "</head>"))

    assert article.published_at.isoformat() == "2026-07-20T16:08:31+08:00"
    assert article.precision == "second"


def test_midnight_in_the_tag_means_only_the_day_is_known():
    head = "<meta name='PubDate' content='2026-07-20 00:00:00'>"

    article = read(
        page(f"<h1>通报</h1><div id='zoom'>{paragraphs(FIRST, SECOND)}</div>", head=head)
    )

    assert article.precision == "day"


@pytest.mark.parametrize(
    "shown",
    ["2026-02-30", "2026-13-01", "2036-01-01", "1998-07-01", "浏览次数：20260720", "——", ""],
)
def test_an_unreadable_or_incredible_time_is_null_and_not_guessed(shown):
    html = page(
        f"<h1>情况通报</h1><p>发布时间：{shown}</p><div id='zoom'>{paragraphs(FIRST)}</div>"
    )

    article = read(html)

    assert article.published_at is None
    assert article.precision is None


def test_a_date_inside_the_text_is_not_the_publication_time():
    html = page(
        f"<h1>防汛回顾</h1><div id='zoom'><p>2020年7月1日，{FIRST}</p><p>{SECOND}</p></div>"
    )

    assert read(html).published_at is None


def test_publication_wins_over_update_and_hits_are_no_year():
    html = page(
        "<h1>情况通报</h1><p>更新时间：2026-07-25 10:00 点击：2025 发布时间：2026-07-20 06:45</p>"
        f"<div id='zoom'>{paragraphs(FIRST, SECOND)}</div>"
    )

    assert read(html).published_at.isoformat() == "2026-07-20T06:45:00+08:00"


def test_the_address_gives_the_day_where_the_page_gives_none():
    html = page(f"<h1>情况通报</h1><div id='zoom'>{paragraphs(FIRST, SECOND)}</div>")

    article = read(html, url="http://www.example.gov.cn/tz/202607/t20260720_185368.html")

    assert article.published_at.isoformat() == "2026-07-20T00:00:00+08:00"
    assert article.how["published_at"] == "url"


def test_attachments_are_listed_and_stay_out_of_the_text():
    html = page(
        f"<h1>关于印发预案的通知</h1><div id='zoom'>{paragraphs(FIRST, SECOND)}"
        "<p>附件：<a href='./P1.docx'>1.应急预案.docx</a></p>"
        "<p><a href='/module/download/downfile.jsp?classid=0&filename=ab12.pdf'>物资清单.pdf</a></p>"
        "</div><div class='fj'>附件下载：<a href='/fj/3.xls' title='名单.xls'>名单</a></div>"
    )

    article = read(html, url="http://www.example.gov.cn/tz/a.html")

    assert article.text == f"{FIRST}\n{SECOND}"
    assert [(file.name, file.url) for file in article.attachments] == [
        ("1.应急预案.docx", "http://www.example.gov.cn/tz/P1.docx"),
        (
            "物资清单.pdf",
            "http://www.example.gov.cn/module/download/downfile.jsp?classid=0&filename=ab12.pdf",
        ),
        ("名单", "http://www.example.gov.cn/fj/3.xls"),
    ]


def test_a_body_that_is_only_a_file_or_a_picture_is_empty_but_no_failure():
    html = page(
        "<h1>关于印发预案的通知</h1><p>发布时间：2026-07-20 来源：办公室</p>"
        "<div id='zoom'><p><img src='/img/scan1.jpg'></p><p><a href='a.pdf'>预案全文.pdf</a></p></div>"
    )

    article = read(html)

    assert article.text == ""
    assert article.soft_failure == ""
    assert article.attachments[0].name == "预案全文.pdf"
    assert article.images == ("http://www.example.gov.cn/img/scan1.jpg",)
    assert article.confidence <= 0.3


def test_an_empty_container_does_not_hide_the_one_that_is_filled():
    html = page(
        "<h1>情况通报</h1><div class='TRS_Editor'></div>"
        f"<div id='zoom'>{paragraphs(FIRST, SECOND)}</div>"
    )

    assert read(html).text == f"{FIRST}\n{SECOND}"


def test_a_container_that_is_only_a_part_is_widened():
    longer = [f"第{n}条　{FIRST}{SECOND}" for n in "二三四五"]
    html = page(
        "<h1>管理办法</h1><div class='wz'><div class='TRS_Editor'><p>第一条　为加强管理，制定本办法。</p></div>"
        f"{paragraphs(*longer)}</div>"
    )

    assert read(html).text.splitlines() == [
        "第一条 为加强管理，制定本办法。",
        *(t.replace("　", " ") for t in longer),
    ]


def test_words_of_share_bars_and_editors_leave_the_text():
    html = page(
        f"<h1>情况通报</h1><div id='zoom'><p>情况通报</p><p>来源：办公室　时间：2026-07-20</p>{paragraphs(FIRST, SECOND)}"
        "<p>扫一扫在手机打开当前页</p><p>（责任编辑：张某）</p><div class='bdsharebuttonbox'>分享到：QQ</div>"
        "<p>浏览次数：88</p></div>"
    )

    assert read(html).text == f"{FIRST}\n{SECOND}"


def test_invisible_characters_do_not_reach_the_text():
    html = page(
        f"<h1>情况\u200b通报</h1><div id='zoom'><p>{FIRST}\u202e\u2066\ufeff</p><p>{SECOND}\u00ad</p></div>"
    )

    article = read(html)

    assert article.title == "情况通报"
    assert article.text == f"{FIRST}\n{SECOND}"


def test_a_data_table_keeps_its_rows_together():
    html = page(
        f"<h1>雨情通报</h1><div id='zoom'><p>{FIRST}</p><table><tr><th>站点</th><th>雨量</th></tr>"
        "<tr><td>城区站</td><td>56.3毫米</td></tr><tr><td>江口站</td><td>81.0毫米</td></tr></table></div>"
    )

    assert read(html).text.splitlines()[1:] == ["站点 雨量", "城区站 56.3毫米", "江口站 81.0毫米"]


def test_selectors_come_first_and_say_so():
    html = page(
        "<div class='hd'>内部编号 88</div><div class='t9'>真正的标题</div><i class='when'>昨天 08:30</i>"
        f"<b class='who'>来源：值班室</b><div id='zoom'><p>导读文字不是正文。</p></div>"
        f"<div class='b9'><p>{FIRST}</p><p class='ad'>{THIRD}</p><p>{SECOND}</p></div>"
    )
    selectors = Selectors(
        title=".t9", body="//div[@class='b9']", published=".when", source=".who", remove=(".ad",)
    )

    article = read(html, selectors=selectors)

    assert article.title == "真正的标题"
    assert article.text == f"{FIRST}\n{SECOND}"
    assert article.published_at.isoformat() == "2026-07-31T08:30:00+08:00"
    assert article.source == "值班室"
    assert {article.how[name] for name in ("title", "text", "published_at", "source")} == {
        "selector"
    }


def test_a_broken_selector_is_named_and_harms_nothing():
    selectors = Selectors(title="h1:::", body="//div[", remove=("..", "#zoom p:nth-child("))

    assert [line.split("：")[0] for line in selectors.problems()] == [
        "title",
        "body",
        "remove[0]",
        "remove[1]",
    ]
    assert read(TRS, selectors=selectors).text == BODY


@pytest.mark.parametrize(
    ("head", "heading", "meta"),
    [
        ("关于防汛的通知_澜江市气象局", "关于防汛的通知", ""),
        ("关于防汛的通知 - 通知公告 - 澜江市气象局门户网站", "", ""),
        ("澜江市气象局>>关于防汛的通知", "关于防汛的通知", ""),
        ("澜江市气象局", "关于防汛的通知", ""),
        ("关于防汛的…-澜江市气象局", "关于防汛的通知", "关于防汛的通知"),
        ("", "关于防汛的通知", ""),
        ("关于防汛的通知", "", ""),
        ("详情页", "", "关于防汛的通知"),
    ],
)
def test_titles_lose_the_site_and_nothing_else(head, heading, meta):
    html = page(
        (f"<h1>{heading}</h1>" if heading else "")
        + f"<div id='zoom'>{paragraphs(FIRST, SECOND)}</div>",
        title=head,
        head="<meta name='SiteName' content='澜江市气象局'>"
        + (f"<meta name='ArticleTitle' content='{meta}'>" if meta else ""),
    )
    expected = "关于防汛的通知"

    assert read(html).title == expected


@pytest.mark.parametrize(
    "title",
    [
        "2025-2026年度采购结果公示",
        "防汛知识|暴雨来了怎么办",
        "“安全生产月”活动——走进社区",
        "市气象局：明日有雨",
    ],
)
def test_dashes_and_bars_inside_a_title_stay(title):
    html = page(
        f"<h1>{title}</h1><div id='zoom'>{paragraphs(FIRST, SECOND)}</div>",
        title=f"{title}-澜江市气象局",
    )

    assert read(html).title == title


def test_a_charset_label_that_lies_is_recorded():
    article = read_article(
        TRS.replace("charset='utf-8'", "charset='gb2312'").encode("gb18030"),
        content_type="text/html; charset=ISO-8859-1",
        fetched_at=NOW,
    )

    assert article.text == BODY
    assert (article.charset_declared, article.charset_used) == ("iso-8859-1", "gb18030")


@pytest.mark.parametrize(
    "said",
    [
        "收藏好这份避险指南，汛期用得上",
        "分享一个发现：河堤有裂缝",
        "分享到群里的决堤照片是假的",
        "打印店门口着火了",
        "关闭全部景区，直至预警解除",
        "关闭窗口后燃气味仍很重，请派人来",
        "阅读室里冒烟了",
        "访问村民时发现山体有裂缝",
        "无障碍通道被水淹了",
        "二维码扫不出来，报不了灾情",
        "返回首页山庄的路断了",
        "字体广告牌被风刮落",
    ],
)
@pytest.mark.parametrize("box", ["TRS_Editor", "v_news_content", "wenzi"])
def test_a_sentence_that_begins_like_a_button_is_never_lost(said, box):
    alone = read(page(f"<h1>群众留言</h1><div class='{box}'>{paragraphs(said)}</div>"))
    amid = read(page(f"<h1>群众留言</h1><div class='{box}'>{paragraphs(FIRST, said, THIRD)}</div>"))
    leading = read(page(f"<h1>群众留言</h1><div class='{box}'>{paragraphs(said, SECOND)}</div>"))

    assert amid.text == f"{FIRST}\n{said}\n{THIRD}"
    assert leading.text == f"{said}\n{SECOND}"
    if box != "wenzi":  # nothing tells a lone short line from its surroundings elsewhere
        assert alone.text == said


@pytest.mark.parametrize(
    "buttons",
    [
        "【打印本页】 【关闭窗口】",
        "分享到：微信 新浪微博 QQ空间",
        "收藏",
        "打印 | 收藏 | 关闭",
        "我要纠错 打印 分享",
        "分享至朋友圈",
        "[打印此页]　[关闭]",
        "分享",
        "二维码：",
        "无障碍浏览",
    ],
)
def test_buttons_among_the_text_are_left_out(buttons):
    inner = paragraphs(FIRST, SECOND, buttons, THIRD)

    got = read(page(f"<h1>群众留言</h1><div class='TRS_Editor'>{inner}</div>"))

    assert got.text == BODY
