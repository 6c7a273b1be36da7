"""分发: who gets what, and for every office why or why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alerts.items import topic_label
from config.settings import Office, Settings, split_recipient
from store.records import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One person to be told, once, whatever number of offices name them."""

    recipient: str
    transport: str
    office: str  #: id; empty for the fallback
    why: str  #: Chinese; shown to the person


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one office's rule says of a case."""

    office: Office
    matches: bool
    why: str


def decide(
    settings: Settings, *, topics: Iterable[str], level: Level, channel: str
) -> list[Decision]:
    """Every office, in the order of settings, with the reason: "why did I (not) get this"."""
    wanted = set(topics)
    return [_decide(office, settings, wanted, level, channel) for office in settings.offices]


def route(
    settings: Settings, *, topics: Iterable[str], level: Level, channel: str
) -> tuple[Route, ...]:
    """One route a person; the fallback addresses where no office matches. Never empty."""
    matching = [
        one for one in decide(settings, topics=topics, level=level, channel=channel) if one.matches
    ]
    if not matching:
        return fallback(settings, "没有处室负责此类条目，按规定送兜底地址")
    merged: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for one in matching:
        for address in one.office.addresses:
            transport, recipient = split_recipient(address)
            merged.setdefault((recipient, transport), (one.office.id, []))[1].append(one.why)
    return tuple(
        Route(recipient=recipient, transport=transport, office=office, why="；".join(reasons))
        for (recipient, transport), (office, reasons) in merged.items()
    )


def fallback(settings: Settings, why: str) -> tuple[Route, ...]:
    """The addresses of last resort, required by settings."""
    split = dict.fromkeys(split_recipient(address) for address in settings.roster.fallback)
    return tuple(
        Route(recipient=recipient, transport=transport, office="", why=why)
        for transport, recipient in split
    )


def _decide(
    office: Office, settings: Settings, topics: set[str], level: Level, channel: str
) -> Decision:
    for_, against = [], []
    hit = [topic for topic in office.topics if topic.value in topics]
    if not office.topics:
        for_.append("负责全部类别")
    elif hit:
        for_.append("负责类别“" + "、".join(topic.label for topic in hit) + "”")
    else:
        against.append("不负责类别“" + "、".join(topic_label(t) for t in sorted(topics)) + "”")
    if office.channels and channel not in office.channels:
        against.append(f"不负责渠道“{channel_name(settings, channel)}”")
    elif office.channels:
        for_.append(f"负责渠道“{channel_name(settings, channel)}”")
    if office.levels and level not in office.levels:
        against.append(f"不接收{level.numeral}级（{level.label}）")
    elif office.levels:
        for_.append(f"接收{level.numeral}级（{level.label}）")
    why = "，".join(against or for_)
    return Decision(office=office, matches=not against, why=f"{office.name}：{why}")


def channel_name(settings: Settings, channel: str) -> str:
    """As duty staff read it; the id where the channel is no longer configured."""
    try:
        return settings.channel(channel).name
    except KeyError:
        return {"": "系统", "byhand": "来信来访"}.get(channel, channel)
