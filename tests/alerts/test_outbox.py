"""What is owed is delivered: at least once, the severest first, by whatever way is left."""

from __future__ import annotations

from alerts.catalogue import build_transports
from alerts.items import list_notices
from alerts.opening import open_items
from demo.smtpscript import ScriptedSmtp


def test_a_flagged_post_becomes_a_mail_in_the_office(
    database, make_settings, clock, assess, deliver
):
    with ScriptedSmtp() as server:
        settings = make_settings(mail={"port": server.port})
        assess(database, level="II", topics=("fire",), title="城东厂房冒黑烟", hits=("冒黑烟",))

        opened = open_items(database, settings, clock.now())
        tried = deliver(database, build_transports(settings, {}), using=settings)

    assert (opened, tried) == (1, 2)
    assert sorted(mail.recipients[0] for mail in server.accepted) == [
        "duty@example.gov.cn",
        "fire@example.gov.cn",
    ]
    mail = server.accepted[0].message
    assert mail["Subject"] == "【舆情预警·重大】官网：城东厂房冒黑烟（TL-2026-0001）"
    assert "防火科" in mail.get_body(("plain",)).get_content()
    assert {row["state"] for row in list_notices(database)} == {"sent"}
