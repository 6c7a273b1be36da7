"""One token call, however many ask; renewed before its end; sealed where it lies."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from crawler.channels import wechat
from crawler.quota import Purpose
from crawler.tokens import AGAIN, BREATH, EARLY, Fresh, NoToken, TokenStore
from crawler.wechat.caller import Question, Unwritten
from crawler.wechat.published import PATH

LIFE = timedelta(hours=2)


class Platform:
    """Gives token-1, token-2 … and counts how often it was asked."""

    def __init__(self):
        self.asked = 0
        self.error = None
        self.same = False

    def __call__(self):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Fresh(f"token-{1 if self.same else self.asked}", LIFE)


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def store(database, clock):
    return TokenStore(database, clock, channel="wx", secret="geheim", account="wxapp")


def together(number, work):
    barrier = Barrier(number)

    def one(_):
        barrier.wait()
        try:
            return work()
        except NoToken as error:
            return error.why

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_twenty_at_the_end_of_a_token_make_one_call(database, clock, platform, store):
    store.get(platform)
    clock.advance(LIFE)

    got = together(20, lambda: store.get(platform))

    assert set(got) == {"token-2"}
    assert platform.asked == 2


def test_twenty_callers_at_the_end_of_a_token_make_one_call_over_http(desk, publish):
    publish(1)
    desk.options = {"quotas": {"published": 10_000}}
    desk.api.quotas["/cgi-bin/freepublish/batchget"] = 10_000
    desk.api.latency = 0.02

    def ask():
        body = {"offset": 0, "count": 1, "no_content": 1}
        channel = wechat.build(desk.channel, desk.tools)
        with channel._calling(Unwritten(desk.database, "wx")) as caller:
            page = caller.call(Question("published", PATH, body), Purpose.MANUAL)
        return page.data["item_count"]

    assert ask() == 1
    desk.clock.advance(LIFE)
    got = together(20, ask)

    assert got == [1] * 20
    assert len(desk.api.asked("stable_token")) == 2
    assert not any(call.body.get("force_refresh") for call in desk.api.calls)
    assert not [call for call in desk.api.calls if call.code]


def test_twenty_whose_token_was_refused_make_one_call(store, platform):
    stale = store.get(platform)

    got = together(20, lambda: store.get(platform, stale=stale))

    assert set(got) == {"token-2"}
    assert platform.asked == 2


def test_twenty_before_a_platform_that_refuses_make_one_call(store, platform):
    platform.error = NoToken("本机不在白名单内")

    got = together(20, lambda: store.get(platform))

    assert set(got) == {"本机不在白名单内"}
    assert platform.asked == 1


def test_it_is_renewed_before_its_end_while_the_old_one_still_works(store, platform, clock):
    store.get(platform)
    clock.advance(LIFE - EARLY - timedelta(seconds=1))
    early = store.get(platform)
    clock.advance(2)

    assert (early, store.get(platform)) == ("token-1", "token-2")


def test_a_renewal_that_fails_leaves_the_old_one_in_use(store, platform, clock):
    store.get(platform)
    clock.advance(LIFE - EARLY + timedelta(seconds=1))
    platform.error = NoToken("微信系统繁忙", clock.now() + timedelta(minutes=2))

    with pytest.raises(NoToken):
        store.get(platform)
    assert store.get(platform) == "token-1"
    assert platform.asked == 2


def test_the_same_token_given_again_does_not_start_a_storm(store, platform, clock):
    platform.same = True
    store.get(platform)
    clock.advance(LIFE - EARLY + timedelta(seconds=1))
    for _ in range(10):
        assert store.get(platform) == "token-1"
    clock.advance(AGAIN)
    store.get(platform)

    assert platform.asked == 2


def test_a_platform_to_be_left_alone_is_left_alone_but_for_a_person(store, platform, clock):
    platform.error = NoToken("AppSecret 不正确", clock.now() + timedelta(minutes=30))
    for _ in range(5):
        with pytest.raises(NoToken, match="AppSecret"):
            store.get(platform)
    assert platform.asked == 1

    platform.error = None
    assert store.get(platform, insist=True) == "token-2"


def test_a_fetcher_that_dies_is_replaced_when_its_claim_is_over(store, platform, clock):
    class Killed(BaseException):
        pass

    def die():
        raise Killed

    # What kill -9 leaves behind: the claim, and nobody to give it back.
    store._look("dead", stale="", insist=False, waited=None)
    clock.advance(46)

    assert store.get(platform) == "token-1"
    with pytest.raises(Killed):
        store.get(die, stale="token-1")
    clock.advance(BREATH)
    assert store.get(platform, stale="token-1") == "token-2"


def test_what_lies_in_the_database_opens_with_the_secret_alone(database, clock, platform, store):
    store.get(platform)
    other = TokenStore(database, clock, channel="wx", secret="another", account="wxapp")

    assert other.get(platform) == "token-2"
    with database.read() as connection:
        stored = str(connection.exec_driver_sql("select value from positions").all())
    assert "token-" not in stored


CHILD = """
import sys, time
from pathlib import Path
from config.clock import SystemClock
from crawler.tokens import Fresh, TokenStore
from datetime import timedelta
from store.engine import Database

folder, name = Path(sys.argv[1]), sys.argv[2]

def fetch():
    (folder / f"asked-{name}").touch()
    time.sleep(0.3)
    return Fresh("token-of-" + name, timedelta(hours=2))

database = Database(f"sqlite:///{folder}/tinglan.db")
store = TokenStore(database, SystemClock(), channel="wx", secret="s" * 20, account="a")
(folder / f"ready-{name}").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
print(store.get(fetch))
"""


def test_several_processes_make_one_call(sqlite_database, tmp_path):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(n)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    while len(list(tmp_path.glob("ready-*"))) < 4:
        assert all(child.poll() is None for child in children)
    (tmp_path / "go").touch()
    said = {child.communicate(timeout=60)[0].strip() for child in children}

    assert len(said) == 1
    assert len(list(tmp_path.glob("asked-*"))) == 1
