"""What became of an own page between two looks: each change with its class and its evidence. Pure.

Counters, clocks, rotating lists, tokens and layout are no change. Whether a change was meant
cannot be read from the page: people say so, and the new state becomes the measure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from crawler.fingerprint import Fingerprint, short

CONTENT, STRUCTURE, AVAILABILITY = "content", "structure", "availability"

_EXCERPT = 160
_HIDDEN_FEW = 40  #: characters of new hidden text that may be a pop-up's caption
_MARKS = re.compile(r"(?<!\d)[.:/~-]|[.:/~-](?!\d)|[^\w.:/~%℃\-]")
_NUMBERS = re.compile(
    r"\d+(?:[.:]\d+)*|[零〇一二两三四五六七八九十百千万亿]+(?=[人名户起次个级时点日月年米毫])"
)
_DATES = re.compile(
    r"(?:\d{4}年)?\d{1,2}月(?:\d{1,2}日)?|\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[日时](?:\d{1,2}分)?"
)
_PHONES = re.compile(r"0\d{2,3}-?\d{7,8}|1[3-9]\d{9}|400-?\d{3}-?\d{4}|\b12\d{3}\b")
_LEVELS = re.compile(
    r"[红橙黄蓝]色|[ⅠⅡⅢⅣ一二三四IV]{1,3}级|特别重大|重大|较大|一般|发布|解除|撤销|撤回|升级|降级|变更|终止|启动"
)
_NEGATIONS = re.compile(r"[不未没无非勿莫否禁]|可以|允许|切勿|并非|严禁")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change. `label` says what of the class changed; the excerpts are shown to people."""

    kind: str  #: content, structure, availability
    label: str
    before: str = ""
    after: str = ""
    what: str = ""  #: the same on every page that one act has touched; made from the change itself

    @property
    def mark(self) -> str:
        """Equal for the same change on different pages."""
        return short(f"{self.kind}|{self.label}|{self.what or self.before + '→' + self.after}")


def compare(before: Fingerprint, after: Fingerprint) -> list[Change]:
    """Every change that a person should know of, the gravest class first."""
    if after.trouble:
        if before.trouble:
            return []
        return [
            Change(
                kind=AVAILABILITY,
                label="unavailable",
                before=_start(before),
                after=after.trouble,
                what=after.trouble,
            )
        ]
    if before.trouble:
        return []
    defaced = _defaced(before, after)
    if defaced:
        return [defaced]
    found = [*_structure(before, after)]
    lost = _lost(before, after)
    if before.size >= 20 and lost > 0.9 and after.size < before.size / 2:
        found.append(
            Change(
                kind=AVAILABILITY,
                label="emptied",
                before=_start(before),
                after=("".join(after.body) or "正文为空")[:_EXCERPT],
                what="emptied",
            )
        )
    elif before.size >= 60 and lost > 0.9 and after.body:
        shown = "".join(after.body)[:_EXCERPT]
        found.append(Change(kind=CONTENT, label="replaced", before=_start(before), after=shown))
    else:
        found += _content(before, after)
    return found


def _lost(before: Fingerprint, after: Fingerprint) -> float:
    """The share of the text that stands nowhere on the page any more."""
    heard, said = set(after.heard), {_letters(one) for one in after.body}
    gone = [one for one in before.body if short(one) not in heard and _letters(one) not in said]
    return sum(map(len, gone)) / before.size if before.size else 0.0


def _defaced(before: Fingerprint, after: Fingerprint) -> Change | None:
    """Nothing of the page is left: neither its title, nor its text, nor the frame around it."""
    if len(before.heard) < 2 or before.title == after.title:
        return None
    kept = len(set(before.heard) & set(after.heard)) / len(before.heard)
    if kept > 0.1 or set(before.body) & set(after.body):
        return None
    shown = " ".join((after.title, *after.body))[:_EXCERPT]
    return Change(
        kind=STRUCTURE, label="defaced", before=_start(before), after=shown, what="defaced"
    )


def _structure(before: Fingerprint, after: Fingerprint) -> Iterable[Change]:
    if after.refresh and after.refresh != before.refresh:
        yield _new("refresh", after.refresh, before.refresh)
    if after.base and after.base != before.base:
        yield _new("base", after.base, before.base)
    for label, old, new in (
        ("script", before.scripts, after.scripts),
        ("frame", before.frames, after.frames),
        ("form", before.forms, after.forms),
        ("code", before.codes, after.codes),
    ):
        for name in new:
            if name not in old:
                yield _new(label, new[name], what=name)
    yield from _hidden(before, after)
    seen_links = {**before.links, **before.hidden_links}
    for host, shown in after.links.items():
        if host not in seen_links and not _public(host):
            yield _new("link", f"{host}：{shown}", what=host)
    for host, shown in after.pictures.items():
        if host not in before.pictures and not _public(host):
            yield _new("image", shown, what=host)
    words = [word for word in after.trades if word not in before.trades]
    if words:
        yield _new("trade", "、".join(words), what="trade")
    for name, place in after.files.items():
        old_place = before.files.get(name)
        if old_place is not None and _site(old_place) != _site(place):
            yield Change(kind=STRUCTURE, label="file", before=old_place, after=place)


