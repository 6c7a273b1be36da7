"""A simulated day of the account at "every 5m": within the quota, and nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from config.clock import ManualClock
from crawler.channels import wechat
from crawler.quota import beijing_day
from demo.wechat import Article, Comment

MIDNIGHT = datetime(2026, 7, 14, 16, 0, tzinfo=UTC)  # 00:00 of the 15th in Beijing
DAY = timedelta(days=1)
FIVE = timedelta(minutes=5)


@pytest.fixture
def clock():
    return ManualClock(MIDNIGHT)


def story():
    """What the agency publishes and citizens say in a day of heavy rain."""
    articles = [
        Article(mid=100 + n, title=f"旧文{n}", at=MIDNIGHT - timedelta(days=40, hours=n))
        for n in range(60)
    ]
    for n in range(24):
        at = MIDNIGHT + timedelta(minutes=57 * n + 13)
        article = Article(mid=1000 + n, title=f"雨情通报第{n}期", at=at)
        article.comments = [
            Comment(id=k + 1, text=f"第{n}期下的第{k}条", at=at + timedelta(minutes=7 * k + 2))
            for k in range(12)
        ]
        articles.append(article)
    articles += [
        Article(mid=5000, title="致市民的一封信", at=MIDNIGHT + timedelta(hours=9), sent=True)
    ]
    return articles


def test_a_day_at_every_five_minutes(desk, clock):
    desk.options = {"every": "5m"}
    desk.api.articles += story()
    seen: dict[str, timedelta] = {}
    published = {a.msgid: a.at for a in desk.api.articles if not a.sent and a.at >= MIDNIGHT}
    published |= {f"{a.msgid}:{c.id}": c.at for a in desk.api.articles for c in a.comments}
    whys = set()
    while clock.now() < MIDNIGHT + DAY + timedelta(minutes=30):
        result = desk.read()
        whys.add(result.why[:30])
        assert result.state == "done", result.why
        if result.new:
            now = clock.now()
            for post in desk.posts():
                if post.key in published and post.key not in seen:
                    seen[post.key] = now - published[post.key]
        clock.advance(FIVE - timedelta(seconds=1))
    clock.advance(timedelta(hours=9))
    desk.read()

    by_day: dict[tuple[str, str], int] = {}
    for call in desk.api.calls:
        key = (call.path, beijing_day(call.at).isoformat())
        by_day[key] = by_day.get(key, 0) + 1
    lists = {day: n for (path, day), n in by_day.items() if path.endswith("batchget")}
    assert max(lists.values()) <= 90  # the reserve is untouched
    assert max(n for (path, _), n in by_day.items() if path.endswith("comment/list")) <= 450
    assert sum(n for (path, _), n in by_day.items() if path.endswith("stable_token")) <= 30
    assert not [call for call in desk.api.calls if call.code]
    assert set(seen) == set(published)
    assert max(late for key, late in seen.items() if ":" not in key) <= timedelta(minutes=45)
    assert median(late for key, late in seen.items() if ":" in key) <= timedelta(minutes=10)
    assert max(late for key, late in seen.items() if ":" in key) <= timedelta(minutes=60)
    assert desk.posts(key="5000_1")  # by the statistics, next morning
    assert any("摊匀" in why for why in whys)


def test_status_tells_the_plan_without_spending_it(desk, publish, clock):
    clock.advance(timedelta(hours=3))
    publish(5)
    desk.options = {"every": "5m"}
    desk.read()
    before = len(desk.api.calls)

    plans = wechat.plans(desk.channel, desk.database, clock.now())

    assert len(desk.api.calls) == before
    texts = [plan.text for plan in plans]
    assert texts[1].startswith("已发布列表：每天 100 次（留 10 次供人工刷新），今日已用 ")
    assert "超出额度，已摊匀为约每" in texts[1]
    assert not plans[2].thinned


def test_a_preview_shows_three_articles_and_stores_none(desk, publish):
    publish(5)

    shown = wechat.preview(desk.channel, desk.tools)

    assert [one.title for one in shown.samples] == [f"第{2247480000 + n}号通知" for n in (4, 3, 2)]
    assert [(one.what, one.calls) for one in shown.calls] == [
        ("已发布列表", 1),
        ("群发统计", 7),
        ("文章评论", 0),
    ]
    assert shown.calls[0].left == 90
    assert "首次采集将逐页读到最早一篇" in shown.calls[0].note
    assert desk.posts() == []
    assert desk.fetches() == []


def test_a_preview_that_cannot_ask_says_why(desk):
    desk.environ["WX_SECRET"] = "wrong-secret-1"

    assert "AppSecret 不正确" in wechat.preview(desk.channel, desk.tools).why
