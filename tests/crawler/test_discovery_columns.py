"""Invented list pages, one for each content-management system the agency's sites may run on."""

from contextlib import suppress
from string import Template

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.discovery.broken import ListBroken
from crawler.discovery.columns import STYLES, NextPage, Selectors, read_list, recognise
from tests.patience import at_most

SITE = "https://www.qx.example.gov.cn"
NAV = """
<div class="header"><div class="nav"><ul>
<li><a href="/">网站首页</a></li><li><a href="/zwgk/">政务公开</a></li><li><a href="/gzcy/">公众参与</a></li>
<li><a href="/qxkp/index.html">气象科普园地</a></li><li><a href="/wsbs/">网上办事</a></li></ul></div>
<div class="crumbs">当前位置：<a href="/">首页</a> &gt; <a href="./">工作动态</a></div></div>"""
FOOT = """
<div class="footer"><a href="/wzdt.html">网站地图</a><a href="/about/lxwm.html">联系我们</a>
<div class="friend-link"><a href="http://www.cma.example.gov.cn/">上级气象主管机构门户网站</a>
<a href="http://www.city.example.gov.cn/">某某市人民政府门户网站</a></div></div>"""


def whole(middle, head=""):
    return f"<!DOCTYPE html><html><head><title>工作动态</title>{head}</head><body>{NAV}{middle}{FOOT}</body></html>"


TRS_ROW = Template(
    '<li><span>$date</span><a href="./202607/t202607${d}_10$n.html" title="$title">$short</a></li>'
)
TITLES = [
    "市气象局部署主汛期强降水预报预警服务工作",
    "我市开展防雷安全专项检查行动",
    "关于汛期值班值守安排的通知",
    "城区积涝风险预警平台投入业务运行",
    "暴雨橙色预警信号解除",
    "市局组织召开年中工作推进会议",
    "人工影响天气作业公告",
]


def trs_page(total=12, current=0, rows=7, call=None):
    items = [
        TRS_ROW.substitute(
            date=f"2026-07-{20 - i:02d}",
            d=f"{20 - i:02d}",
            n=i + 10 * current,
            title=t,
            short=t[:12] + "...",
        )
        for i, t in enumerate(TITLES[:rows])
    ]
    # the template starts a new <ul> after five rows
    body = f'<div class="gl_list"><ul class="list1">{"".join(items[:5])}</ul><ul class="list2">{"".join(items[5:])}</ul></div>'
    call = call or f'createPageHTML({total}, {current}, "index", "html");'
    script = f"<script>function createPageHTML(_nPageCount, _nCurrIndex, _sPageName, _sPageExt){{ }}\n{call}</script>"
    return whole(body + f'<div class="page">{script}</div>')


def test_trs_list_gives_its_articles_and_nothing_else():
    page = read_list(trs_page(), url=f"{SITE}/gzdt/")

    assert page.style == "trs"
    assert [entry.title for entry in page.entries] == TITLES
    assert page.entries[0].url == f"{SITE}/gzdt/202607/t20260720_100.html"
    assert [entry.date_raw for entry in page.entries][:2] == ["2026-07-20", "2026-07-19"]
    assert page.total_pages == 12


@pytest.mark.parametrize(
    ("url", "number", "current", "following"),
    [
        (f"{SITE}/gzdt/", 1, 0, "index_1.html"),
        (f"{SITE}/gzdt/index.html", 1, 0, "index_1.html"),
        (f"{SITE}/gzdt/index_1.html", 2, 1, "index_2.html"),
        (f"{SITE}/gzdt/index_1.html", 2, 0, "index_2.html"),  # the script forgot to count
        (f"{SITE}/gzdt/index_10.html", 11, 10, "index_11.html"),
        (f"{SITE}/gzdt/index_11.html", 12, 11, None),
    ],
)
def test_in_trs_index_1_is_the_second_page(url, number, current, following):
    page = read_list(trs_page(12, current), url=url, style="trs", page=number)

    assert page.next == (NextPage(f"{SITE}/gzdt/{following}") if following else None)


