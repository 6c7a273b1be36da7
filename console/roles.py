"""Who may do what at the desk: one table, read aloud; what it does not name is forbidden."""

from __future__ import annotations

from enum import StrEnum

from store.records import State


class Role(StrEnum):
    """What an account is for. 管理员 and 审计员 are apart: neither can do the other's part."""

    OFFICER = "officer"
    LEADER = "leader"
    OFFICE = "office"
    ADMIN = "admin"
    AUDITOR = "auditor"
    VIEWER = "viewer"

    @property
    def label(self) -> str:
        return _ROLE_LABEL[self]


_ROLE_LABEL = {
    Role.OFFICER: "值班员",
    Role.LEADER: "带班领导",
    Role.OFFICE: "责任处室",
    Role.ADMIN: "管理员",
    Role.AUDITOR: "审计员",
    Role.VIEWER: "只读",
}


class Act(StrEnum):
    """One thing that a person may be allowed to do."""

    SELF = "self"  #: log out, change the own password: whoever is logged in
    LOOK = "look"  #: desk, list, item; 责任处室 sees its own items alone
    SEARCH = "search"  #: every stored post, flagged or not
    WATCH = "watch"  #: notices, channels, roster, rules, digests, statistics
    EXPORT = "export"
    NOTE = "note"  #: claim an item, write a note
    ASSESS = "assess"
    REPORT = "report"
    RECEIVE = "receive"
    HANDLE = "handle"
    REVIEW = "review"
    REOPEN = "reopen"
    ORDER = "order"  #: 交办 to further offices
    DIRECT = "direct"  #: 批示, 督办, stop a clock
    RESEND = "resend"
    TRY = "try"  #: try a text, or changed rules, on the stored past
    RULES = "rules"  #: put changed rules into force
    DRAFT = "draft"  #: word a digest: 研判, 工作建议
    APPROVE = "approve"  #: sign a digest
    CHECK = "check"  #: 自检, a test mail
    ACCOUNTS = "accounts"
    AUDIT = "audit"


_DUTY = frozenset(
    {
        Act.SELF, Act.LOOK, Act.SEARCH, Act.WATCH, Act.EXPORT, Act.NOTE, Act.ASSESS, Act.REPORT,
        Act.RECEIVE, Act.HANDLE, Act.REOPEN, Act.ORDER, Act.RESEND, Act.TRY, Act.DRAFT,
        Act.CHECK,
    }
)  # fmt: skip

_ADMIN = frozenset(
    {
        Act.SELF, Act.LOOK, Act.SEARCH, Act.WATCH, Act.RESEND, Act.TRY, Act.RULES, Act.CHECK,
        Act.ACCOUNTS,
    }
)  # fmt: skip

MAY: dict[Role, frozenset[Act]] = {
    Role.OFFICER: _DUTY,
    Role.LEADER: _DUTY | {Act.REVIEW, Act.DIRECT, Act.APPROVE},
    Role.OFFICE: frozenset({Act.SELF, Act.LOOK, Act.NOTE, Act.RECEIVE, Act.HANDLE}),
    Role.ADMIN: _ADMIN,
    Role.AUDITOR: frozenset({Act.SELF, Act.LOOK, Act.SEARCH, Act.WATCH, Act.AUDIT, Act.EXPORT}),
    Role.VIEWER: frozenset({Act.SELF, Act.LOOK, Act.SEARCH, Act.WATCH}),
}

_FROM: dict[State, Act] = {
    State.TO_ASSESS: Act.ASSESS,
    State.TO_REPORT: Act.REPORT,
    State.TO_RECEIVE: Act.RECEIVE,
    State.HANDLING: Act.HANDLE,
    State.TO_REVIEW: Act.REVIEW,
    State.CLOSED: Act.REOPEN,
    State.DISMISSED: Act.REOPEN,
    State.WATCHING: Act.REOPEN,
}


def may(role: Role, act: Act) -> bool:
    return act in MAY[role]


def act_of(state: State) -> Act | None:
    """What it takes to move an item out of a state; None where nothing leads out of it."""
    return _FROM.get(state)


def sees_own_only(role: Role) -> bool:
    """责任处室 sees the items that were given or sent to it, and no others."""
    return role is Role.OFFICE
