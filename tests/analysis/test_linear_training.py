"""Training gives the same bytes twice, and the shipped model keeps what its card promises."""

import json
import lzma
from dataclasses import replace

import numpy as np
import pytest

from analysis import dials, grading, lines, recipes, train
from analysis.model import CARD_FILE, GROUP_FILE, KIND_FILE, TONE_FILE, ngrams
from analysis.model.blend import FEELINGS, Blend
from analysis.model.groups import Groups
from analysis.model.scores import expected_error, macro_f1, recall_threshold

#: What the held-out part of our own corpus is worth; a change that loses it must be meant.
FLOOR_MACRO_F1 = 0.85
FLOOR_KINDS = 0.85
FLOOR_GROUPS = 0.85


@pytest.fixture(scope="module")
def blend():
    return Blend.load(TONE_FILE, KIND_FILE)


@pytest.fixture(scope="module")
def held():
    return [line for line in lines.read_corpus(lines.CORPUS) if line.split == "held"]


def test_the_card_is_about_the_corpus_that_ships():
    card = json.loads(CARD_FILE.read_text(encoding="utf-8"))

    assert card["data"]["domain.tsv"] == lines.checksum(lines.CORPUS)


def test_the_held_out_part_is_judged_as_the_card_says(held, blend):
    card = json.loads(CARD_FILE.read_text(encoding="utf-8"))
    scores = grading.domain_scores(blend, held)

    assert scores == card["scores"]["tone"]["own_held"]
    assert scores["macro_f1"] >= FLOOR_MACRO_F1


def test_bulletins_and_replies_are_left_in_peace_and_formal_complaints_are_not(held, blend):
    negative = grading.domain_scores(blend, held)["called_negative_by_group"]

    assert negative["bulletin"] <= 0.04
    assert negative["reply"] <= 0.07
    assert negative["complaint_formal"] >= 0.85
    assert negative["complaint_plain"] >= 0.85


def test_the_kinds_are_told_apart_as_the_card_says(held, blend):
    card = json.loads(CARD_FILE.read_text(encoding="utf-8"))
    scores = grading.kind_scores(blend, train.kind_lines(held)[0])

    assert scores == card["scores"]["kinds"]
    assert scores["macro_f1"] >= FLOOR_KINDS


def test_the_groups_are_told_apart_as_the_card_says(held):
    card = json.loads(CARD_FILE.read_text(encoding="utf-8"))
    scores = grading.group_scores(Groups.load(GROUP_FILE), held)

    assert scores == card["scores"]["groups"]
    assert scores["macro_f1"] >= FLOOR_GROUPS


