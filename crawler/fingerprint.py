"""What an own page is made of, so that a later look can tell a change from a heartbeat. Pure.

A hash of the page, or of its text, alarms on every hit counter; this keeps apart what people
read, what browsers run and follow, and what is there but not shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from lxml import etree

from crawler.concealment import concealed, loud_text, tiny
from crawler.extraction import article, hygiene
from crawler.extraction.markup import Markup
from crawler.extraction.outline import Block, Element
from crawler.widths import nfkc

VERSION = 1

_SENTENCES = 600  #: of one page that are kept
_SENTENCE = 400  #: characters
_PIECES = 60  #: hidden ones
_CODES = 80

#: What a page says anew on each look: counters, clocks, the weather of the hour.
_RESTLESS = re.compile(
    r"(?:浏览|点击|阅读|访问|查看|播放|下载|点赞|收藏|评论|转发|分享|在线|关注|围观)"
    r"(?:次数|人数|人次|总?量|数|率)?\s*[:：]?\s*[(（]?\s*\d[\d,.]*\s*万?\s*(?:次|人|人次)?[)）]?"
    r"|\d+\s*(?:秒|分钟|小时|天)\s*[以之]?前|刚刚更新"
    r"|(?:今天|今日|现在|当前时间|北京时间|系统时间)\s*(?:是|为)?\s*[:：]?\s*\d{4}\s*[-年/.]\s*\d{1,2}"
    r"\s*[-月/.]\s*\d{1,2}\s*日?(?:\s*[星期周]{1,2}[一二三四五六日天])?(?:\s*\d{1,2}:\d{2}(?::\d{2})?)?"
    r"|(?:当前|系统|北京)时间\s*[:：]?\s*\d{1,2}:\d{2}(?::\d{2})?"
)
_COUNTS = re.compile(r"\d")  #: without one, only 刚刚更新 is restless
_RESTLESS_LINE = re.compile(
    r"^(?:今天是|今日(?:天气|气温)|当前(?:天气|气温|位置)|实时(?:天气|气温)|天气\s*[:：]|空气质量"
    r"|农历|您是第|总访问|在线人数|字\s*[号体]\s*[:：]|分享到|上一[篇条]|下一[篇条])"
)
_COUNTED = re.compile(
    r"(?:浏览|点击|阅读|访问|查看|播放|下载|点赞|收藏|评论|转发|在线|关注)(?:次数|人数|人次|总?量|数|率)?\s*[:：]?\s*[(（]?$"
)
_BREAKS = re.compile(r"(?<=[。！？；!?;])|\n")
_PHONE = re.compile(
    r"(?<![\d.-])(?:0\d{2,3}[-－ ]?\d{7,8}|1[3-9]\d{9}|400[- ]?\d{3}[- ]?\d{4}|12\d{3}|9\d{4})"
    r"(?![\d.]|-\d)"
)
_FOUR_DIGITS = re.compile(r"\d{4}")  #: no number of a telephone does without
_CALLED = re.compile(r"电话|热线|拨打|致电|手机|传真|联系|咨询|tel", re.I)
#: Where somebody is to be lured: looked for outside the text as well.
_BAIT = re.compile(
    r"加(?:微信|QQ|群)|(?:QQ|微信|VX)\s*[:：]?\s*\w{5,}|转账|汇款|收款|缴费|账号|账户|验证码|扫码"
    r"|点击(?:进入|下载|领取|链接)|下载安装|领取(?:补贴|红包|奖)|中奖|贷款|投注|注册送",
    re.I,
)
#: Trades that break into pages for a living; here a word is enough, wherever it hides. Looked
#: for in lower case: without re.I a scan skips what no word begins with.
_TRADE = re.compile(
    r"娱乐城|博彩|赌场|赌博网|六合彩|时时彩|百家乐|老虎机|彩票(?:网|平台|app)|开奖(?:结果|直播)?网"
    r"|真人(?:荷官|娱乐)|葡京|威尼斯人|足彩|私服|代开发票|办证刻章|刻章办证|代孕|裸聊|成人(?:网站|视频|电影)"
    r"|色情|迷药|枪支|捕鱼游戏|棋牌(?:平台|游戏下载)|hacked\s+by|h4cked|defaced\s+by|pwned\s+by",
)
_DANGER = re.compile(
    r"\beval\s*\(|\bunescape\s*\(|fromCharCode|document\.write|\batob\s*\(|\blocation\b\s*(?:\.\s*(?:href"
    r"|replace|assign)\b|=[^=])|\.location\b|createElement\s*\(\s*[\"'](?:script|iframe)|document\.referrer"
    r"|new\s+Function\b|WebAssembly|\binsertBefore\b|\bsetTimeout\s*\(\s*[\"']|\\x[0-9a-f]{2}\\x",
    re.I,
)
_ADDRESS = re.compile(
    r"""(?:https?:)?\\?/\\?/([\w.-]{3,100}\.[a-z]{2,24})(?=[/:"'\\?#\s)]|$)""", re.I
)
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UPLOADED = re.compile(r"/(?:upload\w*|attach\w*|userfiles?|fj|temp|tmp)/", re.I)
_REFRESH_URL = re.compile(r"url\s*=\s*[\"']?\s*([^\"'\s>]{1,500})", re.I)
_ARROGATED = {"com", "net", "org", "gov", "edu", "ac", "mil"}


#: A link within the site, where nothing could be read in two ways.
_OF_OUR_OWN = re.compile(r"(?!//)[\w./?#&=%~,;-]*\Z", re.A)
_WEB = {"http", "https"}
_TITLES = etree.XPath("//title[1]//text()", smart_strings=False)
_PASSWORDS = etree.XPath("//input[translate(@type,'PASWORD','pasword')='password']")
_HANDLERS = etree.XPath("//@*[starts-with(name(), 'on')]", smart_strings=False)
_HREFS = etree.XPath("//@href", smart_strings=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """One page at one moment. Hosts are foreign ones; own hosts are never listed."""

    version: int = VERSION
    title: str = ""  #: of the browser window
    headline: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    published: str = ""  #: ISO 8601; a forged publication date is a veto item of the inspections
    body: tuple[str, ...] = ()  #: sentences of the main text
    heard: tuple[str, ...] = ()  #: short hashes of every visible sentence
    phones: tuple[str, ...] = ()  #: anywhere visible
    baits: tuple[str, ...] = ()  #: sentences outside the text that want the reader to do something
    trades: tuple[str, ...] = ()  #: words of illegal trades, anywhere, also hidden
    files: Mapping[str, str] = field(default_factory=dict)  #: name → host and path
    images: tuple[str, ...] = ()  #: of the main text: host and path
    links: Mapping[str, str] = field(default_factory=dict)  #: host → a link's words and address
    scripts: Mapping[str, str] = field(default_factory=dict)  #: host → an address
    frames: Mapping[str, str] = field(default_factory=dict)  #: host and size → an address
    pictures: Mapping[str, str] = field(default_factory=dict)  #: host → an address
    forms: Mapping[str, str] = field(default_factory=dict)  #: host, or "password" → an action
    codes: Mapping[str, str] = field(default_factory=dict)  #: shape of a daring script → its start
    hidden: tuple[str, ...] = ()  #: pieces of text that are there and not shown
    hidden_size: int = 0  #: characters of all of them
    hidden_links: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    refresh: str = ""
    trouble: str = ""  #: Chinese: why this is no page but an error, a challenge, a login form

    @property
    def size(self) -> int:
        return sum(map(len, self.body))

    def as_json(self) -> dict[str, Any]:
        values = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Fingerprint:
        """Unknown keys of another version are dropped, missing ones stay empty."""
        known = {one.name for one in fields(cls)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in kept.items()
            if name in known
        }
        return cls(**values)


def fingerprint(
    page: bytes | str | Markup,
    url: str = "",
    own_hosts: Iterable[str] = (),
    *,
    content_type: str = "",
    read: article.Article | None = None,
) -> Fingerprint:
    """What the page is made of. Never raises, whatever the bytes are.

    `own_hosts` are host names of the agency; the page's own host and other names of the same
    registered domain count as own too. `read` is the article on the page where it was read
    before, without selectors.
    """
    markup = Markup.of(page, content_type)
    read = read or article.read_article(markup, url=url, fetched_at=datetime.now(UTC))
    if markup.root is None:
        return Fingerprint(trouble=read.soft_failure or "不是网页")
    return _Taking(markup, url, own_hosts, read).take()


def sentences(text: str) -> Iterator[str]:
    """The parts of a text that can change by themselves, in a form that layout cannot touch."""
    for part in _BREAKS.split(text):
        restless = _COUNTS.search(part) or "刚刚更新" in part
        plain = plainly(_RESTLESS.sub("", part) if restless else part)
        if plain and not _RESTLESS_LINE.match(plain):
            yield plain


def plainly(text: str) -> str:
    """Without white space, full-width forms and characters nobody sees."""
    return "".join(nfkc(hygiene.visible(text)).split())[:_SENTENCE]


def short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]


def site_of(host: str) -> str:
    """The registered domain of a host, near enough: www.city.gov.cn → city.gov.cn."""
    parts = host.lower().strip(".").split(".")
    if ":" in host or parts[-1].isdigit():
        return host  # an address, not a name
    deep = len(parts) > 2 and len(parts[-1]) == 2 and parts[-2] in _ARROGATED
    return ".".join(parts[-3:] if deep else parts[-2:])


class _Taking:
    """One look at one tree."""

    def __init__(
        self, markup: Markup, url: str, own_hosts: Iterable[str], read: article.Article
    ) -> None:
        self.markup = markup
        self.root = cast(Element, markup.root)  # there is one: the caller has looked
        self.url = url
        self.read = read
        self.meta = self._meta()
        own = [*own_hosts, urlsplit(url).hostname or "", self.meta.pop("sitedomain", "")]
        self.own = {site_of(_host_only(one)) for one in own if one}
        self.code = [
            text
            for node in self.root.iter("script")
            if not node.get("src")
            and "json" not in (node.get("type") or "").lower()
            and (text := (node.text or "").strip())
        ]

    def take(self) -> Fingerprint:
        page = self.markup.outline
        counts = _counts(page.blocks)
        told = {block.text: _told(block.text) for block in page.blocks}
        spoken = dict.fromkeys(
            one.text for line in self.read.text.split("\n") for one in told.get(line) or _told(line)
        )
        body = [one for one in spoken if one not in counts][:_SENTENCES]
        said = set(body)
        visible = [(block, one) for block in page.blocks for one in told[block.text]]
        hidden, hidden_links = self._hidden()
        pieces = list(dict.fromkeys(one for text in hidden for one in sentences(text)))
        title = hygiene.one_line("".join(_TITLES(self.root))[:300])
        everything = "\n".join(
            (title, *self.meta.values(), *(one.text for _, one in visible), *pieces)
        )
        return Fingerprint(
            title=title,
            headline=hygiene.one_line(self.read.title),
            meta=self.meta,
            published=self.read.published_at.isoformat() if self.read.published_at else "",
            body=tuple(body),
            heard=tuple(dict.fromkeys(one.mark for _, one in visible))[:3000],
            phones=tuple(sorted({number for _, one in visible for number in one.phones})),
            baits=tuple(
                dict.fromkeys(
                    one.text
                    for block, one in visible
                    if one.baits and one.text not in said and not _listed(block)
                )
            )[:40],
            trades=tuple(sorted(set(_TRADE.findall(everything.lower())))),
            files={one.name: _bare(one.url) for one in self.read.attachments},
            images=tuple(sorted({_bare(one) for one in self.read.images})),
            links=self._foreign("a", "href") | self._foreign("area", "href") | self._canonical(),
            scripts=self._scripts(),
            frames=self._frames(),
            pictures=self._foreign("img", "src"),
            forms=self._forms(),
            codes=self._codes(),
            hidden=tuple(pieces[:_PIECES]),
            hidden_size=sum(map(len, pieces)),
            hidden_links=hidden_links,
            base=self._base(),
            refresh=self._refresh(),
            trouble=self.read.soft_failure,
        )

    def _meta(self) -> dict[str, str]:
        wanted = {"keywords", "description", "articletitle", "contentsource", "sitedomain"}
        found: dict[str, list[str]] = {}
        for node in self.root.iter("meta"):
            name = (node.get("name") or node.get("property") or "").lower().removeprefix("og:")
            content = hygiene.one_line((node.get("content") or "")[:500])
            if name in wanted and content and content not in found.setdefault(name, []):
                found[name].append(content)
        return {name: " | ".join(sorted(values)) for name, values in found.items()}

    # --- where it leads ---------------------------------------------------------------------

    def _host(self, address: str) -> str:
        """The foreign host an address leads to; "" for own and for none; the scheme where it
        carries its content with it."""
        address = address.strip()
        if not address or _OF_OUR_OWN.match(address):
            return ""
        address = address.replace("\\", "/")
        scheme = address.split(":", 1)[0].lower()
        if scheme in {"data", "blob"}:
            return scheme + ":"
        if scheme in {"javascript", "mailto", "tel", "about", ""}:
            return ""
        try:
            host = _host_of(address if scheme in _WEB else urljoin(self.url, address))
        except ValueError:
            return "?"
        return "" if not host or site_of(host) in self.own else host

    def _foreign(self, tag: str, attribute: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self.root.iter(tag):
            address = node.get(attribute) or node.get(f"data-{attribute}") or ""
            host = self._host(address)
            if host and host != "data:" and host not in found:
                words = hygiene.one_line("".join(node.itertext())[:60])
                found[host] = f"{words} {address[:150]}".strip()
        return dict(sorted(found.items())[:200])

    def _canonical(self) -> dict[str, str]:
        found = {}
        for node in self.root.iter("link"):
            if (node.get("rel") or "").lower() == "canonical":
                host = self._host(node.get("href") or "")
                if host:
                    found[host] = f"canonical {(node.get('href') or '')[:150]}"
        return found

    def _scripts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self.root.iter("script", "link"):
            sheet = "stylesheet" in (node.get("rel") or "").lower()
            address = node.get("src") or (node.get("href") if sheet else "") or ""
            host = self._host(address)
            if not host and node.tag == "script" and _UPLOADED.search(address):
                host = _bare(address)  # nobody uploads a script for readers
            if host:
                found.setdefault(host, address[:200])
        return dict(sorted(found.items()))

    def _frames(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self.root.iter("iframe", "frame", "object", "embed"):
            address = node.get("src") or node.get("data") or ""
            host = self._host(address)
            if address.lower().startswith("javascript:") or node.get("srcdoc"):
                host = "inline:"
            small = tiny(node)
            if host or small:
                size = " tiny" if small else ""
                found.setdefault(
                    f"{host or 'own'}{size}", (address or node.get("srcdoc") or "")[:200]
                )
        return found

    def _forms(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self.root.iter("form"):
            host = self._host(node.get("action") or "")
            if host:
                found.setdefault(host, (node.get("action") or "")[:200])
        if _PASSWORDS(self.root):
            found["password"] = "input"  # noqa: S105 - the name of a field
        return found

    def _base(self) -> str:
        for node in self.root.iter("base"):
            host = self._host(node.get("href") or "")
            if host:
                return host
        return ""

    def _refresh(self) -> str:
        for node in self.root.iter("meta"):
            if (node.get("http-equiv") or "").lower().strip() == "refresh":
                to = _REFRESH_URL.search(node.get("content") or "")
                if to and (self._host(to[1]) or to[1].lower().startswith(("javascript:", "data:"))):
                    return to[1][:200]
        return ""

    def _codes(self) -> dict[str, str]:
        """Scripts in the page that rewrite it, lead away or fetch from elsewhere; by their
        shape, so that a token or a time inside one makes no other."""
        snippets = [*self.code, *_HANDLERS(self.root)]
        snippets += [
            href
            for href in _HREFS(self.root)
            if len(href) > 40 and href[:60].lower().lstrip().startswith("javascript:")
        ]
        found: dict[str, str] = {}
        for snippet in snippets:
            text = snippet[:100_000]
            hosts = sorted(
                {host for one in _ADDRESS.findall(text) if (host := self._host("//" + one))}
            )
            if hosts or _DANGER.search(text):
                shape = "".join(_NUMBER.sub("0", _STRING.sub("S", text)).split())
                found[short(shape + "|" + ",".join(hosts))] = hygiene.one_line(text[:200])
        return dict(list(found.items())[:_CODES])

    # --- what is not shown --------------------------------------------------------------------

    def _hidden(self) -> tuple[list[str], dict[str, str]]:
        texts: list[str] = []
        links: dict[str, str] = {}
        for node in concealed(self.root, self.code):
            for inner in node.iter("a"):
                if host := self._host(inner.get("href") or ""):
                    links.setdefault(host, (inner.get("href") or "")[:200])
            text = loud_text(node)
            if text:
                texts.append(text)
        return texts, links


@dataclass(frozen=True, slots=True)
class _Said:
    """One visible sentence and what is to be known of it."""

    text: str
    mark: str
    phones: frozenset[str]
    baits: bool


def _told(text: str) -> tuple[_Said, ...]:
    # What stands on every page of a site is short; long texts would only fill the memory.
    return _told_often(text) if len(text) <= 60 else _told_once(text)


def _told_once(text: str) -> tuple[_Said, ...]:
    return tuple(
        _Said(one, short(one), frozenset(_phones(one)), len(one) >= 8 and bool(_BAIT.search(one)))
        for one in sentences(text)
    )


_told_often = lru_cache(maxsize=8192)(_told_once)


def _counts(blocks: Sequence[Block]) -> set[str]:
    """Bare numbers that stand behind the label of a counter, in a box of their own."""
    return {
        plainly(after.text)
        for before, after in pairwise(blocks)
        if after.text[:1].isnumeric()
        and _COUNTED.search(before.text)
        and plainly(after.text).isdigit()
    }


def _listed(block: Block) -> bool:
    return block.density > 0.5


def _phones(line: str) -> Iterator[str]:
    if not _FOUR_DIGITS.search(line):
        return
    for hit in _PHONE.finditer(line):
        number = re.sub(r"\D", "", hit[0])
        if len(number) > 5 or _CALLED.search(line):
            yield number


@lru_cache(maxsize=4096)
def _host_of(address: str) -> str:
    """Raises ValueError."""
    return (urlsplit(address).hostname or "").lower()


def _host_only(text: str) -> str:
    text = text.strip().lower()
    return (urlsplit(text if "//" in text else f"//{text}").hostname or "") if text else ""


def _bare(address: str) -> str:
    """Host and path: a version or a token behind the question mark is no other file."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address[:200]
    return f"{parts.netloc}{parts.path}"[:300]
