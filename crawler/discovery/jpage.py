"""大汉 jpage: the list comes as records inside a script, later pages from a data proxy."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qsl, unquote_plus, urlencode

from crawler import xmlsafe
from crawler.discovery import limits
from crawler.discovery.links import canonical
from crawler.discovery.page import Page
from crawler.discovery.paging import NextPage, unseen

PROXY = "/module/web/jpage/dataproxy.jsp"
#: The form the list's own script sends, in its order.
FIELDS = (
    "col", "appid", "webid", "path", "columnid", "sourceContentType", "unitid", "webname",
    "permissiontype",
)  # fmt: skip
#: Records asked for at a time; the site's own script takes three pages at once.
CHUNK = 20

_ANSWER = re.compile(r"\s*(?:<\?xml[^>]{0,200}\?>\s*)?<(?:datastore|recordset|record)\b", re.I)
_PROXY = re.compile(r"/module/(?:web/)?jpage/(?:more)?(?:column)?dataproxy\.jsp", re.I)
_QUERY = re.compile(r"dataproxy\.jsp\?([^\"'<>\s]{1,2000})", re.I)
_SETTING = re.compile(
    r"[\"']?\b("
    + "|".join(FIELDS)
    + r")\b[\"']?\s*:\s*(?:\"([^\"\n]{0,200})\"|'([^'\n]{0,200})'|([\w%/.-]{1,200}))",
    re.I,
)
_COUNT = {
    "records": re.compile(
        r"(?:<totalrecord>\s*|\btotalRecord[\"']?\s*[:=]\s*[\"']?)(\d{1,7})", re.I
    ),
    "pages": re.compile(r"(?:<totalpage>\s*|\btotalPage[\"']?\s*[:=]\s*[\"']?)(\d{1,6})", re.I),
    "size": re.compile(r"(?:<perpage>\s*|\bper_?page[\"']?\s*[:=]\s*[\"']?)(\d{1,3})", re.I),
}


@dataclass(frozen=True, slots=True)
class Records:
    """What one page or one answer holds."""

    markup: tuple[str, ...]  #: of each record
    total: int | None  #: records in the whole column
    pages: int | None
    size: int | None  #: records to a page


def is_answer(text: str) -> bool:
    """Whether this is the proxy's XML rather than the column's first page."""
    return bool(_ANSWER.match(text.removeprefix("\ufeff")[:1_000]))


def is_column(text: str) -> bool:
    return bool(_PROXY.search(text)) or "<recordset" in text


def read_records(text: str) -> Records:
    """Records of an answer or of the script inside a first page. Broken XML is read by hand."""
    store = text if is_answer(text) else _store(text)
    markup: list[str] = []
    if store:
        try:
            root = xmlsafe.parse(store)
            found = islice(root.iter("record"), limits.ENTRIES)
            markup = [(record.text or "")[: limits.ROW * 10] for record in found]
        except xmlsafe.NotXml:
            markup = _by_hand(store)
    counts = {
        name: int(match[1]) if (match := pattern.search(text)) else None
        for name, pattern in _COUNT.items()
    }
    return Records(
        tuple(piece for piece in markup if piece.strip()),
        counts["records"],
        counts["pages"],
        counts["size"] or None,
    )


def sheet(records: Records) -> str:
    """The records as one page, a <section> to each, so that no torn tag reaches the next."""
    return "<body>" + "".join(f"<section>{piece}</section>" for piece in records.markup) + "</body>"


def next_request(
    page: Page,
    records: Records,
    *,
    read: int,
    number: int,
    form: tuple[tuple[str, str], ...],
    seen: Collection[str],
) -> NextPage | None:
    """The call for what follows. `read` rows were found here; `form` is how this page came."""
    query = dict(parse_qsl(page.url.partition("?")[2], keep_blank_values=True))
    if "dataproxy.jsp" not in page.url.lower():
        return unseen(page, _first_call(page, records, read), seen)
    if "startrecord" in query:
        start, end = _number(query, "startrecord"), _number(query, "endrecord")
        total = records.total
        if start is None or end is None or end < start or read == 0:
            return None
        if total is not None and end >= total:
            return None
        ahead = {"startrecord": end + 1, "endrecord": end + (end - start + 1)}
        if total is not None:
            ahead["endrecord"] = min(ahead["endrecord"], total)
        return unseen(page, _moved(page.url, query, ahead, form), seen)
    current = _number(query, "page") or number
    if read == 0 or (records.pages is not None and current >= records.pages):
        return None
    return unseen(page, _moved(page.url, query, {"page": current + 1}, form), seen)


def _first_call(page: Page, records: Records, read: int) -> NextPage | None:
    text = page.text
    found = _PROXY.search(text)
    url = page.resolve(found[0] if found else PROXY)
    settings = _settings(text)
    size = min(records.size or read or 15, CHUNK)
    if records.total is not None and read >= records.total:
        return None
    if url is None:
        return None
    if {"columnid", "unitid"} <= settings.keys():
        last = read + size if records.total is None else min(read + size, records.total)
        ask = urlencode(
            {"startrecord": read + 1, "endrecord": last, "perpage": records.size or size}
        )
        form = tuple((name, settings[name]) for name in FIELDS if name in settings)
        return NextPage(f"{url}?{ask}", "POST", form)
    old = _query(text)
    if "columnid" not in old:
        return None
    whole = (read + size - 1) // size if read else 0  # pages of the old call already in hand
    if records.pages is not None and whole >= records.pages:
        return None
    old["page"] = str(max(whole, 1) + 1)
    address = canonical(f"{url}?{urlencode(old)}")
    return NextPage(address) if address else None


def _settings(text: str) -> dict[str, str]:
    """Fields of the form as the page's own script sets them."""
    wanted = {name.lower(): name for name in FIELDS}
    found: dict[str, str] = {}
    for match in islice(_SETTING.finditer(text), 200):
        value = next((group for group in match.groups()[1:] if group is not None), "")
        found.setdefault(wanted[match[1].lower()], html.unescape(unquote_plus(value)).strip("'\""))
    joined = _query(text, "startrecord")
    for name, value in joined.items():
        if name.lower() in wanted:
            found.setdefault(wanted[name.lower()], value)
    return found


