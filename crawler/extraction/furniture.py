"""Lines that stand among the text but are no text: editors, hit counts, share bars, pagers."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BETWEEN = r"[\s【】\[\]()（）<>《》·|｜/、,，:：+]*"
_PAGE = r"(?:本?(?:页面?|网页|文章?|窗口)|此(?:页|文)|本站)"
_BUTTON = (
    rf"(?:我要(?:纠错|打印|分享|收藏)|一键分享|(?:打印|关闭|收藏){_PAGE}?"
    rf"|分享(?:{_PAGE})?(?:到|至|给)?)"
)
_WHERE_TO = (
    r"(?:(?:新浪|腾讯)?微博|微信(?:好友)?|朋友圈|新浪|腾讯|网易|搜狐|QQ(?:空间|好友|群)?|人人网?"
    r"|开心网|豆瓣|(?:百度)?贴吧|今日头条|钉钉|邮件|复制链接|更多|facebook|twitter|linkedin)"
)
#: Buttons, and nothing else: a sentence that begins with such a word is somebody's.
_BUTTONS = re.compile(
    rf"^{_BETWEEN}{_BUTTON}(?:{_BETWEEN}(?:{_BUTTON}|{_WHERE_TO}))*{_BETWEEN}$", re.I
)
#: Anywhere, on a short line of its own.
_ANYWHERE = re.compile(
    r"^[【\[(（<《·|\s]*(?:字\s*[号体]\s*[:：]|(?:浏览|点击|阅读|访问|查看)(?:次数|量|数|率|人数)?\s*[:：]"
    r"|返回(?:顶部|上页|列表|首页)(?![\u4e00-\u9fff])"
    r"|(?:扫一扫|微信扫|用微信|手机扫)(?!.*[。！？!?]\s*$)"
    r"|(?:二维码|保护视力色|语音播报|无障碍(?:浏览|阅读|模式|版)?|长者模式)[\s】\])）:：]*$"
    r"|advertisement\b"
    r"|share this|share on"
    r"|follow us|sign up|click here|read more\s*:|video\b\s*$|close\s*$|story continues below"
    r"|continue reading)",
    re.I,
)
#: Only where the text begins.
_HEAD = re.compile(
    r"^[【\[(（]?(?:(?:信息|文章|稿件|内容)?(?:发布|发表|更新|公开)?\s*(?:时\s*间"
    r"|日\s*期)\s*[:：]|(?:信息|文章|稿件|新闻)?(?:来\s*源|稿源)\s*[:：]"
    r"|作\s*者\s*[:：]|发布(?:机构|单位|人|者)\s*[:：]|字\s*[号体]\s*(?:[:：]|大|$)"
    r"|(?:浏览|点击|阅读|访问)(?:次数|量|数|率|人数)?\s*(?:[:：(（\d]|$)"
    r"|当前位置|您(?:现在)?(?:的|所在的)?位置|首页\s*>"
    r"|\d{4}\s*[-年/.]\s*\d{1,2}\s*[-月/.]\s*\d{1,2}\s*日?(?:\s*\d{1,2}:\d{2}(?::\d{2})?)?\s*(?:$"
    r"|来源|作者|浏览|点击|阅读|字))"
)
#: Only where it ends.
_TAIL = re.compile(
    r"^[【\[(（\s]*(?:(?:责任|本文|网络|值班|网站)?\s*编\s*[辑审]\s*[:：]|责\s*编\s*[:：]|(?:初"
    r"|复|终|一|二|三)?\s*[审校]\s*[核对签]?\s*[:：]"
    r"|监制\s*[:：]|签发(?:人)?\s*[:：]\s*\S{2,4}$|(?:信息|文章|稿件|新闻|内容|资料)?(?:来\s*源"
    r"|稿源)\s*[:：]|供\s*稿\s*[:：]|撰\s*稿\s*[:：]|摄影\s*[:：]"
    r"|作\s*者\s*[:：]|上一[篇条则]|下一[篇条则]|相关(?:链接|阅读|新闻|文章|附件|信息|稿件|文件"
    r"|解读)\s*[:：]?|附件(?:下载)?\s*[:：]?\s*$"
    r"|(?:发布|更新)(?:时间|日期)\s*[:：]|热点推荐|推荐阅读|更多>*$|>>+|标签\s*[:：]"
    r"|关键词\s*[:：]|免责声明|版权(?:所有|声明)"
    r"|主办单位\s*[:：]|承办单位?\s*[:：]|网站标识码|.{0,12}ICP备|.{0,6}公网安备|联系我们\s*\|"
    r"|tags?\s*:|related\b.{0,20}$|filed under"
    r"|comments?\s*$)",
    re.I,
)
#: The name of a file that hangs on the page.
_FILE_NAME = re.compile(
    r"^(?:附件\s*\d{0,2}\s*[:：.、]?)?\s*(?:\d{1,2}\s*[.、．]\s*)?[^。；，:：]{1,80}"
    r"\.(?:docx?|xlsx?|pptx?|pdf|wps|et|ofd|zip|rar|7z)$",
    re.I,
)
_SHORT = 90  #: characters; a longer line is a sentence that happens to begin so
_HEAD_LINES = 6
_SCRAP = 30  #: up to here a line above the byline may be a subtitle
_SPOKEN = re.compile(r"[。！？；：!?;:]\s*$")


def without(lines: Sequence[str], title: str = "") -> list[str]:
    """Text lines without furniture, and without the title repeated above them."""
    kept = [line for line in lines if not _is_furniture(line)]
    start = 0
    for number, line in enumerate(kept[:_HEAD_LINES]):
        if _is_title(line, title) or (len(line) <= _SHORT and _HEAD.match(line)):
            start = number + 1
        elif len(line) > _SCRAP or _SPOKEN.search(line):
            break
    kept = kept[start:] if start < len(kept) else []
    while kept and len(kept[-1]) <= _SHORT and _TAIL.match(kept[-1]):
        kept.pop()
    return kept


def _is_furniture(line: str) -> bool:
    if len(line) <= 40 and (_ANYWHERE.match(line) or _BUTTONS.match(line)):
        return True
    return len(line) <= 120 and bool(_FILE_NAME.match(line))


def _is_title(line: str, title: str) -> bool:
    return bool(title) and "".join(line.split()) == "".join(title.split())
