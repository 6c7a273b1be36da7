"""Templates nobody described to us, each with one habit of its own; all say the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crawler.extraction.article import read_article

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TITLE = "关于做好今冬明春雨雪冰冻灾害防范应对工作的通知"
LINES = (
    "为切实做好今冬明春雨雪冰冻灾害防范应对工作，保障人民群众生命财产安全，现就有关事项通知如下。",
    "一、各单位要落实二十四小时值班制度，遇有重要情况第一时间报告。",
    "二、加强会商研判，及时发布预警信息，做好供暖、供电保障。",
)
TEXT = "".join(f'<p style="text-indent:2em">{line}</p>' for line in LINES)
MENU = "".join(f'<li><a href="/lm{n}/">栏目{n}</a></li>' for n in range(12))
HOT = "".join(
    f'<li><a href="/t{n}.html">关于开展第{n}次联合检查工作的通知</a><span>2026-10-{n + 10}</span></li>'
    for n in range(8)
)
FOOT = "<p>主办单位：示例市应急管理局　承办：示例市信息中心</p><p>网站标识码3301000012</p>"

BODIES = {
    "labels set apart by looks alone": (
        f'<section class="detail"><h1 class="detail__title">{TITLE}</h1><ul class="detail__meta">'
        "<li>发布时间<b>2026-11-05 09:12</b></li><li>来源<b>区应急局</b></li><li>浏览量<b>321</b></li>"
        f'</ul><article class="detail__body">{TEXT}</article></section>',
        "区应急局",
        "",
    ),
    "a table of disclosure": (
        "<table><tr><th>索引号</th><td>330100/2026-00123</td><th>主题分类</th><td>应急管理</td></tr>"
        "<tr><th>发文机关</th><td>示例市应急管理局</td><th>成文日期</th><td>2026年11月04日</td></tr>"
        f'<tr><th>标题</th><td colspan="3">{TITLE}</td></tr><tr><th>发文字号</th>'
        "<td>应急〔2026〕12号</td><th>发布日期</th><td>2026年11月05日</td></tr></table>"
        f'<div class="article"><h1>{TITLE}</h1><div class="pages_content">{TEXT}</div></div>',
        "示例市应急管理局",
        "",
    ),
    "boxes without a name": (
        "<div><div>您当前的位置：首页 &gt; 政务公开 &gt; 通知公告</div>"
        f"<div>{TITLE}</div><div>2026/11/5 9:12:00　　市应急管理局　　阅读：<i>123</i></div>"
        f"<div>{TEXT.replace('<p', '<div').replace('</p>', '</div>')}</div></div>",
        "市应急管理局",
        "通知公告",
    ),
    "lines broken, not boxed": (
        f'<h3 align="center">{TITLE}</h3><div align="center">来源：市应急局　更新时间：2026-11-5</div>'
        f'<div id="text">　　{"<br><br>　　".join(LINES)}</div>',
        "市应急局",
        "",
    ),
}


@pytest.mark.parametrize("habit", BODIES)
def test_a_template_with_a_habit_of_its_own_is_read(habit: str) -> None:
    body, source, column = BODIES[habit]
    page = (
        f'<html><head><meta charset="utf-8"><title>{TITLE}-示例市应急管理局</title></head><body>'
        f'<div class="nav"><ul>{MENU}</ul></div>{body}<div class="right"><ul>{HOT}</ul></div>'
        f'<div class="footer">{FOOT}</div></body></html>'
    )

    read = read_article(page.encode(), url="http://www.example.gov.cn/a/1.html", fetched_at=NOW)

    assert read.title == TITLE
    assert read.text.splitlines() == list(LINES)
    assert read.published_at is not None
    assert read.published_at.date().isoformat() == "2026-11-05"
    assert read.source == source
    assert read.column == column
    assert read.soft_failure == ""


def test_an_english_byline_inside_the_article_tells_the_day() -> None:
    words = "Last winter the city measured every storm drain in the old town, street by street."
    page = (
        "<html><head><title>Storm drains | City Blog</title></head><body><main><article>"
        '<h1>Storm drains</h1><p class="byline">By Jane Roe · November 5, 2026 · 4 min read</p>'
        + "".join(f"<p>{words} Part {n} of the survey.</p>" for n in range(4))
        + "</article></main><footer>© 2026 City Blog. All rights reserved.</footer></body></html>"
    )

    read = read_article(page.encode(), url="http://blog.example.org/1", fetched_at=NOW)

    assert read.title == "Storm drains"
    assert read.published_at is not None
    assert read.published_at.date().isoformat() == "2026-11-05"
    assert "Jane Roe" not in read.text
