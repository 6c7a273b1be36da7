"""The scripted SMTP server: every reply smtplib can meet, on demand."""

import smtplib
import socket
import ssl
from email.message import EmailMessage

import pytest

from demo.certificates import Authority
from demo.smtpscript import ScriptedSmtp, drop, garbage, mute, slow


def mail():
    message = EmailMessage()
    message["Subject"] = "试"
    message.set_content("一行\n.\n.点开头的行\n")
    return message


def send(server, *to, timeout=5.0):
    with smtplib.SMTP(server.host, server.port, timeout=timeout) as smtp:
        return smtp.send_message(mail(), "a@demo.invalid", to or ("b@demo.invalid",))


def test_without_a_script_everything_is_taken():
    with ScriptedSmtp() as server:
        refused = send(server, "b@demo.invalid", "c@demo.invalid")

        [taken] = server.accepted
    assert refused == {}
    assert taken.recipients == ("b@demo.invalid", "c@demo.invalid")
    assert taken.message.get_content().split() == ["一行", ".", ".点开头的行"]
    assert taken.confirmed
    assert server.commands[0].lower().startswith("ehlo")


def test_one_recipient_of_two_is_refused():
    with ScriptedSmtp(rcpt={"b@demo.invalid": "550 5.1.1 no such user"}) as server:
        refused = send(server, "b@demo.invalid", "c@demo.invalid")

        [taken] = server.accepted
    assert refused["b@demo.invalid"][0] == 550
    assert taken.recipients == ("c@demo.invalid",)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ({"banner": "421 4.3.2 closing"}, smtplib.SMTPConnectError),
        ({"banner": drop()}, smtplib.SMTPServerDisconnected),
        ({"banner": garbage()}, (smtplib.SMTPException, OSError)),
        ({"mail": "550 5.7.1 not you"}, smtplib.SMTPSenderRefused),
        ({"mail": drop()}, smtplib.SMTPServerDisconnected),
        ({"rcpt": "451 4.7.1 greylisted"}, smtplib.SMTPRecipientsRefused),
        ({"data": "451 4.3.0 later"}, smtplib.SMTPDataError),
        ({"done": "552 5.3.4 too big"}, smtplib.SMTPDataError),
        ({"done": "550 5.7.1 spam"}, smtplib.SMTPDataError),
    ],
)
def test_each_refusal_reaches_the_client_and_nothing_is_taken(script, error):
    with ScriptedSmtp(**script) as server:
        with pytest.raises(error):
            send(server)

        assert server.accepted == []


@pytest.mark.parametrize("ending", [drop(), mute(), slow(3, "250 ok"), garbage()])
def test_taken_but_never_said_so(ending):
    with ScriptedSmtp(done=ending) as server:
        with pytest.raises((smtplib.SMTPServerDisconnected, smtplib.SMTPDataError)):
            send(server, timeout=0.3)

        assert server.wait(1)


def test_a_mute_server_runs_into_the_clients_timeout():
    with ScriptedSmtp(banner=mute()) as server, pytest.raises(OSError, match="timed out"):
        send(server, timeout=0.2)


def test_a_sequence_is_used_up_and_its_last_answer_stays():
    with ScriptedSmtp(data=["451 4.3.0 later", "354 go on"]) as server:
        with pytest.raises(smtplib.SMTPDataError):
            send(server)
        send(server)
        send(server)

        assert len(server.accepted) == 2


def test_starttls_and_login():
    certificate = Authority().issue("127.0.0.1")
    with (
        ScriptedSmtp(
            security="starttls", tls=certificate.server_context(), users={"u": "secret"}
        ) as server,
        smtplib.SMTP("127.0.0.1", server.port, timeout=5) as smtp,
    ):
        smtp.starttls(context=certificate.client_context())
        smtp.login("u", "secret")
        smtp.send_message(mail(), "a@demo.invalid", ["b@demo.invalid"])

        [taken] = server.accepted
        assert taken.tls
        assert taken.user == "u"
        assert not any("secret" in line for line in server.commands)


def test_wrong_password_is_535():
    with (
        ScriptedSmtp(users={"u": "secret"}) as server,
        smtplib.SMTP("127.0.0.1", server.port, timeout=5) as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError, match="535"),
    ):
        smtp.login("u", "wrong")


def test_implicit_tls_with_an_expired_certificate_is_refused():
    certificate = Authority().expired("127.0.0.1")
    with (
        ScriptedSmtp(security="tls", tls=certificate.server_context()) as server,
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
    ):
        smtplib.SMTP_SSL("127.0.0.1", server.port, timeout=5, context=certificate.client_context())


def test_implicit_tls_with_a_good_certificate_delivers():
    certificate = Authority().issue("127.0.0.1")
    with (
        ScriptedSmtp(security="tls", tls=certificate.server_context()) as server,
        smtplib.SMTP_SSL(
            "127.0.0.1", server.port, timeout=5, context=certificate.client_context()
        ) as smtp,
    ):
        smtp.send_message(mail(), "a@demo.invalid", ["b@demo.invalid"])

        assert server.accepted[0].tls


def test_down_for_a_while_then_up_on_the_same_port():
    server = ScriptedSmtp().start()
    port = server.port
    server.stop()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with server:
        send(server)

    assert server.port == port
    assert len(server.accepted) == 1
