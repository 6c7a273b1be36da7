"""What is owed is delivered: at least once, the severest first, by whatever way is left."""

from __future__ import annotations

import threading
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from alerts.catalogue import build_transports
from alerts.items import counts, list_attempts, list_items, list_notices, show_item
from alerts.letters import NotDelivered, Receipt, Trouble
from alerts.lifecycle import move_item
from alerts.opening import open_items
from alerts.outbox import NoSuchNotice, deliver_one, recover, resend
from alerts.pace import wait
from alerts.transports.memory import Memory
from demo.smtpscript import ScriptedSmtp, drop
from store.ledger import verify
from store.records import State
from store.tables import notices

DUTY, CHIEF = "duty@example.gov.cn", "chief@example.gov.cn"


def states(database):
    with database.read() as connection:
        return dict(
            connection.execute(sa.select(notices.c.state, sa.func.count()).group_by("state")).all()
        )


@pytest.fixture
def alert(settings, clock, assess):
    """A flagged post made into an item with its notices."""

    def make(database, **fields):
        assess(database, **fields)
        open_items(database, settings, clock.now())

    return make


def test_a_flagged_post_becomes_a_mail_in_the_office(
    database, make_settings, clock, assess, deliver
):
    with ScriptedSmtp() as server:
        settings = make_settings(mail={"port": server.port})
        assess(database, level="II", topics=("fire",), title="城东厂房冒黑烟", hits=("冒黑烟",))

        opened = open_items(database, settings, clock.now())
        tried = deliver(database, build_transports(settings, {}), using=settings)

    assert (opened, tried) == (1, 2)
    assert sorted(mail.recipients[0] for mail in server.accepted) == [DUTY, "fire@example.gov.cn"]
    mail = server.accepted[0].message
    assert mail["Subject"] == "【舆情预警·重大】官网：城东厂房冒黑烟（TL-2026-0001）"
    assert "防火科" in mail.get_body(("plain",)).get_content()
    assert states(database) == {"sent": 2}
    kinds = [line["kind"] for line in show_item(database, 1)["events"]]
    assert kinds == ["opened", "notified", "notified"]
    assert verify(database) == (3, [])


def test_the_severest_goes_first_then_the_oldest(
    sqlite_database, make_settings, alert, clock, deliver, memory
):
    singly = make_settings(calm={"group": 1000, "III": "0s", "IV": "0s", "storm": 100})
    for title, level in (("甲", "IV"), ("乙", "I"), ("丙", "III"), ("丁", "I"), ("戊", "II")):
        alert(sqlite_database, title=title, level=level)
        clock.advance(1)
    deliver(sqlite_database, using=singly)

    assert [letter.subject.split("：")[1][0] for letter in memory.letters] == list("乙丁戊丙甲")


def test_the_retry_is_booked_before_the_attempt(sqlite_database, settings, alert, clock):
    alert(sqlite_database)
    seen = {}

    class Spy(Memory):
        def send(self, letter):
            with sqlite_database.read() as connection:
                seen.update(connection.execute(sa.select(notices)).mappings().one())
            return super().send(letter)

    deliver_one(sqlite_database, {"smtp": Spy()}, settings, clock=clock, random=Random(1))

    assert (seen["state"], seen["attempts"]) == ("sending", 1)
    assert seen["next_at"] > clock.now()
    assert seen["lease_until"] > clock.now() + timedelta(seconds=5)


def test_killed_between_send_and_mark_it_goes_again_as_the_same_message(
    database, settings, alert, clock, deliver, memory
):
    class Killed(BaseException):
        pass

    class Killer(Memory):
        def send(self, letter):
            memory.send(letter)
            raise Killed

    alert(database)
    with pytest.raises(Killed):
        deliver_one(database, {"smtp": Killer()}, settings, clock=clock, random=Random(1))

    assert deliver(database) == 0, "its lease still runs"
    clock.advance(timedelta(minutes=3))
    assert deliver(database) == 1
    assert deliver(database) == 0
    first, second = memory.letters
    assert first.id == second.id
    assert states(database) == {"sent": 1}
    outcomes = [row["outcome"] for row in list_attempts(database, first.id)]
    assert outcomes == ["unsure", "sent"]


