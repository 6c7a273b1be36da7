"""What pushes announced: an article just published or sent is read without waiting for a poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from crawler.intake import Counts
from crawler.quota import Purpose
from crawler.wechat import articles
from crawler.wechat.articles import MsgId
from crawler.wechat.caller import Page, Question, Skipped
from crawler.wechat.desk import Desk, when
from crawler.wechat.errors import Failed, Refused, Remedy
from crawler.wechat.places import PUSH
from store.records import Capture

PATH = "/cgi-bin/freepublish/getarticle"


def read(desk: Desk) -> None:
    """Works off the job-finished events; one that cannot be read now stays."""
    for name, event in desk.places.all(PUSH).items():
        if event.get("done"):
            continue
        desk.urgent = True
        if event.get("trouble"):
            desk.troubles.append(str(event["trouble"]))
        page, again = _asked(desk, event)
        if not again:
            _kept(desk, name, event, page)


def _asked(desk: Desk, event: Mapping[str, Any]) -> tuple[Page | None, bool]:
    """The article itself where the event names one, and whether to ask again later."""
    article_id = str(event.get("article_id") or "")
    if not article_id or desk.caller.absent("article"):
        return None, False
    question = {"article_id": article_id}
    try:
        return desk.caller.call(
            Question("article", PATH, question, question), Purpose.FOLLOW
        ), False
    except Skipped:
        return None, False  # the published list will have it
    except Failed as error:
        desk.troubles.append(f"读取刚发布的文章：{error.why}")
        return None, not isinstance(error, Refused) or error.remedy is Remedy.LATER


def _kept(desk: Desk, name: str, event: Mapping[str, Any], page: Page | None) -> None:
    at = when(event.get("at")) or desk.now()
    urls = [str(url) for url in event.get("urls") or ()]
    named = [(msgid, url) for url in urls if (msgid := articles.msgid_in(url)) is not None]
    found = []
    if page is not None:
        news = page.data.get("news_item")
        if isinstance(news, list):
            found = articles.news_of(desk.channel, str(event.get("article_id")), news, at)
    with desk.run.write() as connection:
        counts = desk.keep_own(connection, found)
        if page is not None:
            desk.settle(connection, page, counts, anything=bool(found))
        for msgid, url in named:
            if desk.row(connection, msgid.key) is None:
                counts += desk.intake(connection, [_sent(desk.channel, msgid, url, at)])
            desk.watch(connection, msgid, msgid.key, at)
        desk.places.put(connection, PUSH + name, {**event, "done": True}, desk.now())
    if counts != Counts():
        desk.tools.progress(f"公众号推送：新发文章 {counts.new} 篇")


def _sent(channel: str, msgid: MsgId, url: str, at: datetime) -> Capture:
    """What was sent to followers, before the statistics tell its title a day later."""
    one = articles.Counted(msgid=msgid, title="", url=url, sent=True, day="")
    made = articles.counted_capture(channel, one, at)
    return replace(made, precision=None, notes={"found_by": "push"})
