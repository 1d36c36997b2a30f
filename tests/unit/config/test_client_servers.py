"""Which brokers a Choria client configuration names, and where to ask for them when it names none."""

from __future__ import annotations

import pytest

from tests.fakes.client_file import GOOD, usable, without
from usher.config.hosts import HOSTS
from usher.config.problems import Severity
from usher.config.servers import Lookup, Server, parse_server


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("b:4222", Server("b", 4222)),
        (" nats://b.example.net:4222 ", Server("b.example.net", 4222)),
        ("TLS://b:1/path?x", Server("b", 1, "tls")),
        ("nats://user:pass@b:4222", Server("b", 4222)),
        ("[::1]:4222", Server("::1", 4222)),
        ("nats://[fe80::1%eth0]:4222", Server("fe80::1%eth0", 4222)),
        ("10.0.0.1:65535", Server("10.0.0.1", 65535)),
    ],
)
def test_a_server(text: str, server: Server):
    assert parse_server(text) == server


def test_an_ipv6_server_has_its_brackets_in_its_url():
    assert parse_server("[::1]:4222").url == "nats://[::1]:4222"
    assert parse_server("tls://b:1").url == "tls://b:1"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("b", "it is not host:port"),
        ("", "it is not host:port"),
        (":4222", "it is not host:port"),
        ("::1:4222", "it is not host:port"),
        ("b:x", "it is not host:port"),
        ("b:0", "0 is no port"),
        ("b:65536", "65536 is no port"),
        ("wss://b:1", "the scheme wss is not supported"),
        ("[abc]:1", "it is not host:port"),
        ("[::1%]:1", "it is not host:port"),
        ("b:99999999999999999999", "it is not host:port"),
        ("nats://b", "the port cannot be left out"),
        ("u:s3cret@b:1", "it is not host:port"),
    ],
)
def test_what_is_no_server_says_so(read, text: str, what: str):
    with pytest.raises(ValueError, match=what):
        parse_server(text)
    client, problems = read(without("plugin.choria.middleware") + f"plugin.choria.middleware_hosts = a:1, {text}\n")
    assert client is None
    assert what in str(problems[0])
    assert "client.conf line 5: plugin.choria.middleware_hosts" in str(problems[0])
    assert "s3cret" not in str(problems)


def test_several_servers_keep_their_order(read):
    text = without("plugin.choria.middleware") + "plugin.choria.middleware_hosts = b:1, nats://a:2 ,[::1]:3\n"
    assert [server.url for server in usable(read(text)).servers] == ["nats://b:1", "nats://a:2", "nats://[::1]:3"]


def test_without_servers_dns_is_asked_in_the_domain_that_is_written(read):
    text = without("plugin.choria.middleware") + "plugin.choria.srv_domain = example.net\n"
    client = usable(read(text))
    assert (client.servers, client.problems) == ((), ())
    assert client.lookup == Lookup("example.net", f"{client.file} line 5")
    client = usable(read(text, CHORIA_SRV_DOMAIN="other.net"))
    assert client.lookup == Lookup("other.net", "the environment variable CHORIA_SRV_DOMAIN")


def test_a_written_server_ends_the_question(read):
    assert usable(read(GOOD + "plugin.choria.srv_domain = example.net\n")).lookup is None


def test_without_servers_and_domain_facter_is_asked_and_a_warning_says_so(read):
    client = usable(read(without("plugin.choria.middleware"), CHORIA_SRV_DOMAIN=""))
    assert (client.servers, client.lookup) == ((), Lookup("", "facter's networking.domain"))
    assert client.problems[0].severity is Severity.WARNING
    assert "without facter the broker is puppet:4222" in client.problems[0].what
    assert "add the line `plugin.choria.middleware_hosts = broker.example.net:4222`" in client.problems[0].next_step


@pytest.mark.parametrize("off", ["0", "no", "False", "N", "f", " no ", "perhaps"])
def test_without_servers_and_srv_it_is_the_last_resort_of_go_choria(read, off: str):
    client = usable(read(without("plugin.choria.middleware") + f"plugin.choria.use_srv = {off}\n"))
    assert (client.servers, client.lookup) == ((), None)
    said = [problem for problem in client.problems if HOSTS in problem.where]
    assert said[0].severity is Severity.WARNING
    assert "plugin.choria.use_srv is off, so the broker is puppet:4222" in said[0].what
    odd = [problem for problem in client.problems if "neither yes nor no" in problem.what]
    assert bool(odd) == (off == "perhaps")


@pytest.mark.parametrize("on", ["1", "YES", "true", "y", "T"])
def test_what_go_choria_takes_for_yes(read, on: str):
    assert usable(read(without("plugin.choria.middleware") + f"plugin.choria.use_srv = {on}\n")).lookup is not None


@pytest.mark.parametrize("domain", ["a b", "*", "a..b", "ü"])
def test_what_is_no_domain_is_refused(read, domain: str):
    client, problems = read(without("plugin.choria.middleware") + f"plugin.choria.srv_domain = {domain}\n")
    assert client is None
    assert "is not a domain" in problems[0].what


@pytest.mark.parametrize(
    ("text", "url", "says"),
    [
        ("foo://b:1", "nats://b:1", "the scheme foo, which is read as nats"),
        ("nats://u:s3cret@b:1", "nats://b:1", "user and password"),
        ("nats://b:1/x?y", "nats://b:1", "what stands after the port"),
        ("nats://b:1/", "nats://b:1", ""),
    ],
)
def test_what_does_not_count_in_a_server_is_a_mistake_without_secrets(read, text: str, url: str, says: str):
    client = usable(read(without("plugin.choria.middleware") + f"plugin.choria.middleware_hosts = {text}\n"))
    assert [server.url for server in client.servers] == [url]
    assert [problem.severity for problem in client.problems] == ([Severity.MISTAKE] if says else [])
    assert says in str(client.problems)
    assert "s3cret" not in str(client.problems)