def test_a_service_that_starts_alone_takes_back_what_the_killed_one_held(
    sqlite_database, settings, alert, clock, deliver, memory
):
    class Killed(BaseException):
        pass

    class Killer(Memory):
        def send(self, letter):
            raise Killed

    alert(sqlite_database)
    with pytest.raises(Killed):
        deliver_one(sqlite_database, {"smtp": Killer()}, settings, clock=clock, random=Random(1))

    assert recover(sqlite_database, clock.now()) == 1
    assert deliver(sqlite_database) == 1
    assert recover(sqlite_database, clock.now()) == 0


def test_a_lost_answer_is_one_copy_with_the_same_message_id(
    sqlite_database, make_settings, clock, assess, deliver
):
    with ScriptedSmtp(done=[drop(), "250 ok"]) as server:
        settings = make_settings(mail={"port": server.port})
        assess(sqlite_database)
        open_items(sqlite_database, settings, clock.now())
        transports = build_transports(settings, {})
        deliver(sqlite_database, transports, using=settings)
        assert states(sqlite_database) == {"unsure": 1}
        clock.advance(timedelta(minutes=2))
        deliver(sqlite_database, transports, using=settings)

    assert states(sqlite_database) == {"sent": 1}
    assert len({mail.message["Message-ID"] for mail in server.accepted}) == 1
    assert len(server.accepted) == 2


def test_two_workers_never_send_one_notice_twice(database, settings, alert, clock):
    for number in range(20):
        alert(database, title=f"第{number}件", level="II")
    memory = Memory()

    def work(number: int) -> None:
        random = Random(number)
        while deliver_one(
            database, {"smtp": memory}, settings, clock=clock, random=random, worker=f"w{number}"
        ):
            pass

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(memory.letters) == 20
    assert len({letter.id for letter in memory.letters}) == 20
    assert states(database) == {"sent": 20}
    assert verify(database)[1] == []


def test_a_worker_that_comes_back_too_late_marks_nothing(sqlite_database, settings, alert, clock):
    alert(sqlite_database)
    second = Memory()

    class Frozen(Memory):
        def send(self, letter):
            clock.advance(timedelta(minutes=5))  # its lease runs out, and another has the row
            deliver_one(sqlite_database, {"smtp": second}, settings, clock=clock, random=Random(2))
            raise NotDelivered(Trouble.RECIPIENT, "550 gone", permanent=True)

    deliver_one(sqlite_database, {"smtp": Frozen()}, settings, clock=clock, random=Random(1))

    assert len(second.letters) == 1
    assert states(sqlite_database) == {"sent": 1}


def test_an_address_that_says_later_is_tried_later_and_holds_nobody_up(
    sqlite_database, settings, alert, clock, deliver, memory
):
    memory.failing["fire@example.gov.cn"] = NotDelivered(Trouble.RECIPIENT, "451 greylisted")
    alert(sqlite_database, topics=("fire",))
    deliver(sqlite_database)
    assert [letter.recipient for letter in memory.letters] == [DUTY]

    del memory.failing["fire@example.gov.cn"]
    clock.advance(59)
    assert deliver(sqlite_database) == 0
    clock.advance(14)
    assert deliver(sqlite_database) == 1
    assert states(sqlite_database) == {"sent": 2}


def test_the_pace_has_no_end():
    waits = [wait(n, None, Random(1)).total_seconds() for n in range(1, 12)]

    for waited, base in zip(waits, (30, 60, 120, 300, 600), strict=False):
        assert base <= waited <= 1.2 * base
    assert all(900 <= w <= 1080 for w in waits[5:])
    assert wait(10_000, None, Random(1)) < timedelta(minutes=19)


