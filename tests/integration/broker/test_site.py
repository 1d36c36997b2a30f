"""A site in a directory fits together: its fleet reaches its broker, its keys verify, its helper answers."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from nats.aio.client import Client

from fsm.ports import HelperCall, NodeKey, TokenOrder
from helpers.runners.exec import ExecHelper, ExecSettings
from security.keyfiles import verify_key
from security.keys import SigningKey
from security.signer import FileSigner
from security.tokens import decode, verify
from security.verifier import TokenVerifier
from usher.children import Child
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import DemoSite, make_broker, make_site

pytestmark = pytest.mark.network

SIMULATE = """
import argparse, sys
from usher.simulator.command import add_arguments, run
parser = argparse.ArgumentParser()
add_arguments(parser)
raise SystemExit(run(parser.parse_args(sys.argv[1:])))
"""
NOW = int(time.time())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[EmbeddedBroker, DemoSite]]:
    async with make_broker(tmp_path / "demo") as broker:
        yield broker, make_site(tmp_path / "demo", broker, NOW)


async def test_the_fleet_logs_in_with_its_token_and_says_that_it_started(site: tuple[EmbeddedBroker, DemoSite]):
    broker, made = site
    client = Client()
    context = ssl.create_default_context(cafile=str(made.ca))
    await client.connect(broker.url, user="provisioner", password=broker.passwords.provisioner, tls=context)
    events = await client.subscribe("choria.lifecycle.event.startup.provision_mode_server")
    await client.flush()
    words = made.fleet(3)
    assert words[0] == "simulate"
    fleet = Child("the fleet", [sys.executable, "-P", "-c", SIMULATE, *words[1:]], made.directory / "fleet.log")
    fleet.start()
    hearing = asyncio.gather(*(events.next_msg(30) for _ in range(3)))
    await asyncio.wait({hearing, fleet.ended}, return_when=asyncio.FIRST_COMPLETED)
    assert hearing.done(), fleet.tail()
    said = [json.loads(message.data)["subject"] for message in hearing.result()]
    assert sorted(said) == ["node-0001.example.net", "node-0002.example.net", "node-0003.example.net"]
    await fleet.stop()
    assert fleet.ended.result() == 0
    await client.close()


async def test_tokens_verify_with_the_keys_that_the_yaml_names(site: tuple[EmbeddedBroker, DemoSite]):
    _, made = site
    settings = yaml.safe_load(made.config.read_text())
    verifier = TokenVerifier(verify_key(settings["jwt_verify_cert"]))
    claims = verifier.provisioning_token(made.provisioning_token.read_text(), NOW * 1000)
    assert claims.provisions_by_default
    assert claims.claims["cht"] == settings["token"]
    signer = FileSigner(settings["jwt_signing_key"], settings["jwt_signing_token"], 3600 * 24)
    assert signer.warnings == ()
    assert signer.problems(NOW * 1000) == ()
    order = TokenOrder("n1.example.net", SigningKey.generate().public_hex, NOW * 1000, bytes(16), {}, {"a": "b"})
    token = decode(signer.server_token(order).text)
    verify(token, verify_key(SigningKey.from_hex((made.site / "signer.seed").read_text()).public_hex))


async def test_the_helper_is_one_that_usher_can_run(site: tuple[EmbeddedBroker, DemoSite]):
    _, made = site
    settings = yaml.safe_load(made.config.read_text())
    call = HelperCall(
        "n1.example.net",
        '{"facts":{"environment":"development"}}',
        NodeKey("ab" * 32, "/etc/choria", "cd" * 64),
        {"chu": made.url, "chpd": True},
    )
    reply = await ExecHelper(settings["helper"], ExecSettings(workers=1)).run(call)
    assert reply.configuration["plugin.choria.middleware_hosts"] == made.url
    assert reply.configuration["loglevel"] == "debug"
    assert reply.server_claims["exp"] > NOW
    assert (reply.defer, reply.shutdown, reply.stderr) == (False, False, "")


async def test_a_directory_is_not_used_twice(site: tuple[EmbeddedBroker, DemoSite]):
    _, made = site
    before = {path: path.stat().st_mtime_ns for path in await asyncio.to_thread(lambda: list(made.site.iterdir()))}
    with pytest.raises(Exception, match="not empty"):
        make_broker(made.directory)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert shutil.which(str(made.helper))
