"""The command line keeps its contract: exit codes, JSON alone on stdout, words for mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tinglan(
    *arguments: str, cwd: Path, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinglan", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    import tinglan as module
    from console.grammar import grammar

    done = tinglan("--help", cwd=tmp_path)

    assert done.returncode == 0
    commands = next(a for a in grammar(module.FAMILIES)._actions if a.dest == "command").choices
    assert commands
    assert {name for name in commands if f"\n  {name} " not in done.stdout} == set()


def test_every_command_teaches_by_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    import tinglan as module
    from console.grammar import grammar

    words = grammar(module.FAMILIES)
    commands = next(a for a in words._actions if a.dest == "command").choices
    assert commands
    for name, command in commands.items():  # type: ignore[union-attr, str-unpack]
        told = command.format_help()
        assert told.startswith(f"usage: tinglan {name} ["), told
        example = told.partition("例：\n")[2]
        assert f"tinglan {name}" in example, told


def test_no_command_prints_help_and_is_wrong_usage(tmp_path: Path) -> None:
    assert tinglan(cwd=tmp_path).returncode == 2


def test_without_settings_a_command_says_what_to_do(tmp_path: Path) -> None:
    done = tinglan("status", cwd=tmp_path)

    assert done.returncode == 2
    assert "tinglan init" in done.stderr
    assert "Traceback" not in done.stderr


def test_five_mistakes_make_five_lines_without_traceback_or_secret(tmp_path: Path) -> None:
    tinglan("init", ".", cwd=tmp_path)
    file = tmp_path / "tinglan.toml"
    text = file.read_text(encoding="utf-8")
    for right, wrong in [
        ('every = "5m"', 'every = "often"'),
        ('security = "tls"', 'security = "yes"'),
        ('password_env = "TINGLAN_MAIL_PASSWORD"', 'password_env = "hunter2-geheim"'),
        ('addresses = ["duty@example.gov.cn"]', 'addresses = ["duty at example"]'),
        ("weekday = 1", "weekday = 8"),
    ]:
        assert right in text
        text = text.replace(right, wrong)
    file.write_text(text, encoding="utf-8")

    done = tinglan("check", cwd=tmp_path)

    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2
    assert len(lines) == 5
    assert all("tinglan.toml: " in line and "expected" in line for line in lines)
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


def test_init_writes_settings_that_load(tmp_path: Path) -> None:
    assert tinglan("init", ".", cwd=tmp_path).returncode == 0

    done = tinglan("check", "--offline", "--json", cwd=tmp_path, TINGLAN_MAIL_PASSWORD="x")

    assert done.returncode == 0, done.stdout + done.stderr
    assert [row for row in json.loads(done.stdout) if row["state"] == "bad"] == []


def test_init_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("", encoding="ascii")

    done = tinglan("init", "here", cwd=tmp_path)

    assert done.returncode == 1
    assert "here" in done.stderr
    assert "Traceback" not in done.stderr


def test_init_twice_refuses_and_changes_nothing(tmp_path: Path) -> None:
    tinglan("init", ".", cwd=tmp_path)
    before = (tmp_path / "tinglan.toml").read_bytes()

    done = tinglan("init", ".", cwd=tmp_path)

    assert done.returncode == 1
    assert (tmp_path / "tinglan.toml").read_bytes() == before


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    tinglan("init", ".", cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["status", "--json"],
        ["items", "--json"],
        ["items", "list", "--json"],
        ["outbox", "--json"],
        ["ledger", "verify", "--json"],
    ],
)
def test_json_is_alone_on_stdout(settled: Path, command: list[str]) -> None:
    done = tinglan(*command, cwd=settled)

    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


def test_an_unknown_channel_names_the_known_ones(settled: Path) -> None:
    done = tinglan("crawl", "weibo", cwd=settled)

    assert done.returncode == 2
    assert "site" in done.stderr


def test_status_of_a_service_that_never_ran_says_how_to_start_it(settled: Path) -> None:
    done = tinglan("status", cwd=settled)

    assert "tinglan run" in done.stdout
    assert tinglan("status", "--alive", cwd=settled).returncode == 1


def test_a_missing_item_is_not_a_traceback(settled: Path) -> None:
    done = tinglan("items", "show", "TL-2026-0404", cwd=settled)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_extract_answers_every_line_in_order(tmp_path: Path) -> None:
    page = "<html><head><title>通知</title></head><body><h1>停水通知</h1><p>明天上午停水。</p></body></html>"
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    lines = [
        json.dumps({"id": "1", "html_file": str(tmp_path / "a.html")}),
        "not json",
        json.dumps({"id": "3", "html_file": "/no/such/file"}),
    ]

    done = tinglan("extract", "--batch", "-", "--json", cwd=tmp_path, stdin="\n".join(lines))

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [row.get("id") for row in rows][0::2] == ["1", "3"]
    assert rows[0]["title"] == "停水通知"
    assert "error" in rows[1]
    assert "error" in rows[2]


def test_assess_answers_every_line_in_order(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": str(n), "text": text})
        for n, text in enumerate(["桥下积水有人被困，快来救人", "今天天气不错", ""])
    ] + ["{"]

    done = tinglan("assess", "-", "--json", cwd=tmp_path, stdin="\n".join(lines))

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [row.get("id") for row in rows][:3] == ["0", "1", "2"]
    assert rows[0]["flagged"] is True
    assert rows[0]["level"] in {"I", "II"}
    assert rows[1]["flagged"] is False
    assert "error" in rows[3]
