"""A crawl is a process that lives shortly: it loads what its settings name, and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from config.plugins import Named, PluginBroken

ROOT = Path(__file__).parents[2]
ASKED = """
import json, sys
from console.commands.opening import crawling

known = crawling()
assert "site" in known.channels and "no such kind" not in known.channels
known.channels["site"]
import crawler.site.worker

print(json.dumps(sorted(sys.modules)))
"""
STRANGERS = {
    "analysis.stages.rules", "analysis.catalogue", "alerts.transports.smtp", "crawler.channels.app",
    "crawler.channels.wechat", "crawler.channels.mailbox", "numpy",
}  # fmt: skip


def test_only_the_kinds_that_settings_name_are_loaded():
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded = set(json.loads(done.stdout))

    assert "crawler.channels.site" in loaded
    assert not loaded & STRANGERS


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "sound.py").write_text("class Options: ...\ndef build(): ...\n")
    (tmp_path / "torn.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "_hidden.py").write_text("")
    made = ModuleType("plugins_of_a_test")
    made.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    yield made.__name__
    for name in [one for one in sys.modules if one.startswith(made.__name__ + ".")]:
        del sys.modules[name]


def test_a_broken_plug_in_troubles_only_those_who_name_it(package):
    known = Named(package)

    assert sorted(known) == ["sound", "torn"]
    assert len(known) == 2
    assert known["sound"].__name__ == "Options"
    with pytest.raises(PluginBroken, match="cannot be imported"):
        known["torn"]
    with pytest.raises(KeyError):
        known["missing"]
