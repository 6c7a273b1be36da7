"""Every way an SMTP attempt can end, against a server that really does it."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from alerts.letters import Letter, NotDelivered, Trouble
from alerts.transports.smtp import Smtp
from config.settings import Mail
from demo.certificates import Authority
from demo.smtpscript import ScriptedSmtp, drop, garbage, mute, slow

SECRET = "correct-horse-battery"


def issue(*names, **validity):
    return Authority().issue(*names, **validity)


def letter(clock, recipient="duty@example.gov.cn"):
    return Letter(
        id="0001", recipient=recipient, subject="【测试】一封信", text="正文", html="<p>正文</p>",
        date=clock.now(),
    )  # fmt: skip


def mail(port, **fields):
    return Mail.model_validate(
        {"host": "127.0.0.1", "port": port, "security": "none", "from": "tinglan@example.gov.cn",
         "connect_timeout": "30s", "data_timeout": "30s", "deadline": "60s"} | fields
    )  # fmt: skip


def end_of(clock, server_port, environ=None, **fields):
    """How one attempt ends: the reply, or the trouble."""
    try:
        return Smtp(mail(server_port, **fields), environ or {}).send(letter(clock)).reply
    except NotDelivered as trouble:
        return trouble


MUTE, LATE = mute(), slow(3, "250 queued")
TABLE = [
    # step, what the server does, whose fault, for good?
    ("banner", "421 too busy", Trouble.LINK, False),
    ("banner", "554 no service", Trouble.SYSTEM, False),
    ("banner", drop(), Trouble.LINK, False),
    ("banner", garbage(), Trouble.LINK, False),
    ("banner", MUTE, Trouble.LINK, False),
    ("ehlo", drop(), Trouble.LINK, False),
    ("ehlo", garbage(), Trouble.LINK, False),
    ("mail", "421 closing", Trouble.MESSAGE, False),
    ("mail", "450 later", Trouble.MESSAGE, False),
    ("mail", "451 local error", Trouble.MESSAGE, False),
    ("mail", "452 full", Trouble.MESSAGE, False),
    ("mail", "530 authentication required", Trouble.SYSTEM, False),
    ("mail", "550 sender unknown", Trouble.SYSTEM, False),
    ("mail", "553 must equal the login", Trouble.SYSTEM, False),
    ("mail", drop(), Trouble.MESSAGE, False),
    ("rcpt", "421 closing", Trouble.MESSAGE, False),
    ("rcpt", "450 greylisted", Trouble.RECIPIENT, False),
    ("rcpt", "451 greylisted, come back", Trouble.RECIPIENT, False),
    ("rcpt", "452 too many", Trouble.RECIPIENT, False),
    ("rcpt", "550 5.1.1 no such user", Trouble.RECIPIENT, True),
    ("rcpt", "552 mailbox full", Trouble.RECIPIENT, True),
    ("rcpt", "554 5.7.1 blocked by policy", Trouble.PROVIDER, True),
    ("rcpt", garbage(), Trouble.MESSAGE, False),
    ("rcpt", MUTE, Trouble.MESSAGE, False),
    ("data", "421 closing", Trouble.MESSAGE, False),
    ("data", "451 later", Trouble.MESSAGE, False),
    ("data", "554 no", Trouble.PROVIDER, True),
    ("data", drop(), Trouble.MESSAGE, False),
    ("done", "421 closing", Trouble.MESSAGE, False),
    ("done", "450 later", Trouble.MESSAGE, False),
    ("done", "451 local error", Trouble.MESSAGE, False),
    ("done", "452 full", Trouble.MESSAGE, False),
    ("done", "550 looks like spam", Trouble.PROVIDER, True),
    ("done", "552 5.3.4 message too big", Trouble.MESSAGE, True),
    ("done", "554 DT:SPM 垃圾邮件", Trouble.PROVIDER, True),
    ("done", drop(), Trouble.UNSURE, False),
    ("done", MUTE, Trouble.UNSURE, False),
    ("done", garbage(), Trouble.UNSURE, False),
    ("done", LATE, Trouble.UNSURE, False),
]


@pytest.mark.parametrize(
    ("step", "does", "kind", "permanent"), TABLE, ids=[f"{s}-{d}"[:44] for s, d, *_ in TABLE]
)
def test_the_table(clock, step, does, kind, permanent):
    with ScriptedSmtp(**{step: does}) as server:
        # Short only where nothing comes: a busy machine may be slow to answer.
        patience = "1s" if does in (MUTE, LATE) else "30s"
        trouble = end_of(clock, server.port, connect_timeout=patience, data_timeout=patience)

        assert isinstance(trouble, NotDelivered)
        assert (trouble.kind, trouble.permanent) == (kind, permanent)
        assert trouble.reply
        handed = step == "done" and kind is Trouble.UNSURE
        assert len(server.accepted) == (1 if handed else 0)


def test_a_taken_letter_keeps_the_reply_and_the_time_of_each_step(clock):
    with ScriptedSmtp(done="250 2.0.0 queued as 4711") as server:
        receipt = Smtp(mail(server.port), {}).send(letter(clock))

    assert receipt.reply == "2.0.0 queued as 4711"
    assert {"connect", "banner", "hello", "sender", "recipient", "data", "handed"} <= set(
        receipt.parts
    )


def test_a_dot_at_the_start_of_a_line_and_8_bit_text_arrive_as_they_are(clock):
    with ScriptedSmtp() as server:
        wanted = Letter(
            id="7", recipient="duty@example.gov.cn", subject="点", text=".\n..\n正文\n.end",
            date=clock.now(),
        )  # fmt: skip
        Smtp(mail(server.port), {}).send(wanted)

        assert server.accepted[0].message.get_content().splitlines() == [".", "..", "正文", ".end"]


def test_a_closed_port_and_an_unknown_name_are_the_link(clock):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    assert end_of(clock, port).kind is Trouble.LINK
    assert end_of(clock, port, host="no-such-host.invalid", insecure=True).kind is Trouble.LINK


@contextmanager
def dripping():
    """A server that never stops talking and never says anything: one byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def drip():
            line, _ = listener.accept()
            with line:
                while not stop.wait(0.2):
                    try:
                        line.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        stop.set()
        thread.join()


