"""The words of the house as frozen values: every part speaks of these and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Word(StrEnum):
    """A word of the house: wherever its text is looked up, it is found, and as quickly."""

    __hash__ = str.__hash__  # that of `Enum` takes another text, and Python code to work it out


class Level(Word):
    """等级, after the four-level colour convention for emergencies; Ⅰ is the gravest."""

    I = "I"  #: 特别重大 红  # noqa: E741
    II = "II"  #: 重大 橙
    III = "III"  #: 较大 黄
    IV = "IV"  #: 一般 蓝

    @property
    def rank(self) -> int:
        """1 for the gravest … 4."""
        return _RANK[self]

    @property
    def label(self) -> str:
        return {"I": "特别重大", "II": "重大", "III": "较大", "IV": "一般"}[self.value]

    @property
    def colour(self) -> str:
        return {"I": "红", "II": "橙", "III": "黄", "IV": "蓝"}[self.value]

    @property
    def numeral(self) -> str:
        return {"I": "Ⅰ", "II": "Ⅱ", "III": "Ⅲ", "IV": "Ⅳ"}[self.value]


_RANK = {Level.I: 1, Level.II: 2, Level.III: 3, Level.IV: 4}


class Tone(Word):
    """情感."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    UNKNOWN = "unknown"  #: the engine was late, dead or refused: never a reason to stay silent

    @property
    def label(self) -> str:
        return {"negative": "负面", "neutral": "中性", "positive": "正面", "unknown": "未知"}[
            self.value
        ]


class Role(Word):
    """Who speaks: the agency itself, or the public."""

    OWN = "own"
    PUBLIC = "public"


class Kind(Word):
    """What a post is."""

    POST = "post"  #: an article or a status
    COMMENT = "comment"
    MESSAGE = "message"  #: sent to an account
    LETTER = "letter"  #: 来信, with a state and later a reply

    @property
    def label(self) -> str:
        return {"post": "文章", "comment": "评论", "message": "留言", "letter": "来信"}[self.value]


class Topic(Word):
    """类别."""

    CASUALTY = "casualty"
    ACCIDENT = "accident"
    FIRE = "fire"
    FLOOD = "flood"
    WARNING_ERROR = "warning_error"
    RUMOUR = "rumour"
    COMPLAINT = "complaint"
    ENQUIRY = "enquiry"
    THANKS = "thanks"
    INTEGRITY = "integrity"
    SILENCE = "silence"
    SYSTEM = "system"

    @property
    def label(self) -> str:
        return _TOPIC_LABEL[self]


_TOPIC_LABEL = {
    Topic.CASUALTY: "人员伤亡与求助",
    Topic.ACCIDENT: "安全生产事故",
    Topic.FIRE: "火灾",
    Topic.FLOOD: "汛情灾情",
    Topic.WARNING_ERROR: "预警信息错误或过期",
    Topic.RUMOUR: "谣言与不实信息",
    Topic.COMPLAINT: "服务投诉",
    Topic.ENQUIRY: "诉求咨询",
    Topic.THANKS: "表扬感谢",
    Topic.INTEGRITY: "页面篡改与安全",
    Topic.SILENCE: "渠道静默",
    Topic.SYSTEM: "系统",
}


class State(Word):
    """Where an item stands."""

    TO_ASSESS = "to_assess"  #: 待研判: flagged; nobody has judged it yet
    TO_REPORT = "to_report"  #: 待报告: judged to matter; the office has not been told
    TO_RECEIVE = "to_receive"  #: 待签收: told; the office has not said that it has it
    HANDLING = "handling"  #: 处置中
    TO_REVIEW = "to_review"  #: 待审核: the office has filed an outcome
    CLOSED = "closed"  #: 已办结
    DISMISSED = "dismissed"  #: 不予处置, with a reason
    WATCHING = "watching"  #: 关注中, with a review date
    MERGED = "merged"  #: 并入 another item

    @property
    def label(self) -> str:
        return _STATE_LABEL[self]

    @property
    def is_open(self) -> bool:
        return self not in {State.CLOSED, State.DISMISSED, State.MERGED}


_STATE_LABEL = {
    State.TO_ASSESS: "待研判",
    State.TO_REPORT: "待报告",
    State.TO_RECEIVE: "待签收",
    State.HANDLING: "处置中",
    State.TO_REVIEW: "待审核",
    State.CLOSED: "已办结",
    State.DISMISSED: "不予处置",
    State.WATCHING: "关注中",
    State.MERGED: "并入",
}


