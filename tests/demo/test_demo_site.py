"""The invented agency over real HTTP, on a clock that the test turns."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import httpx
import pytest

from config.clock import ManualClock
from demo.columns import COLUMNS, path_of
from demo.serving import serve
from demo.site import DemoSite
from demo.stories import Scenario, When

START = datetime(2026, 7, 12, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def clock():
    return ManualClock(START)


@pytest.fixture(scope="module")
def site(clock):
    return DemoSite(Scenario.load(start=START), clock, crawl_delay=2)


@pytest.fixture(scope="module")
def client(site):
    with serve(site.app) as url, httpx.Client(base_url=url, trust_env=False) as running:
        yield running


@pytest.fixture(autouse=True)
def from_the_start(clock):
    clock.step(START - clock.now())


def at(clock, seconds):
    clock.step(START + timedelta(seconds=seconds) - clock.now())


# ------------------------------------------------------------------ the scenario


def test_there_is_enough_to_read():
    scenario = Scenario.load(start=START)
    backlog = [story for story in scenario.stories if story.at.is_backlog]

    assert len(scenario.stories) >= 60
    assert len(backlog) >= 40
    assert all(entry.at < START for entry in scenario.entries(START))


def test_first_story_to_be_flagged_comes_within_half_a_minute():
    scenario = Scenario.load(start=START)

    moment, story = scenario.coming(START)[0]

    assert timedelta(seconds=20) <= moment - START <= timedelta(seconds=30)
    assert story.flag
    assert "被困" in story.title


def test_afterwards_something_happens_at_least_every_minute():
    scenario = Scenario.load(start=START)
    moments = [moment for moment, _ in scenario.coming(START)]
    moments += [scenario.moment(change.at) for change in scenario.changes]
    gaps = [after - before for before, after in pairwise(sorted(moments))]

    assert max(gaps) <= timedelta(seconds=60)


def test_speed_shortens_what_follows_but_not_the_backlog():
    usual, fast = Scenario.load(start=START), Scenario.load(start=START, speed=10)

    assert len(fast.entries(START)) == len(usual.entries(START))
    assert fast.coming(START)[0][0] - START == (usual.coming(START)[0][0] - START) / 10


@pytest.mark.parametrize("value", [-5, "-0d 09:00", "yesterday", None, "12d 09:00"])
def test_a_moment_that_cannot_be_read_is_named(value):
    with pytest.raises(ValueError, match="expected seconds"):
        When.read(value)


def test_mistakes_in_a_scenario_file_name_the_story(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[[stories]]\nid = 7\nin = "news"\nat = "soon"\ntext = "x"\n', encoding="utf-8")

    with pytest.raises(ValueError, match=r"mine\.toml: story 7: expected seconds"):
        Scenario.load(path, start=START)


# ------------------------------------------------------------------ columns and pages


def hrefs(answer):
    return re.findall(r'href="([^"]+)"', answer.text)


def test_every_column_and_every_page_of_it_answers(client, site, clock):
    at(clock, 1300)
    for column in COLUMNS:
        total = sum(e.story.section == column.section for e in site.scenario.entries(clock.now()))
        for number in range(1, -(-total // column.size) + 1):
            answer = client.get(column.page_path(number, -(-total // column.size)))
            assert answer.status_code == 200, (column.name, number)
            assert column.name in answer.text


def test_every_story_has_its_page(client, site, clock):
    at(clock, 1300)
    for entry in site.scenario.entries(clock.now()):
        answer = client.get(path_of(entry))
        assert answer.status_code == (410 if entry.gone else 200)


def test_trs_numbers_the_second_page_one(client):
    first, second = client.get("/tzgg/"), client.get("/tzgg/index_1.html")

    assert 'createPageHTML(2, 0, "index", "html")' in first.text
    assert 'createPageHTML(2, 1, "index", "html")' in second.text
    assert client.get("/tzgg/index_2.html").status_code == 404


def test_vsb_counts_down(client):
    first = client.get("/kpyd.htm")

    assert "/kpyd/1.htm" in hrefs(first)
    assert "为什么天气预报说" in client.get("/kpyd/1.htm").text


def test_jpage_proxy_hands_out_records(client):
    form = {"col": "1", "webid": "1", "path": "/", "columnid": "1201", "unitid": "423656"}

    answer = client.post(
        "/module/web/jpage/dataproxy.jsp?startrecord=6&endrecord=9&perpage=5", data=form
    )
    other = client.post("/module/web/jpage/dataproxy.jsp?startrecord=1&endrecord=5&perpage=5")

    root = ElementTree.fromstring(answer.content)
    records = [node.text for node in root.iter("record")]
    assert root.findtext("totalrecord") == "9"
    assert len(records) == 4
    assert '<a href="/art/2026/' in records[0]
    assert "<record>" not in other.text


def test_article_carries_the_meta_tags_of_the_guide(client, site):
    entry = next(e for e in site.scenario.entries(START) if e.story.id == 1007)

    text = client.get(path_of(entry)).text

    for tag in (
        '<meta name="SiteName" content="示例市气象局">',
        '<meta name="ColumnName" content="通知公告">',
        '<meta name="ArticleTitle" content="关于做好近期强降雨过程防御工作的通知">',
        '<meta name="PubDate" content="2026-07-06 09:45">',
    ):
        assert tag in text
    assert '<div class="TRS_Editor body">' in text


def test_old_pages_are_gb18030_whatever_they_say(client):
    answer = client.get("/zcjd/5001.html")

    assert answer.headers["content-type"] == "text/html; charset=ISO-8859-1"
    assert "王镕、周堃" in answer.content.decode("gb18030")


def test_feeds_and_sitemap(client):
    rss = ElementTree.fromstring(client.get("/feed/rss.xml").content)
    atom = ElementTree.fromstring(client.get("/feed/atom.xml").content)
    feed = client.get("/feed/feed.json").json()
    sitemap = ElementTree.fromstring(client.get("/sitemap.xml").content)

    assert len(rss.findall("channel/item")) == 20
    assert len(atom.findall("{http://www.w3.org/2005/Atom}entry")) == 7
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert len(client.get(feed["next_url"]).json()["items"]) == 16
    assert len(sitemap) == 49


def test_robots_forbids_a_path_and_asks_for_patience(client):
    text = client.get("/robots.txt").text

    assert "Disallow: /internal/" in text
    assert "Crawl-delay: 2" in text


def test_unknown_pages_are_404(client):
    for path in ("/nothing", "/tzgg/index_99.html", "/zcjd/?page=x", "/kpyd/0.htm"):
        assert client.get(path).status_code == 404


# ------------------------------------------------------------------ conditional requests


def test_known_pages_answer_304_until_something_changes(client, clock):
    first = client.get("/jzxx/")
    etag, date = first.headers["etag"], first.headers["last-modified"]

    assert client.get("/jzxx/", headers={"If-None-Match": etag}).status_code == 304
    assert client.get("/jzxx/", headers={"If-Modified-Since": date}).status_code == 304
    at(clock, 25)
    assert client.get("/jzxx/", headers={"If-None-Match": etag}).status_code == 200
    assert client.get("/jzxx/", headers={"If-Modified-Since": date}).status_code == 200


# ------------------------------------------------------------------ time goes by


def test_the_first_letter_appears_and_is_answered_on_the_same_url(client, clock):
    path = "/jzxx/letter/6101.html"

    assert client.get(path).status_code == 404
    at(clock, 23)
    assert "办理中" in client.get(path).text
    assert "望江路下穿通道" in client.get("/jzxx/").text
    at(clock, 261)
    answered = client.get(path).text
    assert "已办结" in answered
    assert "被困的3人全部救出" in answered


def test_a_page_is_broken_into_and_links_are_hidden_in_it(client, clock):
    before = client.get("/info/1031/3003.htm")
    at(clock, 311)
    after = client.get("/info/1031/3003.htm")

    assert "vip888.invalid" not in before.text
    assert "vip888.invalid" in after.text
    assert before.headers["etag"] != after.headers["etag"]


def test_an_outdated_warning_stays_on_the_home_page(client, clock):
    assert "大风蓝色预警" in client.get("/").text


def test_a_wrong_warning_is_corrected_under_the_same_address(client, clock):
    at(clock, 240)
    assert "发布暴雨橙色预警信号</h1>" in client.get("/yjxx/content_4102.html").text
    at(clock, 991)
    assert "更正说明" in client.get("/yjxx/content_4102.html").text


def test_a_page_is_taken_down(client, site, clock):
    entry = next(e for e in site.scenario.entries(START) if e.story.id == 1005)
    assert client.get(path_of(entry)).status_code == 200
    at(clock, 853)
    assert client.get(path_of(entry)).status_code == 410
    assert path_of(entry) not in client.get("/sitemap.xml").text


def test_comments_stand_below_the_article_in_the_list_and_alone(client, site, clock):
    at(clock, 73)
    article = next(e for e in site.scenario.entries(clock.now()) if e.story.id == 2008)

    for path in (path_of(article), "/wyly/", "/wyly/7101.html"):
        assert "全是煤气味" in client.get(path).text


def test_hostile_titles_are_only_text(client, clock):
    at(clock, 1300)
    for path in ("/", "/jzxx/", "/jzxx/?page=2", "/jzxx/letter/6107.html", "/wyly/"):
        text = client.get(path).text
        assert "<script>alert(" not in text
        assert "onerror=alert(1)>" not in text
    assert "{{7*7}}" in client.get("/wyly/7110.html").text
    assert "\u202e" in client.get("/jzxx/letter/6110.html").text
    assert "👨‍👩‍👧" in client.get("/jzxx/letter/6111.html").text


def test_visits_are_noted(client, site):
    site.visits.clear()

    client.get("/jzxx/?page=1", headers={"User-Agent": "tinglan-test"})

    [visit] = site.visits
    assert (visit.path, visit.status, visit.user_agent) == ("/jzxx/?page=1", 200, "tinglan-test")
