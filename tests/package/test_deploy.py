"""What an operator installs by hand is whole: the container's recipe and the systemd unit."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def copied() -> set[str]:
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, re.M)
    return {name for line in lines for name in line.split()}


def test_the_container_copies_what_exists_and_all_that_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]

    assert {name for name in copied() if not (ROOT / name).exists()} == set()
    assert set(installed) - copied() == set()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "tinglan.service").read_text(encoding="utf-8")
    command = "/opt/tinglan/.venv/bin/tinglan"
    assert command in unit
    here = tmp_path / "tinglan.service"
    here.write_text(unit.replace(command, "/bin/true"), encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", str(here)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stderr
    assert "tinglan.service" not in done.stderr
