"""Letters to the agency (局长信箱, 留言板): what was asked, where it stands, what was answered."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from crawler.extraction import body as bodies
from crawler.extraction import dates, furniture, hygiene, softfail, titles
from crawler.extraction import meta as metas
from crawler.extraction.markup import Markup
from crawler.extraction.outline import Block, Outline

_log = logging.getLogger(__name__)

#: Field → labels, longest first where one begins another. A colon or a cell border follows.
_LABELS = {
    "title": r"(?:来信|信件|留言|咨询|问题|诉求|投诉|事项|邮件|写信|信访|建议|提问|答复"
        r"|公开)?\s*(?:标\s*题|主\s*题|名\s*称)",
    "number": r"(?:信件|来信|留言|受理|工单|查询|咨询|事项|流水)?\s*(?:编\s*号|单\s*号|查询码"
        r"|受理号)",
    "sender": r"(?:来信|写信|留言|咨询|投诉|提问|信访|发布|提交|反映|诉求)\s*(?:人|者|网友|姓名"
        r"|人姓名|对象)|网\s*友|昵\s*称|姓\s*名",
    "category": r"(?:信件|来信|留言|问题|诉求|咨询|投诉|信箱|事项|业务|内容|主题)?\s*(?:类\s*别"
        r"|类\s*型|分\s*类|性质)",
    "state": r"(?:办理|处理|信件|当前|回复|答复|受理|办件|目前|留言)\s*(?:状\s*态|进度"
        r"|情况(?=\s*[:：]?\s*(?:已|未|待|正在|办)))|状\s*态",
    "sent": r"(?:来信|写信|留言|咨询|提交|投诉|提问|发布|信访|反映|创建|登记|发表|来件|信件|提出"
        r"|诉求)\s*(?:时\s*间|日\s*期)",
    "replied": r"(?:回复|答复|办结|反馈|处理|回信|解答|回答|办理|办复)\s*(?:时\s*间|日\s*期)",
    "unit": r"(?:回复|答复|办理|受理|处理|承办|反馈|责任|解答|回答|办复|主办)\s*(?:单\s*位"
        r"|部\s*门|机\s*构|科\s*室|处\s*室|者|人)",
    "reply": r"(?:官方|部门|办理|处理|单位)?\s*(?:回复|答复|反馈|处理|办理|回信|解答|回答"
        r"|办复)\s*(?:内\s*容|意\s*见|结\s*果|信\s*息|情\s*况|详\s*情|正\s*文)|(?:官方|部门"
        r"|单位)(?:回复|答复)|回\s*复|答\s*复",
    "content": r"(?:来信|信件|留言|咨询|问题|诉求|投诉|事项|邮件|提问|反映|信访|建议"
        r"|具体)\s*(?:内\s*容|正\s*文|描\s*述|详\s*情|情\s*况)|内\s*容|正\s*文|问\s*题",
}  # fmt: skip
_ANY = re.compile(
    r"(?P<open>^|[\s|｜【\[（(])(?:"
    + "|".join(f"(?P<{key}>{value})" for key, value in _LABELS.items())
    + r")(?P<colon>\s*[】\])）]?\s*[:：]\s*|\s*[】\]]\s*|\s*$)", re.M
)  # fmt: skip
_PLACES = re.compile(
    r"(?:局长|区长|市长|县长|镇长|主任|书记|领导|台长|厅长|部长|院长)信箱|(?:来信|信件|留言|咨询"
    r"|投诉|信访)(?:选登|公开|详情|查询|展示|回复|内容)"
    r"|留言板|网上(?:信访|咨询|投诉)|互动交流|政民互动|公众留言|问政|12345"
)
_STATE = re.compile(
    r"已办结|已回复|已答复|已处理|已完成|办结|正在办理|办理中|处理中|受理中|已受理|已转办|转办中"
    r"|待受理|待办理|待回复|待处理|未回复|未办理|未受理|不予受理|已退回|待审核|未办结"
)
#: What agencies write, in the three words we keep.
_NORMAL = {
    "已办结": ("已办结", "已回复", "已答复", "已处理", "已完成", "办结"),
    "办理中": (
        "正在办理", "办理中", "处理中", "受理中", "已受理", "已转办", "转办中", "未办结", "待办理",
        "待回复", "待处理", "未回复", "未办理",
    ),
    "待受理": ("待受理", "未受理", "待审核"),
    "不予受理": ("不予受理", "已退回"),
}  # fmt: skip
_STATES = {said: normal for normal, all_said in _NORMAL.items() for said in all_said}
_LONG = frozenset({"content", "reply"})
_NEEDED = 3
#: Cheap: most pages of a site hold none of these and need no second look.
_HINT = re.compile(
    r"(?:来信|信件|留言|咨询|投诉|信访|诉求|提问|写信|网友|办理|回复|答复|处理).{0,200}?(?:内容"
    r"|状态|时间|标题|人)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A citizen's letter and its answer.

    `sender` is as masked as the page shows it; intake drops it. `state` is one of 待受理,
    办理中, 已办结, 不予受理, or "" where the page does not say.
    """

    title: str = ""
    text: str = ""
    sender: str = ""
    number: str = ""
    category: str = ""
    state: str = ""
    sent_at: datetime | None = None  #: aware, Asia/Shanghai
    sent_raw: str = ""
    reply: str = ""
    replying_unit: str = ""
    replied_at: datetime | None = None
    url: str = ""
    soft_failure: str = ""
    notes: dict[str, str] = field(default_factory=dict)  #: state as written, encodings

    @property
    def closed(self) -> bool:
        """No need to visit it again for an answer."""
        return self.state in {"已办结", "不予受理"} or bool(self.reply)


