"""Who gets what, and why or why not, in words."""

from __future__ import annotations

import pytest

from alerts.routing import decide, route
from store.records import Level

OFFICES = [
    {"id": "duty", "name": "值守科", "addresses": ["duty@example.gov.cn"], "levels": ["I", "II"]},
    {
        "id": "fire",
        "name": "防火科",
        "addresses": ["fire@example.gov.cn", "duty@example.gov.cn"],
        "topics": ["fire", "accident"],
        "channels": ["site"],
    },
    {"id": "room", "name": "群", "addresses": ["memory:防汛群"], "topics": ["flood"]},
]


@pytest.fixture
def offices(make_settings):
    return make_settings(offices=OFFICES)


@pytest.mark.parametrize(
    ("topics", "level", "channel", "expected"),
    [
        (["fire"], Level.III, "site", {"fire@example.gov.cn", "duty@example.gov.cn"}),
        (["fire"], Level.II, "site", {"fire@example.gov.cn", "duty@example.gov.cn"}),
        (["fire"], Level.I, "weibo", {"duty@example.gov.cn"}),
        (["flood", "fire"], Level.IV, "weibo", {"防汛群"}),
        (["complaint"], Level.III, "site", {"chief@example.gov.cn"}),
        ([], Level.IV, "gone", {"chief@example.gov.cn"}),
    ],
)
def test_a_case_reaches(offices, topics, level, channel, expected):
    routes = route(offices, topics=topics, level=level, channel=channel)

    assert {one.recipient for one in routes} == expected
    assert len(routes) == len(expected)


def test_a_person_named_by_two_offices_is_told_once_with_both_reasons(offices):
    routes = route(offices, topics=["fire"], level=Level.II, channel="site")

    why = {one.recipient: one.why for one in routes}["duty@example.gov.cn"]
    assert why == ("值守科：负责全部类别，接收Ⅱ级（重大）；防火科：负责类别“火灾”，负责渠道“官网”")


def test_every_office_says_why_not(offices):
    said = [
        (one.matches, one.why)
        for one in decide(offices, topics=["flood"], level=Level.III, channel="weibo")
    ]

    assert said == [
        (False, "值守科：不接收Ⅲ级（较大）"),
        (False, "防火科：不负责类别“汛情灾情”，不负责渠道“官方微博”"),
        (True, "群：负责类别“汛情灾情”"),
    ]


def test_an_address_of_another_transport_goes_by_it(offices):
    (one,) = route(offices, topics=["flood"], level=Level.III, channel="weibo")

    assert (one.transport, one.recipient) == ("memory", "防汛群")
