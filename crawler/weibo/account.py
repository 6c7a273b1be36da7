"""What is known of the account between readings: its token, its limits, whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from config.clock import shown
from crawler.catalogue import Tools
from crawler.places import keep, recall
from crawler.runs import RunLog
from crawler.telling import tell
from crawler.weibo import token as tokens
from crawler.weibo.budget import allowed
from crawler.weibo.errors import Refusal
from crawler.weibo.options import Options
from crawler.weibo.token import Warned

LIMITS_EVERY = timedelta(hours=6)
TOKEN_EVERY = timedelta(days=1)
ASK_AGAIN = timedelta(hours=1)  #: with a token that was refused


@dataclass(slots=True)
class Account:
    """Remembers; asks nobody."""

    channel: str
    title: str
    options: Options
    tools: Tools
    run: RunLog
    mark: str  #: of the token in use
    state: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.tools.database.read() as connection:
            self.state = recall(connection, self.channel, "account")

    @property
    def uid(self) -> str:
        """Who speaks as the agency; "" while not known."""
        return self.options.uid or str(self.state.get("uid", ""))

    @property
    def per_day(self) -> int | None:
        """The platform's own limit, where it told one."""
        limit = self.state.get("per_day")
        return limit if isinstance(limit, int) else None

    @property
    def until(self) -> datetime | None:
        """When the authorisation ends, as far as is known."""
        at = self.state.get("until")
        return datetime.fromisoformat(str(at)) if at else None

    def remember(self, **values: Any) -> None:
        state = {**self.state, **values}
        if state == self.state:
            return
        self.state = state
        with self.run.write() as connection:
            keep(
                self.tools.database,
                connection,
                channel=self.channel,
                name="account",
                value=state,
                now=self.now,
            )

    # --- the token ----------------------------------------------------------------------------

    def refused_before(self) -> bool:
        """With a token that was refused an hour ago at most nothing is asked again."""
        at = self.state.get("refused_until")
        if self.state.get("refused") != self.mark or not at or self.tools.manual:
            return False
        return self.now < datetime.fromisoformat(str(at))

    def no_longer_authorised(self, error: Refusal) -> None:
        self.remember(
            refused=self.mark,
            refused_until=(self.now + ASK_AGAIN).isoformat(),
            refused_why=error.why,
        )
        until = self.state.get("until") if self.state.get("token") == self.mark else None
        day = str(until)[:10] if until else self.mark
        self.tell(tokens.expired(self.channel, self.title, day))

    def token_is_known(self) -> bool:
        """Whether this very token was looked at within the day."""
        return self._is_ours and not self.older("token_at", TOKEN_EVERY)

    def keep_token(self, info: Any) -> None:
        """What the platform said of it."""
        until = tokens.lasts_until(info, self.now)
        owner = info.get("uid") if isinstance(info, Mapping) else None
        named = isinstance(owner, int | str) and bool(owner)
        self.remember(
            token=self.mark,
            token_at=self.now.isoformat(),
            until=until.isoformat() if until else "",
            uid=str(owner) if named else self.state.get("uid", ""),
        )

    def keep_no_token(self, *, refused: bool) -> None:
        """It could not be looked at: asked again tomorrow where refused, else in an hour."""
        if refused:
            self.remember(token=self.mark, token_at=self.now.isoformat(), until="")
        elif not self._is_ours:
            soon = self.now - TOKEN_EVERY + ASK_AGAIN
            self.remember(token=self.mark, token_at=soon.isoformat(), until="")

    def warn(self) -> str:
        """Tells duty staff that the authorisation ends soon; answers it in short, or ""."""
        warned = tokens.warning(
            self.channel, self.title, self.until, self.now, self.options.warn_before
        )
        if warned is None:
            return ""
        self.tell(warned)
        return f"微博授权将于 {shown(self.until)} 到期" if self.until else warned.reason

    @property
    def _is_ours(self) -> bool:
        return self.state.get("token") == self.mark

    # --- the limits ---------------------------------------------------------------------------

    def keep_limits(self, found: Any) -> int | None:
        """What the platform said of them; answers the calls that are left."""
        said = allowed(found, self.now)
        self.remember(
            per_day=said.per_day,
            reset_at=said.reset_at.isoformat() if said.reset_at else "",
        )
        return said.left

    def reset_at(self) -> datetime:
        """When the platform counts anew: as it said, else the next full hour."""
        at = self.state.get("reset_at")
        if at and datetime.fromisoformat(str(at)) > self.now:
            return datetime.fromisoformat(str(at))
        return self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)

    # --- both ---------------------------------------------------------------------------------

    def older(self, name: str, than: timedelta) -> bool:
        at = self.state.get(name)
        return not at or self.now - datetime.fromisoformat(str(at)) >= than

    def tell(self, warned: Warned) -> None:
        with self.run.write() as connection:
            tell(
                connection,
                key=warned.key,
                channel=self.channel,
                reason=warned.reason,
                now=self.now,
                level=warned.level,
            )

    @property
    def now(self) -> datetime:
        return self.tools.clock.now()
