"""From a page that was altered to one item, and back."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from crawler import tampering
from crawler.fingerprint import fingerprint
from store import tables
from store.records import Outcome
from tests.analysis.watched import HOUR, Agency, settings

PAGE = """<html><head><title>{title}-示例市气象局</title></head><body>
<div class="nav"><a href="/">首页</a><a href="/yjfw/">预警服务</a></div><h1>{title}</h1>
<div class="TRS_Editor"><p>{title}，预计未来24小时我市有大雨，请注意防范。</p>
<p>紧急情况请拨打0576-85550123，不要在低洼处停留。</p></div>
<div class="footer"><p>主办单位：示例市气象局　版权所有</p><p>网站地图　联系我们</p></div></body></html>"""
PLANT = '<script src="http://cdn.example-bad.top/j.js"></script></head>'
URL = "http://qxj.example.gov.cn/yj/{}.html"


class Site(Agency):
    """Its pages are seen by the crawl's own functions."""

    def __init__(self, database, clock, **options):
        chosen = settings(("site", "官网", "site"), tamper=options)
        super().__init__(database, clock, chosen, only=("tamper",))
        self.pages = {}
        for number in range(1, 13):
            self.visit(number, PAGE.format(title=f"暴雨蓝色预警第{number}号"))

    def visit(self, number, html=None):
        """A page is fetched; answers when it is to be seen again."""
        url = URL.format(number)
        with self.database.write() as connection:
            if html is None or html == self.pages.get(number):
                return tampering.same(connection, "site", url, self.clock.now())
            self.pages[number] = html
            taken = fingerprint(html, url)
            return tampering.look(connection, "site", url, taken=taken, now=self.clock.now())

    def lose(self, number, outcome, why):
        with self.database.write() as connection:
            return tampering.lost(
                connection,
                "site",
                URL.format(number),
                outcome=outcome,
                why=why,
                now=self.clock.now(),
            )

    def plant(self, number):
        return self.visit(number, self.pages[number].replace("</head>", PLANT))

    def later(self, **by):
        self.clock.advance(timedelta(**by))


@pytest.fixture
def site(database, clock):
    return Site(database, clock)


def test_nobody_is_told_before_a_second_look_agrees(site, clock):
    again = site.plant(1)

    assert again == clock.now() + tampering.CONFIRM
    assert site.look() == []

    site.later(minutes=2)
    site.visit(1)
    told = site.look()

    assert len(told) == 1
    assert "“官网”出现外来脚本：新增“http://cdn.example-bad.top/j.js”" in told[0]
    assert URL.format(1) in told[0]
    assert site.told()[0]["level"] == "II"
    assert site.told()[0]["topic"] == "integrity"
    site.later(hours=1)
    assert site.look() == []


def test_a_glitch_that_is_gone_at_the_second_look_is_nothing(site):
    clean = site.pages[1]
    site.plant(1)
    site.later(minutes=2)
    site.visit(1, clean)

    assert site.look() == []


def test_a_page_wiped_clean_is_told_at_once(site):
    site.visit(1, "<html><title>0wned</title><body><h1>we were here</h1></body></html>")

    told = site.look()

    assert "页面被整体替换" in told[0]
    assert site.told()[0]["level"] == "I"


def test_a_restored_page_is_told_as_over(site):
    clean = site.pages[1]
    site.plant(1)
    site.visit(1)
    site.look()
    site.later(minutes=30)
    site.visit(1, clean)

    assert "已恢复或已确认" in site.look()[0]
    assert len(site.items()) == 1

    site.plant(1)
    site.visit(1)
    site.look()
    assert len(site.items()) == 2  # the same act again is another case


def test_one_act_on_many_pages_is_one_notice(site):
    for number in range(1, 10):
        site.plant(number)
        site.visit(number)
    told = site.look()
    assert len(told) == 1
    assert "共9个页面" in told[0]

    for number in (10, 11):  # seen on their own day
        site.later(hours=20)
        site.plant(number)
        site.visit(number)
        assert site.look() == []
    assert len(site.items()) == 1


def test_a_new_template_that_changes_each_page_in_its_own_way_is_one_notice(site):
    for number in range(1, 10):
        site.visit(number, site.pages[number].replace("请注意防范", f"请注意防范（编号{number}）"))
        site.visit(number)

    told = site.look()

    assert len(site.items()) == 1
    assert "有9个页面同时变化，疑似改版或批量篡改" in told[0]


