"""SnowNLP in its worker: bounded, replaceable, and never in this process."""

import os
import subprocess
import sys
import time

import pytest

from analysis.assess import assess
from analysis.catalogue import EngineUnknown, build_engine, build_stages, engine_options
from analysis.engines.snownlp import Options, SnowNLPEngine, build
from analysis.subject import Subject
from analysis.tools import Tools
from store.records import Role, Tone

#: A worker that follows a script: what it does with a text depends on a word in it.
SCRIPT = """
import json, os, sys, time
def say(**answer):
    print(json.dumps(answer), flush=True)
if "slow-start" in sys.argv: time.sleep(60)
say(ready=True)
for line in sys.stdin:
    asked = json.loads(line)
    text = asked["text"]
    if "die" in text: os._exit(3)
    if "late" in text: time.sleep(60)
    if "babble" in text: print("not json", flush=True)
    elif "crash" in text: say(id=asked["id"], score=None)
    elif "wild" in text: say(id=asked["id"], score=7)
    elif "long" in text: say(id=asked["id"], score=1.0 if len(text) > 500 else 0.5)
    else: say(id=asked["id"], score=0.01)
"""


@pytest.fixture
def engine():
    made = SnowNLPEngine(
        Options(seconds=1, start_seconds=60), command=[sys.executable, "-c", SCRIPT]
    )
    yield made
    made.close()


def labels(engine, *texts):
    return [v.label for v in engine.judge([Subject(text=t) for t in texts])]


def test_no_worker_is_started_before_the_first_text(engine):
    assert engine.pid is None
    assert labels(engine, "", "  \n", "转发微博") == [Tone.NEUTRAL] * 3
    assert engine.pid is None


def test_own_posts_are_neutral_without_asking(engine):
    verdict = engine.judge([Subject(text="暴雨红色预警", role=Role.OWN)])[0]

    assert verdict.label is Tone.NEUTRAL
    assert engine.pid is None


@pytest.mark.parametrize("trouble", ["die", "late", "babble", "wild"])
def test_trouble_costs_one_answer_and_one_worker(engine, trouble):
    labels(engine, "好")
    first = engine.pid

    assert labels(engine, "差", trouble, "差") == [Tone.NEGATIVE, Tone.UNKNOWN, Tone.NEGATIVE]
    assert engine.pid != first
    assert not _is_running(first)


def test_a_text_that_snownlp_fails_on_costs_no_worker(engine):
    labels(engine, "好")
    first = engine.pid

    assert labels(engine, "crash", "差") == [Tone.UNKNOWN, Tone.NEGATIVE]
    assert engine.pid == first


def test_a_late_text_is_given_up_within_its_budget(engine):
    labels(engine, "好")
    begin = time.monotonic()

    assert labels(engine, "late") == [Tone.UNKNOWN]
    assert time.monotonic() - begin < 30  # it would sleep for a minute


def test_a_batch_of_killers_is_given_up_soon(engine):
    begin = time.monotonic()

    assert labels(engine, *["late"] * 200) == [Tone.UNKNOWN] * 200
    assert time.monotonic() - begin < 60


def test_a_killed_worker_is_replaced(engine):
    labels(engine, "好")
    os.kill(engine.pid, 9)

    assert labels(engine, "差", "差")[-1] is Tone.NEGATIVE


def test_texts_are_cut(engine):
    assert engine.judge([Subject(text="long" * 1000)])[0].score == 0.0


@pytest.mark.parametrize("command", [["/no/such/program"], [sys.executable, "-c", "pass"]])
def test_a_worker_that_cannot_start_means_unknown(command):
    engine = SnowNLPEngine(Options(), command=command)

    assert labels(engine, "差") == [Tone.UNKNOWN]


def test_a_worker_that_takes_too_long_to_start_means_unknown():
    engine = SnowNLPEngine(
        Options(start_seconds=0.2), command=[sys.executable, "-c", SCRIPT, "slow-start"]
    )

    assert labels(engine, "差") == [Tone.UNKNOWN]
    assert engine.pid is None


def test_the_real_package_answers_and_stays_out_of_this_process(book):
    pytest.importorskip("numpy")
    engine = build(Options())
    try:
        stages = build_stages({}, Tools(rulebook=book))
        subjects = [
            Subject(text=t)
            for t in (
                "这家店太差了，再也不来",
                "太好了，非常满意，强烈推荐",
                "\ud800\0",
                "水" * 50_000,
            )
        ]
        done = assess(subjects, stages=stages, engine=engine)
    finally:
        engine.close()

    assert done[0].tone is Tone.NEGATIVE
    assert done[1].tone is Tone.POSITIVE
    assert "snownlp" not in sys.modules
    assert done[0].engine.startswith("snownlp:")


def test_importing_the_analysis_does_not_import_snownlp():
    code = (
        "import sys, analysis.command, analysis.catalogue, analysis.pending;"
        "analysis.catalogue.engine_options(); analysis.catalogue.stage_options();"
        "sys.exit('snownlp' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_settings_choose_the_engine_and_an_unknown_one_is_named():
    assert {"snownlp", "none"} <= set(engine_options())
    assert build_engine({"tone": {"engine": "none"}}).name == "none"
    with pytest.raises(
        EngineUnknown, match=r"stages\.tone\.engine: found 'magic', expected one of"
    ):
        build_engine({"tone": {"engine": "magic"}})


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
