"""Settings fail early, all at once, with an address, and without giving a secret away."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from analysis.catalogue import stage_options
from config.loading import SettingsWrong, check, load
from config.plugins import Catalogue
from config.reading import SECTIONS, stages
from config.settings import Section, Settings

RIGHT: dict[str, Any] = {
    "agency": {"name": "示例局", "contact": "http://www.example.gov.cn/"},
    "channels": [{"id": "site", "name": "官网", "kind": "toy", "every": "5m", "url": "http://x/"}],
    "offices": [{"id": "duty", "name": "值班室", "addresses": ["duty@example.gov.cn"]}],
    "roster": {"fallback": ["boss@example.gov.cn"]},
    "mail": {"host": "smtp.example.gov.cn", "from": "t@example.gov.cn"},
}


class ToyOptions(Section):
    url: str


CATALOGUE = Catalogue(channels={"toy": ToyOptions}, transports={"toy": ToyOptions})


def changed(**paths: Any) -> dict[str, Any]:
    raw = copy.deepcopy(RIGHT)
    for path, value in paths.items():
        *parents, last = path.split("__")
        target: Any = raw
        for key in parents:
            target = target[int(key) if key.isdigit() else key]
        target[last] = value
    return raw


def mistakes_of(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsWrong) as error:
        check(raw, "tinglan.toml", CATALOGUE)
    return [str(m) for m in error.value.mistakes]


def test_right_settings_are_read() -> None:
    settings = check(RIGHT, "tinglan.toml", CATALOGUE)

    assert settings.channels[0].every == timedelta(minutes=5)
    assert settings.channels[0].options.url == "http://x/"
    assert settings.mail.security == "tls"


def test_five_mistakes_make_five_lines() -> None:
    raw = changed(
        agency__contact="nowhere",
        channels__0__every="5 minutes",
        offices__0__addresses=["duty＠example.gov.cn"],
        mail__prot=25,
        roster={},
    )

    lines = mistakes_of(raw)

    assert len(lines) == 5
    assert all(
        line.startswith("tinglan.toml: ") and "found" in line and "expected" in line
        for line in lines
    )
    assert {line.split(": ")[1] for line in lines} == {
        "agency.contact",
        "channels.0.every",
        "offices.0.addresses.0",
        "mail.prot",
        "roster.fallback",
    }


@pytest.mark.parametrize(
    "address",
    [
        "a@b@c.cn",
        "duty＠example.gov.cn",
        " duty@example.gov.cn",
        "a@x.cn, b@x.cn",
        "值班@example.gov.cn",
        "duty",
        "duty@",
        "duty@example",
        "<duty@example.gov.cn>",
        "duty@example.gov.cn\r\nBcc: x@y.cn",
        "",
    ],
)
def test_an_unusable_address_is_refused(address: str) -> None:
    assert mistakes_of(changed(offices__0__addresses=[address]))


def test_another_transport_may_be_addressed() -> None:
    settings = check(changed(offices__0__addresses=["toy:room 1"]), "t", CATALOGUE)

    assert settings.offices[0].addresses == ("toy:room 1",)


def test_an_unknown_channel_kind_names_the_known_ones() -> None:
    lines = mistakes_of(changed(channels__0__kind="telepathy"))

    assert any("channels.0.kind" in line and "expected one of toy" in line for line in lines)


def test_a_kind_checks_its_own_options() -> None:
    lines = mistakes_of(changed(channels__0__colour="red"))

    assert lines == [
        "tinglan.toml: channels.0.colour: found an unknown key, "
        "expected no such key: is it misspelt, or does it belong to another table?"
    ]


def test_an_unknown_transport_is_refused() -> None:
    assert "transports.pigeon" in mistakes_of(RIGHT | {"transports": {"pigeon": {}}})[0]


def test_a_secret_typed_in_place_of_its_name_is_refused_and_not_repeated() -> None:
    lines = mistakes_of(changed(mail__password_env="hunter2-geheim", mail__username="t"))

    assert lines
    assert not any("geheim" in line for line in lines)


def test_letters_in_clear_need_a_loopback_host_or_a_word() -> None:
    assert "security" in mistakes_of(changed(mail__security="none"))[0]
    assert check(changed(mail__security="none", mail__host="127.0.0.1"), "t", CATALOGUE)
    assert check(changed(mail__security="none", mail__insecure=True), "t", CATALOGUE)


def test_an_id_used_twice_is_a_mistake() -> None:
    raw = changed(offices=[RIGHT["offices"][0], RIGHT["offices"][0]])

    assert "duty" in mistakes_of(raw)[0]


def test_an_office_cannot_wait_for_an_unknown_channel() -> None:
    assert "weibo" in mistakes_of(changed(offices__0__channels=["weibo"]))[0]


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "tinglan.toml"
    file.write_text("[agency]\nname = \n", encoding="utf-8")

    with pytest.raises(SettingsWrong, match="line 2"):
        load(file, CATALOGUE, {})


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_a_file_in_another_encoding_says_how_to_save_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.toml").write_bytes('[agency]\nname = "示例市气象局"\n'.encode(encoding))

    with pytest.raises(SettingsWrong, match=r"t\.toml: \(line \d\).*UTF-8"):
        load(tmp_path / "t.toml", CATALOGUE, {})


def test_a_wrong_kind_of_value_is_told_without_the_words_of_a_programmer() -> None:
    told = mistakes_of(
        changed(
            roster={"fallback": "boss@example.gov.cn"},
            mail={"host": "h", "from": "t@example.gov.cn", "port": "465x", "insecure": "maybe"},
            digest={"at": "8am"},
        )
    )

    assert len(told) == 4
    assert any("roster.fallback" in one and "列表" in one for one in told)
    assert any("mail.port" in one and "整数" in one for one in told)
    assert not any("valid tuple" in one or "parse" in one for one in told)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match="tinglan init"):
        load(tmp_path / "tinglan.toml", CATALOGUE, {})


def test_the_environment_may_name_the_database(tmp_path: Path) -> None:
    file = tmp_path / "tinglan.toml"
    file.write_text(
        """
