"""The files of docs/install.md are files that usher takes, and the helper there answers what a node can be sent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fsm.ports import HelperCall, NodeKey
from helpers.configuration import keeps_provisioning, unsafe_configuration
from helpers.runners.exec import ExecHelper, ExecSettings
from tests.architecture.house import ROOT
from tests.fakes.names import FixedNames
from tests.unit.docs.pages import blocks
from usher.config.client import read_client
from usher.config.networks import read_site

PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page's files in a directory."""
    for language, name in (("yaml", "usher.yaml"), ("ini", "client.conf"), ("python", "helper.py")):
        (text,) = blocks(PAGE, language)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_sites_file(folder: Path):
    site, problems = read_site(folder / "usher.yaml", {})
    assert site is not None
    assert problems == ()
    assert site.command == ("/etc/usher/helper.py",)


def test_the_clients_file(folder: Path):
    client, problems = read_client(folder / "client.conf", {}, folder, FixedNames("host"))
    assert client is not None
    assert [problem.check for problem in problems] == ["ca_missing"]  # its file is not on this machine
    assert [server.url for server in client.servers] == ["nats://broker.example.net:4222"]


async def test_the_helper(folder: Path):
    key = NodeKey("ab" * 32, "/etc/choria", "cd" * 64)
    call = HelperCall("n1.example.net", '{"facts":{}}', key, {"chu": "nats://broker.example.net:4222"})
    reply = await ExecHelper(f"{sys.executable} -IS {folder / 'helper.py'}", ExecSettings(1)).run(call)
    assert unsafe_configuration(reply.configuration) is None
    assert not keeps_provisioning(reply.configuration, provisions_by_default=True)
    assert reply.configuration["identity"] == "n1.example.net"
    (site, *_) = blocks(PAGE, "yaml")
    assert f"jwt_verify_cert: {reply.configuration['plugin.security.issuer.choria.public']}\n" in site
