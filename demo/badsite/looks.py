"""Pages that only look right: other pages in disguise, false charsets, odd dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from config.clock import SHANGHAI
from demo.badsite.calls import Call, page, row

_CHARSETS = {  # row: (encoding of the bytes, header's label, meta's label)
    "charset-gbk-as-utf8": ("gb18030", "utf-8", "utf-8"),
    "charset-gbk-as-latin1": ("gb18030", "ISO-8859-1", "gb2312"),
    "charset-utf8-as-gbk": ("utf-8", "gb2312", "gb2312"),
    "charset-none": ("gb18030", "", ""),
    "charset-bogus": ("utf-8", "utf8mb4", "x-unknown"),
    "charset-bom": ("utf-8-sig", "gb2312", "gb2312"),
    "charset-big5": ("big5", "big5", "big5"),
}
#: stands on every charset page but Big5's; has letters that gb2312 does not know
CHARSET_TEXT = "经办人：王镕、周堃，预警信号已解除，€结算另行通知。"
CHARSET_TEXT_BIG5 = "經辦人：王大明，預警信號已解除。"


@row("maintenance")
async def _maintenance(call: Call) -> None:
    await call.answer(
        "<html><head><title>系统维护</title></head><body><h1>网站升级维护中</h1>"
        "<p>系统正在升级维护，暂停访问，请稍后再试。</p></body></html>"
    )


@row("waf")
async def _waf(call: Call) -> None:
    """200, but only a script that wants to see a browser."""
    await call.answer(
        "<html><head><script>var _0x1f=['cookie','reload'];document[_0x1f[0]]="
        "'__jsl_clearance=1';location[_0x1f[1]]();</script></head><body></body></html>"
    )


@row("soft-404")
async def _soft_404(call: Call) -> None:
    await call.answer(
        "<html><head><title>404</title></head><body><h2>您访问的页面不存在或已被删除</h2>"
        '<a href="/">返回首页</a></body></html>'
    )


@row("login")
async def _login(call: Call) -> None:
    await call.answer(
        "<html><head><title>用户登录</title></head><body><form action='/login' method='post'>"
        "用户名<input name='user'>密码<input type='password' name='password'>"
        "<button>登录</button></form></body></html>"
    )


@row("challenge-412")
async def _challenge_412(call: Call) -> None:
    await call.answer(
        "<html><body><script src='/4QbVtADbnLVIc/c.FxJzG50F.js'></script></body></html>",
        status="412 Precondition Failed",
    )


@row("challenge-403")
async def _challenge_403(call: Call) -> None:
    await call.answer(
        "<html><title>访问验证</title><body>访问过于频繁，请完成安全验证</body></html>",
        status="403 Forbidden",
    )


@row(*_CHARSETS)
async def _charset(call: Call) -> None:
    encoding, header, meta = _CHARSETS[call.asked.name]
    text = CHARSET_TEXT_BIG5 if encoding == "big5" else CHARSET_TEXT
    body = page("字符集", text, charset=meta).encode(encoding)
    await call.answer(body, kind=f"text/html; charset={header}" if header else "text/html")


@row("date-future")
async def _date_future(call: Call) -> None:
    later = datetime.now(UTC).astimezone(SHANGHAI) + timedelta(days=400)
    await call.answer(page("来自未来", "正文。", published=f"{later:%Y-%m-%d %H:%M}"))


@row("date-impossible")
async def _date_impossible(call: Call) -> None:
    await call.answer(page("没有这一天", "正文。", published="2026-02-30 25:61"))


@row("date-missing")
async def _date_missing(call: Call) -> None:
    await call.answer(page("没有日期", "咨询电话：000-1234567，浏览次数：20260101", published=""))
