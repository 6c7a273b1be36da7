"""The account is read once, wholly, and goes on from where it was cut."""

from __future__ import annotations

from datetime import timedelta

import pytest

from demo.wechat import Article, Fault

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_articles_are_own_posts_with_their_text(desk, publish):
    publish(3)

    result = desk.read()

    assert (result.state, result.new) == ("done", 3)
    post = desk.posts(key="2247480002_1")[0]
    assert (post.kind, post.role, post.column) == ("post", "own", "发布")
    assert post.title == "第2247480002号通知"
    assert post.text == "第2247480002号通知的正文。\n联系电话见官网。"
    assert post.url.startswith("https://mp.weixin.qq.com/s?__biz=")
    assert post.published_at == desk.clock.now() - HOUR - timedelta(seconds=1)


def test_five_hundred_articles_are_read_to_the_last_and_then_only_the_newest(desk, publish):
    publish(500)

    first = desk.read()
    desk.clock.advance(HOUR)
    publish(1, start=2247490000)
    desk.clock.advance(HOUR)
    second = desk.read()

    assert first.new == 500 == len(desk.posts(kind="post")) - 1
    assert second.new == 1
    assert len(desk.api.asked("batchget")) == 27 + 1 + 3


def test_a_walk_cut_by_its_own_cap_goes_on_in_the_next_run(desk, publish):
    desk.options = {"pages": 5, "comments": False, "statistics": False}
    publish(300)

    results = []
    while not results or results[-1].backlog:
        results.append(desk.read())
        desk.clock.advance(HOUR)

    assert len(desk.posts()) == 300
    assert sum(r.new for r in results) == 300
    assert len(results) == 4


def test_articles_published_and_deleted_between_two_parts_of_a_walk_lose_nothing(desk, publish):
    desk.options = {"pages": 5, "comments": False, "statistics": False}
    old = publish(300)
    desk.read()
    desk.clock.advance(HOUR)
    publish(30, start=2247490000)
    for gone in old[250:253]:
        desk.api.articles.remove(gone)

    while desk.read().backlog:
        desk.clock.advance(HOUR)

    assert {p.key for p in desk.posts()} >= {a.msgid for a in desk.api.articles}


def test_a_quota_spent_in_the_middle_is_waited_for_and_the_walk_goes_on(desk, publish):
    desk.options = {"comments": False, "statistics": False}
    desk.api.quotas["/cgi-bin/freepublish/batchget"] = 10
    publish(300)

    spent = desk.read()
    desk.clock.advance(5 * 60)
    refused = desk.read()
    calls = len(desk.api.asked("batchget"))
    desk.clock.advance(DAY)
    desk.api.quotas["/cgi-bin/freepublish/batchget"] = 100
    desk.read()

    assert spent.outcomes["quota"] == 1
    assert "今日调用额度已用完" in spent.why
    assert (refused.state, refused.planned) == ("failed", 0)
    assert "2026-07-16 00:00 起恢复" in refused.why
    assert calls == 11
    assert len(desk.posts()) == 300


def test_a_token_that_dies_in_the_middle_is_renewed_once_and_the_walk_goes_on(desk, publish):
    publish(100)
    desk.options = {"comments": False, "statistics": False}
    desk.api.faults.append(Fault(what=42001, path="batchget", skip=2))

    result = desk.read()

    assert (result.state, result.new) == ("done", 100)
    assert result.outcomes["auth"] == 1
    assert not desk.api.calls[0].body["force_refresh"]


def test_an_edit_is_a_new_version_and_a_deletion_keeps_the_words(desk, publish):
    one, two, _ = publish(3)
    desk.read()
    one.html = "<p>更正：第一号通知的正文。</p>"
    two.deleted_at = desk.clock.now()
    desk.clock.advance(HOUR)

    result = desk.read()

    assert result.changed == 2
    edited, deleted = desk.posts(key=one.msgid)[0], desk.posts(key=two.msgid)[0]
    assert (edited.version, edited.text) == (2, "更正：第一号通知的正文。")
    assert (deleted.state, deleted.text) == (
        "已删除",
        f"第{two.mid}号通知的正文。\n联系电话见官网。",
    )


def test_publications_of_several_articles_and_short_addresses_have_their_own_keys(desk, publish):
    publish(1, short_url=True)
    now = desk.clock.now() - HOUR
    desk.api.articles += [
        Article(mid=88, idx=n, title=f"第{n}条", at=now, article_id="multi") for n in (1, 2, 3)
    ]

    desk.read()

    assert {p.key for p in desk.posts()} == {"art-2247480000:1", "88_1", "88_2", "88_3"}


def test_what_followers_were_sent_comes_from_the_statistics_a_day_later(desk, publish):
    sent = publish(2, sent=True)
    desk.read()
    before = desk.posts()
    desk.clock.advance(DAY)

    desk.read()

    assert before == []
    assert [(p.key, p.column, p.title) for p in desk.posts(kind="post")] == [
        (one.msgid, "群发", one.title) for one in sent
    ]