@pytest.mark.parametrize(
    "call",
    [
        "createPageHTML(12,0,'index','html')",
        "createPageHTML('page_div', 12, 0, 'index', 'html', 180);",
        "var countPage = 12; var currentPage=0; createPageHTML(countPage, currentPage, 'index', 'html');",
    ],
)
def test_trs_call_comes_in_several_spellings(call):
    page = read_list(trs_page(call=call), url=f"{SITE}/gzdt/")

    assert (page.next, page.total_pages) == (NextPage(f"{SITE}/gzdt/index_1.html"), 12)


def test_single_trs_page_has_no_next():
    assert read_list(trs_page(total=1), url=f"{SITE}/gzdt/").next is None


RECORD = "<record><![CDATA[<li><a href='{href}' title='{title}' target='_blank'>{title}</a><span class='bt-data-time'>[{date}]</span></li>]]></record>"


def records(first, last):
    return "".join(
        RECORD.format(href=f"/art/2026/7/{1 + n % 28}/art_282_{n}.html", title=f"{TITLES[n % 7]}（第{n}期）",
                      date=f"2026-07-{1 + n % 28:02d}")
        for n in range(first, last + 1)
    )  # fmt: skip


def jpage_first(total=40, per=15, held=15):
    return whole(f"""
<div class="list_nr"><div id="423656"><script type="text/xml"><datastore>
<nextgroup><![CDATA[<a href="/module/web/jpage/dataproxy.jsp?page=1&appid=1&appid=1&webid=3&path=/&columnid=282&unitid=423656&webname=%E6%B0%94%E8%B1%A1%E5%B1%80&permissiontype=0"></a>]]></nextgroup>
<recordset>{records(1, held)}</recordset></datastore></script></div></div>
<script>
$(function(){{ $("#423656").jpage({{ themeName:'default', dataBefore:'<ul>', dataAfter:'</ul>', totalRecord:{total}, perPage:{per},
 proxyUrl:'/module/web/jpage/dataproxy.jsp',
 ajaxParam:{{col:1,appid:'1',webid:'3',path:'/',columnid:'282',sourceContentType:'1',unitid:'423656',webname:'某某市气象局',permissiontype:0}} }}); }});
</script>""")


def jpage_answer(first, last, total=40):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<datastore><totalrecord>{total}</totalrecord><totalpage>3</totalpage>'
        f"<perpage>15</perpage><recordset>{records(first, last)}</recordset></datastore>"
    )


def test_jpage_is_read_to_its_end_without_gap_or_circle():
    url, form, found, seen, body = (
        f"{SITE}/col/col282/index.html?uid=423656",
        (),
        [],
        set(),
        jpage_first(),
    )
    number = 1
    while True:
        page = read_list(body, url=url, page=number, form=form, seen=seen)
        assert page.style == "jpage"
        found += [entry.url for entry in page.entries]
        if page.next is None:
            break
        assert page.next.method == "POST"
        seen.add(page.next.key)
        url, form, number = page.next.url, page.next.form, number + 1
        first, last = (int(part.split("=")[1]) for part in url.split("?")[1].split("&")[:2])
        body = jpage_answer(first, last)

    assert len(found) == len(set(found)) == 40
    assert found[39].endswith("/art_282_40.html")
    assert number == 3
    assert page.total_pages == 3


def test_jpage_form_is_the_one_the_sites_own_script_sends():
    page = read_list(jpage_first(), url=f"{SITE}/col/col282/index.html")

    assert (
        page.next.url
        == f"{SITE}/module/web/jpage/dataproxy.jsp?startrecord=16&endrecord=30&perpage=15"
    )
    assert dict(page.next.form) == {
        "col": "1", "appid": "1", "webid": "3", "path": "/", "columnid": "282", "sourceContentType": "1",
        "unitid": "423656", "webname": "某某市气象局", "permissiontype": "0",
    }  # fmt: skip
    assert page.entries[0].title == "我市开展防雷安全专项检查行动（第1期）"
    assert page.entries[0].date_raw == "2026-07-02"