def test_one_refused_of_five_four_delivered_one_alarm(
    sqlite_database, make_settings, clock, assess, deliver
):
    addresses = [f"p{n}@example.gov.cn" for n in range(5)]
    with ScriptedSmtp(rcpt={"p2@example.gov.cn": "550 5.1.1 no such user"}) as server:
        settings = make_settings(
            mail={"port": server.port},
            offices=[{"id": "duty", "name": "值守科", "addresses": addresses}],
        )
        for title in ("甲", "乙"):
            assess(sqlite_database, title=title, level="II")
        open_items(sqlite_database, settings, clock.now())
        transports = build_transports(settings, {})
        deliver(sqlite_database, transports, using=settings)

    got = [(m.recipients[0], m.message["Subject"]) for m in server.accepted]
    for title in ("甲", "乙"):
        assert sum(title in s and who.startswith("p") for who, s in got) == 4
        assert [s[:7] for who, s in got if title in s and who == CHIEF] == ["【转送·重大】"]
    alarms = [item for item in list_items(sqlite_database) if item.topic == "system"]
    assert [item.title for item in alarms] == ["通知无法送达 p2@example.gov.cn：地址无效或拒收"]
    assert sum("p2@example.gov.cn" in s for who, s in got if who == CHIEF) == 1
    assert server.commands.count("rcpt TO:<p2@example.gov.cn>") == 2, "each letter was tried once"
    assert counts(sqlite_database, clock.now()).undelivered == 2


def test_where_the_last_resort_is_refused_an_item_still_stands(
    sqlite_database, settings, alert, clock, deliver, memory
):
    memory.failing["*"] = NotDelivered(Trouble.PROVIDER, "554 spam", permanent=True)
    alert(sqlite_database)
    deliver(sqlite_database)

    titles = {item.title for item in list_items(sqlite_database)}
    assert f"通知无法送达 {CHIEF}：邮件服务商拒收（疑似按垃圾邮件处理）" in titles
    assert set(states(sqlite_database)) == {"refused"}
    assert deliver(sqlite_database) == 0, "no storm of alarms about alarms"


def test_too_large_goes_again_at_once_as_text_only(
    sqlite_database, make_settings, clock, assess, deliver
):
    with ScriptedSmtp(done=["552 5.3.4 too big", "250 ok"]) as server:
        settings = make_settings(mail={"port": server.port})
        assess(sqlite_database)
        open_items(sqlite_database, settings, clock.now())
        deliver(sqlite_database, build_transports(settings, {}), using=settings)

    assert states(sqlite_database) == {"sent": 1}
    assert server.accepted[0].message.get_content_type() == "text/plain"


def test_a_wrong_password_is_probed_once_in_five_minutes_and_blocks_no_other_way(
    sqlite_database, make_settings, clock, assess, deliver
):
    settings = make_settings(
        offices=[{"id": "a", "name": "科", "addresses": [DUTY, "memory:room"]}],
        roster={"fallback": [CHIEF, "memory:chief"]},
    )
    away, room = Memory(), Memory()
    away.failing["*"] = NotDelivered(Trouble.SYSTEM, "登录邮件服务器：535 no")
    transports = {"smtp": away, "memory": room}
    for number in range(5):
        assess(sqlite_database, title=f"第{number}件", level="I")
    open_items(sqlite_database, settings, clock.now())

    tried = deliver(sqlite_database, transports, using=settings)

    assert len(room.to("room")) == 5
    assert [letter.subject[:8] for letter in room.to("chief")] == ["【系统告警·较大"]
    assert tried == 5 + 1 + 1, "one probe by mail"
    assert deliver(sqlite_database, transports, using=settings) == 0
    clock.advance(timedelta(minutes=5, seconds=1))
    assert deliver(sqlite_database, transports, using=settings) == 1

    away.failing.clear()
    clock.advance(timedelta(minutes=5, seconds=1))
    deliver(sqlite_database, transports, using=settings)
    assert len(away.to(DUTY)) == 5
    assert set(states(sqlite_database)) == {"sent"}


def test_an_unknown_transport_keeps_its_rows_and_says_so(
    sqlite_database, make_settings, clock, assess, deliver, memory
):
    settings = make_settings(offices=[{"id": "a", "name": "科", "addresses": ["pager:7", DUTY]}])
    assess(sqlite_database, level="I")
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database, using=settings)

    assert [letter.recipient for letter in memory.letters] == [DUTY, CHIEF]
    row = next(r for r in list_notices(sqlite_database) if r["transport"] == "pager")
    assert (row["state"], row["reply"]) == ("deferred", "没有配置这个通知通道")