def _hidden(before: Fingerprint, after: Fingerprint) -> Iterable[Change]:
    hosts = [
        host for host in after.hidden_links if host not in before.hidden_links and not _public(host)
    ]
    known = {short(piece) for piece in before.hidden} | set(before.heard)
    fresh = [piece for piece in after.hidden if short(piece) not in known]
    grew = after.hidden_size - before.hidden_size
    if hosts or (grew >= _HIDDEN_FEW and sum(map(len, fresh)) >= _HIDDEN_FEW):
        shown = "".join(fresh)[:_EXCERPT] or "、".join(hosts)
        size = f"共{after.hidden_size}字，" if fresh else ""
        yield Change(
            kind=STRUCTURE,
            label="hidden",
            before=f"隐藏文字{before.hidden_size}字",
            after=f"{size}{shown}",
            what="hidden:" + ",".join(hosts or fresh[:1]),
        )


def _content(before: Fingerprint, after: Fingerprint) -> Iterable[Change]:
    if before.title != after.title and _letters(before.title) != _letters(after.title):
        yield Change(kind=CONTENT, label="title", before=before.title, after=after.title)
    elif _letters(before.headline) != _letters(after.headline) and before.headline:
        yield Change(kind=CONTENT, label="title", before=before.headline, after=after.headline)
    for name in ("keywords", "description", "contentsource"):
        old, new = before.meta.get(name, ""), after.meta.get(name, "")
        if old != new:
            label = "source" if name == "contentsource" else "keywords"
            yield Change(kind=CONTENT, label=label, before=old, after=new)
    if before.published and after.published and before.published[:16] != after.published[:16]:
        yield Change(
            kind=CONTENT,
            label="published",
            before=before.published[:16],
            after=after.published[:16],
        )
    yield from _text(before, after)
    yield from _attached(before.files, after.files)
    yield from _pictures(before.images, after.images)
    inside = set(_phones("".join(before.body))) | set(_phones("".join(after.body)))
    gone = [one for one in before.phones if one not in after.phones and one not in inside]
    came = [one for one in after.phones if one not in before.phones and one not in inside]
    if gone and came:
        yield Change(kind=CONTENT, label="phone", before="、".join(gone), after="、".join(came))
    known = set(before.heard)
    for one in after.baits:
        if one not in before.baits and short(one) not in known:
            yield Change(kind=CONTENT, label="inserted", after=one[:_EXCERPT])


def _text(before: Fingerprint, after: Fingerprint) -> Iterable[Change]:
    """Sentences that went, came or changed. One that merely moved on the page is none."""
    if _letters("".join(before.body)) == _letters("".join(after.body)):
        return
    old, new = set(before.heard), set(after.heard)
    was = {_letters(one) for one in before.body}
    now = {_letters(one) for one in after.body}
    gone = [one for one in before.body if _letters(one) not in now and short(one) not in new]
    came = [one for one in after.body if _letters(one) not in was and short(one) not in old]
    for one in gone:
        other = _nearest(one, came)
        if other:
            came.remove(other)
        yield _edit(one, other)
    for one in came:
        yield _edit("", one)


def _edit(before: str, after: str) -> Change:
    return Change(
        kind=CONTENT,
        label=_label(before, after),
        before=before[:_EXCERPT],
        after=after[:_EXCERPT],
    )


def _label(before: str, after: str) -> str:
    """What about a sentence is different, the most telling thing first."""
    if not before or not after:
        told = before or after
        return "negation" if _NEGATIONS.search(told) and len(told) < 12 else "words"
    for label, pattern in (
        ("phone", _PHONES),
        ("level", _LEVELS),
        ("negation", _NEGATIONS),
        ("date", _DATES),
        ("number", _NUMBERS),
    ):
        if sorted(pattern.findall(before)) != sorted(pattern.findall(after)):
            return label
    return "words"


def _attached(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Change]:
    for name in before.keys() | after.keys():
        old, new = before.get(name, ""), after.get(name, "")
        if old == new or (old and new and _site(old) != _site(new)):
            continue  # a change of host is a matter of structure
        if not old and new in before.values():
            continue
        if not new and old in after.values():
            continue
        yield Change(
            kind=CONTENT,
            label="file",
            before=f"{name}（{old}）" if old else "",
            after=f"{name}（{new}）" if new else "",
        )


def _pictures(before: Sequence[str], after: Sequence[str]) -> Iterable[Change]:
    gone = [one for one in before if one not in after]
    came = [one for one in after if one not in before]
    if gone or came:
        yield Change(
            kind=CONTENT,
            label="picture",
            before="、".join(gone)[:_EXCERPT],
            after="、".join(came)[:_EXCERPT],
        )


def _nearest(one: str, others: Sequence[str]) -> str:
    best, score = "", 0.5
    for other in others[:50]:
        ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
        if ratio > score:
            best, score = other, ratio
    return best


def _new(label: str, after: str, before: str = "", *, what: str = "") -> Change:
    return Change(
        kind=STRUCTURE,
        label=label,
        before=before[:_EXCERPT],
        after=after[:_EXCERPT],
        what=what or after,
    )


def _public(host: str) -> bool:
    """Other government sites come and go in related links; a script from there still tells."""
    return host.endswith((".gov.cn", ".edu.cn", ".12377.cn", "www.12377.cn"))


def _phones(text: str) -> list[str]:
    return [re.sub(r"\D", "", one) for one in _PHONES.findall(text)]


def _site(place: str) -> str:
    return place.split("/", 1)[0]


def _letters(text: str) -> str:
    """Without the marks that an editor's spell checker moves; those inside numbers stay."""
    return _MARKS.sub("", text)


def _start(one: Fingerprint) -> str:
    return " ".join((one.title or one.headline, *one.body))[:_EXCERPT]