def test_older_jpage_is_asked_by_get():
    first = (
        jpage_first()
        .replace("ajaxParam", "nothing")
        .replace("columnid:", "x:")
        .replace("unitid:", "y:")
    )
    page = read_list(first, url=f"{SITE}/col/col282/index.html")

    assert page.next.method == "GET"
    assert "dataproxy.jsp?page=2&appid=1&webid=3" in page.next.url
    again = read_list(jpage_answer(16, 30), url=page.next.url, page=2)
    assert "page=3" in again.next.url
    assert read_list(jpage_answer(31, 40), url=again.next.url, page=3).next is None


def test_jpage_answer_with_broken_xml_still_gives_its_records():
    torn = jpage_answer(1, 5).replace("<perpage>", "<bad & worse>")

    assert (
        len(
            read_list(
                torn, url=f"{SITE}/module/web/jpage/dataproxy.jsp?page=1", style="jpage"
            ).entries
        )
        == 5
    )


def test_jpage_rows_of_a_table_and_in_gbk():
    body = (
        '<?xml version="1.0" encoding="gb2312"?><datastore><recordset><record><![CDATA[<tr><td>1</td><td>'
        '<a href="/art/2026/7/3/art_1_9.html" title="致朱镕基同志的信展出">致朱...</a></td><td>2026-07-03</td></tr>]]></record>'
        "</recordset></datastore>"
    ).encode("gb18030")
    page = read_list(
        body,
        url=f"{SITE}/module/jpage/dataproxy.jsp?page=1",
        content_type="text/xml; charset=ISO-8859-1",
    )

    assert [(e.title, e.date_raw) for e in page.entries] == [("致朱镕基同志的信展出", "2026-07-03")]


def vsb_page(number=1, pages=11):
    rows = "".join(
        f'<li id="line_u5_{i}"><a href="{"../" if number > 1 else ""}info/1021/{3200 - 10 * number - i}.htm" target="_blank">{t}</a><span class="date">2026/07/{20 - i}</span></li>'
        for i, t in enumerate(TITLES)
    )
    down = pages - number
    href = f"tzgg/{down}.htm" if number == 1 else f"{down}.htm"
    following = (
        f'<span class="p_next p_fun"><a href="{href}">下页</a></span>'
        if down
        else '<span class="p_next_d p_fun_d">下页</span>'
    )
    return whole(f"""<div class="list-box"><ul>{rows}</ul></div>
<div class="pb_sys_common pb_sys_normal pb_sys_style1"><span class="p_t">共{pages * 7}条</span> <span class="p_pages">
<span class="p_no_d">{number}</span>{following}<span class="p_last p_fun"><a href="tzgg/1.htm">尾页</a></span></span><span class="p_t">{number}/{pages}</span></div>
<script src="/system/resource/js/counter.js"></script>""")


def test_vsb_counts_its_pages_down():
    first = read_list(vsb_page(), url=f"{SITE}/tzgg.htm")
    second = read_list(vsb_page(2), url=f"{SITE}/tzgg/10.htm", page=2)
    last = read_list(vsb_page(11), url=f"{SITE}/tzgg/1.htm", page=11)

    assert (first.style, first.total_pages, first.by) == ("vsb", 11, "pattern")
    assert first.next == NextPage(f"{SITE}/tzgg/10.htm")
    assert second.next == NextPage(f"{SITE}/tzgg/9.htm")
    assert last.next is None
    assert [e.title for e in first.entries] == TITLES
    assert first.entries[0].url == f"{SITE}/info/1021/3190.htm"


