"""One reading of a mailbox: new letters newest first, each accounted for, none twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from config.clock import SHANGHAI
from crawler.catalogue import Reading, Tools
from crawler.intake import intake
from crawler.mailbox.imap import Folder, Unreadable, opened
from crawler.mailbox.letter import capture, read_letter
from crawler.mailbox.options import Options
from crawler.places import keep, recall
from crawler.runs import RunLog
from store.records import Outcome, RunState

_RANGES = 200  #: stretches of unread numbers that may wait


@dataclass(slots=True)
class Reader:
    """One reading; made for one run and used once.

    The place is the highest number seen and the stretches below it that are still unread; it
    holds for one UIDVALIDITY. Letters themselves are known by what they say, so a renumbered
    folder brings nothing twice.
    """

    channel: str
    title: str
    options: Options
    tools: Tools
    run: RunLog
    password: str
    taken: int = 0
    machines: int = 0
    bad: int = 0
    place: dict[str, Any] = field(default_factory=dict)

    def read(self) -> Reading:
        look = f"imap://{self.options.host}/{self.options.folder}"
        self.run.plan([look])
        try:
            with opened(self.options, self.password) as folder:
                self._look(folder, look)
                self._letters(folder)
        except Unreadable as error:
            if self.run.is_open(look):
                self.run.settle(look, error.outcome, why=error.why)
            return Reading(state=RunState.FAILED, why=error.why, backlog=self._left())
        return Reading(why=self._told(), backlog=self._left())

    def _look(self, folder: Folder, look: str) -> None:
        """What is new; written down as unread before any of it is read."""
        with self.tools.database.read() as connection:
            place = recall(connection, self.channel, self._list)
        same = place.get("validity") == folder.validity
        top = int(place.get("top", 0)) if same else 0
        left = [list(map(int, pair)) for pair in place.get("left", ())] if same else []
        if top:
            fresh = folder.after(top)
        else:
            day = (self.tools.clock.now() - self.options.history).astimezone(SHANGHAI).date()
            fresh = folder.since(day)
        if fresh:
            left.insert(0, [fresh[0], fresh[-1]])
        highest = max([top, *fresh])
        if not highest:  # nothing recent in it: what lies there already is no news
            highest = max(folder.after(0), default=0)
        self.place = {
            "validity": folder.validity,
            "top": highest,
            "left": left[:_RANGES],
        }
        with self.run.write() as connection:
            self._keep(connection)
            outcome = Outcome.OK_NEW if fresh else Outcome.OK_UNCHANGED
            self.run.settle(look, outcome, connection=connection)

    def _letters(self, folder: Folder) -> None:
        while self.place["left"] and self.taken < self.options.max_letters:
            low, high = self.place["left"][0]
            numbers = folder.between(low, high)
            for number in reversed(numbers):
                if self.taken >= self.options.max_letters:
                    return
                self.taken += 1
                self._letter(folder, number, low)
            self.place["left"] = self.place["left"][1:]
            with self.run.write() as connection:
                self._keep(connection)

    def _letter(self, folder: Folder, number: int, low: int) -> None:
        """One letter, stored together with the place below it."""
        url = f"imap://{self.options.host}/{self.options.folder};UID={number}"
        if not self.run.plan([url]):
            return
        try:
            fetched = folder.fetch(number)
        except Unreadable as error:
            self.run.settle(url, error.outcome, why=error.why)
            if error.outcome is not Outcome.HTTP_ERROR:
                raise  # the line is gone; this letter is read next time
            self.bad += 1
            fetched = None
            self._pass(number, low)
            return
        with self.run.write() as connection:
            outcome, why = Outcome.REMOVED, "来信已不在信箱里"
            if fetched is not None:
                letter = read_letter(fetched.raw)
                machine = letter.machine or self._ignored(letter.sender)
                if machine:
                    self.machines += 1
                    outcome, why = Outcome.OK_UNCHANGED, f"{machine}，不作来信"
                else:
                    counts = intake(
                        connection,
                        [
                            capture(
                                letter,
                                channel=self.channel,
                                column=self.options.column,
                                received_at=fetched.received_at,
                            )
                        ],
                        now=self.now,
                        author_key=self.tools.author_key,
                    )
                    self.run.count(counts, connection)
                    outcome = Outcome.OK_NEW if counts.new else Outcome.OK_UNCHANGED
                    why = "" if fetched.whole else "来信很长，只读了开头"
                    if letter.broken or counts.bad:
                        self.bad += 1
                        outcome, why = Outcome.PARSE_BROKEN, letter.broken or "来信无法入库"
            self.place["left"][0] = [low, number - 1]
            self._keep(connection)
            self.run.settle(
                url,
                outcome,
                bytes=len(fetched.raw) if fetched else None,
                why=why,
                connection=connection,
            )
        self.tools.progress(f"{self.title}：已读 {self.taken} 封")

    def _pass(self, number: int, low: int) -> None:
        self.place["left"][0] = [low, number - 1]
        with self.run.write() as connection:
            self._keep(connection)

    def _ignored(self, sender: str) -> str:
        ours = {self.tools.settings.mail.sender, *self.options.ignore}
        return "本系统或指定发件人的邮件" if sender in {one.lower() for one in ours} else ""

    def _left(self) -> int:
        """At most: numbers may have holes."""
        return sum(max(0, high - low + 1) for low, high in self.place.get("left", ()))

    def _told(self) -> str:
        said = []
        if self.machines:
            said.append(f"退信、自动回复等 {self.machines} 封未作来信")
        if self.bad:
            said.append(f"{self.bad} 封读取有误")
        return "；".join(said)

    def _keep(self, connection: Any) -> None:
        keep(
            self.tools.database,
            connection,
            channel=self.channel,
            name=self._list,
            value=self.place,
            now=self.now,
        )

    @property
    def _list(self) -> str:
        return f"folder:{self.options.folder}"

    @property
    def now(self) -> datetime:
        return self.tools.clock.now()
