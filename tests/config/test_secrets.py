"""Secrets come by reference and never show."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from analysis.packs import in_folder, load, shipped
from config.keys import author_key
from config.roster import RosterSettings
from config.rosterfile import load_roster
from config.secrets import SecretMissing, read_secret
from config.settings import Privacy
from config.starting import BESIDE, AlreadyThere, write_set


def test_a_secret_comes_from_its_variable() -> None:
    secret = read_secret("MAIL_PASSWORD", {"MAIL_PASSWORD": "geheim"})

    assert secret.get_secret_value() == "geheim"
    assert "geheim" not in f"{secret!r} {secret}"


def test_a_file_wins_and_its_newline_is_not_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("geheim\n", encoding="utf-8")

    secret = read_secret("MAIL_PASSWORD", {"MAIL_PASSWORD": "x", "MAIL_PASSWORD_FILE": str(file)})

    assert secret.get_secret_value() == "geheim"


@pytest.mark.parametrize(
    "environ", [{}, {"MAIL_PASSWORD": ""}, {"MAIL_PASSWORD_FILE": "/no/such/file"}]
)
def test_a_missing_secret_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(SecretMissing, match="MAIL_PASSWORD"):
        read_secret("MAIL_PASSWORD", environ)


@pytest.fixture
def privacy(tmp_path: Path) -> Privacy:
    return Privacy(author_key_file=str(tmp_path / "var/author.key"))


def test_the_author_key_is_made_once_for_its_owner_alone(privacy: Privacy, tmp_path: Path) -> None:
    first = author_key(privacy, {})

    assert author_key(privacy, {}) == first
    assert [p.name for p in (tmp_path / "var").iterdir()] == ["author.key"]
    assert stat.S_IMODE((tmp_path / "var/author.key").stat().st_mode) == 0o600


def test_a_key_file_that_others_can_read_is_refused(privacy: Privacy, tmp_path: Path) -> None:
    author_key(privacy, {})
    (tmp_path / "var/author.key").chmod(0o644)

    with pytest.raises(SecretMissing, match="0600"):
        author_key(privacy, {})


def test_a_short_key_is_refused(privacy: Privacy) -> None:
    with pytest.raises(SecretMissing) as error:
        author_key(privacy, {"TINGLAN_AUTHOR_KEY": "geheim"})

    assert "geheim" not in str(error.value)


def test_init_writes_a_set_that_stands_together(tmp_path: Path) -> None:
    written = {path.relative_to(tmp_path).as_posix() for path in write_set(tmp_path)}

    assert written == {"tinglan.toml", "var/author.key", *BESIDE}
    assert load_roster(RosterSettings(fallback=("a@example.gov.cn",), files=("roster.toml",)),
                       tmp_path).found == ()  # fmt: skip
    assert [r.name for r in load([*shipped(), *in_folder(tmp_path / "packs")]) if r.pack == "own"]


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "tinglan.toml").write_text("mine", encoding="utf-8")

    with pytest.raises(AlreadyThere):
        write_set(tmp_path)

    assert (tmp_path / "tinglan.toml").read_text(encoding="utf-8") == "mine"
