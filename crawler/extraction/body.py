"""The body of a page nobody described to us: the densest run of prose and what belongs to it."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate
from typing import cast

from crawler.extraction import containers
from crawler.extraction.outline import Block, Outline, Span

#: Parts of a page named for what they are: never the body, unless nothing else is.
_NOISE = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|breadcrumbs?|crumbs?|footer|copyright|sidebar"
    r"|aside|related|recommend\w*|recirc\w*|rank\w*|share\w*|sharing|social|bdshare\w*"
    r"|jiathis\w*|comments?|comment-?list|disqus\w*|respond|reply-?form|promo\w*|advert\w*|ads?"
    r"|sponsor\w*|banner|newsletter\w*|subscri\w*|sign-?up|paywall\w*|popup|modal|overlay|cookie\w*"
    r"|consent|gdpr|login|toolbar|pager|paging|pagination|prev-?next|page-?nav|tag-?list"
    r"|taglist|topics|author-?(?:bio|box|info|card)?|byline|bio|caption|wp-caption-text|credit"
    r"|figcaption|editor|zrbj|fenxiang|qrcode|ewm|erweima|weizhi"
    r"|dqwz|crumb|mbx|skip-?link|screen-?reader\w*|sr-only|visually-?hidden|widgets?"
    r"|more-?(?:from|on|stories|news)"
    r"|read-?(?:next|more)|up-?next|outbrain\w*|taboola\w*|most-?(?:read|popular)|popular|trending"
    r"|teaser\w*|timestamp|dateline|contentinfo|complementary|search\w*|xgxw|xgwz|xgyd|xglj|xgfj|fj"
    r"|fujian|attachment\w*|correction-?form|feedback|rating\w*|poll|quiz|slideshow|gallery"
    r"|carousel"
    r"|friendlink\w*|yqlj|post-?meta|entry-?meta|article-?meta|info-?bar|bottom-?bar)"
    r"(?:$|[\s_-])"
)
#: Words that mean something else as part of a longer name (position-relative, d-print-none).
_NOISE_WHOLE = re.compile(
    r"(?:^|\s)(?:side|hot|foot|tags?|print|printer|scan|location|position|links?|meta|tools?"
    r"|close)(?=$|\s)"
)
_GLUED = re.compile(
    r"breadcrumb|sharebar|sharebox|share-|related|recommend|newsletter|subscribe|subscription"
    r"|advert"
    r"|sidebar|sponsor|promo|cookie|outbrain|taboola|disqus|commentlist|comments-|toolbar"
    r"|pagination"
    r"|social|caption|copyright|relatednews|morenews|hotnews|nextprev|prevnext|bdshare|inline-?ad"
    r"|signup|paywall|byline|authorbox|author-bio|aboutauthor|readmore|mostread|trending"
)
_BODY = re.compile(
    r"article|content|body|text|main|story|post|entry|detail|zoom|wenzhang|zhengwen|neirong|para"
)
_COMMENTS = re.compile(r"comment|pinglun|disqus|respond")
#: A quoted post inside a story is part of the story.
_EMBED = re.compile(r"embed|tweet")
#: The foot of a page, by what it says where nothing names it.
_IMPRINT = re.compile(
    r"icp备|公网安备|网站标识码|版权所有|主办单位?\s*[:：].{0,60}承办|技术支持\s*[:：]"
    r"|all rights reserved|©"
)
_NOISY_TAGS = frozenset({"nav", "footer", "aside", "figure", "figcaption", "fieldset", "caption"})
_ENDED = re.compile(r"[。！？；：…”’」』.!?;:\"')）\]]\s*$")
_ATTACHED = re.compile(r"[【\[（(]?(?:附件|附表|附图|相关附件|附)\s*\d{0,2}\s*[:：】\])）.、]?")
_FILE = re.compile(r"\.(?:docx?|xlsx?|pptx?|pdf|wps|et|ofd|zip|rar|7z|txt|csv)\b", re.I)
_CARD_TAGS = frozenset({"li", "article", "div", "section", "dl"})
_PROSE = 60  #: size from which a block reads as a paragraph


def noise(span: Span) -> bool:
    """Whether an element's tag or name says that it is not the text."""
    if span.tag in _NOISY_TAGS:
        return True
    if not span.marks or span.tag in {"body", "html", "main"}:
        return False
    if (span.tag == "article" and "related" not in span.marks) or _EMBED.search(span.marks):
        return False
    if containers.named(span):
        return False
    return _named_noise(span.marks)


