"""Training gives the same bytes twice, and the shipped model keeps what its card promises."""

import json
import lzma

import numpy as np
import pytest

from analysis import train
from analysis.model import CARD_FILE, KIND_FILE, TONE_FILE, ngrams
from analysis.model.blend import FEELINGS, Blend
from analysis.model.scores import expected_error, macro_f1, recall_threshold

#: What the held-out part of our own corpus is worth; a change that loses it must be meant.
FLOOR_MACRO_F1 = 0.81
FLOOR_KINDS = 0.78


@pytest.fixture(scope="module")
def blend():
    return Blend.load(TONE_FILE, KIND_FILE)


@pytest.fixture(scope="module")
def held():
    return [line for line in train.read_corpus(train.CORPUS) if line.split == "held"]


def test_the_card_is_about_the_corpus_that_ships():
    card = json.loads(CARD_FILE.read_text(encoding="utf-8"))

    assert card["data"]["domain.tsv"] == train._checksum(train.CORPUS)


def test_the_held_out_part_is_judged_as_the_card_says(held, blend):
    card = json.loads(CARD_FILE.read_text(encoding="utf-8"))
    scores = train.domain_scores(blend, held)

    assert scores == card["scores"]["tone"]["own_held"]
    assert scores["macro_f1"] >= FLOOR_MACRO_F1


def test_bulletins_and_replies_are_left_in_peace_and_formal_complaints_are_not(held, blend):
    negative = train.domain_scores(blend, held)["called_negative_by_group"]

    assert negative["bulletin"] <= 0.04
    assert negative["reply"] <= 0.07
    assert negative["complaint_formal"] >= 0.85
    assert negative["complaint_plain"] >= 0.85


def test_the_kinds_are_told_apart_as_the_card_says(held, blend):
    card = json.loads(CARD_FILE.read_text(encoding="utf-8"))
    scores = train.kind_scores(blend, train._kind_lines(held)[0])

    assert scores == card["scores"]["kinds"]
    assert scores["macro_f1"] >= FLOOR_KINDS


def test_training_twice_gives_the_same_bytes(tmp_path):
    pytest.importorskip("scipy", reason="training needs SciPy; the product does not")
    source = _tiny(tmp_path)

    made = [
        train.train(source, corpus=train.CORPUS, out=tmp_path / name, date="2026-11-22")
        for name in ("first", "second")
    ]

    assert made[0] == made[1]
    for name in ("tone.bin", "kinds.bin", "card.json"):
        first, second = (tmp_path / out / name for out in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "train.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"corpus": "thuc"}\n'))

    with pytest.raises(ValueError, match=r"train\.jsonl\.xz: line 1"):
        list(train.read_shared(path))


def test_messages_that_ask_are_not_complaints():
    assert train._label("gov_title", "msg", "咨询公租房申请条件") == "neu"
    assert train._label("gov_title", "msg", "某小区夜间施工扰民") == "neg"
    assert train._label("gov_title", "msg", "建议增开公交") is None
    assert train._label("smp_usual", "sur", "天哪") is None


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
        line = train.Line(corpus, "train", "", label, "", feeling)
        fits = train._fitting(line, FEELINGS)
        return {name for name, fit in zip(FEELINGS, fits, strict=True) if fit}

    assert feelings("smp_usual", "neg", "sad") == {"sad"}
    assert feelings("ws100k", "neg") == {"angry", "sad"}
    assert feelings("own", "neg") == {"local_neg"}
    assert feelings("thuc", "neu") == {"neu", "local_neu"}


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
