"""What a page says about itself in its head: the meta tags that the government-website
guide prescribes, and their international cousins."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from crawler.extraction.hygiene import one_line
from crawler.extraction.outline import Element

#: Field of ours → meta names, lower case, best first.
_NAMES = {
    "title": ("articletitle", "article_title", "og:title", "twitter:title"),
    "published": (
        "pubdate", "publishdate", "publish_date", "publishtime", "firstpublishedtime",
        "article:published_time", "og:published_time", "datepublished", "dc.date.issued",
        "dc.date", "weibo: article:create_at", "publication_date", "date",
    ),
    "source": ("contentsource", "content_source", "mediaid"),
    "column": ("columnname", "column_name", "article:section"),
    "site": ("sitename", "site_name", "og:site_name"),
    "author": ("author", "article:author"),
    "keywords": ("keywords",),
    "url": ("url", "og:url"),
    "description": ("description", "og:description"),
}  # fmt: skip
_TAGS = re.compile(r"<[^<>]{0,200}>")
_EMPTY = frozenset({"", "null", "none", "undefined", "-", "--", "无", "暂无", "本站原创"})
_LIMIT = 500
_JSON_LIMIT = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Values as written; none of them is to be believed before it is checked."""

    title: str = ""
    published: str = ""
    source: str = ""
    column: str = ""
    site: str = ""
    author: str = ""
    keywords: str = ""
    url: str = ""
    description: str = ""
    official: frozenset[str] = field(default_factory=frozenset)  #: fields by a prescribed tag


def read(root: Element) -> Meta:
    """Meta tags in any case and attribute order, then JSON-LD. Never raises."""
    tags: dict[str, str] = {}
    for tag in root.iter("meta"):
        name = tag.get("name") or tag.get("property") or tag.get("itemprop") or ""
        value = _value(tag.get("content") or "")
        if name and value and len(name) < 60:
            tags.setdefault(name.strip().lower(), value)
    values = {
        ours: next((tags[name] for name in names if name in tags), "")
        for ours, names in _NAMES.items()
    }
    official = frozenset(ours for ours, names in _NAMES.items() if names[0] in tags)
    for ours, value in _linked_data(root).items():
        values[ours] = values[ours] or value
    return Meta(**values, official=official)


def _value(text: str) -> str:
    value = one_line(_TAGS.sub("", text[: 4 * _LIMIT]))[:_LIMIT]
    return "" if value.lower() in _EMPTY else value


def _linked_data(root: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for script in root.iter("script"):
        text = script.text or ""
        if "ld+json" not in (script.get("type") or "") or len(text) > _JSON_LIMIT:
            continue
        try:
            data = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
        for node in _nodes(data):
            for key, ours in (("datePublished", "published"), ("headline", "title")):
                value = node.get(key)
                if isinstance(value, str) and _value(value):
                    found.setdefault(ours, _value(value))
    return found


def _nodes(data: Any) -> list[dict[str, Any]]:
    """Objects of the two upper levels and of @graph."""
    level = data if isinstance(data, list) else [data]
    nodes = [node for node in level[:50] if isinstance(node, dict)]
    for node in list(nodes):
        graph = node.get("@graph")
        if isinstance(graph, list):
            nodes += [child for child in graph[:50] if isinstance(child, dict)]
    return nodes
