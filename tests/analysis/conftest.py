import pytest

from analysis.packs import load, shipped
from analysis.rules import Rulebook
from analysis.subject import Subject, Verdict
from store.records import Tone


class SaysAlways:
    """A tone engine that has one answer for everything."""

    name = "always"

    def __init__(self, label=Tone.NEUTRAL, score=0.0):
        self.verdict = Verdict(label=label, score=score, engine=self.name, model="twin")

    def judge(self, subjects):
        return [self.verdict] * len(subjects)

    def close(self):
        pass


@pytest.fixture(scope="session")
def book():
    return Rulebook(load(shipped()))


@pytest.fixture
def always():
    return SaysAlways


@pytest.fixture
def subject():
    def make(text, **more):
        return Subject(text=text, **more)

    return make


@pytest.fixture
def pack_file(tmp_path):
    def write(text, name="own.toml"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write