def is_letter(page: bytes | str | Markup, *, content_type: str = "") -> bool:
    """Whether a page looks like the detail page of one letter: enough labelled fields, among
    them a content or a reply beside a sender, a state, a date or a unit."""
    markup = Markup.of(page, content_type)
    if not _HINT.search(markup.text) or markup.root is None:
        return False
    shape = markup.outline
    keys = [key for key, _ in _fields(shape)]
    kinds = set(keys)
    if keys.count("title") > 2 or keys.count("sender") > 3 or keys.count("state") > 3:
        return False  # a list of letters
    about = kinds & {"sender", "state", "sent", "replied", "unit", "number"}
    strong = kinds & {"reply", "state", "replied", "unit"}
    enough = len(kinds - {"title"}) >= _NEEDED and bool(kinds & _LONG)
    if not (enough and about and strong):
        return False
    everything = "\n".join(block.text for block in shape.blocks)
    return bool(_PLACES.search(everything)) or len(kinds) >= _NEEDED + 2


def read_letter(
    page: bytes | Markup, *, content_type: str = "", url: str = "", fetched_at: datetime
) -> Letter:
    """The letter on a detail page, by labelled fields in tables, lists or boxes. Never raises."""
    markup = Markup.of(page, content_type)
    decoded = markup.decoded
    notes = {"charset_used": decoded.used, "charset_declared": decoded.declared}
    impossible = softfail.not_a_page(markup.body)
    if impossible:
        return Letter(url=url, soft_failure=impossible, notes=notes)
    try:
        return _read(markup, url, fetched_at, notes)
    except Exception:  # one page of a hostile site must not end the run
        _log.exception("letter.failed")
        return Letter(url=url, soft_failure="页面解析失败", notes=notes)


