"""What the model alone points at, and when it holds its peace."""

import numpy as np
import pytest

from analysis import concern
from analysis.concern import Cuts, Opinion
from analysis.stages.topic import TopicStage
from analysis.subject import Subject
from store.records import Finding, Topic

CUTS = Cuts(complaint=0.5, hazard=0.2, rumour=0.5, grave=0.03)
PRAISE = Finding(stage="rules", reason="表扬感谢。", rule="thanks/thanks", topic=Topic.THANKS)


def pointed(monkeypatch, shares, *found, text="很专业，很负责"):
    (opinion,) = Opinion.all_of(np.array([shares]), ["thanks"], [CUTS])
    monkeypatch.setattr(concern, "opinion_on", lambda subject: opinion)
    return [one.rule for one in TopicStage()(Subject(text=text, found=found))]


@pytest.mark.parametrize(
    ("shares", "found", "rules"),
    [
        ((0.6, 0.01, 0.01), (), ["like-complaint"]),
        ((0.6, 0.01, 0.01), (PRAISE,), []),  # sincere, as most praise is
        ((0.9, 0.01, 0.01), (PRAISE,), ["like-complaint"]),  # bitter beyond doubt
        ((0.6, 0.7, 0.01), (PRAISE,), ["like-hazard"]),  # praise hides no danger
        ((0.4, 0.01, 0.01), (), []),
    ],
)
def test_praise_that_a_rule_found_is_doubted_only_where_much_speaks_for_it(
    monkeypatch, shares, found, rules
):
    assert pointed(monkeypatch, shares, *found) == rules


def test_one_character_over_and_over_is_pointed_at_by_nobody(monkeypatch):
    assert pointed(monkeypatch, (0.9, 0.01, 0.01), text="啊啊啊") == []
