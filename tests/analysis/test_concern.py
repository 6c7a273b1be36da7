"""What a rule found is weighed with all else that is known; nothing told of danger gets lost."""

import hashlib
import json
import math

import pytest

from analysis import concern
from analysis.assess import assess
from analysis.catalogue import build_engine, build_stages
from analysis.concern import CONCERN_OF, SIGNS, Cuts, Opinion, Scales, counts, feature_names
from analysis.judging import chosen_cuts, fitted, flagged, learn, written
from analysis.lines import CORPUS, read_corpus
from analysis.model import GROUP_FILE, KIND_FILE
from analysis.model.blend import KINDS
from analysis.model.groups import GROUPS
from analysis.model.weights import ModelBroken
from analysis.subject import Subject
from analysis.tools import Tools
from store.records import Level, Topic

np = pytest.importorskip("numpy")

#: Of the held-out part: at least and at most so many flagged. A change that loses it must be meant.
AT_LEAST = {"hazard": 0.97, "rumour": 0.95, "complaint_formal": 0.95, "complaint_plain": 0.92}
AT_MOST = {
    "bulletin": 0.01, "reply": 0.02, "informal": 0.07, "thanks": 0.04, "chatter": 0.05,
    "advert": 0.03,
}  # fmt: skip
CUTS = Cuts(complaint=0.6, hazard=0.2, rumour=0.3, grave=0.01)


@pytest.fixture(scope="module")
def engine():
    made = build_engine({})
    yield made
    made.close()


@pytest.fixture(scope="module")
def stages():
    return build_stages({}, Tools())


def opinion(complaint=0.0, hazard=0.0, rumour=0.0, cuts=CUTS):
    return opinion_like("chatter", complaint, hazard, rumour, cuts)


def opinion_like(likeness, complaint, hazard, rumour, cuts=CUTS):
    return Opinion.all_of(np.array([[complaint, hazard, rumour]]), [likeness], [cuts])[0]


def test_held_out_lines_are_flagged_as_promised(stages, engine):
    held = [line for line in read_corpus(CORPUS) if line.split == "held"]
    done = assess([Subject(text=line.text) for line in held], stages=stages, engine=engine)
    told = {}
    for line, one in zip(held, done, strict=True):
        told.setdefault(line.group, []).append(one.flagged)
    shares = {group: sum(some) / len(some) for group, some in told.items()}

    assert {g: s for g, s in shares.items() if s < AT_LEAST.get(g, 0)} == {}
    assert {g: s for g, s in shares.items() if s > AT_MOST.get(g, 1)} == {}


def test_the_scales_know_every_shipped_rule_and_the_model_beside_them(book):
    made = json.loads(concern.FILE.read_text(encoding="utf-8"))["made"]

    public = {rule.name for rule in book.rules if "public" in rule.rule.roles}
    assert public == set(concern.scales().rules)
    assert made["kinds"] == hashlib.sha256(KIND_FILE.read_bytes()).hexdigest()
    assert made["groups"] == hashlib.sha256(GROUP_FILE.read_bytes()).hexdigest()
    assert made["corpus"] == hashlib.sha256(CORPUS.read_bytes()).hexdigest()
    # Lines of contrast are harder than what people write: nothing is weighed by them.
    assert made["lines"] == sum(line.split == "train" for line in read_corpus(CORPUS))


def test_people_in_danger_are_told_of_where_next_to_nothing_else_speaks_for_it():
    text = "昨天夜里老城那边着了一场大火"

    assert counts(opinion(hazard=0.02), Topic.FIRE, Level.II, text)
    assert not counts(opinion(hazard=0.005), Topic.FIRE, Level.II, text)
    assert counts(opinion(rumour=0.1), Topic.FIRE, Level.II, text)
    assert not counts(opinion(hazard=0.02), Topic.FIRE, Level.III, text)
    assert counts(opinion(hazard=0.02, complaint=0.9), Topic.FIRE, Level.III, text)
    assert counts(opinion(), Topic.FIRE, Level.III, "仓库着火了")


