"""`tinglan assess`: lines in, lines out, in order, whatever the lines are."""

import io
import itertools
import json
import queue

import pytest

from analysis.catalogue import build_stages
from analysis.command import AssessTools, arriving, assess_lines, assess_stream, tell, write
from analysis.tools import Tools


@pytest.fixture
def tools(book, always):
    return AssessTools(stages=build_stages({}, Tools(rulebook=book)), engine=always())


def line(**more):
    return json.dumps(more, ensure_ascii=False) + "\n"


def test_each_answer_has_what_the_contract_says(tools):
    text = "我家着火了，快来人"

    (done,) = assess_lines([line(id="a1", text=text, kind="comment", channel="app")], tools)

    assert done["id"] == "a1"
    assert done["tone"] in {"negative", "neutral", "positive"}
    assert -1 <= done["tone_score"] <= 1
    assert "fire" in done["topics"]
    assert done["level"] == "II"
    assert done["flagged"] is True
    for reason in done["reasons"]:
        assert set(reason) == {"stage", "rule", "text", "start", "end", "why"}
        assert text[reason["start"] : reason["end"]] == reason["text"]


def test_spans_point_into_title_newline_text(tools):
    (done,) = assess_lines([line(id=1, title="求助", text="我家着火了")], tools)

    whole = "求助\n我家着火了"
    assert all(whole[r["start"] : r["end"]] == r["text"] for r in done["reasons"])


@pytest.mark.parametrize(
    ("bad", "id", "why"),
    [
        ("", None, "no JSON"),
        ("{", None, "no JSON"),
        ("[1]", None, "a JSON object"),
        ('{"text": "x"}', None, "id: found nothing"),
        ('{"id": 7}', 7, "text: found nothing"),
        ('{"id": 7, "text": 3}', 7, "text: found a int"),
        ('{"id": 7, "text": "x", "role": "boss"}', 7, "expected one of own, public"),
        ('{"id": 7, "text": "x", "kind": []}', 7, "kind: found"),
        ('{"id": 7, "text": "x", "published_at": "gestern"}', 7, "ISO 8601"),
        ('{"id": 7, "text": "\udcff"}', None, "not UTF-8"),
        ("[" * 100_000, None, "no JSON"),
    ],
)
def test_a_bad_line_is_answered_and_the_next_goes_on(tools, bad, id, why):
    first, second = assess_lines([bad, line(id=8, text="谢谢")], tools)

    assert first["id"] == id
    assert first["error"].startswith("line 1: ")
    assert why in first["error"]
    assert second["id"] == 8


def test_answers_come_in_order_over_many_batches(tools):
    lines = (line(id=n, text=f"第{n}条") if n % 7 else "x" for n in range(1000))

    done = list(assess_lines(lines, tools))

    assert [d["id"] for d in done] == [n if n % 7 else None for n in range(1000)]


def test_an_answer_does_not_wait_for_the_next_question(tools):
    asked: queue.Queue = queue.Queue()
    answers = assess_lines(iter(asked.get, None), tools)

    for n in range(3):
        asked.put(line(id=n, text="在吗"))
        assert next(answers)["id"] == n
    asked.put(None)
    assert list(answers) == []


def test_giving_up_half_way_is_fine(tools):
    endless = (line(id=n, text="雨") for n in itertools.count())

    assert next(assess_lines(endless, tools))["id"] == 0


def test_progress_goes_to_its_own_stream(tools):
    out, said = io.StringIO(), io.StringIO()

    is_good = write(
        assess_lines([line(id=n, text="雨") for n in range(300)], tools, tell(said, 100)), out
    )

    assert is_good
    assert said.getvalue().splitlines()[-1] == "已研判 300 条"
    assert len([json.loads(one) for one in out.getvalue().splitlines()]) == 300


def test_a_lone_surrogate_comes_back_as_json_not_as_a_crash(tools):
    out = io.StringIO()

    write(assess_lines(['{"id": "\\ud800", "text": "着\\ud800火了"}\n'], tools), out)

    out.getvalue().encode("utf-8")
    assert json.loads(out.getvalue())["id"] == "\ud800"


@pytest.mark.parametrize(
    "asked",
    [
        {"id": '一\n"二"', "text": '我家着火了，快来人\t"救命"\\ \x07'},
        {"id": 1.5, "text": "着\ud800火了", "role": "own"},
        {"id": 10**30, "text": ""},
        {"id": True, "text": "//@甲:着火了，谢谢", "channel": "app"},
        {"id": None, "text": "谢谢你们"},
        {"id": 7},
    ],
)
def test_lines_are_written_as_json_writes_the_answers(tools, asked):
    out, lines = io.StringIO(), [json.dumps(asked), json.dumps({"id": 2, "text": "着火了"})]

    assess_stream([lines], tools, out)

    told = out.getvalue().splitlines()
    answers = list(assess_lines(lines, tools))
    assert [json.loads(one) for one in told] == answers
    assert told[1] == json.dumps(answers[1], ensure_ascii=False)


class Pipe(io.BytesIO):
    """Gives what was put in at one time, no more."""

    def __init__(self, pieces):
        super().__init__()
        self.pieces = list(pieces)

    def read1(self, size=-1):
        return self.pieces.pop(0) if self.pieces else b""


def test_lines_come_as_they_arrive_however_they_are_cut():
    whole = "甲\n乙\r\n\n丙丙\r丁\n戊".encode() + b"\xff"

    for size in range(1, 12):
        pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
        told = [one for batch in arriving(Pipe(pieces)) for one in batch]
        assert told == ["甲", "乙", "", "丙丙", "丁", "戊\udcff"]


def test_what_is_there_together_comes_together():
    batches = list(arriving(Pipe([b"1\n2\n", b"3", b"\n", b"4\n"])))

    assert batches == [["1", "2"], ["3"], ["4"]]
