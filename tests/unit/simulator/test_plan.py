"""The options of usher simulate: what they make, and each mistake by its name."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from security import tokens
from security.issuing import make_issuer, make_provisioning_token
from security.keys import SigningKey
from tests.fakes.simulated import NOW_S, SECRET, TOKEN
from transport.wire.versions import Version
from usher.simulator.command import add_arguments, run
from usher.simulator.kinds import KEYS, keys_wanted, sized_facts
from usher.simulator.model import Setup
from usher.simulator.plan import ArgumentsError, make_plan
from usher.simulator.profile import Amount, Profile, Servers
from usher.simulator.startup import claims
from usher.simulator.unkind import Fault, Rule
from usher.simulator.wire_client import Broker


def token_with(**changes: Any) -> str:
    given = {"token": "t", "urls": ["nats://h"], **changes}
    return make_provisioning_token(make_issuer(bytes(32)), NOW_S, 9, **given)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(list(words))


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "provisioning.jwt"
    path.write_text(TOKEN + "\n")
    return str(path)


def test_the_token_says_where_and_as_whom(token: str) -> None:
    plan = make_plan(options("--token", token, "--nodes", "3"))
    assert plan.broker == Broker("127.0.0.1", 4222)
    assert (plan.login.token, plan.login.user, plan.login.password) == (TOKEN, "node", "p")
    assert (plan.setup.secret, plan.setup.by_default, plan.setup.updates) == (SECRET, True, False)
    assert list(plan.names) == ["node-0001.example.net", "node-0002.example.net", "node-0003.example.net"]


def test_options_go_before_the_token(token: str) -> None:
    words = ["--token", token, "--broker", "tls://b.example.net:5000", "--upgradable", "--domain", "x.org"]
    words += ["--names", "web{}", "--first", "7", "--nodes", "1", "--lose", "jwt=0.5", "--lose", "0.1", "--seed", "9"]
    plan = make_plan(options(*words))
    assert plan.broker == Broker("b.example.net", 5000)
    assert plan.setup.updates
    assert list(plan.names) == ["web7.x.org"]
    assert plan.unkindness.rules == (Rule(Fault.LOSE, 0.5, "jwt"), Rule(Fault.LOSE, 0.1))
    assert plan.unkindness.seed == 9


def test_a_token_is_made_with_an_issuers_seed(tmp_path: Path) -> None:
    seed = tmp_path / "issuer.seed"
    seed.write_text(make_issuer(bytes(32)).seed_hex)
    words = ["--issuer-seed", str(seed), "--secret", "s", "--broker", "nats://h:1", "--user", "u", "--password", "p"]
    plan = make_plan(options(*words))
    told = claims(plan.login.token)
    assert (told["cht"], told["chu"], told["chusr"], told["chpwd"], told["v2"]) == ("s", "nats://h:1", "u", "p", True)
    assert plan.login.user == "u"
    assert plan.setup.version is Version.V2


def test_a_token_of_each_protocol_is_made_and_shown_by_who_speaks_it(tmp_path: Path) -> None:
    seed, profile = tmp_path / "issuer.seed", tmp_path / "profile.yaml"
    seed.write_text(make_issuer(bytes(32)).seed_hex)
    profile.write_text("nodes: 4\nservers: [{nodes: 1, protocol: v2}, {nodes: 1, without: [gen25519, release_update]}]")
    words = [
        "--issuer-seed",
        str(seed),
        "--secret",
        "s",
        "--protocol",
        "v1",
        "--rsa-keys",
        "2",
        "--without",
        "shutdown",
    ]
    plan = make_plan(options(*words, "--profile", str(profile)))
    assert (plan.setup.version, len(plan.setup.keys)) == (Version.V1, 2)
    assert "v2" not in claims(plan.setup.token)
    newer, older = sorted(plan.setups.values(), key=lambda one: len(one.lacks))
    assert (newer.version, claims(newer.token)["v2"], newer.lacks) == (Version.V2, True, {"shutdown"})
    assert (older.version, older.token) == (Version.V1, plan.setup.token)
    assert older.lacks == {"shutdown", "gen25519", "release_update"}
    assert plan.told[1:] == (
        "     1 of them: speak protocol v2",
        "     1 of them: are too old for gen25519, release_update",
        "gencsr     draws from 2 RSA keys that were made once: nodes may have the same one",
    )


@pytest.mark.parametrize(
    ("v2", "words", "spoken"), [(True, [], "v2"), (False, [], "v1"), (True, ["--protocol", "v1"], "v1")]
)
def test_nodes_speak_what_their_token_says_unless_an_option_does(tmp_path: Path, v2, words, spoken) -> None:
    path = tmp_path / "token"
    path.write_text(token_with(v2=v2))
    plan = make_plan(options("--token", str(path), "--rsa-keys", "0", *words))
    assert (plan.setup.version.value, plan.setup.keys, plan.told) == (spoken, (), ())


def test_a_fleet_that_speaks_v1_has_rsa_keys_and_another_has_none() -> None:
    fleet, mixed = Setup("t", "s"), Profile(servers=(Servers(Amount(number=1), Version.V1, frozenset()),))
    assert keys_wanted(fleet, Profile(), None) == 0
    assert keys_wanted(replace(fleet, version=Version.V1), Profile(), None) == KEYS
    assert keys_wanted(fleet, mixed, None) == KEYS
    assert keys_wanted(fleet, mixed, 5) == 5


def test_every_mistake_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--nodes", "0", "--lose", "x", "--delay", "0.1", "--facts", "/nonexistent", "--every", "0"]
    assert run(options(*words, "--connections", "0", "--ca", "/nonexistent", "--facts-size", "-1")) == 2
    said = capsys.readouterr().err.splitlines()
    assert all(line.startswith("usher simulate: ") for line in said)
    named = ["--nodes", "--lose", "--delay", "--facts", "--facts-size", "--token", "--ca", "--connections", "--every"]
    for option in named:
        assert any(option in line for line in said), option


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--every", "nan"], "--every: must be a number of seconds above 0"),
        (["--every", "inf"], "--every"),
        (["--nodes", "1000001"], "--nodes: at least 1, at most 1,000,000"),
        (["--first", "-1"], "--first: at least 0"),
        (["--facts-size", "400001"], "--facts-size: at least 0, at most 400,000 bytes"),
        (["--names", "{x}"], "--names"),
        (["--names", "same"], "several nodes one name"),
        (["--names", "a b{}"], "no safe name"),
        (["--domain", "a..b"], "no safe name"),
        (["--issuer-seed", "x"], "--issuer-seed"),
        (["--broker", "nats://"], "--broker"),
        (["--broker", "nats://h:99999"], "--broker"),
        (["--rsa-keys", "1"], "--rsa-keys"),
        (["--rsa-keys", "-2"], "--rsa-keys"),
    ],
)
def test_mistakes(token: str, words: list[str], named: str) -> None:
    with pytest.raises(ArgumentsError) as caught:
        make_plan(options("--token", token, *words))
    assert any(named in mistake for mistake in caught.value.mistakes)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("garbage", "holds no token"),
        (token_with(token=""), "no `cht`"),
        (token_with(urls=[""]), "names no broker"),
        (token_with(default=False), "`chpd`"),
        (tokens.sign({"purpose": "choria_client_id"}, SigningKey.from_seed(bytes(32))), "not a provisioning token"),
    ],
)
def test_tokens_that_no_node_could_use(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(ArgumentsError) as caught:
        make_plan(options("--token", str(path)))
    assert any(named in mistake for mistake in caught.value.mistakes)


@pytest.mark.parametrize(("seed", "secret", "named"), [("zz", "s", "--issuer-seed"), ("00" * 32, "", "--secret")])
def test_seeds_that_make_no_token(tmp_path: Path, seed: str, secret: str, named: str) -> None:
    path = tmp_path / "seed"
    path.write_text(seed)
    with pytest.raises(ArgumentsError) as caught:
        make_plan(options("--issuer-seed", str(path), "--secret", secret))
    assert any(named in mistake for mistake in caught.value.mistakes)


@pytest.mark.parametrize("size", [0, 2_000, 100_000])
def test_facts_have_the_size_that_was_asked_for(size: int) -> None:
    made = len(orjson.dumps(sized_facts({"role": "web"}, size)))
    assert abs(made - max(size, len(b'{"role":"web"}'))) <= 200


def test_facts_come_from_a_file(tmp_path: Path, token: str) -> None:
    path = tmp_path / "facts.json"
    path.write_text('{"a": 1}')
    assert make_plan(options("--token", token, "--facts", str(path))).setup.facts == {"a": 1}
    path.write_text("[]")
    with pytest.raises(ArgumentsError):
        make_plan(options("--token", token, "--facts", str(path)))
