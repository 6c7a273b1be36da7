"""What is installed is what we think: every module and data file, and migrations that run."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from store.schema import head

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked(*patterns: str) -> set[str]:
    done = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "folder",
    [
        "config",
        "store",
        "crawler",
        "analysis",
        "alerts",
        "console",
        "service",
        "demo",
        "benchmarks",
    ],
)
def test_every_tracked_file_of_the_product_is_in_the_wheel(names: set[str], folder: str) -> None:
    files = tracked(f"{folder}/*")

    assert files
    assert files <= names


def test_the_two_modules_are_in_the_wheel_and_the_tests_are_not(names: set[str]) -> None:
    assert {"tinglan.py", "scheduler.py"} <= names
    assert not any(name.startswith("tests/") for name in names)


def test_every_product_folder_says_that_it_is_a_package(names: set[str]) -> None:
    folders = {str(Path(name).parent) for name in names if name.endswith(".py") and "/" in name}

    assert {f for f in folders if f"{f}/__init__.py" not in names} == set()


def test_the_command_and_its_migrations_run_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    script = (
        "from store.engine import Database; from store.schema import upgrade; import store;"
        f"assert store.__file__.startswith({str(place)!r}), store.__file__;"
        f"print(upgrade(Database('sqlite:///{tmp_path}/x.db'))[1])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(place), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == head()
