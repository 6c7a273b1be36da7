"""Pages that answer 200 and are no page: an outcome of the fetch, never an item."""

from __future__ import annotations

import json
import re

from crawler.extraction.hygiene import one_line

_PICTURES = (
    (b"\xff\xd8\xff", "图片"), (b"\x89PNG", "图片"), (b"GIF8", "图片"), (b"RIFF", "图片或音视频"),
    (b"%PDF", "PDF 文件"), (b"PK\x03\x04", "压缩包或办公文档"), (b"\xd0\xcf\x11\xe0", "办公文档"),
    (b"Rar!", "压缩包"), (b"7z\xbc\xaf", "压缩包"), (b"\x1f\x8b", "压缩数据"), (b"BM", "图片"),
    (b"\x00\x00\x00\x18ftyp", "视频"), (b"\x00\x00\x00 ftyp", "视频"), (b"\x7fELF", "程序"),
    (b"MZ", "程序"),
)  # fmt: skip
_ODD = bytes(byte for byte in range(27) if byte < 9 or byte > 13)
#: Above this many visible characters a page is taken for an article that mentions such things.
_SHORT = 400
_MAINTENANCE = re.compile(
    r"(?:网站|系统|平台|页面|服务|本站|服务器)[^。\n]{0,12}(?:维护|升级|建设|改版|割接)(?:中|期间"
    r"|公告|通知|改造|[，。,!！]|$)"
    r"|(?:正在|临时|停机|系统)维护|暂停(?:服务|访问)|网站(?:已|暂时)?关闭|暂时无法(?:访问|提供)"
    r"|稍后再?(?:试|访问)"
    r"|under (?:maintenance|construction)|temporarily unavailable|service unavailable|be back soon"
    r"|(?:502 bad gateway|503 service|504 gateway|500 internal server error|bad gateway"
    r"|gateway time-?out)",
    re.I,
)
_CHALLENGE = re.compile(
    r"访问(?:被|已被)(?:拦截|拒绝|阻断|禁止)|(?:请求|访问)[^。\n]{0,10}(?:被拦截|安全威胁"
    r"|存在威胁|异常)|安全(?:验证|检查|检测|防护)"
    r"|网站防火墙|web应用防火墙|人机验证|验证码|滑动(?:验证|滑块)|请开启\s*javascript"
    r"|正在(?:进行)?(?:安全)?(?:检查|验证|检测)"
    r"|您的(?:浏览器|ip|访问|请求)[^。\n]{0,16}(?:拦截|过于频繁|不安全|异常|限制)"
    r"|checking your browser|just a moment"
    r"|enable javascript|access denied|request blocked|verify you are human|captcha"
    r"|are you a robot|attention required",
    re.I,
)
_CHALLENGE_SCRIPT = re.compile(
    r"\$_ts\b|_\$[a-zA-Z0-9]{2}\b.{0,200}eval|__jsl_clearance|acw_sc__v2|challenge-platform"
    r"|cf-browser-verification"
    r"|aliyun_waf|waf[_-]?(?:captcha|token|block)|yunsuo|safedog|anquanbao|__tst_status"
    r"|document\.cookie\s*=.{0,300}location",
    re.I | re.S,
)
_MISSING = re.compile(
    r"(?:页面|网页|文件|文章|信息|内容|资源|链接|地址|栏目)[^。\n]{0,14}(?:不存在|找不到|没有找到"
    r"|未找到|无法找到|已(?:被)?删除"
    r"|已(?:经)?(?:下线|撤销|过期|失效)|走丢|丢失|被移除)|(?:找不到|没有找到|未找到"
    r"|无法找到)[^。\n]{0,14}(?:页面|网页|文件|文章|信息|内容|资源)"
    r"|您(?:要)?访问的(?:页面|网页|内容|信息)|page (?:not|cannot be|could not be|can't be) found"
    r"|not found|(?:http|error|错误)?\s*404"
    r"|该内容已被发布者删除|此内容因违规无法查看|页面(?:出错|错误|异常)",
    re.I,
)
_LOGIN = re.compile(
    r"(?:用户|账号|密码|扫码|短信|统一身份|身份)[^。\n]{0,10}(?:登\s*录|登\s*陆|认证)"
    r"|请(?:先)?(?:登\s*录|登\s*陆)|忘记密码|sign in|log ?in",
    re.I,
)
_PASSWORD = re.compile(r"<input[^>]{0,300}type\s*=\s*[\"']?password", re.I)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,200})", re.I)
_ERROR_KEYS = ("errcode", "error_code", "error", "errmsg", "errorcode")
_GOOD_CODES = {0, "0", 200, "200", None, "", "ok", "success"}


