"""局长信箱 over real IMAP: read without a trace, letters once, a bad one costs no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.loading import check
from config.plugins import Catalogue
from crawler.catalogue import Tools, channel_options
from crawler.channels import mailbox
from crawler.command import crawl
from crawler.mailbox.imap import _quoted
from crawler.mailbox.letter import read_letter
from demo.certificates import Authority
from demo.imap import PASSWORD, USER, DemoImap, Habits
from store.tables import fetches, posts

CHILD = Path(__file__).with_name("child_reader.py")
ROOT = CHILD.parents[2]
ENVIRON = {"TINGLAN_AUTHOR_KEY": "k" * 32, "MAIL_PASSWORD": PASSWORD}


@pytest.fixture
def server(clock):
    with DemoImap(clock) as imap:
        yield imap


def raw_settings(server, **more):
    return {
        "agency": {"name": "示例市气象局", "contact": "http://example.gov.cn/contact"},
        "channels": [
            {
                "id": "letters",
                "name": "公开信箱",
                "kind": "mailbox",
                "host": "127.0.0.1",
                "port": server.port,
                "security": "none",
                "username": USER,
                "password_env": "MAIL_PASSWORD",
                "timeout": 20,
                **more,
            }
        ],
        "offices": [{"id": "duty", "name": "总值班室", "addresses": ["duty@example.gov.cn"]}],
        "roster": {"fallback": ["leader@example.gov.cn"]},
        "mail": {"host": "127.0.0.1", "security": "none", "from": "tinglan@example.gov.cn"},
    }


def settings_of(server, **more):
    raw = raw_settings(server, **more)
    return check(raw, "tinglan.toml", Catalogue(channels=channel_options()))


@pytest.fixture
def read(server, sqlite_database, clock):
    def read(environ=ENVIRON, **more):
        clock.advance(300)
        wanted = settings_of(server, **more)
        return crawl(wanted, sqlite_database, clock, environ=environ, planned_at=clock.now())[0]

    return read


def kept(database):
    with database.read() as connection:
        return connection.execute(sa.select(posts).order_by(posts.c.id)).mappings().all()


def test_a_letter_is_kept_and_the_folder_is_as_it_was(server, read, sqlite_database):
    server.write("路灯不亮", "门口路灯坏了，电话13812345678", sender="张三 <zhang@example.com>")

    result = read()
    again = read()

    (post,) = kept(sqlite_database)
    assert (result.state, result.new, again.new) == ("done", 1, 0)
    assert (post["kind"], post["role"], post["column"]) == ("letter", "public", "局长信箱")
    assert (post["title"], post["text"]) == ("路灯不亮", "门口路灯坏了，电话138****5678")
    assert post["published_at"] is not None
    everything = str(dict(post))
    assert "zhang@example.com" not in everything
    assert "张三" not in everything
    said = " ".join(server.commands)
    assert "EXAMINE" in said
    assert "BODY.PEEK" in said
    assert not any(verb in said for verb in ("SELECT", "STORE", "EXPUNGE", "BODY[]", "COPY"))
    assert PASSWORD not in said


def test_new_letters_come_newest_first_and_a_cap_leaves_the_rest(server, read, sqlite_database):
    for number in range(30):
        server.write(f"第 {number} 封", "内容")

    first = read(max_letters=10)
    server.write("刚来的", "内容")
    second = read(max_letters=10)
    third = read(max_letters=100)

    titles = [post["title"] for post in kept(sqlite_database)]
    assert (first.new, first.backlog, second.new) == (10, 20, 10)
    assert titles[0] == "第 29 封"
    assert titles[10] == "刚来的"
    assert (len(titles), third.backlog) == (31, 0)


def test_a_folder_that_was_renumbered_brings_nothing_twice(server, read, sqlite_database):
    for number in range(5):
        server.write(f"第 {number} 封", "内容")
    read()
    server.renumber()
    server.write("新的", "内容")

    result = read()

    assert (result.state, result.new, len(kept(sqlite_database))) == ("done", 1, 6)


def test_old_letters_at_the_first_reading_are_left(server, read, sqlite_database, clock):
    server.write("去年的", "内容", at=clock.now() - timedelta(days=200))
    server.write("昨天的", "内容", at=clock.now() - timedelta(days=1))

    read(history="30d")

    assert [post["title"] for post in kept(sqlite_database)] == ["昨天的"]


def test_an_old_folder_without_news_is_not_read_again(server, read, sqlite_database, clock):
    server.write("去年的", "内容", at=clock.now() - timedelta(days=200))
    read()
    server.write("今天的", "内容")

    read()

    assert [post["title"] for post in kept(sqlite_database)] == ["今天的"]


def test_killed_in_the_middle_it_loses_and_repeats_nothing(server, read, sqlite_database, tmp_path):
    for number in range(500):
        server.write(f"第 {number} 封", "内容")
    server.habits.latency = 0.01
    more = {"max_letters": 1000, "history": "900d"}
    wanted = tmp_path / "settings.json"
    wanted.write_text(json.dumps(raw_settings(server, **more)), encoding="utf-8")
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(wanted), str(sqlite_database.url)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ENVIRON, "PYTHONPATH": str(ROOT)},
    )
    for _ in range(25):
        assert child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    half = len(kept(sqlite_database))
    server.habits.latency = 0.0

    result = read(**more)

    assert 0 < half < 500
    assert half + result.new == len(kept(sqlite_database)) == 500
    assert result.changed == 0


@pytest.mark.parametrize(
    ("habits", "outcome"), [({"cut_after": 3}, "truncated"), ({"mute_after": 3}, "timeout")]
)
def test_a_line_that_breaks_is_taken_up_where_it_broke(
    server, read, sqlite_database, habits, outcome
):
    for number in range(8):
        server.write(f"第 {number} 封", "内容")
    server.habits = Habits(**habits)

    broken = read(timeout=1)
    server.habits = Habits()
    mended = read()

    assert (broken.state, broken.new, broken.backlog) == ("failed", 3, 5)
    assert broken.outcomes[outcome] == 1
    assert (mended.new, mended.backlog, len(kept(sqlite_database))) == (5, 0, 8)


def test_a_letter_that_cannot_be_had_stops_no_other(server, read, sqlite_database):
    numbers = [server.write(f"第 {number} 封", "内容") for number in range(4)]
    server.habits = Habits(refuses=frozenset({numbers[2]}))

    result = read()

    assert (result.state, result.new, result.outcomes["http-error"]) == ("done", 3, 1)
    assert "1 封读取有误" in result.why


def test_a_letter_of_a_gigabyte_does_not_fill_the_memory(server, read):
    server.write("大", "内容")
    server.habits = Habits(huge=True)

    result = read()

    assert (result.state, result.outcomes["too-large"]) == ("failed", 1)


def test_bounces_and_our_own_mails_are_no_letters(server, read, sqlite_database):
    report = [
        "From: Mail Delivery <mailer-daemon@example.com>",
        "Subject: Undelivered",
        'Content-Type: multipart/report; report-type="delivery-status"; boundary=x',
    ]
    server.put(mail(report, b"--x\r\nContent-Type: text/plain\r\n\r\nfailed\r\n--x--\r\n"))
    away = EmailMessage()
    away["From"], away["Auto-Submitted"] = "a@example.com", "auto-replied"
    away.set_content("我在休假")
    server.put(away.as_bytes())
    server.write("【舆情】预警", "内容", sender="听澜 <Tinglan@example.gov.cn>")
    server.write("真的来信", "内容")

    result = read()

    assert [post["title"] for post in kept(sqlite_database)] == ["真的来信"]
    assert "3 封未作来信" in result.why
    assert result.outcomes["ok-unchanged"] == 3


@pytest.mark.parametrize(
    ("set_up", "more", "outcome", "says"),
    [
        ({}, {"folder": "没有的"}, "removed", "打不开文件夹"),
        ({"validity": False}, {}, "parse-broken", "UIDVALIDITY"),
    ],
)
def test_a_mailbox_that_cannot_be_read_says_why(server, read, set_up, more, outcome, says):
    server.habits = Habits(**set_up)

    result = read(**more)

    assert (result.state, result.outcomes) == ("failed", {outcome: 1})
    assert says in result.why


def test_a_wrong_password_is_told_without_the_password(server, read):
    result = read({**ENVIRON, "MAIL_PASSWORD": "geheim-123"})

    assert (result.state, result.outcomes) == ("failed", {"auth": 1})
    assert "授权码" in result.why
    assert "geheim" not in result.why


def test_without_a_password_the_name_is_told(read):
    result = read({"TINGLAN_AUTHOR_KEY": "k" * 32})

    assert result.state == "failed"
    assert "MAIL_PASSWORD" in result.why


def test_a_server_that_is_not_there_is_told(clock, sqlite_database):
    with DemoImap(clock) as gone:
        wanted = settings_of(gone)

    (result,) = crawl(wanted, sqlite_database, clock, environ=ENVIRON)

    assert (result.state, result.outcomes) == ("failed", {"http-error": 1})


def test_clients_that_must_say_who_they_are_do(server, read):
    server.habits = Habits(wants_id=True)
    server.write("路灯", "不亮")

    assert read().new == 1


@pytest.mark.parametrize(("good", "outcome"), [(True, None), (False, "tls-error")])
def test_tls_is_verified(clock, sqlite_database, tmp_path, good, outcome):
    authority = Authority()
    certificate = authority.issue("127.0.0.1")
    other = certificate if good else Authority().issue("127.0.0.1")
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(other.authority)
    with DemoImap(clock, context=certificate.server_context()) as server:
        server.write("路灯", "不亮")
        wanted = settings_of(server, security="tls", ca_file=str(ca_file))
        (result,) = crawl(wanted, sqlite_database, clock, environ=ENVIRON)

    assert result.state == ("done" if good else "failed")
    assert good or result.outcomes == {outcome: 1}


@pytest.mark.parametrize(("content", "says"), [(None, "读不到"), (b"no certificate", "PEM")])
def test_an_authority_that_is_none_is_named(clock, sqlite_database, tmp_path, content, says):
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    with DemoImap(clock) as server:
        wanted = settings_of(server, security="tls", ca_file=str(ca_file))
        (result,) = crawl(wanted, sqlite_database, clock, environ=ENVIRON)

    assert (result.state, result.outcomes) == ("failed", {"tls-error": 1})
    assert says in result.why
    assert "ca_file" in result.why


def test_clear_text_is_for_this_machine_only(server):
    with pytest.raises(Exception, match="password in clear"):
        settings_of(server, host="imap.example.gov.cn")


def test_a_preview_shows_the_newest_three(server, sqlite_database, clock):
    for number in range(5):
        server.write(f"第 {number} 封", "内容")
    wanted = settings_of(server)
    tools = Tools(
        database=sqlite_database,
        clock=clock,
        settings=wanted,
        author_key=b"k" * 32,
        user_agent="t",
        environ=ENVIRON,
    )

    preview = mailbox.preview(wanted.channels[0], tools)

    assert [one.title for one in preview.samples] == ["第 4 封", "第 3 封", "第 2 封"]
    login, letters = preview.calls
    assert (login.calls, login.left) == (1, 989)
    assert ("现有 5 封" in letters.what, letters.calls) == (True, 5)
    with sqlite_database.read() as connection:
        assert connection.execute(sa.select(fetches)).all() == []


def test_logins_beyond_what_the_provider_allows_are_spread_and_said(server, read, clock):
    clock.advance(timedelta(hours=4))  # 16:00 in Beijing: eight hours for 24 logins
    server.write("路灯", "不亮")
    more = {"logins_per_day": 24, "reserve": 0, "every": "5m"}

    results = [read(**more) for _ in range(46)]

    asked = [result for result in results if result.planned]
    thinned = [result for result in results if not result.planned]
    assert {result.state for result in results} == {"done"}
    assert len(asked) == len([c for c in server.commands if c.startswith("LOGIN")])
    assert 9 <= len(asked) <= 13
    assert "摊匀" in thinned[0].why
    assert results[0].new == 1


def test_a_day_whose_logins_are_spent_is_not_called_quiet(server, read):
    more = {"logins_per_day": 1, "reserve": 0}
    read(**more)

    spent = read(**more)

    assert (spent.state, spent.outcomes) == ("failed", {"quota": 1})
    assert "今日额度 1 次已用完" in spent.why
    assert "起恢复" in spent.why


def test_names_of_folders_as_imap_writes_them():
    assert _quoted("INBOX") == '"INBOX"'
    assert _quoted("局长信箱/a&b") == '"&XEBV,009c+E-/a&-b"'.replace(
        "&XEBV,009c+E-", "&" + _b64("局长信箱") + "-"
    )


def _b64(text):
    import base64

    return base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")


# --- what a letter says -------------------------------------------------------------------------


def mail(head, body=b"", charset="us-ascii"):
    lines = [line if isinstance(line, bytes) else line.encode(charset) for line in head]
    return b"\r\n".join([*lines, b"", body])


def encoded(text, charset, label=None):
    import base64

    return f"=?{label or charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="


@pytest.mark.parametrize(
    "subject",
    [
        encoded("镕基路积水", "gb18030", "gb2312"),
        encoded("镕基路积水", "gb18030"),
        encoded("镕基路积水", "utf-8"),
        encoded("镕基路", "utf-8") + "\r\n " + encoded("积水", "utf-8"),
        encoded("镕基路积水", "utf-8", "x-unheard-of"),
        "镕基路积水".encode("gb18030"),
        "镕基路积水".encode(),
    ],
)
def test_subjects_in_every_dress(subject):
    line = b"Subject: " + (subject if isinstance(subject, bytes) else subject.encode())

    assert read_letter(mail([line, "From: a@example.com"], b"x")).subject == "镕基路积水"


def test_an_html_only_letter_becomes_text():
    html = "<style>p{}</style><p>桥<b>塌</b>了</p><script>x()</script><p>快来</p>".encode("gb18030")
    head = ["Subject: x", 'Content-Type: text/html; charset="gb2312"']

    assert read_letter(mail(head, html)).text == "桥塌了\n快来"


def test_plain_is_preferred_and_attachments_are_named_not_kept():
    message = EmailMessage()
    message["Subject"], message["From"] = "材料", "a@example.com"
    message.set_content("见附件")
    message.add_alternative("<p>见附件（网页）</p>", subtype="html")
    message.add_attachment(b"\x00" * 50, "application", "pdf", filename="房屋受损照片.pdf")
    message.add_attachment("附件里的字", filename="说明.txt")

    letter = read_letter(message.as_bytes())

    assert letter.text == "见附件"
    assert letter.attachments == ("房屋受损照片.pdf", "说明.txt")


def test_a_letter_cut_in_the_middle_still_says_its_text():
    message = EmailMessage()
    message["Subject"] = "长信"
    message.set_content("开头的话")
    message.add_attachment(b"\x01" * 200_000, "image", "jpeg", filename="a.jpg")

    letter = read_letter(message.as_bytes()[:20_000])

    assert (letter.text, letter.attachments) == ("开头的话", ("a.jpg",))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"no header at all",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n" * 5_000,
        b"Content-Type: multipart/mixed; boundary=\r\n\r\nx",
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
            for n in range(3_000)
        ),
        b"Subject: =?utf-8?B?!!!?=\r\nDate: Xyz, 99 Foo 0000\r\n\r\nx",
        b"Content-Transfer-Encoding: base64\r\n\r\n\xff\xff",
        b"Content-Type: text/plain; charset=\xff\xfe\r\n\r\nx",
        b"From: <<<@@@>>>\r\nContent-Disposition: attachment; filename*=x'y'%zz\r\n\r\nx",
        b"Content-Type: message/rfc822\r\n\r\n" * 2_000,
    ],
)
def test_whatever_comes_a_letter_is_read(raw):
    letter = read_letter(raw)

    assert isinstance(letter.text, str)
    assert len(letter.mark) == 32


def test_two_letters_under_one_message_id_are_two():
    head = ["Message-ID: <1@x>", "From: a@example.com"]

    one, two = (read_letter(mail(head, body)) for body in (b"first", b"second"))

    assert one.mark != two.mark