def test_a_danger_in_few_words_is_noted_only_where_nothing_speaks_for_it():
    few, fewer = "蛋糕烤着烤着塌了", "仓库着火了"

    assert not counts(opinion(hazard=0.005), Topic.ACCIDENT, Level.III, few)
    assert counts(opinion(hazard=0.04), Topic.ACCIDENT, Level.III, few)
    assert counts(opinion(rumour=0.04), Topic.ACCIDENT, Level.III, few)
    assert counts(opinion(hazard=0.005), Topic.ACCIDENT, Level.III, few, is_known=False)
    assert counts(opinion(hazard=0.005), Topic.ACCIDENT, Level.III, fewer)


def test_what_verdicts_moved_quietens_complaints_alone():
    moved = opinion(complaint=0.9, hazard=0.1, cuts=CUTS._replace(complaint=0.95))
    text = "楼道里堆着纸箱，电线也露着，说了多少回"

    assert not counts(moved, Topic.COMPLAINT, Level.IV, text)
    assert counts(moved, Topic.FIRE, Level.II, text)
    assert counts(moved, Topic.FIRE, Level.III, text)


def test_what_is_told_comes_likeliest_first():
    assert opinion(complaint=0.7, hazard=0.9, rumour=0.1).told == ("hazard", "complaint")
    assert opinion(complaint=0.5).told == ()
    assert opinion(complaint=0.55, hazard=0.15).told == ("complaint",)  # neither alone: both
    assert opinion(complaint=0.55, hazard=0.15).complaint_up_to > CUTS.complaint
    assert opinion(hazard=0.3).complaint_up_to is None


def test_what_speaks_against_a_rule_is_said_with_what_it_found(stages, engine):
    praise = "多亏消防员来得快，灶台着火十分钟就扑灭了，真心感谢你们，点赞！"

    (done,) = assess([Subject(text=praise)], stages=stages, engine=engine)

    assert not done.flagged
    noted = [one.reason for one in done.findings if one.rule == "fire/burning"]
    assert all(reason.startswith("只作记录，不提醒（通篇更像致谢）：") for reason in noted)


def test_rules_decide_alone_where_settings_say_so(engine):
    said = "电影里那座城着火了，特写拍得真好，看哭了好几回"
    alone = build_stages({"rules": {"weighed": False}, "topic": {"enabled": False}}, Tools())
    book = alone["rules"]._book

    (done,) = assess([Subject(text=said)], stages=alone, engine=engine)

    hit = [trace.rule.name for trace in book.hits(Subject(text=said)) if trace.rule.rule.level]
    assert {one.rule for one in done.findings if one.level and one.stage == "rules"} == set(hit)


def test_what_no_rule_foresaw_is_pointed_at_and_says_so(stages, engine):
    said = "我们小区地下车库一直有股臭鸡蛋味，越来越浓，值班的人头晕"

    (done,) = assess([Subject(text=said)], stages={"topic": stages["topic"]}, engine=engine)

    assert done.flagged
    (pointed,) = [one for one in done.findings if one.stage == "topic"]
    assert pointed.rule == "like-hazard"
    assert "这是模型的提示，请由人判断" in pointed.reason


@pytest.mark.parametrize("text", ["a", "aaaa", "啊啊啊啊", "？？？", "6"])
def test_one_character_over_and_over_tells_nothing(stages, engine, text):
    (done,) = assess([Subject(text=text)], stages=stages, engine=engine)

    assert not done.flagged


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "x"}', '{"format": "tinglan-concern-2", "cuts": []}']
)
def test_a_broken_file_is_refused(tmp_path, content):
    file = tmp_path / "concern.json"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(ValueError, match=r"."):
        Scales.load(file)


def test_without_scales_rules_decide_alone(monkeypatch, stages, engine):
    monkeypatch.setattr(concern, "scales", lambda: None)
    fresh = build_stages({}, Tools())

    done = assess(
        [Subject(text="灶台着火十分钟就扑灭了，感谢你们"), Subject(text="我家着火了")],
        stages=fresh,
        engine=engine,
    )

    assert done[1].flagged
    assert not any("只作记录" in one.reason for some in done for one in some.findings)