def test_training_twice_gives_the_same_bytes(tmp_path):
    pytest.importorskip("scipy", reason="training needs SciPy; the product does not")
    source = _tiny(tmp_path)
    some = lines.CORPUS.read_text(encoding="utf-8").splitlines(keepends=True)
    corpus = tmp_path / "domain.tsv"
    corpus.write_text("".join([some[0], *some[1::5]]), encoding="utf-8")

    made = [
        train.train(source, corpus=corpus, out=tmp_path / name, date="2026-11-22")
        for name in ("first", "second")
    ]

    assert made[0] == made[1]
    for name in ("tone.bin", "kinds.bin", "groups.bin", "card.json"):
        first, second = (tmp_path / out / name for out in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "train.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"corpus": "thuc"}\n'))

    with pytest.raises(ValueError, match=r"train\.jsonl\.xz: line 1"):
        list(lines.read_shared(path))


def test_messages_that_ask_are_not_complaints():
    assert lines._label("gov_title", "msg", "咨询公租房申请条件") == "neu"
    assert lines._label("gov_title", "msg", "某小区夜间施工扰民") == "neg"
    assert lines._label("gov_title", "msg", "建议增开公交") is None
    assert lines._label("smp_usual", "sur", "天哪") is None


def test_what_a_text_says_twice_counts_once():
    fold = np.arange(ngrams.BASIC).astype(np.uint16)
    texts = ["投诉投诉投诉", "投诉", "", "好好干，好好干", "长" * 3 + "短长" * 900]
    made = ngrams.batch(texts, fold)
    slots = (ngrams.ids(made.codes) >> np.uint64(ngrams.TAG_BITS)).view(np.int64)
    real = np.array(list(ngrams.is_ngram(made.codes)))
    once = ngrams.once(slots, made.begins) & real

    for i, begin in enumerate(made.begins):
        end = made.begins[i + 1] if i + 1 < len(texts) else len(made.codes)
        told = slots[:, begin:end][once[:, begin:end]].tolist()
        assert set(told) == set(slots[:, begin:end][real[:, begin:end]].tolist())
        assert len(told) == len(set(told))


def test_lines_may_feel_one_way_or_several():
    def feelings(corpus, label, feeling=""):
        line = lines.Line(corpus, "train", "", label, "", feeling)
        fits = train._fitting(line, recipes.TONE_RECIPE)
        return {name for name, fit in zip(FEELINGS, fits, strict=True) if fit}

    assert feelings("smp_usual", "neg", "sad") == {"sad"}
    assert feelings("ws100k", "neg") == {"angry", "sad"}
    assert feelings("own", "neg") == {"local_neg"}
    assert feelings("thuc", "neu") == {"neu", "local_neu"}


def test_a_second_opinion_is_mixed_into_a_label_and_outweighs_an_emoticon():
    def feelings(corpus, label, feeling):
        line = lines.Line(corpus, "train", "", label, "", feeling, (0.1, 0.5, 0.1, 0.3))
        return np.array(train._fitting(line, recipes.TONE_RECIPE)[:4])

    trust, belief = recipes.TONE_RECIPE.trust, recipes.TONE_RECIPE.belief
    told = feelings("smp_usual", "neg", "sad")
    assert told == pytest.approx(
        trust * np.array([0.1, 0.5, 0.1, 0.3]) + (1 - trust) * np.eye(4)[1]
    )
    seen = np.array([0.1, 0.5, 0.1, 0.3]) * [belief, belief, 1 - belief, 1 - belief]
    assert feelings("ws100k", "neg", "") == pytest.approx(seen / seen.sum())


def test_opinions_are_read_as_written_and_only_for_the_lines_they_are_about(tmp_path):
    file = tmp_path / "opinions.npz"
    lines.write_opinions(file, "abc", {7: (0.25, 0.25, 0.5, 0), 2: (0, 0, 0, 1)})

    read = lines.read_opinions(file, "abc")

    assert read.keys() == {2, 7}
    assert read[2] == (0, 0, 0, 1)
    assert read[7] == pytest.approx((0.25, 0.25, 0.5, 0), abs=0.003)
    assert lines.read_opinions(file, "of other lines") == {}


def test_an_opinion_comes_to_its_own_line(tmp_path):
    folder = _tiny(tmp_path)
    path = folder / "train.jsonl.xz"

    bare = list(lines.read_shared(path))
    told = list(lines.read_shared(path, {2: (1.0, 0.0, 0.0, 0.0)}))

    changed = [i for i, (one, other) in enumerate(zip(bare, told, strict=True)) if one != other]
    assert changed == [1]
    assert told[1].opinion == (1.0, 0.0, 0.0, 0.0)


def test_a_group_with_few_lines_is_not_drowned():
    some = [lines.Line("own", "train", "thanks", "pos", "谢谢")] * 9
    some += [lines.Line("own", "train", "reply", "neu", "您好")]

    weights = train._weighed(some, recipes.KIND_RECIPE)

    assert weights[-1] == pytest.approx(3 * weights[0])
    assert train._weighed([replace(some[0], split="held")], recipes.KIND_RECIPE).tolist() == [0.0]


def test_lines_of_contrast_count_as_the_recipe_says():
    plain = lines.Line("own", "train", "thanks", "pos", "谢谢")
    hard = replace(plain, split="contrast", text="谢谢你们让我等了三天")
    half = replace(recipes.GROUP_RECIPE, contrast=0.5)

    first, second = train._weighed([plain, hard], half)

    assert second == first / 2 > 0


def test_dials_move_what_the_model_says_too_often(blend):
    wrong = [lines.Line("smp_usual", "dev", "", "pos", f"真难受{i}") for i in range(20)]

    dialled = dials.calibrated(blend, wrong)

    before, after = (one.probabilities([line.text for line in wrong]) for one in (blend, dialled))
    assert (after[:, 2] > before[:, 2]).all()


def test_ngrams_of_one_text_never_reach_into_the_next():
    fold = np.arange(ngrams.BASIC).astype(np.uint16)
    alone = set(ngrams.ids(ngrams.batch(["天气"], fold).codes).ravel().tolist())
    both = ngrams.batch(["天气", "预报"], fold)
    end = int(both.begins[1])
    first = set(ngrams.ids(both.codes[:end]).ravel().tolist())

    assert first == alone


def test_the_figures_are_the_textbook_ones():
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])

    assert macro_f1(truth, said, (0, 1)) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert recall_threshold(np.arange(100) / 100, 0.95) == pytest.approx(0.05)
    assert expected_error(np.array([[1.0, 0.0]] * 4), np.array([0, 0, 0, 1])) == pytest.approx(0.25)


def _tiny(folder):
    """A few hundred invented lines in the format of the shared data."""
    lines = []
    for i in range(60):
        for split in ("train", "dev"):
            for corpus, label, text in (
                ("smp_usual", "neg", f"第{i}次了，真烦，难受"),
                ("smp_usual", "neu", f"今天第{i}路公交改道"),
                ("smp_usual", "pos", f"开心的第{i}天，喜欢"),
                ("gov_title", "msg", f"第{i}小区长期停水无人管"),
                ("gov_title", "msg", f"咨询第{i}小区停水时间"),
                ("ws100k", "pos", f"哈哈第{i}名[嘻嘻]"),
            ):
                row = {"corpus": corpus, "split": split, "label": label, "text": text}
                lines.append(json.dumps(row, ensure_ascii=False))
    path = folder / "train.jsonl.xz"
    path.write_bytes(lzma.compress("\n".join(lines).encode()))
    return folder
