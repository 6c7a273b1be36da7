"""The teacher's file is read right and its answers go to the right lines; tuning needs PyTorch."""

import json
import lzma
import random
import struct

import numpy as np
import pytest

from analysis import teacher
from analysis.lines import read_shared

WIDTH = 32


@pytest.fixture
def content():
    """A model with two pieces of words, a plain tensor and one in blocks of four bits."""
    pieces = ["▁天", "气"]
    told = "".join(pieces).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7if", 1, WIDTH, 0, 2, 64, 2, 8, 0, 1e-6)
    head += struct.pack("<i", WIDTH) + struct.pack("<5i", len(pieces), 0, 2, 1, 3)
    head += struct.pack("<Q", len(told)) + ends.tobytes()
    head += np.array([-1.5, -2.5], "<f4").tobytes() + told + struct.pack("<iI", 1, 5) + b"\0" * 5
    plain = np.arange(WIDTH, dtype="<f4").tobytes()
    block = struct.pack("<e", 0.5) + bytes(range(16))
    names = {"emb.ln.w": plain, "emb.word": block}
    size = sum(2 + len(name) + 21 for name in names)
    at, directory, body = len(head) + 4 + size, struct.pack("<i", len(names)), b""
    for name, raw in names.items():
        directory += struct.pack("<H", len(name)) + name.encode() + b"\0"
        directory += struct.pack("<IQQ", WIDTH, at + len(body), len(raw))
        body += raw
    return head + directory + body


def test_pieces_and_plain_weights_are_read(content):
    held = teacher.Packed(content)

    assert held.pieces == [("▁天", -1.5), ("气", -2.5)]
    assert (held.width, held.words, held.begin, held.end, held.pad) == (WIDTH, 2, 0, 2, 1)
    assert held.tensor("emb.ln.w").tolist() == list(range(WIDTH))


def test_weights_of_four_bits_are_the_lower_halves_then_the_upper(content):
    # Byte j holds 0 … 15: its lower half is j, its upper half 0; 8 stands for nought.
    weights = teacher.Packed(content).tensor("emb.word")

    assert weights[:16].tolist() == [(j - 8) * 0.5 for j in range(16)]
    assert weights[16:].tolist() == [-4.0] * 16


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="E5S1"):
        teacher.Packed(b"GGUF" + b"\0" * 100)


def test_posts_are_asked_about_by_the_number_of_their_line_and_without_emoticons(tmp_path):
    rows = [
        {
            "corpus": "smp_usual",
            "split": "train",
            "label": "sur",
            "text": "哇",
            "detail": "surprise",
        },
        {"corpus": "ws100k", "split": "train", "label": "pos", "text": "下班[哈哈]😀啦"},
        {"corpus": "smp_usual", "split": "train", "label": "neg", "text": "怕", "detail": "fear"},
        {"corpus": "smp_usual", "split": "train", "label": "neu", "text": "嗯", "detail": "neural"},
    ]
    path = tmp_path / "train.jsonl.xz"
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(lzma.compress(text.encode()))

    lines = list(read_shared(path))

    assert [(line.number, line.text) for line in lines] == [(2, "下班啦"), (3, "怕"), (4, "嗯")]
    assert [teacher.felt(line) for line in lines[1:]] == ["sad", "neu"]


def test_every_line_is_learnt_once_a_round_in_parts_of_like_length():
    tokens = [[0] * (i % 50 + 1) for i in range(2_000)]

    parts = teacher._parts(tokens, random.Random(1))

    assert sorted(row for part in parts for row in part) == list(range(2_000))
    assert max(len(part) for part in parts) == teacher.LINES_AT_ONCE
    spans = [max(len(tokens[i]) for i in p) - min(len(tokens[i]) for i in p) for p in parts]
    assert sorted(spans)[len(spans) // 2] <= 3