def test_without_the_model_of_the_groups_there_are_no_scales(tmp_path):
    broken = tmp_path / "groups.bin"
    broken.write_bytes(GROUP_FILE.read_bytes()[:-100])

    with pytest.raises(ModelBroken):
        Scales.load(model=broken)


def test_learning_twice_gives_the_same_bytes(tmp_path):
    pytest.importorskip("scipy")
    lines = [line for line in read_corpus(CORPUS) if line.split == "train"][::25]
    heard = np.full((len(lines), len(KINDS) + len(GROUPS)), 0.1)

    first, second = written(learn(lines, heard)), written(learn(lines, heard))

    assert first == second
    file = tmp_path / "concern.json"
    file.write_text(first, encoding="utf-8")
    assert set(Scales.load(file).groups) >= set(CONCERN_OF)


def test_cuts_tell_of_danger_before_they_spare_chatter():
    where = np.array(["hazard"] * 50 + ["chatter"] * 50 + ["complaint_plain", "rumour"] * 5)
    logits = np.full((len(where), 3), -9.0)
    logits[:50, 1] = np.linspace(0, 5, 50)
    logits[50:100, 1] = np.linspace(-5, 0.5, 50)
    nothing = np.zeros(len(where), dtype=bool)

    cuts = chosen_cuts(logits, where, nothing | (where == "hazard"))

    assert flagged(logits, cuts, nothing)[:50].mean() >= 0.98


def test_a_weight_has_a_name_for_every_column():
    names = feature_names(("other", "hazard"), ("chatter", "hazard"), ["fire/smoke"])
    heard, likeness = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])

    values = concern.features(
        heard, likeness, ["冒烟了"], [[names.index("rule fire/smoke")]], len(names)
    )

    assert values.shape == (1, len(names))
    told = dict(zip(names, values[0], strict=True))
    assert told["log other"] > 0 > told["group chatter"]
    assert told["rule fire/smoke"] == told["always"] == 1
    assert fitted(np.repeat(values, 4, axis=0), np.array([0, 1, 0, 1]), 2).shape == (len(names), 2)


def test_signs_are_told_of_each_text_apart():
    texts = ["", "着火了,派人!!", "你", "们好吗~", "我在楼下，听说爆炸了", "哈哈[笑]3"]

    made = concern.signs(texts)

    told = [{name for name, one in zip(SIGNS, row, strict=True) if one} for row in made]
    assert told[0] == {"length"}
    assert told[1] == {"danger", "exclamation", "witness", "length"}
    assert told[2] == {"you", "length"}
    assert told[3] == {"question", "wave", "length"}
    assert told[4] == {"danger", "hearsay", "I", "witness", "length"}
    assert told[5] == {"laughter", "bracket", "digit", "length"}
    assert made[1, 0] == pytest.approx(1 / 3)
    assert np.array_equal(made, np.concatenate([concern.signs([text]) for text in texts]))


def test_a_rule_speaks_once_for_its_concern_and_a_wide_one_does_not():
    before = np.zeros((4, 3))

    after = concern.spoken_for(
        before,
        [(), ("complaint/ignored", "warning/late"), ("complaint/mock-praise",), ("rumour/chain",)],
    )

    assert after[0].tolist() == after[2].tolist() == [0, 0, 0]
    assert after[1].tolist() == [pytest.approx(math.log(2)), 0, 0]
    assert after[3, 2] > 0 == after[3, 0]
    assert before.any() == np.False_


def test_who_asks_whether_a_rumour_is_true_tells_of_it():
    asked = opinion_like("enquiry", 0.01, 0.02, 0.01)

    assert counts(asked, Topic.RUMOUR, Level.III, "网传今晚要停水三天，是真的吗")
    assert not counts(asked, Topic.COMPLAINT, Level.IV, "网传今晚要停水三天，是真的吗")
    assert not counts(asked._replace(likeness="chatter"), Topic.RUMOUR, Level.III, "网传他们分了")
