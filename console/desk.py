"""What every page is given: the house, who asks, what was asked, and the way to answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from alerts.dutywork import Duty
from alerts.headers import clean_header, clean_text
from alerts.items import topic_label
from alerts.letters import Transport
from alerts.links import link_of
from alerts.routing import channel_name
from config.clock import SHANGHAI, shown
from config.duration import spoken
from config.house import House
from config.roster import Roster
from config.rosterfile import load_roster
from config.settings import Settings
from config.workdays import Calendar, load_calendar
from console.accounts import Session, User
from console.marks import visible
from console.passwords import Passwords
from console.roles import Act, may
from store.engine import Database
from store.records import Level, NoticeState, State, Tone

SOON = timedelta(minutes=30)  #: left of a limit: shown in another colour
_FRESH = 30.0  #: seconds for which roster and holidays are taken from memory


@dataclass(frozen=True, slots=True)
class Desk:
    """The tools of the duty desk; made once by `build_app`."""

    house: House
    version: str
    passwords: Passwords
    transports: Callable[[], Mapping[str, Transport]]
    memory: dict[str, Any] = field(default_factory=dict)  #: what a part keeps between requests
    _read: dict[str, tuple[float, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> Settings:
        return self.house.settings

    @property
    def database(self) -> Database:
        return self.house.database

    def now(self) -> datetime:
        return self.house.clock.now()

    def calendar(self) -> Calendar:
        found: Calendar = self._kept(
            "calendar", lambda: load_calendar(self.house.base / "holidays")
        )
        return found

    def roster(self) -> Roster:
        found: Roster = self._kept(
            "roster", lambda: load_roster(self.settings.roster, self.house.base)
        )
        return found

    def duty(self) -> Duty:
        """What dues are worked out by, as of the last half minute."""
        return Duty(settings=self.settings, roster=self.roster(), calendar=self.calendar())

    def _kept(self, name: str, read: Callable[[], Any]) -> Any:
        """A file's content, read again after half a minute: an edit shows without a restart."""
        ticks = self.house.clock.monotonic()
        with self._lock:
            kept = self._read.get(name)
            if kept is None or ticks - kept[0] > _FRESH:
                kept = self._read[name] = (ticks, read())
        return kept[1]

    def office_name(self, office: str) -> str:
        return next((one.name for one in self.settings.offices if one.id == office), office)


class Refused(Exception):
    """The request cannot be served; `status` and a sentence for the person who asked."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request by one person."""

    desk: Desk
    request: Request
    session: Session | None
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    guest: str = ""  #: the token of a login form, before anybody is in

    @property
    def user(self) -> User:
        """Raises Refused where nobody is in; routes with an act never get that far."""
        if self.session is None:
            raise Refused(401, "请先登录。")
        return self.session.user

    @property
    def address(self) -> str:
        return self.request.client.host if self.request.client else ""

    def may(self, act: Act | str) -> bool:
        return self.session is not None and may(self.session.user.role, Act(act))

    def field(self, name: str, limit: int = 4000) -> str:
        """What was typed, trimmed; "" where nothing was."""
        return next(iter(self.form.get(name, ())), "").strip()[:limit]

    def query(self, name: str, limit: int = 200) -> str:
        return self.request.query_params.get(name, "").strip()[:limit]

    def part(self, name: str) -> str:
        """Of the path."""
        return str(self.request.path_params.get(name, ""))

    def page(self, template: str, *, status: int = 200, **facts: Any) -> Response:
        html = _TEMPLATES.get_template(template).render(
            ask=self,
            user=self.session.user if self.session else None,
            csrf=self.session.csrf if self.session else "",
            agency=self.desk.settings.agency.name,
            now=self.desk.now(),
            said=_SAID.get(self.query("said", 20), ""),
            path=self.request.scope["path"],
            **facts,
        )
        return HTMLResponse(html, status_code=status)

    def to(self, path: str, said: str = "") -> Response:
        """303 to a page of ours, which then says what was done."""
        join = "&" if "?" in path else "?"
        return RedirectResponse(path + (f"{join}said={quote(said)}" if said else ""), 303)


#: What a page says after a form was sent: fixed words by key, so that a link can put none in.
_SAID = {
    "moved": "已登记，并记入台账。",
    "levelled": "等级已调整，时限随之重算，并记入台账。",
    "paused": "已中止计时，新的时限见本页。",
    "told": "已记入台账，并发通知。",
    "noted": "已记入台账。",
    "taken": "已登记由您办理，其他人可以看到。",
    "dismissed": "所选条目已登记为不予处置。",
    "nothing": "没有选中任何条目，什么都没有改动。",
    "resent": "已重新排队，稍后可在本页看到结果。",
    "added": "账号已建立。",
    "disabled": "账号已停用，其登录已全部结束。",
    "enabled": "账号已恢复使用。",
    "password": "口令已修改。",
    "out": "您已退出登录。",
    "approved": "已签发，交发件箱发出。",
    "signed": "已签发，到规定时间发出。",
    "saved": "已保存，并记入台账。",
}


def templates() -> Environment:
    made = Environment(
        loader=PackageLoader("console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        line=lambda text, limit=120: clean_header(str(text or ""), limit),
        lines=lambda text, limit=0: clean_text(str(text or ""), limit),
        visible=visible,
        when=lambda moment: shown(moment) if moment else "",
        nearby=nearby,
        svg=Markup,  # what alerts.digest.charts drew, where every text went through escape()
        spoken=spoken,
        link=link_of,
        topic=topic_label,
    )
    made.globals.update(
        State=State,
        Level=Level,
        Tone=Tone,
        NoticeState=NoticeState,
        channel_name=channel_name,
        owed_label=owed_label,
        soon=lambda at, now: timedelta(0) <= at - now < SOON,
    )
    return made


def nearby(moment: datetime, now: datetime) -> str:
    """今天 14:20, 昨天 09:05, 11-20 01:47; with the year where it is another one."""
    at, today = moment.astimezone(SHANGHAI), now.astimezone(SHANGHAI)
    days = (today.date() - at.date()).days
    if days in {0, 1}:
        return f"{'昨天' if days else '今天'} {at:%H:%M}"
    return f"{at:%m-%d %H:%M}" if at.year == today.year else f"{at:%Y-%m-%d %H:%M}"


_OWED = {
    "pending": "待发",
    "sending": "发送中",
    "sent": "已送达",
    "deferred": "稍后重试",
    "unsure": "待确认，将重发",
    "refused": "被拒收",
    "bounced": "被退回",
    "superseded": "不再需要",
}


def owed_label(state: str) -> str:
    return _OWED.get(state, state)


_TEMPLATES = templates()
