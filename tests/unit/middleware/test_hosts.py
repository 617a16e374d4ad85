"""The names in a Host header: what they are, and which of them this server answers to."""

from __future__ import annotations

import pytest

from flask_shim.config import Config
from flask_shim.middleware.access import AccessGuards, Hosts, to_host


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("localhost:11434", "localhost"),
        ("LOCALHOST.", "localhost"),
        ("LocalHost.:80", "localhost"),
        ("localhost:", "localhost"),
        ("127.0.0.1:9", "127.0.0.1"),
        ("[::1]:11434", "::1"),
        ("[::1]", "::1"),
        ("[fe80::1%eth0]:1", "fe80::1%eth0"),
        ("[::FFFF:127.0.0.1]", "::ffff:127.0.0.1"),
        ("my_box-2.example", "my_box-2.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
    ],
)
def test_a_host_header_gives_its_host(header, host):
    assert to_host(header) == host


@pytest.mark.parametrize(
    "header",
    [
        "",
        ".",
        " localhost",
        "localhost ",
        "localhost, evil.test",
        "localhost,localhost",
        "user@localhost",
        "localhost:x",
        "localhost:80:80",
        "localhost:123456",
        "localhost/",
        "localhost\n",
        "http://localhost",
        "::1",
        "[::1",
        "[localhost]",
        "[127.0.0.1]",
        "[]",
        "[::1]x",
        "[:::]",
        "m\xfcnchen.local",
        "\u212a.local",
        "a" * 301,
    ],
)
def test_what_is_not_one_host_gives_none(header):
    assert to_host(header) is None


ALLOWED = Hosts({"shim.example", "::1"}, machine="Box.Corp.Example.", fqdn=lambda: "box.corp.example")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "a.localhost",
        "foo.local",
        "host.docker.internal",
        "127.0.0.1",
        "0.0.0.0",
        "192.168.1.5",
        "8.8.8.8",
        "::1",
        "fe80::1%eth0",
        "box",
        "box.corp.example",
        "shim.example",
    ],
)
def test_own_names_and_addresses_are_allowed(host):
    assert ALLOWED.allows(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "localhost.evil.test",
        "local",
        "internal",
        "xlocalhost",
        "sub.shim.example",
        "box.evil.test",
        "127.0.0.1.evil.test",
        "127.1",
        "2130706433",
        "0x7f.1",
    ],
)
def test_other_names_are_not_allowed(host):
    assert not ALLOWED.allows(host)


def test_the_full_name_is_looked_up_only_for_a_host_that_could_be_it():
    asked = []

    def slow():
        asked.append("fqdn")
        return "box.corp.example"

    hosts = Hosts((), machine="box", fqdn=slow)
    assert not asked
    assert not hosts.allows("evil.test")
    assert hosts.allows("box")
    assert not asked
    assert hosts.allows("box.corp.example")
    assert not hosts.allows("box.evil.test")
    assert asked == ["fqdn", "fqdn"]


def test_a_decision_is_remembered_and_what_is_remembered_is_bounded():
    hosts = Hosts(())
    for number in range(1000):
        hosts.allows(f"{number}.evil.test")
    seen = hosts.allows.cache_info()
    assert seen.currsize == seen.maxsize == 256
    hosts.allows("999.evil.test")
    assert hosts.allows.cache_info().hits == seen.hits + 1


def test_the_machines_own_name_is_allowed_without_a_lookup(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "ThisBox")
    monkeypatch.setattr("socket.getfqdn", lambda: pytest.fail("a lookup may take seconds"))
    assert AccessGuards(Config()).check_host({"HTTP_HOST": "thisbox"}) is None


def test_a_machine_without_a_name_allows_no_empty_one(monkeypatch):
    assert not Hosts((), machine="").allows(".corp.example")