def ucap_page(current, name="column-index", total=5):
    rows = "".join(
        f'<div class="item odd{i % 2}"><h4><a href="/qxj/tzgg/202607/content_78{current}{i}.htm">{t}</a></h4><p>发布时间：2026-07-{20 - i} 09:3{i}</p></div>'
        for i, t in enumerate(TITLES)
    )
    return whole(f"""<div class="zfxxgk_list">{rows}</div><div id="page_div"></div>
<script>createPageHTML('page_div',{total}, {current},'{name}','shtml',35);</script><div id="UCAP-CONTENT"></div>""")


def test_ucap_counts_from_one():
    first = read_list(ucap_page(1), url=f"{SITE}/qxj/tzgg/column-index.shtml")
    second = read_list(ucap_page(2), url=f"{SITE}/qxj/tzgg/column-index-2.shtml", page=2)
    last = read_list(ucap_page(5), url=f"{SITE}/qxj/tzgg/column-index-5.shtml", page=5)

    assert (first.style, first.total_pages) == ("ucap", 5)
    assert first.next == NextPage(f"{SITE}/qxj/tzgg/column-index-2.shtml")
    assert second.next == NextPage(f"{SITE}/qxj/tzgg/column-index-3.shtml")
    assert last.next is None
    assert [e.title for e in first.entries] == TITLES
    assert first.entries[1].date_raw == "2026-07-19 09:31"


def test_ucap_with_index_n():
    page = read_list(ucap_page(1, "index"), url=f"{SITE}/qxj/tzgg/", style="ucap")

    assert page.next == NextPage(f"{SITE}/qxj/tzgg/index_2.shtml")


def webplus_page(number, pages=3):
    rows = "".join(
        f'<li class="news n{i} clearfix"><span class="news_title"><a href="/2026/07{20 - i}/c123a45{number}{i}/page.htm" target="_blank" title="{t}">{t}</a></span><span class="news_meta">2026-07-{20 - i}</span></li>'
        for i, t in enumerate(TITLES)
    )
    href = f"/xw/list{number + 1}.htm" if number < pages else "javascript:void(0);"
    return whole(f"""<div id="wp_news_w6"><ul class="news_list list2">{rows}</ul></div>
<div id="wp_paging_w6"><ul class="wp_paging clearfix"><li class="pages_count"><span class="all_count">总共<em class="all_count">21</em>记录</span></li>
<li class="page_nav"><a class="next" href="{href}" target="_self"><span>下一页&gt;&gt;</span></a><a class="last" href="/xw/list{pages}.htm"><span>尾页</span></a></li>
<li class="page_jump"><em class="curr_page">{number}</em>/<em class="all_pages">{pages}</em></li></ul></div>""")


def test_webplus_ends_where_next_is_only_a_script():
    first = read_list(webplus_page(1), url=f"{SITE}/xw/list.htm")
    last = read_list(webplus_page(3), url=f"{SITE}/xw/list3.htm", page=3)

    assert (first.style, first.total_pages, len(first.entries)) == ("webplus", 3, 7)
    assert first.next == NextPage(f"{SITE}/xw/list2.htm")
    assert last.next is None


def plain_page(pager, rows=None):
    rows = rows or "".join(
        f'<tr><td height="26">·<a href="shownews.asp?id={100 + i}" target="_blank">{t}</a></td><td width="90">(2026-07-{20 - i})</td></tr>'
        for i, t in enumerate(TITLES)
    )
    return whole(f'<table><tr><td><table width="96%">{rows}</table>{pager}</td></tr></table>')