def test_a_transport_with_a_mistake_of_its_own_stops_nobody(
    sqlite_database, make_settings, clock, assess, deliver, memory
):
    class Broken(Memory):
        def send(self, letter):
            raise KeyError("secret-token")

    settings = make_settings(offices=[{"id": "a", "name": "科", "addresses": ["pager:7", DUTY]}])
    assess(sqlite_database)
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database, {"smtp": memory, "pager": Broken()}, using=settings)

    assert [letter.recipient for letter in memory.letters] == [DUTY]
    row = next(r for r in list_notices(sqlite_database) if r["transport"] == "pager")
    assert row["state"] == "deferred"
    assert "secret" not in row["reply"]


def test_no_more_than_the_rate_in_a_minute(sqlite_database, make_settings, clock, assess, deliver):
    class Slow(Memory):
        rate = 3

    slow = Slow()
    slow.rate = 3
    settings = make_settings()
    for number in range(7):
        assess(sqlite_database, title=f"第{number}件", level="I")
    open_items(sqlite_database, settings, clock.now())

    counted = []
    for _ in range(4):
        deliver(sqlite_database, {"smtp": slow}, using=settings)
        counted.append(len(slow.letters))
        clock.advance(61)

    assert counted == [3, 6, 7, 7]


def test_more_than_one_can_read_comes_in_one_letter_that_hides_nothing(
    database, alert, clock, deliver, memory
):
    for number in range(15):
        alert(database, title=f"第{number}件", level="IV" if number % 2 else "III")
    alert(database, title="急件", level="I")
    deliver(database)

    assert [letter.subject[:9] for letter in memory.letters] == [
        "【舆情预警·特别重",
        "【舆情预警·较大】",
    ]
    bundle = memory.letters[1]
    assert "积压 15 条（较大8条、一般7条）" in bundle.subject
    for number in range(15):
        assert f"第{number}件" in bundle.text
        assert f"第{number}件" in bundle.html
    assert bundle.text.index("【Ⅲ级·较大】") < bundle.text.index("【Ⅳ级·一般】")
    assert states(database) == {"sent": 17}
    assert deliver(database) == 0
    events = show_item(database, 1)["events"]
    assert [line["kind"] for line in events] == ["opened", "notified"]


def test_a_bundle_killed_in_the_middle_comes_back_whole_with_one_message_id(
    sqlite_database, settings, alert, clock, deliver, memory
):
    class Killed(BaseException):
        pass

    class Killer(Memory):
        def send(self, letter):
            memory.send(letter)
            raise Killed

    for number in range(12):
        alert(sqlite_database, title=f"第{number}件")
    with pytest.raises(Killed):
        deliver_one(sqlite_database, {"smtp": Killer()}, settings, clock=clock, random=Random(1))
    alert(sqlite_database, title="后来的")
    for _ in range(2):  # the later one waits until two minutes after the bundle
        clock.advance(timedelta(minutes=3))
        deliver(sqlite_database)

    first, again, later = memory.letters
    assert first.id == again.id
    assert first.text == again.text
    assert "后来的" in later.subject
    assert set(states(sqlite_database)) == {"sent"}


def test_later_letters_hang_on_the_bundle_that_began_the_thread(
    sqlite_database, settings, alert, assess, clock, deliver, memory
):
    posts = [assess(sqlite_database, title=f"第{n}件") for n in range(12)]
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)
    assess(sqlite_database, post=posts[0], version=2, level="I")
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)

    bundle, growth = memory.letters
    assert growth.parent == bundle.id


def test_a_refused_bundle_is_passed_on_item_by_item(
    sqlite_database, settings, alert, clock, deliver, memory
):
    memory.failing[DUTY] = NotDelivered(Trouble.RECIPIENT, "550 no", permanent=True)
    for number in range(12):
        alert(sqlite_database, title=f"第{number}件")
    deliver(sqlite_database)

    passed = "\n".join(letter.text for letter in memory.to(CHIEF))
    assert all(f"第{number}件" in passed for number in range(12))


