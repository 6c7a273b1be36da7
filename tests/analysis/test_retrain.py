"""SnowNLP is retrained by its own API, and both engines read what it saved."""

import subprocess
import sys
from pathlib import Path

import pytest

from analysis import retrain
from analysis.engines import _package, snownlp_numpy
from analysis.lines import Line
from analysis.subject import Subject

ROOT = Path(__file__).parents[2]
SAD = ["这个窗口的态度真差劲", "停水三天没人管真差劲", "投诉没人管态度差劲"]
GLAD = ["谢谢你们真给力", "修得真快给力点赞", "预报真准点赞"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    file = tmp_path_factory.mktemp("retrained") / "tone.marshal.3"
    # In a process of its own: the package is heavy, and training changes it for all who share it.
    asked = f"from analysis.retrain import retrain; from pathlib import Path; \
retrain({SAD!r}, {GLAD!r}, Path({str(file)!r}))"
    subprocess.run([sys.executable, "-c", asked], check=True, cwd=ROOT, timeout=120)
    return file


def test_what_was_learnt_is_what_is_said(model):
    engine = snownlp_numpy.build(snownlp_numpy.Options(model=str(model)))

    sad, glad = engine.judge([Subject(text="态度差劲没人管"), Subject(text="给力点赞")])

    assert sad.score < 0 < glad.score
    assert sad.model != _package.model_hash()


def test_the_same_lines_are_chosen_each_time_and_no_held_ones():
    lines = [
        Line("own", "train", "thanks", "pos", "谢谢"),
        Line("own", "held", "thanks", "pos", "多谢"),
        Line("own", "train", "hazard", "pos", "着火了"),
        Line("smp_usual", "train", "", "neg", "真烦"),
        Line("smp_usual", "dev", "", "pos", "开心"),
        Line("thuc", "train", "", "pos", "标题"),
    ]

    assert retrain.chosen(lines, "pos") == ["谢谢"]
    assert retrain.chosen(reversed(lines), "neg") == ["真烦"]


def test_a_model_that_is_not_there_makes_tones_unknown(tmp_path):
    engine = snownlp_numpy.build(snownlp_numpy.Options(model=str(tmp_path / "none.marshal.3")))

    assert engine.judge([Subject(text="停水")])[0].degraded