@pytest.mark.parametrize(
    ("pager", "url", "number", "following"),
    [
        ('<a href="list.asp?page=2">下一页</a>', "/news/list.asp", 1, "/news/list.asp?page=2"),
        ('<a href="?pageNo=4">下一页 »</a>', "/news/list.do?pageNo=3", 3, "/news/list.do?pageNo=4"),
        ('<a rel="next" href="p3.html">›</a>', "/news/p2.html", 2, "/news/p3.html"),
        ('<a href="list.asp?PageIndex=1">1</a> <a href="list.asp?PageIndex=2">2</a> <a href="list.asp?PageIndex=3">3</a>', "/news/list.asp", 1, "/news/list.asp?PageIndex=2"),
        ('<a href="javascript:toPage(3)">下一页</a>', "/news/list.jsp?id=7&currPage=2", 2, "/news/list.jsp?id=7&currPage=3"),
        ("<script>var totalPage = 9;</script>", "/news/list.jsp?curPage=8", 8, "/news/list.jsp?curPage=9"),
        ("<script>var totalPage = 9;</script>", "/news/list.jsp?curPage=9", 9, None),
        ('共9页 <a href="list_9.html">尾页</a>', "/news/list_1.html", 1, "/news/list_2.html"),
        ('<script>var countPage = 9;</script><a href="list_8.html">末页</a>', "/news/list.html", 1, "/news/list_1.html"),
        ('<a href="list.asp?page=31">尾页</a>', "/news/list.asp", 1, "/news/list.asp?page=2"),
        ('<a href="list.asp?page=2">下一页</a>', "/news/list.asp?page=2", 2, None),  # leads to itself
        ('<a href="https://evil.example/list.asp?page=2">下一页</a>', "/news/list.asp", 1, None),
        ('<a href="#">下一页</a>', "/news/list.asp", 1, None),
        ("", "/news/list.asp", 1, None),
    ],
)  # fmt: skip
def test_next_page_of_a_plain_list(pager, url, number, following):
    page = read_list(plain_page(pager), url=SITE + url, page=number)

    assert page.style == "plain"
    assert (page.next and page.next.url) == (following and SITE + following)
    assert [e.title for e in page.entries] == TITLES
    assert page.entries[0].date_raw == "2026-07-20"


def test_page_form_that_a_script_would_send():
    pager = """<a href="javascript:goPage('2')">下一页</a><form name="pf" method="post" action="list.jsp">
    <input type="hidden" name="columnId" value="12"><input type="hidden" name="pageNo" value="1"><input type="password" name="pw" value="x"></form>"""
    page = read_list(plain_page(pager), url=f"{SITE}/news/list.jsp")

    assert page.next == NextPage(
        f"{SITE}/news/list.jsp", "POST", (("columnId", "12"), ("pageNo", "2"))
    )
    assert (
        read_list(plain_page(pager), url=f"{SITE}/news/list.jsp", seen={page.next.key}).next is None
    )


def test_a_page_seen_before_is_never_next():
    pager = '<a href="list.asp?page=1">下一页</a>'  # a ring: the last page leads to the first

    page = read_list(plain_page(pager), url=f"{SITE}/news/list.asp?page=3", page=3,
                     seen={f"GET {SITE}/news/list.asp?page=1"})  # fmt: skip

    assert page.next is None


