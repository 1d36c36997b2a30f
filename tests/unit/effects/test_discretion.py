"""A node's own words are kept without what is secret; nobody else's words are kept at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.events import Ack, KeyFacts
from tests.fakes.effects import CONFIGURATION, IDENTITY, REPLY, SECRET, EffectsBench
from tests.fakes.rpc import Said
from tests.fakes.site import NODE
from usher.effects.site import SiteFacts
from usher.effects.tokens import Tokens
from usher.harmless import Harmless, Section

ORDINARY = "correcthorse"


@pytest.fixture
def bench(tmp_path: Path) -> EffectsBench:
    made = EffectsBench(tmp_path)
    made.site = SiteFacts(Tokens([SECRET]), made.store.lineage, secrets=(SECRET, "broker-password"))
    return made


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (f"token {SECRET} is wrong", "token [redacted] is wrong"),
        ("broker-password", "[redacted]"),
        (f"cannot write {ORDINARY} to /etc/choria", "cannot write [redacted] to /etc/choria"),
        (f"identity {IDENTITY} is taken", f"identity {IDENTITY} is taken"),
        ("of eyJhbGciOi.eyJqdGkiOi.c2ln", "of [redacted]"),
        ("disk full", "disk full"),
    ],
)
async def test_a_refusal_is_kept_without_what_is_secret(bench: EffectsBench, words: str, kept: str):
    snapshot = bench.held(Effect.CONFIGURE)
    secret = replace(REPLY, configuration=CONFIGURATION | {"plugin.x.password": ORDINARY})
    bench.hand.keep_reply(snapshot, secret)
    bench.says("configure", code=1, message=words)
    assert (await bench.failed(Effect.CONFIGURE, snapshot)).detail == kept
    bench.says("configure", {"message": words})
    facts = (await bench.done(Effect.CONFIGURE, snapshot)).facts
    assert isinstance(facts, Ack)
    assert facts.message == kept


async def test_before_there_is_a_configuration_the_sites_secrets_are_known(bench: EffectsBench):
    bench.rpc.on(IDENTITY, "jwt", Said({}, 1, f"no {SECRET}"))
    assert (await bench.failed(Effect.FETCH_JWT)).detail == "no [redacted]"


async def test_a_directory_is_a_nodes_word_too(bench: EffectsBench):
    snapshot = bench.held(Effect.NEW_KEY)
    signature = NODE.sign(bench.intent(Effect.NEW_KEY, snapshot).nonce().encode()).hex()
    bench.says("gen25519", {"public_key": NODE.public_hex, "directory": f"/x/{SECRET}", "signature": signature})
    facts = (await bench.done(Effect.NEW_KEY, snapshot)).facts
    assert isinstance(facts, KeyFacts)
    assert facts.directory == "/x/[redacted]"


@pytest.mark.parametrize(
    ("section", "name", "shown"),
    [
        (Section.CONFIGURATION, "identity", True),
        (Section.CONFIGURATION, "LogLevel", True),
        (Section.CONFIGURATION, "plugin.security.issuer.choria.public", True),
        (Section.CONFIGURATION, "plugin.x.password", False),
        (Section.CLAIMS, "cht", False),
        (Section.CLAIMS, "chpwd", False),
        (Section.CLAIMS, "extensions", False),
        (Section.INVENTORY, "facts", False),
        (Section.INVENTORY, "version", True),
        (Section.CLAIMS, "version", False),
    ],
)
def test_values_are_shown_by_their_names(section: Section, name: str, shown: bool):
    assert Harmless().shows(section, name) is shown


@pytest.mark.parametrize("pattern", ["loglevel", "LOG*", "configuration.loglevel", "configuration.*", "*"])
def test_redact_keys_take_names_off_the_list(pattern: str):
    assert not Harmless((pattern,)).shows(Section.CONFIGURATION, "loglevel")
    assert Harmless((f"inventory.{pattern}",)).shows(Section.CONFIGURATION, "loglevel")


@pytest.mark.parametrize("address", ["nats://u:correcthorse@b:4222", "nats://a:4222,nats://correcthorse@b:4222"])
def test_an_address_with_a_password_is_hidden_under_every_name(address: str):
    assert Harmless().shown(Section.CLAIMS, "chu", address) is None
    assert list(Harmless().secrets(Section.CLAIMS, {"chu": address})) == [ORDINARY]


def test_an_address_without_one_is_shown():
    address = "nats://a.example.net:4222,nats://b.example.net:4222"
    assert Harmless().shown(Section.CLAIMS, "chu", address) == address
    assert list(Harmless().secrets(Section.CLAIMS, {"chu": address})) == []
    assert Harmless().shown(Section.CLAIMS, "cht", "x") is None


def test_every_text_within_a_hidden_value_is_a_secret():
    document = {"facts": {"a": ["one-one", {"b": "two-two"}], "n": 5, "s": "abc", "t": "true"}, "version": "0.30.1"}
    assert sorted(Harmless().secrets(Section.INVENTORY, document)) == ["one-one", "two-two"]
    assert "0.30.1" in list(Harmless(("version",)).secrets(Section.INVENTORY, document))
