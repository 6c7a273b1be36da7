"""The desk at a terminal: items, outbox and test mail as text or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from random import Random
from typing import Any

from alerts import items as desk
from alerts import lifecycle, outbox
from alerts.catalogue import build_transports
from alerts.dutywork import duty_of
from alerts.items import Item
from alerts.trial import try_mail
from config.clock import SHANGHAI, shown
from config.house import House
from store.engine import Database
from store.records import NoticeState, State

DONE, FAILED, WRONG = 0, 1, 2


def list_items(database: Database, *, as_json: bool, everything: bool) -> int:
    found = desk.list_items(database, only_open=not everything, limit=10_000)
    if as_json:
        _json([_item(item) for item in found])
        return DONE
    if not found:
        print("没有未办结的条目。" if not everything else "还没有任何条目。")
        print("采集到需要关注的帖文后，条目会自动出现；`tinglan status` 可看采集是否正常。")
        return DONE
    for item in found:
        print(
            f"{item.number}  {item.level.numeral}{item.level.label}  {item.state.label}  "
            f"{shown(item.discovered_at)}  {item.title}"
        )
    return DONE


def show_item(database: Database, which: str, *, as_json: bool) -> int:
    try:
        found = desk.show_item(database, which)
    except desk.NoSuchItem as error:
        return _not_done(error)
    if as_json:
        _json({**found, "item": _item(found["item"])})
        return DONE
    item: Item = found["item"]
    print(f"{item.number}  {item.title}")
    print(
        f"{item.level.numeral}{item.level.label}  {item.state.label}  "
        f"{desk.topic_label(item.topic)}"
    )
    print(
        f"发现 {shown(item.discovered_at)}"
        + (f"，发布 {shown(item.published_at)}" if item.published_at else "")
    )
    for post in found["posts"]:
        print(f"\n帖文 {post['url'] or post['key']}\n{post['text']}")
        if post["reply"]:
            print(f"答复：{post['reply']}")
    print("\n依据：")
    for finding in found["findings"]:
        print(f"  · {finding['reason']}" + (f"（“{finding['text']}”）" if finding["text"] else ""))
    print("\n台账：")
    for event in found["events"]:
        change = f" {event['before']}→{event['after']}" if event["after"] else ""
        print(
            f"  {shown(event['at'])} {event['by']} {event['kind']}{change} {event['note']}".rstrip()
        )
    print("\n通知：")
    for notice in found["notices"]:
        print(
            f"  {shown(notice['created_at'])} {notice['recipient']} "
            f"{notice['state']} {notice['reply']}".rstrip()
        )
    return DONE


def move_item(house: House, which: str, state: str, *, by: str, note: str, into: str) -> int:
    try:
        to = State(state)
    except ValueError:
        names = "，".join(f"{s.value}（{s.label}）" for s in State)
        print(f"没有状态 {state}；可用的有：{names}")
        return WRONG
    try:
        moved = lifecycle.move_item(
            house.database,
            which,
            to,
            by=by,
            via="cli",
            note=note,
            now=house.clock.now(),
            into=into or None,
            duty=duty_of(house.settings, house.base),
        )
    except (desk.NoSuchItem, lifecycle.NotAllowed, lifecycle.AlreadyMoved) as error:
        return _not_done(error)
    print(f"{moved.number}：{moved.before.label} → {moved.after.label}，已记入台账。")
    return DONE


def list_outbox(database: Database, *, as_json: bool, everything: bool) -> int:
    states = () if everything else tuple(s for s in NoticeState if s is not NoticeState.SENT)
    found = desk.list_notices(database, states=states, limit=1000)
    if as_json:
        _json(found)
        return DONE
    if not found:
        print("没有欠发的通知。" if not everything else "还没有任何通知。")
        return DONE
    for row in found:
        print(
            f"{row['id']}  {row['state']:<10}  {row['attempts']}次  {row['recipient']}  "
            f"{row['number'] or ''} {row['title'] or row['stage']}  {row['reply']}".rstrip()
        )
    return DONE


def resend(database: Database, notice: str, *, by: str, now: datetime) -> int:
    try:
        fresh = outbox.resend(database, notice, by=by, now=now)
    except outbox.NoSuchNotice as error:
        return _not_done(error)
    print(f"已重新排队：{fresh}")
    return DONE


def test_mail(house: House, address: str, *, as_json: bool) -> int:
    transports = build_transports(house.settings, house.environ)
    trial = try_mail(
        house.database,
        house.settings,
        transports,
        address,
        clock=house.clock,
        random=Random(),  # noqa: S311 - jitter, no secret
    )
    if as_json:
        _json(asdict(trial))
    else:
        print("已送达服务器。" if trial.ok else "没有送达。")
        for what, took in trial.parts:
            print(f"  {what}  {took} 毫秒")
        print(f"  合计  {trial.took} 毫秒")
        print(f"服务器应答：{trial.reply}")
    return DONE if trial.ok else FAILED


def _not_done(error: Exception) -> int:
    print(error)
    return FAILED


def _item(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Item.__slots__}


def _json(value: Any) -> None:
    def plain(one: Any) -> Any:
        if isinstance(one, datetime):
            return one.astimezone(SHANGHAI).isoformat()
        return str(one)

    print(json.dumps(value, ensure_ascii=False, default=plain))