def _query(text: str, having: str = "") -> dict[str, str]:
    for match in islice(_QUERY.finditer(text), 20):
        pairs = dict(
            parse_qsl(html.unescape(match[1]), keep_blank_values=True, max_num_fields=None)
        )
        if having and having not in pairs:
            continue
        return {
            name[:60]: value.strip("'\"")[: limits.FORM_VALUE]
            for name, value in islice(pairs.items(), limits.FORM_FIELDS)
        }
    return {}


def _moved(
    url: str, query: dict[str, str], ahead: dict[str, int], form: tuple[tuple[str, str], ...]
) -> NextPage | None:
    query = {**query, **{name: str(value) for name, value in ahead.items()}}
    address = canonical(f"{url.partition('?')[0]}?{urlencode(query)}")
    if address is None:
        return None
    return NextPage(address, "POST", form) if form else NextPage(address)


def _number(query: dict[str, str], name: str) -> int | None:
    value = query.get(name, "")
    return int(value) if re.fullmatch(r"\d{1,7}", value) else None


def _store(text: str) -> str:
    """The XML inside a first page's script."""
    for name in ("datastore", "recordset"):
        start = text.find(f"<{name}")
        end = text.find(f"</{name}>", start) if start >= 0 else -1
        if end > 0:
            return text[start : end + len(name) + 3]
    return ""


def _by_hand(store: str) -> list[str]:
    """Records of XML that is none: a stray & outside CDATA, a torn tail."""
    markup: list[str] = []
    at = 0
    while len(markup) < limits.ENTRIES:
        start = store.find("<record>", at)
        if start < 0:
            break
        end = store.find("</record>", start)
        piece = store[start + 8 : end if end > 0 else len(store)].strip()
        markup.append(piece.removeprefix("<![CDATA[").removesuffix("]]>")[: limits.ROW * 10])
        if end < 0:
            break
        at = end
    return markup
