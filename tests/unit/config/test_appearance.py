"""As whom usher appears: the security providers, their files, and the certname, as go-choria has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from security.client_certificate import Paths
from tests.fakes.client_file import GOOD, usable
from tests.fakes.names import FixedNames
from usher.config.appearance import CertificateFiles, TokenFiles, Unsecured, provider_of
from usher.config.client import load_client
from usher.config.problems import Severity
from usher.config.summary import client_values

FILE = """\
plugin.security.provider = file
plugin.security.file.certificate = /etc/c.pem
plugin.security.file.key = ~/k.pem
plugin.security.file.ca = /etc/ca.pem
plugin.choria.middleware_hosts = broker:4222
identity = me.example.net
"""
PUPPET = "plugin.choria.middleware_hosts = broker:4222\nidentity = me.example.net\n"
ROOT = FixedNames("host", root=True)


def certified(found: Any) -> CertificateFiles:
    appearance = usable(found).appearance
    assert isinstance(appearance, CertificateFiles)
    return appearance


@pytest.mark.parametrize(
    ("environ", "names", "certname"),
    [
        ({"MCOLLECTIVE_CERTNAME": "a.mcollective", "USER": "rip"}, FixedNames("host"), "a.mcollective"),
        ({"MCOLLECTIVE_CERTNAME": "a.mcollective"}, ROOT, "a.mcollective"),
        ({"MCOLLECTIVE_CERTNAME": "", "USER": "rip"}, FixedNames("host"), "rip.mcollective"),
        ({"USER": "rip"}, FixedNames("host"), "rip.mcollective"),
        ({"USER": "root"}, ROOT, "me.example.net"),
        ({}, FixedNames("host"), "me.example.net"),
        ({"USER": ""}, FixedNames("host"), "me.example.net"),
    ],
)
def test_the_certname_of_the_provider_file(read, environ: dict[str, str], names: FixedNames, certname: str):
    assert certified(read(FILE, names, **environ)).certname == certname
    client, _ = read(f"{FILE}plugin.security.provider = x\n", names, **environ)
    assert client is None


def test_the_files_of_the_provider_file(read):
    found = certified(read(FILE, HOME="/home/rip"))
    settings = tuple(f"plugin.security.file.{name}" for name in ("certificate", "key", "ca"))
    assert found.paths == Paths(Path("/etc/c.pem"), Path("/home/rip/k.pem"), Path("/etc/ca.pem"), settings)
    assert provider_of(found) == "file"


@pytest.mark.parametrize("name", ["certificate", "key", "ca"])
def test_each_of_them_is_needed(read, name: str):
    key = f"plugin.security.file.{name}"
    client, problems = read("".join(line for line in FILE.splitlines(keepends=True) if not line.startswith(key)))
    assert client is None
    assert [(problem.where.partition(": ")[2], problem.what) for problem in problems] == [(key, "it is missing")]


@pytest.mark.parametrize("text", [PUPPET, f"plugin.security.provider = puppet\n{PUPPET}"])
def test_puppet_is_the_usual_provider_and_its_layout_is_known(read, text: str):
    found = certified(read(text, USER="rip", HOME="/home/rip"))
    ssl = Path("/home/rip/.puppetlabs/etc/puppet/ssl")
    assert found.certname == "rip.mcollective"
    assert found.paths.files == (
        ssl / "certs" / "rip.mcollective.pem",
        ssl / "private_keys" / "rip.mcollective.pem",
        ssl / "certs" / "ca.pem",
    )
    assert provider_of(found) == "puppet"


def test_puppets_directory_is_what_is_written_then_what_puppet_says_to_root(read):
    names = FixedNames("host", root=True, ssldir="/etc/puppetlabs/puppet/ssl")
    assert certified(read(PUPPET, names, USER="root")).paths.ca == Path("/etc/puppetlabs/puppet/ssl/certs/ca.pem")
    assert names.asked == ["ssldir"]
    names = FixedNames("host", root=True)
    text = f"{PUPPET}plugin.choria.ssldir = ~/ssl\n"
    found = certified(read(text, names, USER="root", HOME="/root"))
    assert (found.certname, found.paths.ca, names.asked) == ("root.mcollective", Path("/root/ssl/certs/ca.pem"), [])


@pytest.mark.parametrize(
    ("names", "environ", "setting", "says"),
    [
        (ROOT, {"USER": "root"}, "plugin.choria.ssldir", "puppet does not say it"),
        (FixedNames("host"), {"USER": "rip"}, "plugin.choria.ssldir", "HOME is not set"),
        (FixedNames("host"), {"HOME": "/h"}, "plugin.security.provider", "variable USER, which is not set"),
        (FixedNames("host"), {"HOME": "/h", "USER": "a b"}, "the environment variable USER", "is not a safe name"),
        (
            FixedNames("host"),
            {"HOME": "/h", "MCOLLECTIVE_CERTNAME": "../x"},
            "the environment variable MCOLLECTIVE_CERTNAME",
            "is not a safe name",
        ),
    ],
)
def test_what_puppet_needs_and_is_not_there(read, names, environ: dict[str, str], setting: str, says: str):
    client, problems = read(PUPPET, names, **environ)
    assert client is None
    (problem,) = problems
    assert problem.where.endswith(setting)
    assert says in problem.what


def test_settings_of_another_provider_are_a_warning(read):
    tokens = "plugin.security.choria.token_file = /t\nplugin.security.choria.ca = /ca\n"
    client = usable(read(FILE + tokens))
    assert [(problem.severity, problem.what) for problem in client.problems] == [
        (Severity.WARNING, "it is not used, since the provider is file")
    ] * 2
    assert isinstance(usable(read(GOOD)).appearance, TokenFiles)


@pytest.mark.parametrize("text", [GOOD, FILE, PUPPET, GOOD.replace("= choria", "= pkcs11")])
def test_choria_insecure_forces_neither(tmp_path: Path, text: str):
    path = tmp_path / "client.conf"
    path.write_text(text)
    client = load_client(path, {"USER": "rip"}, tmp_path, FixedNames("host"), insecure=True)
    assert client.appearance == Unsecured("rip.mcollective")
    assert {problem.severity for problem in client.problems} <= {Severity.WARNING}
    assert any(
        source.key == "plugin.security.provider" and "choria_insecure" in source.where for source in client.sources
    )


def test_the_summary_and_where_each_value_is_from(read):
    client = usable(read(FILE, HOME="/home/rip", USER="rip"))
    values = client_values(client)
    assert values["provider"] == "file"
    assert (values["certname"], values["key"]) == ("rip.mcollective", "/home/rip/k.pem")
    sources = {source.key: source.where for source in client.sources}
    assert sources["certname"] == "the environment variable USER"
    assert sources["plugin.security.file.ca"].endswith("client.conf line 4")
    assert {"plugin.choria.ssldir", "certname"} <= {
        source.key for source in usable(read(PUPPET, USER="rip", HOME="/h")).sources
    }


def test_the_reference_of_an_x509_network(shared: Path, tmp_path: Path):
    client = load_client(shared / "reference" / "x509-network.cfg", {"USER": "choria"}, tmp_path, FixedNames("a.b.c"))
    assert isinstance(client.appearance, CertificateFiles)
    assert client.appearance.certname == "choria.mcollective"
    assert client.appearance.paths.key == Path("/etc/choria-provisioner/ssl/key.pem")