def test_new_notices_of_a_day_are_capped_when_pages_change_one_by_one(site):
    for number in range(1, 12):
        site.visit(number, site.pages[number].replace("请注意防范", f"请注意防范（编号{number}）"))
        site.visit(number)
        site.later(minutes=10)
        site.look()

    assert len(site.items()) == 6  # five, and one for all the rest


def test_what_duty_staff_dismiss_becomes_the_measure(site, database):
    site.visit(1, site.pages[1].replace("24小时", "48小时"))
    site.visit(1)
    assert "数字有变" in site.look()[0]
    assert site.told()[0]["text"].count("48小时") == 1

    site.settle_items("dismissed")
    site.look()
    with database.read() as connection:
        query = sa.select(tables.fingerprints).where(tables.fingerprints.c.url == URL.format(1))
        row = connection.execute(query).mappings().one()
    assert row["changes"] is None
    assert "48小时" in "".join(row["baseline"]["body"])

    site.later(hours=5)
    site.visit(1, site.pages[1].replace("<body>", "<body><div>今天是2026年7月16日</div>"))
    site.visit(1)
    assert site.look() == []
    assert len(site.items()) == 1


def test_a_plant_that_is_still_there_after_closing_is_told_again(site):
    site.plant(1)
    site.visit(1)
    site.look()
    site.settle_items("closed")

    told = site.look()

    assert len(told) == 1
    assert "已办结而页面上仍在" in told[0]
    assert len(site.items()) == 2
    assert site.look() == []


def test_a_further_act_on_a_page_under_suspicion_is_told(site):
    site.visit(1, site.pages[1].replace("24小时", "48小时"))
    site.visit(1)
    site.look()

    site.plant(1)
    assert site.look() == []  # and the first is not called over
    site.visit(1)
    told = site.look()

    assert len(told) == 1
    assert "外来脚本" in told[0]


def test_maintenance_is_told_only_if_it_lasts(site):
    for number in (1, 2, 3):
        assert site.lose(number, Outcome.SOFT_FAILURE, "网站维护或暂停服务页") is not None
    site.later(minutes=10)
    for number in (1, 2, 3):
        site.lose(number, Outcome.SOFT_FAILURE, "网站维护或暂停服务页")
    assert site.look() == []

    site.later(minutes=55)
    told = site.look()
    assert len(told) == 1
    assert "共3个页面" in told[0]

    for number in (1, 2, 3):
        site.visit(number, site.pages[number] + " ")
    assert "已恢复" in site.look()[0]


def test_a_page_that_was_taken_down_on_purpose_is_forgotten(site, database):
    site.lose(1, Outcome.REMOVED, "404")
    site.later(hours=2)
    site.lose(1, Outcome.REMOVED, "404")
    assert "页面被删除" in site.look()[0]

    site.settle_items("dismissed")
    site.look()
    with database.read() as connection:
        query = sa.select(tables.fingerprints.c.url)
        assert URL.format(1) not in connection.execute(query).scalars().all()
    assert site.lose(1, Outcome.REMOVED, "404") is None


def test_a_page_sent_elsewhere_is_told_after_the_second_look(site):
    site.lose(1, Outcome.REDIRECTED_OFF, "页面自动跳往站外：http://example-bad.top/")
    site.lose(1, Outcome.REDIRECTED_OFF, "页面自动跳往站外：http://example-bad.top/")

    assert "页面被转往外部" in site.look()[0]


def test_the_network_is_no_tampering(site):
    for outcome in (Outcome.TIMEOUT, Outcome.HTTP_ERROR, Outcome.DROPPED, Outcome.BLOCKED):
        assert site.lose(1, outcome, "") is None
    site.later(hours=9)
    assert site.look() == []


def test_edits_of_mere_words_may_be_left_untold(sqlite_database, clock):
    site = Site(sqlite_database, clock, words=False)
    site.visit(1, site.pages[1].replace("低洼处停留", "低洼地带停留"))
    site.visit(1)
    assert site.look() == []

    site.visit(1, site.pages[1].replace("不要在", "可以在"))
    site.visit(1)
    site.later(hours=HOUR / HOUR)
    assert "否定意思有变" in site.look()[0]