class Outcome(Word):
    """How one planned fetch ended; every fetch ends in exactly one of these."""

    OK_NEW = "ok-new"
    OK_UNCHANGED = "ok-unchanged"
    OK_EMPTY = "ok-empty"  #: answered, but with nothing in it
    REDIRECTED_OFF = "redirected-off"  #: sent to a host or scheme that is not configured
    REDIRECT_LOOP = "redirect-loop"  #: sent to itself, or through more than the allowed hops
    ROBOTS_DENIED = "robots-denied"
    REMOVED = "removed"  #: 404 or 410
    BLOCKED = "blocked"  #: 403, 412, a challenge page: back off, never evade
    SOFT_FAILURE = "soft-failure"  #: 200, but a maintenance, login or not-found page
    HTTP_ERROR = "http-error"
    TLS_ERROR = "tls-error"
    TIMEOUT = "timeout"
    TOO_LARGE = "too-large"
    TRUNCATED = "truncated"
    WRONG_TYPE = "wrong-type"
    DECODE_ERROR = "decode-error"
    PARSE_BROKEN = "parse-broken"
    QUOTA = "quota"
    AUTH = "auth"
    DROPPED = "dropped"  #: never tried: the run was stopped, killed or hit its own cap

    @property
    def is_ok(self) -> bool:
        return self in {Outcome.OK_NEW, Outcome.OK_UNCHANGED, Outcome.OK_EMPTY}


class RunState(Word):
    """How far a run of one channel has come."""

    RUNNING = "running"
    DONE = "done"  #: ended by itself; single fetches may still have failed
    FAILED = "failed"  #: ended with an error of the channel as a whole
    KILLED = "killed"  #: stopped at its deadline, or found dead


class NoticeState(Word):
    """Where a notice stands in the outbox."""

    PENDING = "pending"
    SENDING = "sending"  #: leased by a worker; the retry is already booked
    SENT = "sent"  #: the other side said so; its reply is kept
    DEFERRED = "deferred"  #: will be tried again at next_at
    UNSURE = "unsure"  #: the link died after the text was handed over; goes again, same Message-ID
    REFUSED = "refused"  #: permanent; the fallback has been told
    BOUNCED = "bounced"
    SUPERSEDED = "superseded"  #: no longer needed, and said so in the ledger

    @property
    def is_owed(self) -> bool:
        return self in {
            NoticeState.PENDING,
            NoticeState.SENDING,
            NoticeState.DEFERRED,
            NoticeState.UNSURE,
        }


class Precision(Word):
    """How exactly a publication time is known."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One post as a channel read it, before intake masks it and takes its author's name away.

    `published_at` is aware. `author_id` is the platform's raw id; intake turns it into a
    keyed pseudonym and never stores it. `key` is the channel's stable native id or the
    canonical URL.
    """

    channel: str
    key: str
    kind: Kind
    role: Role
    text: str
    title: str = ""
    url: str = ""
    column: str = ""  #: 栏目
    source: str = ""  #: 信息来源 as signed on the page
    author_id: str = ""
    parent: str = ""  #: key of the post this one answers, in the same channel
    state: str = ""  #: 办理中, 已办结 … of a letter
    reply: str = ""
    published_at: datetime | None = None
    published_raw: str = ""
    precision: Precision | None = None
    replied_at: datetime | None = None
    notes: Mapping[str, str] = field(default_factory=dict)  #: how each field was found, encodings…


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """帖文: one thing somebody published, kept once per (channel, key); here at one version."""

    id: int
    channel: str
    key: str
    kind: Kind
    role: Role
    version: int
    title: str
    text: str
    url: str = ""
    column: str = ""
    source: str = ""
    author: str = ""  #: keyed pseudonym
    state: str = ""
    reply: str = ""
    published_at: datetime | None = None
    captured_at: datetime | None = None
    drill: bool = False


class Finding(NamedTuple):
    """线索: why a stage or a watch thinks somebody should look.

    `start` and `end` are character offsets into `text_of(post)`; both are -1 where the
    finding is not about a place in the text.
    """

    stage: str
    reason: str  #: Chinese; shown to the duty officer as it stands
    rule: str = ""
    topic: Topic | None = None
    level: Level | None = None
    text: str = ""  #: the words that were hit, as they stand in the original
    start: int = -1
    end: int = -1


class Assessment(NamedTuple):
    """What all stages together say of one version of a post."""

    tone: Tone
    tone_score: float  #: -1 (negative) … 1 (positive); 0 when unknown
    topics: tuple[Topic, ...]
    level: Level | None
    flagged: bool
    findings: tuple[Finding, ...]
    engine: str = ""  #: name and model hash
    degraded: bool = False  #: some stage was late, dead or failed


def text_of(title: str, text: str) -> str:
    """The one text that stages read and spans point into: the title, a newline, the body."""
    return f"{title}\n{text}" if title else text