@pytest.mark.parametrize(
    ("row", "title", "date"),
    [
        ('<li><a href="a1.html">关于启动防汛Ⅳ级应急响应的通知 <i>2026-07-01</i></a></li>', "关于启动防汛Ⅳ级应急响应的通知", "2026-07-01"),
        ('<li><a href="a1.html">[2026-07-01] 关于启动防汛应急响应的通知</a></li>', "关于启动防汛应急响应的通知", "2026-07-01"),
        ('<li><a href="a1.html">关于2026年7月1日停电检修的公告</a><em>06-28</em></li>', "关于2026年7月1日停电检修的公告", "06-28"),
        ('<li><div class="date"><b>15</b><span>2026-07</span></div><a href="a1.html">防雷减灾科普进校园</a></li>', "防雷减灾科普进校园", "2026-07-15"),
        ('<li><div class="t"><span>07-15</span><span>2026</span></div><h3><a href="a1.html">防雷减灾科普进校园</a></h3></li>', "防雷减灾科普进校园", "2026-07-15"),
        ('<li><a class="pic" href="a1.html"><img src="x.jpg" alt="图"></a><a href="a1.html">防雷减灾科普进校园</a><p>昨天 12:30</p></li>', "防雷减灾科普进校园", "昨天 12:30"),
        ('<li><a href="/tzgg/">[通知公告]</a><a href="a1.html">防雷减灾科普进校园</a><span>2026年7月1日</span></li>', "防雷减灾科普进校园", "2026年7月1日"),
        ('<li><a href="a1.html" title="标题：防雷减灾科普进校园活动&#10;发布日期：2026-07-01">防雷减灾科普…</a></li>', "防雷减灾科普进校园活动", ""),
        ('<li><a href="a1.html">预警<font color="red">信号</font>解除</a>3小时前</li>', "预警信号解除", "3小时前"),
        ('<dl><dt><a href="a1.html">防雷减灾科普进校园</a></dt><dd>2026.07.01</dd></dl>', "防雷减灾科普进校园", "2026.07.01"),
        ('<a href="a1.html">防雷减灾科普进校园</a> <span>2026-07-01</span><br><a href="a2.html">另一条通知公告内容</a> <span>2026-06-30</span><br>', "防雷减灾科普进校园", "2026-07-01"),
        ('<li><a href="a1.html">阅读全文</a><h3>不在链接里的标题</h3><span>2026-07-01</span></li>', None, None),
    ],
)  # fmt: skip
def test_title_and_date_of_a_row(row, title, date):
    page = read_list(
        whole(f'<div class="list">{row}</div>'), url=f"{SITE}/gzdt/index.html", style="plain"
    )

    if title is None:
        assert all(entry.url != f"{SITE}/gzdt/a1.html" for entry in page.entries)
    else:
        assert (page.entries[0].title, page.entries[0].date_raw) == (title, date)


def test_only_safe_links_of_the_site_are_taken():
    rows = "".join(
        f'<li><a href="{href}">{title}</a><span>2026-07-01</span></li>'
        for href, title in [
            ("a1.html", "正常的一条通知公告内容"),
            ("javascript:alert(1)", "脚本链接伪装成的通知公告"),
            ("data:text/html,x", "数据链接伪装成的通知公告"),
            ("https://user:pw@www.qx.example.gov.cn/a", "带用户名的通知公告内容"),
            ("https://www.qx.example.gov.cn\\@evil.example/a", "反斜线花招的通知公告内容"),
            ("https://mp.weixin.example/s/abc", "转到公众号的通知公告内容"),
            ("a1.html#top", "正常的一条通知公告内容"),
            ("HTTPS://WWW.QX.EXAMPLE.GOV.CN:443/gzdt/a1.html", "正常的一条通知公告内容"),
        ]
    )
    page = read_list(whole(f"<ul class='l'>{rows}</ul>"), url=f"{SITE}/gzdt/")

    assert [entry.url for entry in page.entries] == [f"{SITE}/gzdt/a1.html"]
    assert [entry.url for entry in page.offsite] == ["https://mp.weixin.example/s/abc"]
    assert page.refused == 4


@pytest.mark.parametrize(
    ("base", "hosts", "found"),
    [
        (f"{SITE}/other/", (), f"{SITE}/other/a1.html"),
        ("https://evil.example/", (), f"{SITE}/gzdt/a1.html"),
        ("https://cdn.example.gov.cn/x/", ("www.qx.example.gov.cn", "cdn.example.gov.cn"), "https://cdn.example.gov.cn/x/a1.html"),
        ("javascript:alert(1)//", (), f"{SITE}/gzdt/a1.html"),
    ],
)  # fmt: skip
def test_base_counts_only_on_the_site(base, hosts, found):
    body = whole(
        '<ul><li><a href="a1.html">正常的一条通知公告内容</a><span>2026-07-01</span></li></ul>',
        f'<base href="{base}">',
    )

    assert read_list(body, url=f"{SITE}/gzdt/", hosts=hosts).entries[0].url == found


