"""The body of a page nobody described to us: the densest run of prose and what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawler.extraction.outline import Block, Outline, Span

#: Parts of a page named for what they are: never the body, unless nothing else is.
_NOISE = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|breadcrumbs?|crumbs?|footer|foot|copyright|sidebar"
    r"|side|aside|related|recommend\w*|recirc\w*|hot|rank\w*|share\w*|sharing|social|bdshare\w*"
    r"|jiathis\w*|comments?|comment-?list|disqus\w*|respond|reply-?form|promo\w*|advert\w*|ads?"
    r"|sponsor\w*|banner|newsletter\w*|subscri\w*|sign-?up|paywall\w*|popup|modal|overlay|cookie\w*"
    r"|consent|gdpr|login|toolbar|tools?|pager|paging|pagination|prev-?next|page-?nav|tags?|tag-?list"
    r"|taglist|topics|author-?(?:bio|box|info|card)?|byline|bio|caption|wp-caption-text|credit"
    r"|figcaption|editor|zrbj|fenxiang|print\w*|qrcode|ewm|erweima|scan|location|position|weizhi"
    r"|dqwz|crumb|mbx|skip-?link|screen-?reader\w*|sr-only|visually-?hidden|widgets?|more-?(?:from|on|stories|news)"
    r"|read-?(?:next|more)|up-?next|outbrain\w*|taboola\w*|most-?(?:read|popular)|popular|trending"
    r"|teaser\w*|timestamp|dateline|contentinfo|complementary|search\w*|xgxw|xgwz|xgyd|xglj|xgfj|fj"
    r"|fujian|attachment\w*|correction-?form|feedback|rating\w*|poll|quiz|slideshow|gallery|carousel"
    r"|links?|friendlink\w*|yqlj|meta|post-?meta|entry-?meta|article-?meta|info-?bar|bottom-?bar)"
    r"(?:$|[\s_-])"
)
_GLUED = re.compile(
    r"breadcrumb|sharebar|sharebox|share-|related|recommend|newsletter|subscribe|subscription|advert"
    r"|sidebar|sponsor|promo|cookie|outbrain|taboola|disqus|commentlist|comments-|toolbar|pagination"
    r"|social|caption|copyright|relatednews|morenews|hotnews|nextprev|prevnext|bdshare|inline-?ad"
    r"|signup|paywall|byline|authorbox|author-bio|aboutauthor|readmore|mostread|trending"
)
_BODY = re.compile(
    r"article|content|body|text|main|story|post|entry|detail|zoom|wenzhang|zhengwen|neirong|para"
)
_NOISY_TAGS = frozenset({"nav", "footer", "aside", "figure", "figcaption", "fieldset", "caption"})
_PROSE_TAGS = frozenset("p pre blockquote li dd dt h2 h3 h4 h5 h6 td section div article".split())
_ENDED = re.compile(r"[。！？；：…”’」』.!?;:\"')）\]]\s*$")
_PROSE = 60  #: size from which a block reads as a paragraph


def noise(span: Span) -> bool:
    """Whether an element's tag or name says that it is not the text."""
    if span.tag in _NOISY_TAGS:
        return True
    if not span.marks or span.tag in {"body", "html", "main"}:
        return False
    if span.tag == "article" and "related" not in span.marks:
        return False
    return bool(_NOISE.search(span.marks) or _GLUED.search(span.marks))


def prose(block: Block) -> float:
    """Worth of a block: positive for sentences, negative for links and scraps."""
    own = block.size - block.linked
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
        muted = self._muted(page)
        self.good = [0.0]
        self.bad = [0.0]
        self.size = [0]
        self.linked = [0]
        for block in page.blocks:
            worth = prose(block)
            if block.index in muted:
                worth = min(worth, 0.0)
            self.good.append(self.good[-1] + max(worth, 0.0))
            self.bad.append(self.bad[-1] - min(worth, 0.0))
            self.size.append(self.size[-1] + block.size)
            self.linked.append(self.linked[-1] + block.linked)

    def _muted(self, page: Outline) -> set[int]:
        """Blocks inside noisy elements, but not where the noisy name covers half the page."""
        total = sum(max(prose(block), 0.0) for block in page.blocks) or 1.0
        muted: set[int] = set()
        until = 0
        for span in page.spans:
            if span.first < until or span.first == span.last or not noise(span):
                continue
            inside = page.blocks[span.first : span.last]
            if sum(max(prose(block), 0.0) for block in inside) > 0.5 * total:
                continue
            muted.update(range(span.first, span.last))
            until = span.last
        return muted

    def gain(self, span: Span) -> float:
        return self.good[span.last] - self.good[span.first]

    def loss(self, span: Span) -> float:
        return self.bad[span.last] - self.bad[span.first]

    def density(self, span: Span) -> float:
        size = self.size[span.last] - self.size[span.first]
        return (self.linked[span.last] - self.linked[span.first]) / size if size else 0.0


def main_span(page: Outline) -> Span | None:
    """The element that best holds the article, or None on a page without prose."""
    if not page.blocks:
        return None
    weighed = Weighed(page)
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


def kept(page: Outline, root: Span) -> Iterable[Block]:
    """The blocks of `root` without the noisy elements and lists of links inside it."""
    weighed = Weighed(page)
    total = weighed.gain(root) or 1.0
    until = root.first
    dropped: set[int] = set()
    for span in page.spans:
        if not (root.first <= span.first and span.last <= root.last) or span is root:
            continue
        if span.depth <= root.depth or span.first < until or span.first == span.last:
            continue
        prose_inside = sum(max(prose(b), 0.0) for b in page.blocks[span.first : span.last])
        if (noise(span) and prose_inside < 0.5 * total) or _link_list(span, weighed):
            dropped.update(range(span.first, span.last))
            until = span.last
    return [b for b in page.blocks[root.first : root.last] if b.index not in dropped]


def _link_list(span: Span, weighed: Weighed) -> bool:
    count = span.last - span.first
    return count > 1 and weighed.density(span) > 0.6 and weighed.gain(span) < 100


def generic_text(page: Outline) -> str:
    root = main_span(page)
    if root is None:
        return ""
    return "\n".join(block.text for block in kept(page, root))