@lru_cache(maxsize=4096)
def _named_noise(marks: str) -> bool:
    return bool(_NOISE.search(marks) or _NOISE_WHOLE.search(marks) or _GLUED.search(marks))


def cards(page: Outline) -> list[Span]:
    """Lists of teasers: three or more alike children, each headed by a link."""
    children: dict[int, list[Span]] = {}
    for span in page.spans:
        if span.parent is not None and span.tag in _CARD_TAGS and span.last > span.first:
            children.setdefault(id(span.parent), []).append(span)
    found = []
    for group in children.values():
        for tag in {span.tag for span in group}:
            alike = [span for span in group if span.tag == tag]
            headed = [span for span in alike if _headed_by_link(page, span)]
            if len(headed) >= 3 and len(headed) >= 0.75 * len(alike):
                found += headed
    return found


def _headed_by_link(page: Outline, span: Span) -> bool:
    head = page.blocks[span.first]
    if (
        span.last - span.first > 8
        or sum(b.size for b in page.blocks[span.first : span.last]) > 1500
    ):
        return False
    if head.density > 0.8:
        return True
    owner = head.owner
    return (
        span.tag == "li"
        and head.linked > 0
        and len(owner) > 0
        and owner[0].tag == "a"
        and not (owner.text or "").strip()
    )


def imprint(block: Block) -> bool:
    """The foot of the page: licence numbers, who runs the site, whose rights."""
    # In lower case: without re.I the scan skips what no such word begins with.
    return block.size < 1200 and bool(_IMPRINT.search(block.text.lower()))


def prose(block: Block) -> float:
    """Worth of a block: positive for sentences, negative for links and scraps."""
    own = block.size - block.linked
    if imprint(block):
        return -10.0
    if block.density > 0.5:
        return -10.0 - 0.2 * min(block.linked, 200)
    if own >= _PROSE:
        return own * (1.0 - block.density)
    if own >= 16 and _ENDED.search(block.text):
        return own * 0.8
    return -4.0


class Weighed:
    """Prefix sums over an outline, so that any span is weighed at once."""

    def __init__(self, page: Outline) -> None:
        self.page = page
        self.cards = cards(page)
        self.worths = worths = [prose(block) for block in page.blocks]
        self._prose = [0.0, *accumulate(max(worth, 0.0) for worth in worths)]
        muted = self._muted(page)
        gains = (
            worth if worth > 0 and number not in muted else 0.0
            for number, worth in enumerate(worths)
        )
        self.good = [0.0, *accumulate(gains)]
        self.bad = [0.0, *accumulate(-worth if worth < 0 else 0.0 for worth in worths)]
        self.size = [0, *accumulate(block.size for block in page.blocks)]
        self.linked = [0, *accumulate(block.linked for block in page.blocks)]

    def _muted(self, page: Outline) -> set[int]:
        """Blocks inside noisy elements, but not where the noisy name covers half the page."""
        total = self._prose[-1] or 1.0
        muted = {n for span in self.cards for n in range(span.first, span.last)}
        until = 0
        for span in page.spans:
            if span.first < until or span.first == span.last or not noise(span):
                continue
            if self.prose(span) > _tolerance(span) * total:
                continue
            muted.update(range(span.first, span.last))
            until = span.last
        return muted

    def card_blocks(self, root: Span) -> set[int]:
        """Blocks of teasers strictly inside `root`."""
        inside = (c for c in self.cards if root.first <= c.first and c.last <= root.last)
        return {n for c in inside if c.depth > root.depth for n in range(c.first, c.last)}

    def prose(self, span: Span) -> float:
        """Of a span, whether muted or not."""
        return self._prose[span.last] - self._prose[span.first]

    def gain(self, span: Span) -> float:
        return self.good[span.last] - self.good[span.first]

    def loss(self, span: Span) -> float:
        return self.bad[span.last] - self.bad[span.first]

    def density(self, span: Span) -> float:
        size = self.size[span.last] - self.size[span.first]
        return (self.linked[span.last] - self.linked[span.first]) / size if size else 0.0


def weighed_once(page: Outline) -> Weighed:
    """The weights of a page, worked out when they are first asked for."""
    made = page.known.get(Weighed)
    if made is None:
        made = page.known[Weighed] = Weighed(page)
    return cast(Weighed, made)


