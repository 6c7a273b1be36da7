"""The domain corpus is whole, balanced, labelled twice, and agrees with its guide."""

from collections import Counter, defaultdict
from itertools import chain, pairwise
from pathlib import Path

import pytest

import analysis
from analysis.lines import LEARNT

FOLDER = Path(analysis.__file__).parent / "corpus"
COLUMNS = ["id", "split", "group", "tone", "topics", "second_label", "text"]
GROUPS = {
    "bulletin", "informal", "reply", "complaint_plain", "complaint_sarcastic",
    "complaint_formal", "thanks", "enquiry", "suggestion", "rumour", "hazard", "chatter",
    "advert",
}  # fmt: skip
TOPICS = {
    "complaint", "enquiry", "thanks", "suggestion", "hazard", "rumour", "casualty", "accident",
    "fire", "flood", "warning_error",
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    lines = (FOLDER / "domain.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == COLUMNS
    return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines[1:]]


def test_every_line_speaks_the_words_of_the_guide(rows):
    assert {r["split"] for r in rows} == {"held", *LEARNT}
    assert {r["group"] for r in rows} == GROUPS
    assert {r["tone"] for r in rows} == {"neg", "neu", "pos"}
    assert {t for r in rows for t in r["topics"].split(",")} - {"-"} == TOPICS


def test_no_line_and_no_id_twice(rows):
    assert len({r["id"] for r in rows}) == len(rows)
    assert len({r["text"] for r in rows}) == len(rows)


def test_texts_are_posts_not_fragments(rows):
    assert all(r["text"] == r["text"].strip() for r in rows)
    assert all(1 <= len(r["text"]) <= 300 for r in rows)


def test_the_corpus_is_large_and_balanced(rows):
    train = Counter(r["group"] for r in rows if r["split"] == "train")
    held = Counter(r["group"] for r in rows if r["split"] == "held")

    assert len(rows) >= 1_500
    assert min(train.values()) >= 50
    assert min(held.values()) >= 25
    assert max(held.values()) <= 2.5 * min(held.values())


def test_no_two_training_and_held_lines_are_near_copies(rows):
    def pairs(text):
        letters = [c for c in text if c.isalnum()]
        return {a + b for a, b in pairwise(letters)}

    train = [pairs(r["text"]) for r in rows if r["split"] in LEARNT]
    held = [pairs(r["text"]) for r in rows if r["split"] == "held"]
    where = defaultdict(list)  # what shares no pair at all need not be looked at
    for number, line in enumerate(train):
        for pair in line:
            where[pair].append(number)

    alike = [
        (shared, len(line) + len(train[number]) - shared)
        for line in held
        for number, shared in Counter(
            chain.from_iterable(map(where.get, line & where.keys()))
        ).items()
    ]
    assert len(alike) > len(held)
    assert all(shared < 0.6 * whole for shared, whole in alike)


def test_what_the_agency_says_is_neutral_and_complaints_are_negative(rows):
    assert {r["tone"] for r in rows if r["group"] in {"bulletin", "informal", "reply"}} == {"neu"}
    assert {r["tone"] for r in rows if r["group"].startswith("complaint_")} == {"neg"}
    assert {r["tone"] for r in rows if r["group"] == "thanks"} == {"pos"}


def test_the_guide_states_the_agreement_that_the_file_holds(rows):
    twice = [r for r in rows if r["second_label"] != "-"]
    second = [r["second_label"].split("/") for r in twice]
    tone = kappa([r["tone"] for r in twice], [s[1] for s in second])
    group = kappa([r["group"] for r in twice], [s[0] for s in second])
    guide = (FOLDER / "GUIDE.md").read_text(encoding="utf-8")

    assert f"Second pass: {len(twice):,} lines" in guide
    assert f"Cohen's kappa {tone:.3f}; on the thirteen groups: {group:.3f}" in guide
    once = [r for r in rows if r["split"] == "held" and r["second_label"] == "-"]
    assert f"{len(once)} lines; labelled once here" in guide


def test_no_phone_or_identity_number_stands_in_a_text(rows):
    longest = max((sum(1 for _ in run) for r in rows for run in _digit_runs(r["text"])), default=0)
    assert longest < 11


def _digit_runs(text):
    return ["".join(part) for part in "".join(c if c.isdigit() else " " for c in text).split()]


def kappa(first, second):
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    a, b = Counter(first), Counter(second)
    chance = sum(a[k] * b[k] for k in a) / n / n
    return (agreed - chance) / (1 - chance)


def test_strangers_are_strangers(rows):
    lines = (FOLDER / "strangers.tsv").read_text(encoding="utf-8").splitlines()
    strangers = [line.split("\t") for line in lines[1:]]

    assert lines[0] == "hand\tgroup\ttext"
    assert {group for _, group, _ in strangers} == GROUPS
    assert len({text for _, _, text in strangers}) == len(strangers) >= 1_000
    assert not {r["text"] for r in rows} & {text for _, _, text in strangers}