def not_a_page(body: bytes) -> str:
    """Why bytes cannot be text at all, or ""."""
    if not body.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        return "页面为空"
    for magic, kind in _PICTURES:
        if body.startswith(magic) and (len(magic) > 2 or b"\x00" in body[:64]):
            return f"不是网页，是{kind}"
    head = body[:2048]
    odd = len(head) - len(head.translate(None, _ODD))
    wide = head[0::2].count(0) > len(head) * 0.1 or head[1::2].count(0) > len(head) * 0.1
    if odd > len(head) * 0.1 and not (wide and b"<" in head):
        return "不是网页，是二进制数据"
    return ""


def reason(markup: str, text: str, body: str, title: str = "") -> str:
    """Why a page that came with status 200 is none, in Chinese, or "" for a real page.

    `text` is all visible text, `body` what was taken for the article, `title` its title. A
    long body clears a page of every suspicion, so an article about a maintenance window or
    an error 404 stays an article.
    """
    failed = _json_error(markup)
    if failed:
        return failed
    flat = one_line(text[:20_000])
    match = _TITLE.search(markup[:20_000])
    heading = f"{title} {one_line(match[1]) if match else ''}"
    if len(flat) < _SHORT and _CHALLENGE_SCRIPT.search(markup[:200_000]):
        return "疑似防火墙或脚本验证页"
    if not flat:
        return (
            "页面没有可见文字" if len(markup) < 3000 or "<script" in markup.lower() else "页面为空"
        )
    return _by_words(markup, flat, one_line(body), heading)


def _by_words(markup: str, flat: str, body: str, heading: str) -> str:
    short = len(flat) <= _SHORT
    said = f"{heading} {flat[:_SHORT]}" if short else heading
    if (
        len(body) < 150
        and _PASSWORD.search(markup[:300_000])
        and _LOGIN.search(f"{said} {flat[:_SHORT]}")
    ):
        return "登录页"
    if not short and (len(body) > 80 or not _is_error_title(heading)):
        return ""
    if short and len(body) > 120 and not _is_error_title(heading):
        return ""
    for pattern, name in (
        (_CHALLENGE, "疑似防火墙或脚本验证页"),
        (_MISSING, "页面不存在（却返回正常状态）"),
        (_MAINTENANCE, "网站维护或暂停服务页"),
    ):
        if pattern.search(said) and (not _looks_published(flat) or _is_error_title(heading)):
            return name
    if short and _LOGIN.search(heading) and len(body) < 60:
        return "登录页"
    return ""


_ERROR_TITLE = re.compile(
    r"^\s*(?:\W*(?:error|错误|http)?\W*(?:40[0134]|41[02]|50[0234])\b|(?:系统|网站|页面)?(?:提示"
    r"|错误|出错|维护|升级|建设|异常)(?:页面?|信息|中)?\s*$"
    r"|(?:页面|网页|文章|内容)?(?:不存在|找不到|未找到|没有找到)|访问(?:被|已被)?(?:拦截|拒绝"
    r"|禁止|受限)|not found|page not found"
    r"|just a moment|access denied|attention required|安全(?:验证|检查)|网站防火墙)",
    re.I,
)
_PUBLISHED = re.compile(
    r"(?:发布|发表|发文)(?:时间|日期|于)\s*[:：]?\s*\d{2,4}|来源\s*[:：]\s*\S{2}"
    r"|\d{4}[-年/]\d{1,2}[-月/]\d{1,2}"
)


def _is_error_title(heading: str) -> bool:
    return bool(_ERROR_TITLE.search(heading.strip()))


def _looks_published(flat: str) -> bool:
    """A notice about planned maintenance has a date and a source; an error page has none."""
    return bool(_PUBLISHED.search(flat))


def _json_error(markup: str) -> str:
    start = markup.lstrip("\ufeff \t\r\n")[:1]
    if start not in ("{", "["):
        return ""
    try:
        data = json.loads(markup[:1_000_000].lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return ""
    if isinstance(data, dict):
        lowered = {str(key).lower(): value for key, value in data.items()}
        for key in _ERROR_KEYS:
            value = lowered.get(key)
            if not isinstance(value, dict | list) and value not in _GOOD_CODES:
                return f"接口报错（{key}={one_line(str(value))[:40]}）"
        code = lowered.get("code", lowered.get("status"))
        if not isinstance(code, dict | list) and code not in _GOOD_CODES | {1, "1"}:
            return f"接口报错（code={one_line(str(code))[:40]}）"
    return "返回的是 JSON，不是网页"
