"""Locked versions carry hashes, name no index, and stay above the floors that mend known holes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]

#: hand-kept: the first version without a hole that matters here
FLOORS = {
    "scrapy": "2.17.0",
    "twisted": "26.4.0",
    "lxml": "6.1.0",
    "jinja2": "3.1.6",
    "starlette": "1.3.1",
    "h11": "0.16.0",
    "cryptography": "46.0.7",
    "pyopenssl": "26.0.0",
    "aiosmtpd": "1.4.6",
    "apscheduler": "3.11.2",
    "urllib3": "2.7.0",
    "brotli": "1.2.0",
    "python-multipart": "0.0.32",
}


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s\\]+)", text, re.M))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.M)[1:]

    assert len(blocks) == len(pins(lock)) > 30
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"https?://|--index|--find-links|file://", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_no_locked_version_is_below_its_floor(lock: str) -> None:
    found = pins(lock)

    below = {n: v for n, v in found.items() if n in FLOORS and Version(v) < Version(FLOORS[n])}

    assert below == {}


def test_both_locks_agree() -> None:
    run, dev = pins(LOCKS[0]), pins(LOCKS[1])

    assert {n: v for n, v in run.items() if dev.get(n) != v} == {}