def test_a_reminder_of_a_closed_item_is_dropped_and_said_so(
    sqlite_database, settings, assess, clock, deliver, memory
):
    post = assess(sqlite_database, level="IV")
    open_items(sqlite_database, settings, clock.now())
    deliver(sqlite_database)
    assess(sqlite_database, post=post, version=2, level="II")
    open_items(sqlite_database, settings, clock.now())
    with sqlite_database.write() as connection:  # in the hands of a worker when it was closed
        connection.execute(
            notices.update()
            .where(notices.c.stage == "growth")
            .values(state="sending", lease_until=clock.now(), lease_by="dead", attempts=1)
        )
    move_item(sqlite_database, 1, State.DISMISSED, by="王", via="cli", note="误报", now=clock.now())
    deliver(sqlite_database)

    assert len(memory.letters) == 1
    assert show_item(sqlite_database, 1)["events"][-1]["kind"] == "superseded"


def test_a_resend_is_a_new_row_that_says_what_it_repeats(
    sqlite_database, alert, clock, deliver, memory
):
    alert(sqlite_database)
    deliver(sqlite_database)
    old = memory.letters[0].id

    new = resend(sqlite_database, old, by="王值班", now=clock.now())
    deliver(sqlite_database)

    assert new != old
    assert [letter.id for letter in memory.letters] == [old, new]
    row = next(r for r in list_notices(sqlite_database) if r["id"] == new)
    assert row["detail"]["resend_of"] == old
    kinds = [line["kind"] for line in show_item(sqlite_database, 1)["events"]]
    assert kinds == ["opened", "notified", "resent", "notified"]
    with pytest.raises(NoSuchNotice):
        resend(sqlite_database, "nothing", by="王值班", now=clock.now())


def test_what_is_still_owed_is_brought_forward_not_doubled(
    sqlite_database, alert, clock, deliver, memory
):
    memory.failing[DUTY] = NotDelivered(Trouble.RECIPIENT, "450 later")
    alert(sqlite_database)
    deliver(sqlite_database)
    memory.failing.clear()
    (row,) = list_notices(sqlite_database)

    assert resend(sqlite_database, row["id"], by="王值班", now=clock.now()) == row["id"]
    assert deliver(sqlite_database) == 1


@pytest.mark.parametrize("step", [timedelta(days=-1), timedelta(days=1)])
def test_a_step_of_the_clock_strands_nothing(sqlite_database, alert, clock, deliver, memory, step):
    memory.failing["*"] = NotDelivered(Trouble.LINK, "refused")
    alert(sqlite_database)
    deliver(sqlite_database)
    memory.failing.clear()

    clock.step(step)
    clock.advance(90)

    assert deliver(sqlite_database) == 1
    assert states(sqlite_database) == {"sent": 1}


def test_no_confirmation_twice_is_an_alarm_and_copies_become_rare(
    sqlite_database, alert, clock, deliver, memory
):
    memory.failing[DUTY] = NotDelivered(Trouble.UNSURE, "无应答")
    alert(sqlite_database)
    tries = 0
    for _ in range(24 * 12):
        tries += deliver(sqlite_database)
        clock.advance(timedelta(minutes=5))

    assert "邮件交出后多次收不到服务器确认" in {i.title for i in list_items(sqlite_database)}
    assert tries - len(memory.to(CHIEF)) <= 8, "copies to one person in a day"


def test_an_idle_outbox_takes_no_write_lock(sqlite_database, settings, clock, memory):
    with sqlite_database.write():  # somebody is writing: a tick with nothing to do must not wait
        done = deliver_one(
            sqlite_database, {"smtp": memory}, settings, clock=clock, random=Random(1)
        )

    assert done is False


def test_receipts_are_kept(sqlite_database, alert, deliver, memory):
    alert(sqlite_database)
    deliver(sqlite_database)
    (row,) = list_notices(sqlite_database)

    assert row["reply"] == Receipt("kept as number 1").reply
    assert (row["lease_by"], row["lease_until"]) == ("", None)