def test_configured_selectors_go_first_and_a_redesign_is_noticed():
    body = whole('<div class="x"><p class="r"><em>7月1日</em><b>标题在链接外</b><a class="go" href="a1.html">查看</a></p></div>'
                 '<ul>' + "".join(f'<li><a href="s{i}.html">边栏里的一条旧闻第{i}条</a><i>2026-01-01</i></li>' for i in range(9)) + "</ul>")  # fmt: skip
    ways = Selectors(row="div.x p.r", link="a.go", title="b", date="em")

    chosen = read_list(body.replace("查看", "进入页面"), url=f"{SITE}/gzdt/", selectors=ways)
    fallen = read_list(body.replace('class="x"', 'class="y"'), url=f"{SITE}/gzdt/", selectors=ways)

    assert [(e.title, e.date_raw) for e in chosen.entries] == [("标题在链接外", "7月1日")]
    assert chosen.by == "selectors"
    assert fallen.by == "fallback"
    assert len(fallen.entries) == 9


def test_xpath_and_next_selector():
    body = plain_page('<a id="n" href="p2.html">继续</a>')
    page = read_list(
        body, url=f"{SITE}/news/p1.html", selectors=Selectors(link="//table//tr/td/a", next="#n")
    )

    assert len(page.entries) >= 7
    assert page.next == NextPage(f"{SITE}/news/p2.html")


@pytest.mark.parametrize("selector", ["div[", "//a[", "a::nonsense(", "//a[unknown()]"])
def test_selector_that_is_none_is_named(selector):
    with pytest.raises(ListBroken, match="选择器无法识别"):
        read_list(trs_page(), url=f"{SITE}/", selectors=Selectors(row=selector))


@pytest.mark.parametrize("body", ["", "   ", b"", b"\xff\xd8\xff\xe0JFIF", "没有标记的文字"])
def test_what_is_no_page_is_said_to_be_none(body):
    with pytest.raises(ListBroken):
        read_list(body, url=f"{SITE}/")


def test_unknown_style_and_bad_address_are_named():
    with pytest.raises(ListBroken, match="未知的栏目样式"):
        read_list(trs_page(), url=f"{SITE}/", style="drupal")
    with pytest.raises(ListBroken, match="栏目地址"):
        read_list(trs_page(), url="file:///etc/passwd")


def test_a_single_new_article_is_not_lost_among_nameless_menus():
    menu = "".join(
        f'<li><a href="/c{i}/">很长很长的栏目名称之第{i}个栏目</a></li>' for i in range(20)
    )
    body = f'<div><ul>{menu}</ul></div><div class="m"><ul><li><a href="9.html">停电通知</a><span>2026-07-01</span></li></ul></div>'

    assert [e.title for e in read_list(body, url=f"{SITE}/gzdt/").entries] == ["停电通知"]


def test_an_empty_list_is_empty_not_the_menu_of_the_site():
    page = read_list(whole('<div class="list"><p>暂无内容</p></div>'), url=f"{SITE}/gzdt/")

    assert all(not entry.date_raw for entry in page.entries)
    assert page.next is None


@pytest.mark.parametrize(
    ("body", "style"),
    [(trs_page(), "trs"), (jpage_first(), "jpage"), (vsb_page(), "vsb"), (ucap_page(1), "ucap"),
     (webplus_page(1), "webplus"), (plain_page(""), "plain")],
)  # fmt: skip
def test_each_system_is_known_by_its_marks(body, style):
    assert recognise(body) == style