def _read(markup: Markup, url: str, now: datetime, notes: dict[str, str]) -> Letter:
    if markup.root is None:
        return Letter(url=url, soft_failure="不是网页", notes=notes)
    page = markup.outline
    everything = "\n".join(block.text for block in page.blocks)
    found: dict[str, str] = {}
    for key, value in _fields(page):
        if value and (key not in found or (key in _LONG and len(value) > len(found[key]))):
            found[key] = value
    said_in_all = found.get("content", "") + found.get("reply", "")
    failure = softfail.reason(markup.text, everything, said_in_all)
    if failure:
        return Letter(url=url, soft_failure=failure, notes=notes)
    said = _STATE.search(found.get("state", ""))
    reply, unit, replied = _signed(found.get("reply", ""), now)
    sent = dates.parse(found.get("sent", ""), now)
    answered = dates.parse(found.get("replied", ""), now)
    title = found.get("title") or titles.find(markup.root, page, metas.read(markup.root)).text
    state = _STATES.get(said.group(), "") if said else ""
    return Letter(
        title=hygiene.one_line(title),
        text=found.get("content", ""),
        sender=hygiene.one_line(found.get("sender", ""))[:40],
        number=hygiene.one_line(found.get("number", ""))[:40],
        category=hygiene.one_line(found.get("category", ""))[:40],
        state=state or ("已办结" if reply else ""),
        sent_at=sent.at if sent and not sent.suspect else None,
        sent_raw=found.get("sent", "")[:80],
        reply=reply,
        replying_unit=hygiene.one_line(found.get("unit", ""))[:60] or unit,
        replied_at=(answered.at if answered and not answered.suspect else None) or replied,
        url=url,
        notes=notes | ({"state_raw": said.group()} if said else {}),
    )


def _fields(page: Outline) -> Iterator[tuple[str, str]]:
    """Label and value, in reading order. A value ends at the next label; a short one also at
    the end of its block, a long one runs on until the foot of the page."""
    blocks = _told(page)
    open_key = ""
    gathered: list[str] = []
    waiting = False
    for block in blocks:
        marks = list(_labels(block, open_key))
        if not marks:
            if open_key in _LONG or waiting:
                gathered.append(block.text)
            if waiting and open_key not in _LONG:
                yield open_key, _value(open_key, gathered)
                open_key, gathered = "", []
            waiting = False
            continue
        before = block.text[: marks[0][1]].strip()
        if open_key:
            if before and (open_key in _LONG or waiting):
                gathered.append(before)
            yield open_key, _value(open_key, gathered)
        for number, (key, _, end) in enumerate(marks):
            until = marks[number + 1][1] if number + 1 < len(marks) else len(block.text)
            value = block.text[end:until].strip()
            last = number + 1 == len(marks)
            if not last or (value and key not in _LONG):
                yield key, value
                open_key, gathered, waiting = "", [], False
            else:
                open_key, gathered, waiting = key, [value] if value else [], not value
    if open_key:
        yield open_key, _value(open_key, gathered)


def _labels(block: Block, open_key: str) -> Iterator[tuple[str, int, int]]:
    """Labels in one block. Without a colon a label counts only as all of a short block, and
    within prose only at the start of a line."""
    for match in _ANY.finditer(block.text):
        key = next(name for name in _LABELS if match[name])
        bare = not re.search(r"[:：】\]]", match["colon"])
        if bare and len(block.text.strip()) > len(match.group().strip()):
            continue
        at_line_start = match.start() == 0 or block.text[match.start() : match.start() + 1] == "\n"
        if open_key in _LONG and len(block.text) > 120 and not at_line_start:
            continue
        open_key = key
        yield key, match.start(), match.end()


def _told(page: Outline) -> list[Block]:
    """Blocks outside navigation and foot, without furniture."""
    muted: set[int] = set()
    for span in page.spans:
        if span.tag in {"nav", "footer"} or {"footer", "nav", "foot", "copyright"} & set(
            span.marks.split()
        ):
            muted.update(range(span.first, span.last))
    kept = []
    for block in page.blocks:
        if block.index in muted or block.density > 0.8:
            continue
        if bodies.imprint(block):
            break
        kept.append(block)
    return kept


def _value(key: str, gathered: list[str]) -> str:
    lines = [line for text in gathered for line in hygiene.lines(text)]
    return "\n".join(furniture.without(lines) if key in _LONG else lines)


def _signed(reply: str, now: datetime) -> tuple[str, str, datetime | None]:
    """The unit and the day with which a reply is signed in its last lines."""
    lines = reply.splitlines()
    unit, at = "", None
    for line in lines[-3:]:
        bare = line.strip()
        if len(bare) <= 24 and re.search(
            r"(?:局|办公室|委员会|中心|政府|街道办事处|台|科|处|所|站)$", bare
        ):
            unit = unit or bare
        elif len(bare) <= 20:
            moment = dates.parse(bare, now)
            at = moment.at if moment and not moment.suspect else at
    return reply, unit, at
