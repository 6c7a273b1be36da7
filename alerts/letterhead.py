"""Puts words on the letterhead: templates, and the letter as it goes to a transport."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.dossier import Dossier
from alerts.headers import clean_header
from alerts.letters import Letter
from alerts.notices import Notice
from store.records import Level


def templates() -> Environment:
    """HTML is escaped by the file's name; a name nobody filled is a mistake, not a blank."""
    return Environment(
        loader=PackageLoader("alerts"),
        autoescape=lambda name: bool(name and name.endswith(".html")),  # noqa: S701 - text is text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_TEMPLATES = templates()


def render(name: str, facts: dict[str, Any]) -> str:
    return _TEMPLATES.get_template(name).render(facts)


def letter(
    notice: Notice,
    dossier: Dossier,
    title: str,
    template: str,
    facts: dict[str, Any],
    *,
    level: Level | None,
) -> Letter:
    small = bool(notice.detail.get("small"))  # the server said: too large
    return Letter(
        id=notice.id,
        recipient=notice.recipient,
        subject=clean_header(title, 78),
        text=render(f"{template}.txt", facts),
        html="" if small else render(f"{template}.html", {**facts, "subject": title}),
        date=notice.created_at,
        level=level,
        parent=dossier.parent,
    )