def test_a_dripping_server_is_cut_off_at_the_deadline(clock):
    with dripping() as port:
        began = time.monotonic()
        trouble = end_of(clock, port, deadline="1s", connect_timeout="30s")
        took = time.monotonic() - began

    assert trouble.kind is Trouble.LINK
    assert "超过总时限" in trouble.reply
    assert took < 20  # far below the 30 s that connecting alone may take


def test_killed_after_the_letter_was_handed_over_is_unsure(clock):
    with ScriptedSmtp(done=mute()) as server:
        trouble = end_of(clock, server.port, deadline="1s", data_timeout="30s")

        assert trouble.kind is Trouble.UNSURE
        assert len(server.accepted) == 1


# --- sign-in, certificates ------------------------------------------------------------------------

LOGIN = {"username": "tinglan", "password_env": "MAIL_PASSWORD"}
ENVIRON = {"MAIL_PASSWORD": SECRET}


def test_signed_in_over_verified_tls(clock, tmp_path):
    certificate = issue()
    (tmp_path / "ca.pem").write_bytes(certificate.authority)
    for security in ("tls", "starttls"):
        with ScriptedSmtp(
            security=security, tls=certificate.server_context(), users={"tinglan": SECRET}
        ) as server:
            end_of(
                clock, server.port, ENVIRON, security=security, ca_file=str(tmp_path / "ca.pem"),
                **LOGIN,
            )  # fmt: skip

            (taken,) = server.accepted
            assert (taken.tls, taken.user) == (True, "tinglan")


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("flaw", ["unknown authority", "wrong name", "expired"])
def test_a_bad_certificate_gets_neither_letter_nor_password(clock, tmp_path, security, flaw):
    certificate = {
        "unknown authority": issue,
        "wrong name": lambda: issue("mail.example.net"),
        "expired": lambda: issue(not_before=timedelta(days=-9), not_after=timedelta(days=-1)),
    }[flaw]()
    trusted = issue() if flaw == "unknown authority" else certificate
    (tmp_path / "ca.pem").write_bytes(trusted.authority)
    with ScriptedSmtp(
        security=security, tls=certificate.server_context(), users={"tinglan": SECRET}
    ) as server:
        trouble = end_of(
            clock, server.port, ENVIRON, security=security, ca_file=str(tmp_path / "ca.pem"),
            **LOGIN,
        )  # fmt: skip

        assert trouble.kind is Trouble.SYSTEM
        assert server.accepted == []
        assert not any(line.startswith(("AUTH", "MAIL")) for line in server.commands)


def test_starttls_that_was_stripped_is_not_worked_around(clock):
    with ScriptedSmtp(users={"tinglan": SECRET}) as server:
        trouble = end_of(clock, server.port, ENVIRON, security="starttls", **LOGIN)

        assert trouble.kind is Trouble.SYSTEM
        assert server.accepted == []
        assert not any(line.startswith(("AUTH", "MAIL")) for line in server.commands)


def test_tls_to_a_plain_port_is_a_mistake_of_settings(clock):
    with ScriptedSmtp() as server:
        assert end_of(clock, server.port, security="tls").kind is Trouble.SYSTEM


def test_a_password_is_not_sent_in_clear_to_another_machine(clock):
    settings = mail(25, host="mail.example.gov.cn", insecure=True, **LOGIN)
    guarded = settings.model_copy(update={"insecure": False})

    with pytest.raises(NotDelivered, match="未加密") as caught:
        Smtp(guarded, ENVIRON).send(letter(clock))
    assert caught.value.kind is Trouble.SYSTEM


def test_a_wrong_or_missing_password_is_the_system_and_is_never_repeated(clock):
    echo = base64.b64encode(f"\0tinglan\0{SECRET}".encode()).decode()
    with ScriptedSmtp(users={"tinglan": "other"}, auth=f"535 5.7.8 bad: {echo} {SECRET}") as server:
        wrong = end_of(clock, server.port, ENVIRON, **LOGIN)
        missing = end_of(clock, server.port, {}, **LOGIN)

    assert (wrong.kind, missing.kind) == (Trouble.SYSTEM, Trouble.SYSTEM)
    assert "535" in wrong.reply
    assert SECRET not in str(wrong)
    assert echo not in str(wrong)
    assert "MAIL_PASSWORD" in missing.reply


def test_an_authority_file_that_is_not_there_is_a_mistake_of_settings(clock):
    trouble = end_of(clock, 465, security="tls", ca_file="/nowhere/ca.pem")

    assert trouble.kind is Trouble.SYSTEM


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_old_protocol_is_refused(clock, tmp_path):
    certificate = issue()
    (tmp_path / "ca.pem").write_bytes(certificate.authority)
    context = certificate.server_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with ScriptedSmtp(security="tls", tls=context) as server:
        trouble = end_of(clock, server.port, security="tls", ca_file=str(tmp_path / "ca.pem"))

        assert isinstance(trouble, NotDelivered)
        assert server.accepted == []
