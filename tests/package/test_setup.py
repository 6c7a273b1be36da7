"""Making the environment: what two terminals at once, or a machine that lacks something, get."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the script reads, and an environment that another is just making."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "scripts")
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "half").touch()
    return tmp_path


def setup(clone: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "scripts/setup.sh", "run"],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environ},
    )


def test_a_second_terminal_leaves_alone_what_the_first_is_making(clone: Path) -> None:
    (clone / ".venv-setup").mkdir()
    (clone / ".venv-setup" / "pid").write_text(str(os.getpid()), encoding="ascii")

    done = setup(clone)

    assert done.returncode == 1
    assert "另一个终端" in done.stderr
    assert (clone / ".venv" / "half").exists()
    assert (clone / ".venv-setup" / "pid").exists()


@pytest.mark.parametrize("pid", ["", "nonsense", "0", "4194999"])
def test_a_dead_terminal_is_in_nobodys_way(clone: Path, pid: str) -> None:
    (clone / ".venv-setup").mkdir()
    (clone / ".venv-setup" / "pid").write_text(pid, encoding="ascii")
    fake = clone / "python"  # new enough, and without the venv module's work
    fake.write_text('#!/bin/sh\n[ "$1" = -m ] && exit 1\nexit 0\n', encoding="ascii")
    fake.chmod(0o755)

    done = setup(clone, PYTHON=str(fake))

    assert "无法建立 .venv" in done.stderr
    assert not (clone / ".venv").exists()
    assert not (clone / ".venv-setup").exists()


def test_what_the_lock_file_names_is_installed_and_nothing_is_left_lying(clone: Path) -> None:
    fake = clone / "python"  # makes an environment of itself, and notes what it is asked for
    fake.write_text(
        '#!/bin/sh\n[ "$1 $2" = "-m venv" ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"\n'
        'echo "$@" >> asked\n',
        encoding="ascii",
    )
    fake.chmod(0o755)

    done = setup(clone, PYTHON=str(fake))

    assert done.returncode == 0, done.stderr
    assert "--require-hashes -r requirements.lock" in (clone / "asked").read_text("ascii")
    assert (clone / ".venv" / "ready-run").exists()
    assert not (clone / ".venv-setup").exists()