def test_the_index_counts_from_one_there_and_from_nothing_here(desk, comment):
    now = desk.clock.now()
    first, second = (
        Article(mid=2247483654, idx=n, title=f"第{n}条", at=now - DAY, sent=True) for n in (1, 2)
    )
    desk.api.articles += [first, second]
    comment(second, 1)

    desk.read()

    (found,) = desk.posts(kind="comment")
    assert (found.parent, found.key) == ("2247483654_2", "2247483654_2:1")
    assert {c.body["index"] for c in desk.api.asked("comment/list")} == {0, 1}


def test_comments_have_authors_without_names_and_later_replies(desk, publish, comment):
    (article,) = publish(1)
    said, other = comment(article, 2)
    other.openid = None
    said.text = "我的电话 13800000000，水进屋了"
    desk.read()
    desk.clock.advance(HOUR)
    said.reply, said.reply_at = "已联系社区，请保持电话畅通。", desk.clock.now() - HOUR / 2

    result = desk.read()

    first, second = desk.posts(kind="comment")
    answered = first if first.key.endswith(":1") else second
    nameless = second if answered is first else first
    assert result.changed == 1
    assert (answered.reply, answered.version) == ("已联系社区，请保持电话畅通。", 2)
    assert answered.replied_at == said.reply_at
    assert "13800000000" not in answered.text
    assert len(answered.author) == 16
    assert nameless.author == ""
    assert "o-citizen" not in desk.everything()


@pytest.mark.parametrize("longest", [0, 7])
def test_every_comment_of_a_long_thread_is_read(desk, publish, comment, longest):
    (article,) = publish(1)
    comment(article, 500)
    desk.api.quirks.longest_page = longest
    desk.options = {"quotas": {"comments": 1000}}

    result = desk.read()

    assert result.state == "done"
    assert len(desk.posts(kind="comment")) == 500
    assert all(c.body["count"] <= 49 for c in desk.api.asked("comment/list"))


def test_an_unchanged_thread_costs_one_call(desk, publish, comment):
    (article,) = publish(1)
    comment(article, 20)
    desk.read()
    desk.clock.advance(15 * 60)
    before = len(desk.api.asked("comment/list"))

    desk.read()

    assert len(desk.api.asked("comment/list")) == before + 1


def test_comments_are_read_less_often_as_articles_age_and_then_not_at_all(desk, publish, comment):
    (article,) = publish(1)
    comment(article, 1)
    desk.options = {"statistics": False, "watch": "3d"}
    asked = []
    for _ in range(16):
        before = len(desk.api.asked("comment/list"))
        desk.read()
        asked.append(len(desk.api.asked("comment/list")) - before)
        desk.clock.advance(6 * HOUR)

    assert all(n >= 1 for n in asked[:8])
    assert asked[-4:] == [0, 0, 0, 0]
    assert desk.place("watch:" + article.msgid) is None


def test_where_people_talk_is_looked_at_every_time(desk, publish, comment):
    talked, quiet = publish(2)
    talked.at = quiet.at = desk.clock.now() - 5 * HOUR
    for n in range(12):
        comment(talked, 1)[0].at = desk.clock.now() + n * HOUR / 12
    before = {}
    desk.read()
    for _ in range(12):
        desk.clock.advance(HOUR / 12)
        desk.read()
    for call in desk.api.asked("comment/list"):
        mid = call.body["msg_data_id"]
        before[mid] = before.get(mid, 0) + 1

    assert before[talked.mid] >= 12
    assert before[quiet.mid] <= 3
    assert len(desk.posts(kind="comment")) == 12


def test_a_total_that_was_right_spares_calls_and_one_that_was_wrong_does_not(
    desk, publish, comment
):
    (article,) = publish(1)
    comment(article, 5)
    desk.read()
    desk.clock.advance(HOUR)
    comment(article, 1)
    before = len(desk.api.asked("comment/list"))
    desk.read()
    honest = len(desk.api.asked("comment/list")) - before

    desk.api.quirks.total_off = -2
    desk.clock.advance(12 * HOUR)
    desk.read()
    comment(article, 1)
    desk.clock.advance(HOUR)
    before = len(desk.api.asked("comment/list"))
    desk.read()

    assert honest == 1
    assert len(desk.api.asked("comment/list")) - before == 2
    assert len(desk.posts(kind="comment")) == 7


def test_an_article_in_an_unsorted_list_is_found_by_the_total(desk, publish):
    publish(200)
    desk.options = {"comments": False, "statistics": False}
    desk.read()
    desk.api.quirks.unsorted = True
    desk.clock.advance(2 * HOUR)
    publish(1, start=2247490000)
    desk.clock.advance(HOUR * 2)

    result = desk.read()

    assert desk.posts(key="2247490000_1")
    assert "从头核对一遍" in result.why


def test_no_write_call_is_ever_made(desk, publish, comment):
    comment(publish(3)[0], 3)
    for _ in range(5):
        desk.read(manual=True)
        desk.clock.advance(DAY / 2)

    assert {call.path for call in desk.api.calls} == {
        "/cgi-bin/stable_token",
        "/cgi-bin/freepublish/batchget",
        "/datacube/getarticletotaldetail",
        "/cgi-bin/comment/list",
    }
    assert not any(call.body.get("force_refresh") for call in desk.api.calls)