[agency]
name = "示例局"
contact = "http://www.example.gov.cn/"
[[channels]]
id = "site"
name = "官网"
kind = "toy"
url = "http://x/"
[[offices]]
id = "duty"
name = "值班室"
addresses = ["duty@example.gov.cn"]
[roster]
fallback = ["boss@example.gov.cn"]
[mail]
host = "smtp.example.gov.cn"
from = "t@example.gov.cn"
""",
        encoding="utf-8",
    )

    settings = load(file, CATALOGUE, {"TINGLAN_DATABASE_URL": "postgresql://u:p@h/d"})

    assert settings.database.url == "postgresql://u:p@h/d"


def test_an_authority_of_the_offices_own_lies_beside_the_settings(tmp_path: Path) -> None:
    class Trusting(Section):
        ca_file: str = ""

    text = """
        mail = { host = "smtp.example.gov.cn", from = "t@example.gov.cn", ca_file = "ca.pem" }
        agency = { name = "示例局", contact = "http://www.example.gov.cn/" }
        roster = { fallback = ["boss@example.gov.cn"] }
        [[channels]]
        id = "near"
        name = "近"
        kind = "toy"
        ca_file = "keys/ca.pem"
        [[channels]]
        id = "far"
        name = "远"
        kind = "toy"
        ca_file = "/etc/ssl/office.pem"
        [[channels]]
        id = "none"
        name = "无"
        kind = "toy"
        [[offices]]
        id = "duty"
        name = "值班室"
        addresses = ["duty@example.gov.cn"]
    """
    (tmp_path / "tinglan.toml").write_text(text, encoding="utf-8")

    settings = load(tmp_path / "tinglan.toml", Catalogue(channels={"toy": Trusting}), {})

    assert settings.mail.ca_file == str(tmp_path / "ca.pem")
    assert [channel.options.ca_file for channel in settings.channels] == [
        str(tmp_path / "keys/ca.pem"),
        "/etc/ssl/office.pem",
        "",
    ]


def test_the_sections_that_may_stand_alone_are_those_of_the_settings():
    fields = Settings.model_fields.items()

    assert {field.alias or name for name, field in fields} == SECTIONS


def test_stages_alone_need_no_other_section(tmp_path):
    file = tmp_path / "tinglan.toml"
    file.write_text('[mail]\nhost = 5\n[stages.rules]\nfolder = "mine"\n', encoding="utf-8")

    made = stages(file, stage_options())

    assert made["rules"].folder == str(tmp_path / "mine")


def test_stages_alone_tell_of_every_mistake(tmp_path):
    file = tmp_path / "tinglan.toml"
    file.write_text(
        '[stage.rules]\n[stages.rules]\nfolders = "mine"\n[stages.x]\n', encoding="utf-8"
    )

    with pytest.raises(SettingsWrong) as told:
        stages(file, stage_options())

    assert [one.key for one in told.value.mistakes] == ["stage", "stages.rules.folders", "stages.x"]