HOSTILE = {
    "nested": "<div>" * 50_000 + '<a href="x.html">深处的一条通知</a>',
    "links": '<a href="x.html">一二三四</a>' * 300_000,
    "bare links": "<a href=x>" * 800_000,
    "different links": "".join(f"<li><a href=/{i}>通知公告{i}</a>2026-1-1" for i in range(120_000)),
    "attribute": f'<ul><li><a href="/{"x" * 1_000_000}" title="{"题" * 300_000}">标题标题</a></ul>',
    "attributes": "<a " + " ".join(f"a{i}=1" for i in range(500_000)) + ">",
    "quoted attributes": "<a " + " ".join(f"a{i}='>'" for i in range(300_000)) + ">",
    "empty boxes": "<ul><li><p></p></li></ul>" * 250_000,
    "row without end": '<li><a href="x.html">标题标题</a>' + "<b>字</b>" * 500_000,
    "script": "<script>" + "createPageHTML(" * 400_000 + "</script><a href=x>标题标题</a>",
    "digits": "<script>totalPage=" + "9" * 4_000_000 + "</script><a href=x.html>标题标题</a>",
    "many scripts": "<script>var a=1</script>" * 200_000,
    "proxy": "dataproxy.jsp?" * 500_000 + "<a href=x>",
    "settings": "<p>/module/web/jpage/dataproxy.jsp columnid:'1'" * 100_000,
    "records": "<datastore><recordset>" + "<record>" * 800_000,
    "cdata": "<datastore>" + "<![CDATA[" * 800_000,
    "record depth": "<datastore><recordset><record><![CDATA["
    + "<li>" * 50_000
    + "]]></record></recordset></datastore>",
    "dates": "<li><a href=x>标题标题</a>" + "2026-" * 500_000,
    "spaces": "<a href=x>" + " " * 4_000_000 + "</a>",
    "next": '<a href="?page=2">下一页</a>' * 200_000,
    "arrows": "".join(
        f"<li><a href=/{i}>{'&lt;' * 150}{'>' * 150}{'.' * 100}x</a>" for i in range(5_000)
    ),
    "dots": "".join(f"<li><a href=/{i} title=题>{'.' * 299}x</a>" for i in range(5_000)),
    "open tags": "<" * 8_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_page_costs_two_seconds_at_most(name):
    body = HOSTILE[name].encode()[: 8 << 20]
    with at_most(2), suppress(ListBroken):
        page = read_list(body, url=f"{SITE}/gzdt/")
        assert len(page.entries) <= 1_000


def test_page_cut_by_the_parser_is_never_an_empty_list():
    with pytest.raises(ListBroken, match="嵌套过深"):
        read_list(HOSTILE["nested"], url=f"{SITE}/gzdt/")
    page = read_list(
        trs_page() + "<div>" * 400 + '<a href="x.html">后面的一条</a>', url=f"{SITE}/gzdt/"
    )
    assert (len(page.entries), page.truncated) == (7, True)


def test_an_include_that_ends_the_document_does_not_end_the_list():
    body = trs_page().replace('<div class="gl_list">', '</body></html><div class="gl_list">')
    assert len(read_list(body, url=f"{SITE}/gzdt/").entries) == 7


def test_page_beyond_the_cap_says_so():
    page = read_list(trs_page() + "<p>字</p>" * 400_000, url=f"{SITE}/gzdt/")
    assert (len(page.entries), page.truncated) == (7, True)


MARKUP = st.lists(
    st.sampled_from(
        ["<ul>", "<li>", "</li>", "<a href='", "/t20260701_1.html", "'>", "</a>", "2026-07-01", "标题", "<script>",
         "createPageHTML(", "3,0,'index','html')", "</script>", "<datastore>", "<recordset>", "<record>", "<![CDATA[",
         "]]>", "</record>", "dataproxy.jsp?page=1&columnid=", "<base href='//x", "下一页", "尾页", "?page=", "９²", "\x00",
         "&#xD800;", "<form>", "<input name=page value=", "totalPage=", "//[", "http://[::1", "\ud800", "﷐"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.binary(max_size=300), MARKUP),
    st.sampled_from(STYLES),
    st.integers(-3, 10**9),
    st.text(max_size=20),
)
def test_nothing_but_the_named_error_is_raised(body, style, number, tail):
    try:
        page = read_list(body, url=f"{SITE}/list.jsp?page={tail}", style=style, page=number)
    except ListBroken:
        return
    assert all(
        entry.url.startswith(("http://", "https://")) for entry in page.entries + page.offsite
    )
    assert page.next is None or page.next.url != f"{SITE}/list.jsp" or page.next.method == "POST"
