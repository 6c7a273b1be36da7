"""Which addresses a spider may ask for, and which machines they may lead to."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from crawler.site import resolver
from crawler.site.hosts import BadAddress, Hosts, absolute, is_public, split
from crawler.site.options import Options

OURS = Hosts.of(
    ["https://www.example.gov.cn/"], ["zwfw.example.gov.cn", "old.example.gov.cn:8080"], []
)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.gov.cn/a.html",
        "HTTPS://WWW.example.gov.cn/?q=1",
        "http://zwfw.example.gov.cn/",
        "https://zwfw.example.gov.cn/x",
        "http://old.example.gov.cn:8080/",
    ],
)
def test_configured_hosts_are_allowed(url):
    assert OURS.refuse(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://www.example.gov.cn.evil.com/",
        "http://evil.com/www.example.gov.cn/",
        "http://www.example.gov.cn:22/",
        "http://old.example.gov.cn/",
        "http://www.example.gov.cn@evil.com/",
        "http://evil.com#@www.example.gov.cn/",
        "http://www.example.gov.cn\\@evil.com/",
        "http://www.example.gov.cn%2eevil.com/",
        "http://www.example.gov.cn%00.evil.com/",
        "http://www.example.gov.cn .evil.com/",
        "http:///www.example.gov.cn/",
        "//www.example.gov.cn/",
        "file:///etc/passwd",
        "data:text/html,x",
        "ftp://www.example.gov.cn/",
        "javascript:alert(1)",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://www。example。gov。cn/",
        "https://www.example.gov.cn/" + "a" * 3000,
        "",
    ],
)
def test_everything_else_is_refused_with_a_reason(url):
    assert OURS.refuse(url)


def test_links_are_joined_and_made_ascii():
    base = "http://www.example.gov.cn/a/b.html"

    assert absolute(base, "../c.html#top") == "http://www.example.gov.cn/c.html"
    assert absolute(base, "/中文 目录/一.html") == (
        "http://www.example.gov.cn/%E4%B8%AD%E6%96%87%20%E7%9B%AE%E5%BD%95/%E4%B8%80.html"
    )
    for bad in ("file:///etc/passwd", "http://[bad/", "http://a b/", "mailto:x@y.cn"):
        with pytest.raises(BadAddress):
            absolute(base, bad)
    assert split("http://[::1]:8080/x").host == "::1"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2400:3200::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("100.127.255.254", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("192.0.2.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::8.8.8.8", True),
    ],
)
def test_which_addresses_belong_to_the_public_internet(address, public):
    assert is_public(ipaddress.ip_address(address)) is public


class Receiver:
    def __init__(self):
        self.addresses, self.ended = [], 0

    def resolutionBegan(self, _resolution):
        pass

    def addressResolved(self, address):
        self.addresses.append(address.host)

    def resolutionComplete(self):
        self.ended += 1


class Reactor:
    """Answers names from a table, and lets a test ring its timers."""

    def __init__(self, *answers):
        self.answers, self.timers, self.nameResolver = answers, [], self

    def callLater(self, _seconds, call):
        timer = SimpleNamespace(call=call, active=lambda: True, cancel=lambda: None)
        self.timers.append(timer)
        return timer

    def resolveHostName(self, receiver, *_more):
        if not self.answers:
            return
        for host in self.answers:
            receiver.addressResolved(SimpleNamespace(host=host))
        receiver.resolutionComplete()


def test_only_addresses_we_may_connect_to_come_through():
    receiver = Receiver()
    reactor = Reactor("10.0.0.5", "8.8.8.8", "fe80::1%eth0", "::ffff:127.0.0.1")

    resolver.GuardedResolver(reactor, [], 10).resolveHostName(receiver, "www.example.gov.cn", 80)

    assert (receiver.addresses, receiver.ended) == (["8.8.8.8"], 1)
    assert "www.example.gov.cn" in resolver.refused


def test_a_host_configured_for_it_may_lead_inside():
    receiver = Receiver()

    resolver.GuardedResolver(Reactor("10.0.0.5"), ["oa.example.gov.cn"], 10).resolveHostName(
        receiver, "OA.example.gov.cn", 80
    )

    assert receiver.addresses == ["10.0.0.5"]


def test_a_name_that_does_not_resolve_in_time_is_given_up():
    receiver, reactor = Receiver(), Reactor()

    resolver.GuardedResolver(reactor, [], 10).resolveHostName(receiver, "slow.example.gov.cn", 80)
    reactor.timers[0].call()
    reactor.timers[0].call()

    assert (receiver.addresses, receiver.ended) == ([], 1)


def column(url="https://www.example.gov.cn/tzgg/", **more):
    return {"columns": [{"url": url}], **more}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "expected a column, a feed or a sitemap"),
        (column("ftp://a.gov.cn/"), "expected an http"),
        (column(delay=0.2), "expected 1s or more"),
        (column(delay="0s"), "expected 1s or more"),
        (column(timeout="10m"), "timeout: expected"),
        (column(hosts=["https://a.gov.cn/"]), "expected a host name"),
        (column(colour="red"), "Extra inputs"),
        ({"columns": [{"url": "http://a.gov.cn/", "kind": "poem"}]}, "kind"),
        ({"columns": [{"url": "http://a.gov.cn/"}, {"url": "http://a.gov.cn/"}]}, "twice"),
    ],
)
def test_settings_that_would_do_harm_are_refused(options, said):
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(options)
    assert said in str(caught.value) or said in str(caught.value.errors())


def test_settings_as_people_write_them():
    options = Options.model_validate(
        column(hosts=["img.example.gov.cn"], private_hosts=["oa.example.gov.cn"], delay="2s")
    )

    assert options.allowed().places == {
        ("www.example.gov.cn", 443),
        ("img.example.gov.cn", 80),
        ("img.example.gov.cn", 443),
    }
    assert options.allowed().private == {"oa.example.gov.cn"}
    assert options.columns[0].speaker == "own"
    local = Options.model_validate(column("http://127.0.0.1:8000/x/", delay=0))
    assert local.allowed().private == {"127.0.0.1"}