def main_span(page: Outline) -> Span | None:
    """The element that best holds the article, or None on a page without prose."""
    if not page.blocks:
        return None
    weighed = weighed_once(page)
    scores: dict[int, float] = {}
    chosen: dict[int, Span] = {}
    for block in page.blocks:
        worth = weighed.good[block.index + 1] - weighed.good[block.index]
        if worth <= 0:
            continue
        span = page.of(block.owner)
        if span is not None and span.tag in {"p", "li", "pre", "blockquote", "dd"}:
            span = span.parent
        share = 1.0
        for _ in range(3):
            if span is None:
                break
            scores[id(span)] = scores.get(id(span), 0.0) + share * min(worth, 800)
            chosen[id(span)] = span
            span, share = span.parent, share * 0.5
    if not chosen:
        return None
    best = max(chosen.values(), key=lambda s: scores[id(s)] * _named(s) * (1 - weighed.density(s)))
    return _climb(best, weighed)


def _named(span: Span) -> float:
    if "articlebody" in span.marks.replace("-", "").replace("_", ""):
        return 1.5
    return 1.2 if span.tag == "article" or _BODY.search(span.marks) else 1.0


def _climb(best: Span, weighed: Weighed) -> Span:
    """Upwards while the surroundings add prose and little else."""
    current, candidate = best, best.parent
    while candidate is not None and candidate.tag not in {"html"}:
        more = weighed.gain(candidate) - weighed.gain(current)
        worse = weighed.loss(candidate) - weighed.loss(current)
        if more > 0.2 * weighed.gain(current) and more > 2 * worse:
            current = candidate
        candidate = candidate.parent
    return current


def kept(page: Outline, root: Span) -> list[Block]:
    """The blocks of `root` without the noisy elements and lists of links inside it."""
    known: list[Block] | None = page.known.get(("kept", id(root)))
    if known is None:
        known = page.known["kept", id(root)] = _kept(page, root)
    return known


def _kept(page: Outline, root: Span) -> list[Block]:
    weighed = weighed_once(page)
    total = weighed.gain(root) or 1.0
    until = root.first
    dropped = weighed.card_blocks(root)
    for span in page.spans:
        if not (root.first <= span.first and span.last <= root.last) or span is root:
            continue
        if span.depth <= root.depth or span.first < until or span.first == span.last:
            continue
        misplaced = noise(span) and weighed.prose(span) < _tolerance(span) * total
        if misplaced or _link_list(span, weighed):
            dropped.update(range(span.first, span.last))
            until = span.last
    return [
        block
        for block in page.blocks[root.first : root.last]
        if block.index not in dropped and not _aside_link(block)
    ]


def widened(page: Outline, container: Span) -> Span:
    """The parent where the container holds only the first part of the text.

    Its neighbours must bring at least two long, finished paragraphs and nearly as much
    prose as the container itself.
    """
    weighed = weighed_once(page)
    parent = container.parent
    for _ in range(2):
        if parent is None or parent.tag in {"body", "html"}:
            return container
        extra = [
            block
            for block in kept(page, parent)
            if not container.first <= block.index < container.last
            and prose(block) >= 100
            and block.density < 0.2
            and _ENDED.search(block.text)
        ]
        if len(extra) >= 2 and sum(map(prose, extra)) > 0.8 * weighed.gain(container):
            return parent
        parent = parent.parent
    return container


def _aside_link(block: Block) -> bool:
    """A paragraph that is nothing but a link: “read more”, an attachment, an advertisement."""
    if block.owner.tag in {"h2", "h3", "h4", "h5", "h6"}:
        return False
    if block.density > 0.95:
        return True
    if block.density > 0.4 and _ATTACHED.match(block.text):
        return True
    return (
        block.density > 0.6 and block.size - block.linked <= 16 and bool(_FILE.search(block.text))
    )


def _tolerance(span: Span) -> float:
    """Share of all prose beyond which a noisy name is taken for a misnomer."""
    if _COMMENTS.search(span.marks):
        return 0.98  # a lively discussion outweighs the article it is about
    return 0.9 if span.tag in _NOISY_TAGS else 0.5


def _link_list(span: Span, weighed: Weighed) -> bool:
    count = span.last - span.first
    return count > 1 and weighed.density(span) > 0.6 and weighed.gain(span) < 100


def generic_text(page: Outline) -> str:
    """The prose of a page by density alone, one paragraph a line."""
    root = main_span(page)
    return "\n".join(block.text for block in kept(page, root)) if root else ""
