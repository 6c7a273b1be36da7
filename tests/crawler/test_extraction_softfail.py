"""Pages with status 200 that are none, and articles that only speak of such things."""

from datetime import datetime

import pytest

from crawler.extraction.article import read_article

NOW = datetime.fromisoformat("2026-08-01T09:00:00+08:00")


def why(html):
    body = html if isinstance(html, bytes) else html.encode()
    return read_article(body, fetched_at=NOW).soft_failure


@pytest.mark.parametrize(
    ("html", "word"),
    [
        ("", "空"),
        ("   \r\n ", "空"),
        ("\ufeff", "空"),
        ("<html><head></head><body></body></html>", "没有可见文字"),
        (
            "<html><title>系统维护</title><body><h1>网站维护中</h1><p>网站正在升级维护，请稍后再访问。</p></body></html>",
            "维护",
        ),
        (
            "<html><title>提示</title><body><p>系统维护中，给您带来的不便敬请谅解！</p></body></html>",
            "维护",
        ),
        (
            "<html><head><title>503 Service Temporarily Unavailable</title></head><body><center><h1>503 Service Temporarily Unavailable</h1></center><hr>nginx</body></html>",
            "维护",
        ),
        (
            "<html><head><title>访问被拦截</title></head><body>您的请求存在安全威胁，已被网站防火墙拦截。请求编号：8d7f</body></html>",
            "防火墙",
        ),
        (
            "<html><head><title>Just a moment...</title></head><body><p>Checking your browser before accessing.</p></body></html>",
            "防火墙",
        ),
        (
            "<html><head><meta charset=utf-8></head><body><script>$_ts=window['$_ts'];if(!$_ts)$_ts={};eval('1')</script></body></html>",
            "脚本验证",
        ),
        (
            "<html><script>document.cookie='__jsl_clearance=1';location.href=location.pathname</script></html>",
            "脚本验证",
        ),
        (
            "<html><title>安全验证</title><body><p>请完成滑动验证后继续访问</p></body></html>",
            "防火墙",
        ),
        (
            "<html><title>404</title><body><p>抱歉，您访问的页面不存在或已被删除。</p><a href='/'>返回首页</a></body></html>",
            "不存在",
        ),
        (
            "<html><title>澜江市气象局</title><body><div>您要访问的页面找不到了，5秒后返回首页</div></body></html>",
            "不存在",
        ),
        (
            "<html><title>404 Not Found</title><body><h1>Not Found</h1><p>The requested URL was not found on this server.</p></body></html>",
            "不存在",
        ),
        (
            "<html><title>统一身份认证平台</title><body><form><p>用户登录</p><input name=u><input type='password' name=p><button>登录</button></form></body></html>",
            "登录",
        ),
        ('{"errcode":40001,"errmsg":"invalid credential"}', "接口报错"),
        ('{"code":500,"message":"系统繁忙"}', "接口报错"),
        ('{"data":[],"code":0}', "JSON"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(256)) * 8, "图片"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b"\x00\x01\x02\x03\x04\x05" * 400, "二进制"),
    ],
)
def test_a_failure_in_disguise_is_named_in_chinese(html, word):
    assert word in why(html)


ARTICLES = [
    (
        "关于网站系统升级维护的公告",
        "因系统升级，我局门户网站将于7月25日22时至26日6时暂停服务，请广大用户提前安排。",
    ),
    (
        "市气象局开展404页面专项整治",
        "针对群众反映的页面不存在、链接失效等问题，市气象局集中开展整治，共修复错链32条。",
    ),
    (
        "网络安全宣传周：如何识别验证码诈骗",
        "不法分子常以安全验证为由索要短信验证码，请市民不要在陌生页面输入用户登录密码。",
    ),
    (
        "我局部署网站防火墙提升防护能力",
        "近日，信息中心完成防火墙升级，日均拦截异常访问请求千余次，保障了汛期网站安全运行。",
    ),
    (
        "暂停服务公告",
        "受台风影响，气象科普馆自即日起暂停服务，恢复开放时间另行通知，咨询请致电办公室。",
    ),
]


@pytest.mark.parametrize(("title", "text"), ARTICLES)
def test_an_article_may_speak_of_all_this(title, text):
    html = (
        f"<html><head><title>{title}-澜江市气象局</title></head><body><div>首页 政务公开 用户登录 无障碍</div>"
        f"<h1>{title}</h1><p>发布时间：2026-07-20 来源：信息中心</p><div id='zoom'><p>{text}</p></div>"
        "<div>主办单位：澜江市气象局 版权所有</div></body></html>"
    )

    article = read_article(html.encode(), fetched_at=NOW)

    assert article.soft_failure == ""
    assert article.text == text


@pytest.mark.parametrize(("title", "text"), ARTICLES)
def test_nor_does_a_login_box_beside_a_long_article_matter(title, text):
    html = (
        f"<html><head><title>{title}</title></head><body><form>用户登录<input type=password></form><h1>{title}</h1>"
        f"<div><p>{text}</p><p>{text}</p><p>{text}</p><p>{text}</p></div></body></html>"
    )

    assert why(html) == ""
