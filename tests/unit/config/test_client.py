"""The Choria client configuration, as go-choria reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.client_file import GOOD, usable, without
from tests.fakes.names import FixedNames
from usher.config.appearance import PROVIDER, SSL_DIRECTORY, TokenFiles
from usher.config.client import load_client, read_client
from usher.config.hosts import HOSTS
from usher.config.options import user_file
from usher.config.problems import ConfigErrors, Severity
from usher.config.servers import Server


def test_an_ordinary_file(read):
    client = usable(read(GOOD))
    assert client.identity == "me.example.net"
    assert client.appearance == TokenFiles(Path("/etc/t.jwt"), Path("/etc/s.seed"), None)
    assert client.servers == (Server("broker", 4222),)
    assert (client.connect_timeout, client.user, client.password, client.problems) == (2, "", "", ())


def test_lines_are_read_as_go_choria_reads_them(read, tmp_path: Path):
    text = (
        GOOD + "\n# identity = comment\n  \tidentity=  second \nplugin.nats.user=a = b\n#\nother = x\r\n"
        "plugin.security.choria.ca = ~/ca.pem\nplugin.choria.network.connect_timeout = 5\nplugin.nats.pass = p\n"
    )
    (tmp_path / "ca.pem").write_text("")
    client = usable(read(text, HOME=str(tmp_path)))
    assert client.identity == "second"
    assert isinstance(client.appearance, TokenFiles)
    assert (client.user, client.password, client.appearance.ca) == ("a = b", "p", tmp_path / "ca.pem")
    assert client.connect_timeout == 5
    assert client.problems == ()


def test_a_line_that_sets_nothing_is_a_mistake(read):
    client = usable(read(GOOD + "registration =\nhello\n"))
    assert [problem.severity for problem in client.problems] == [Severity.MISTAKE, Severity.MISTAKE]
    assert "client.conf line 6: it sets nothing" in str(client.problems[0])
    assert "client.conf line 7: it is not a line like" in str(client.problems[1])


def test_plugin_files_beside_it_and_project_files_above_count(read, tmp_path: Path):
    directory = tmp_path / "etc" / "plugin.d"
    directory.mkdir(parents=True)
    (directory / "choria.cfg").write_text("middleware_hosts = plugin:1\nnetwork.connect_timeout = 3s\n")
    (directory / "security.cfg").write_text("provider = file\n")
    assert usable(read(GOOD)).servers == (Server("plugin", 1),)
    assert usable(read(GOOD, HOME=str(tmp_path))).servers == (Server("broker", 4222),)
    (tmp_path / "choria.conf").write_text("plugin.choria.middleware_hosts = project:2\n")
    client = usable(read(GOOD))
    assert (client.servers, client.connect_timeout) == ((Server("project", 2),), 3)


def test_the_nearest_project_file_counts(tmp_path: Path):
    below = tmp_path / "below"
    below.mkdir()
    path = tmp_path / "client.conf"
    path.write_text(GOOD)
    (tmp_path / "choria.conf").write_text("identity = above\n")
    (below / "choria.conf").write_text("identity = near\n")
    assert load_client(path, {}, below).identity == "near"
    assert load_client(path, {}, tmp_path).identity == "above"


@pytest.mark.parametrize(
    ("names", "identity"),
    [
        (FixedNames("a.example.net", "other.example.net"), "a.example.net"),
        (FixedNames("a.b", "a.example.net"), "a.example.net"),
        (FixedNames("a", "a.example.net"), "a.example.net"),
        (FixedNames("a", "localhost"), "a"),
        (FixedNames("a", ""), "a"),
    ],
)
def test_an_identity_that_is_not_written_is_the_machines(read, names: FixedNames, identity: str):
    assert usable(read(without("identity"), names)).identity == identity


@pytest.mark.parametrize(
    ("text", "setting", "says"),
    [
        (GOOD.replace("= choria", "= pkcs11"), "plugin.security.provider", "provider pkcs11 (keys in hardware)"),
        (GOOD.replace("= choria", "= certmanager"), "plugin.security.provider", "the security provider certmanager"),
        (GOOD.replace("= choria", "= x"), "plugin.security.provider", "there is no security provider 'x'"),
        (without("plugin.security.choria.token"), "plugin.security.choria.token_file", "it is missing"),
        (without("plugin.security.choria.seed"), "plugin.security.choria.seed_file", "it is missing"),
        (GOOD + "identity = a b\n", "identity", "'a b' is not a safe name"),
        (GOOD + "identity = >\n", "identity", "'>' is not a safe name"),
        (GOOD + "plugin.choria.federation.collectives = a\n", "plugin.choria.federation.collectives", "federation"),
        (GOOD + "plugin.nats.credentials = /x\n", "plugin.nats.credentials", "not supported"),
        (GOOD + "plugin.security.client_anon_tls = yes\n", "plugin.security.client_anon_tls", "not supported"),
        (GOOD + "plugin.security.cipher_suites = X\n", "plugin.security.cipher_suites", "not supported"),
    ],
)
def test_what_matters_and_is_wrong_or_not_supported_is_refused_by_name(read, text: str, setting: str, says: str):
    client, problems = read(text)
    assert client is None
    assert [problem.where.partition(": ")[2] for problem in problems] == [setting]
    assert says in problems[0].what


def test_what_is_off_or_unused_does_not_stop_a_start(read):
    client = usable(
        read(GOOD + "plugin.security.client_anon_tls = 0\nplugin.security.choria.certificate = /x\nttl = 5\n")
    )
    assert [problem.severity for problem in client.problems] == [Severity.WARNING]


def test_everything_is_found_at_once(tmp_path: Path):
    path = tmp_path / "client.conf"
    path.write_text("identity = a b\nplugin.choria.middleware_hosts = x\n")
    with pytest.raises(ConfigErrors) as caught:
        load_client(path, {}, tmp_path, FixedNames("host"))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "identity",
        PROVIDER,
        SSL_DIRECTORY,
        HOSTS,
    ]


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path):
    for path, says in ((tmp_path / "absent", "there is no such file"), (tmp_path, "it cannot be read")):
        client, problems = read_client(path, {}, tmp_path, FixedNames("host"))
        assert client is None
        assert says in str(problems[0])


@pytest.mark.skipif(user_file({}).exists(), reason="this machine has a Choria client configuration")
def test_without_any_file_it_says_where_it_looked(tmp_path: Path):
    client, problems = read_client(None, {"HOME": str(tmp_path)}, tmp_path, FixedNames("host"))
    assert client is None
    assert f"looked for {tmp_path}/.choriarc, {tmp_path}/.mcollective, /etc/choria/client.conf" in str(problems[0])


def test_the_users_own_file_is_found_where_go_choria_finds_it(tmp_path: Path):
    (tmp_path / ".mcollective").write_text("")
    assert user_file({"HOME": str(tmp_path)}) == tmp_path / ".mcollective"
    (tmp_path / ".choriarc").write_text("")
    assert user_file({"HOME": str(tmp_path)}) == tmp_path / ".choriarc"


@pytest.mark.parametrize(
    ("written", "seconds", "says"),
    [
        (["5"], 5, ""),
        (["1m30s"], 90, ""),
        (["3x"], 2, "'3x' cannot be used: it is not a duration; 2s counts"),
        (["5s", "3x"], 5, "5s counts"),
        (["3m"], 120, "at most 120s is allowed; 120s counts"),
        (["0"], 2, "longer than nothing; 2s counts"),
        (["-1s"], 2, "longer than nothing"),
        (["9" * 5000], 120, "at most 120s"),
    ],
)
def test_a_timeout_that_cannot_be_used_leaves_what_there_was(read, written: list[str], seconds: float, says: str):
    text = "".join(f"plugin.choria.network.connect_timeout = {each}\n" for each in written)
    client = usable(read(GOOD + text))
    assert client.connect_timeout == seconds
    assert [problem.severity for problem in client.problems] == ([Severity.MISTAKE] if says else [])
    assert says in "".join(map(str, client.problems))


def test_the_environment_counts_where_go_choria_looks_at_it(read):
    text = GOOD + "plugin.nats.user = u\nplugin.nats.pass = p\n"
    given = {"MCOLLECTIVE_NATS_USERNAME": "eu", "MCOLLECTIVE_NATS_PASSWORD": "ep"}
    client = usable(read(text, **given))
    assert (client.user, client.password) == ("eu", "ep")
    client = usable(read(GOOD, **given))
    assert (client.user, client.password) == ("", "")
    assert usable(read(GOOD, MCOLLECTIVE_NATS_CREDENTIALS="/x")).user == ""


def test_a_federation_of_the_environment_is_refused(read):
    client, problems = read(GOOD, CHORIA_FED_COLLECTIVE="a")
    assert client is None
    assert problems[0].where == "the environment variable CHORIA_FED_COLLECTIVE"
    assert usable(read(GOOD, CHORIA_FED_COLLECTIVE=""))


@pytest.mark.parametrize("alone", ["plugin.nats.user = u", "plugin.nats.pass = s3cret"])
def test_a_user_without_a_password_does_not_count(read, alone: str):
    client = usable(read(GOOD + alone + "\n"))
    assert (client.user, client.password) == ("", "")
    assert client.problems[0].severity is Severity.MISTAKE
    assert "s3cret" not in str(client.problems)


def test_a_path_with_control_characters_is_refused(read):
    client, problems = read(GOOD.replace("/etc/t.jwt", "/etc/\0t"))
    assert client is None
    assert "is not the name of a file" in problems[0].what


def test_facter_is_asked_for_the_identity_after_dns(read):
    names = FixedNames("a", "", fqdn="a.example.net")
    assert usable(read(without("identity"), names)).identity == "a.example.net"
    assert names.asked == ["networking.fqdn"]
    client = usable(read(without("identity"), FixedNames("a", "a.example.org", fqdn="a.example.net")))
    assert client.identity == "a.example.org"
