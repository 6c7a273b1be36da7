"""What a stage is given of a text."""

import pytest

from analysis import limits
from analysis.subject import Subject, read_all


@pytest.mark.parametrize(
    ("text", "own", "voice"),
    [
        ("我家著火了", "我家著火了", "我家着火了"),
        ("辛苦了//@某人：樓裏著火了", "辛苦了", "辛苦了"),
        ("燃*氣味道很大//@某人：真的？", "燃*氣味道很大", "燃气味道很大"),
        ("//@某人：楼里着火了", "", ""),
        (" \n ", " \n ", ""),
        ("", "", ""),
    ],
)
def test_the_voice_is_what_the_writer_said_in_matching_spelling(text, own, voice):
    (reading,) = [one.reading for one in read_all([Subject(text=text)])]

    assert (reading.own, reading.voice) == (own, voice)
    assert not reading.is_cut


def test_only_what_is_too_long_is_cut():
    long = "水" * (limits.TEXT + 1)
    whole, cut = (one.reading for one in read_all([Subject(text=long[1:]), Subject(text=long)]))

    assert cut.is_cut
    assert not whole.is_cut


def test_a_reading_once_made_is_kept():
    (first,) = read_all([Subject(text="着火了")])
    again, other = read_all([first, Subject(text="没水")])

    assert again is first
    assert other.reading.voice == "没水"
