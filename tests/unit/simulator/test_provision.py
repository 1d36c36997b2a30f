"""The agent choria_provision: preconditions, their order, texts, the lock, the mutex, what is written."""

from __future__ import annotations

import orjson
import pytest

from security.keys import signed_by
from tests.fakes.simulated import CONFIGURATION, ENTROPY, IDENTITY, SECRET, TOKEN, Bench, server_token, setup
from usher.simulator.model import Mode

CONFIG = orjson.dumps(dict(CONFIGURATION)).decode()
OTHER = {"caller": "other", "sender": "other"}


def test_a_key_replaces_the_one_before_and_deletes_the_token() -> None:
    bench = Bench()
    first = bench.told("gen25519", nonce="one").data
    bench.told("configure", config=CONFIG, server_jwt=server_token(first["public_key"]))
    assert "/etc/choria/server.jwt" in bench.node.files
    second = bench.ask("gen25519", {"token": SECRET, "nonce": "two"}, entropy=bytes(48))
    assert second is not None
    assert second.data["public_key"] != first["public_key"]
    assert signed_by(bytes.fromhex(second.data["public_key"]), b"two", bytes.fromhex(second.data["signature"]))
    assert second.data["directory"] == "/etc/choria"
    assert "/etc/choria/server.jwt" not in bench.node.files


def test_jwt_shows_the_file_and_a_fresh_exchange_key() -> None:
    bench = Bench()
    first = bench.told("jwt").data
    second = bench.ask("jwt", entropy=bytes(48))
    assert first["jwt"] == TOKEN
    assert second is not None
    assert second.data["ecdh_public"] != first["ecdh_public"]


def test_the_lock_is_taken_before_the_token_is_looked_at() -> None:
    bench = Bench()
    wrong = bench.ask("jwt", {"token": "wrong"})
    assert wrong is not None
    assert wrong.message == "Incorrect provision token supplied"
    other = bench.ask("jwt", **OTHER)
    assert other is not None
    assert (other.code, other.message) == (1, "Could not obtain provisioning lock")


def test_the_lock_lasts_two_minutes_and_each_call_of_its_holder_extends_it() -> None:
    bench = Bench()
    bench.told("jwt")
    bench.wait(119)
    bench.told("jwt")
    bench.wait(119)
    refused = bench.ask("jwt", **OTHER)
    assert refused is not None
    assert refused.code == 1
    bench.wait(2)
    taken = bench.ask("jwt", **OTHER)
    assert taken is not None
    assert taken.code == 0


@pytest.mark.parametrize("action", ["reprovision", "shutdown", "restart"])
def test_three_actions_ask_for_no_lock(action: str) -> None:
    bench = Bench()
    bench.told("jwt")
    answer = bench.ask(action, {"token": "wrong"}, **OTHER)
    assert answer is not None
    assert answer.message != "Could not obtain provisioning lock"


def test_while_a_restart_sleeps_the_agent_is_silent_and_the_rest_answers() -> None:
    bench = Bench()
    bench.enrol()
    assert bench.told("restart", splay=1).data == {"message": "Restarting Choria Server after 2s"}
    bench.wait(1.9)
    assert bench.ask("jwt") is None
    assert bench.ask("restart") is None
    assert bench.ask("ping", agent="rpcutil") is not None
    locked = bench.ask("jwt", **OTHER)  # the lock is in front of the mutex
    assert locked is not None
    assert locked.message == "Could not obtain provisioning lock"
    unknown = bench.ask("nope")
    assert unknown is not None
    assert unknown.code == 2


def test_restart_needs_a_configuration_that_a_server_can_read() -> None:
    bench = Bench()
    assert bench.told("restart", splay=1).message == (
        "Configuration /etc/choria/server.conf could not be parsed, restart cannot continue: "
        "open /etc/choria/server.conf: no such file or directory"
    )


@pytest.mark.parametrize("value", ["true", "1", "Yes", "t", "Y"])
def test_restart_refuses_a_configuration_that_keeps_provisioning_on(value: str) -> None:
    bench = Bench()
    config = orjson.dumps({**CONFIGURATION, "plugin.choria.server.provision": value}).decode()
    assert bench.told("configure", config=config).code == 0
    answer = bench.told("restart", splay=1)
    assert answer.message == "Configuration /etc/choria/server.conf enables provisioning, restart cannot continue"
    assert bench.node.due is not None
    assert bench.node.process.ending is None


def test_a_splay_of_nothing_is_ten_and_two_seconds_are_added() -> None:
    for draw, seconds in ((0, 2), (9, 11), (10, 2)):
        bench = Bench()
        bench.enrol()
        answer = bench.ask("restart", {"token": SECRET}, entropy=draw.to_bytes(8, "big") + ENTROPY[8:])
        assert answer is not None
        assert answer.data["message"] == f"Restarting Choria Server after {seconds}s"


def test_a_negative_splay_kills_the_process_without_an_answer() -> None:
    bench = Bench()
    bench.enrol()
    assert bench.ask("restart", {"token": SECRET, "splay": -1}) is None
    bench.wait(0)
    assert bench.mode is Mode.STOPPED


def test_configure_keeps_what_an_earlier_step_wrote() -> None:
    bench = Bench()
    answer = bench.told("configure", config=CONFIG, server_jwt="a.b.c", action_policies={"x": "y"})
    assert answer.message == 'Could not save Action Policies: expected "x" to have .policy extension'
    assert bench.node.files["/etc/choria/server.jwt"] == "a.b.c"
    assert "/etc/choria/server.conf" in bench.node.files
    assert "provisioned.provision_mode_server" not in bench.story()


def test_configure_says_provisioned_before_it_answers() -> None:
    bench = Bench()
    bench.told("configure", config=CONFIG)
    assert bench.story() == ["attach", "startup.provision_mode_server", "provisioned.provision_mode_server", "answer"]


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"config": "{}", "key": "k"}, "EDCH Public Key not supplied while providing a private key"),
        ({"config": '{"a":1}'}, "Could not decode configuration data: json: cannot unmarshal number into Go value of"),
        ({"config": "[]"}, "Could not decode configuration data: json: cannot unmarshal array into Go value of"),
        ({"config": "{"}, "Could not decode configuration data: "),
        (
            {"config": "{}", "key": "k", "ecdh_public": "ee", "certificate": "c", "ca": "a", "ssldir": "/s"},
            "TLS Setup Failed: could not decrypt private key: private key not set",
        ),
        (
            {"config": '{"plugin.security.client_anon_tls":"1"}'},
            "Could not write config: generated configuration could not be parsed: anonymous TLS can only be enabled",
        ),
    ],
)
def test_configure_refuses(inputs: dict[str, object], text: str) -> None:
    answer = Bench().told("configure", **inputs)
    assert answer.code == 1
    assert answer.message.startswith(text)
    assert answer.data == {}


def test_policies_replace_all_that_were_there() -> None:
    bench = Bench()
    bench.told("configure", config=CONFIG, action_policies={"a.policy": "1"}, opa_policies={"b.rego": "2"})
    bench.told("configure", config=CONFIG, action_policies={"c.policy": "3", "d.policy": ""})
    policies = {path: text for path, text in bench.node.files.items() if "/policies/" in path}
    assert policies == {"/etc/choria/policies/c.policy": "3"}


def test_a_newline_in_a_value_adds_a_line() -> None:
    bench = Bench()
    bench.told("configure", config=orjson.dumps({"a": "b\nplugin.choria.server.provision=1"}).decode())
    assert bench.told("restart", splay=1).message.endswith("enables provisioning, restart cannot continue")


def test_a_shutdown_ends_the_process_without_an_event() -> None:
    bench = Bench()
    answer = bench.ask("shutdown", entropy=(8).to_bytes(8, "big") + ENTROPY[8:])
    assert answer is not None
    assert answer.data == {"message": "Shutting Choria Server down after 8s"}
    bench.wait(7.9)
    assert bench.ask("ping", agent="rpcutil") is not None
    bench.wait(0.2)
    assert bench.mode is Mode.STOPPED
    assert bench.story()[-1] == "detach"
    assert not [word for word in bench.story() if word.startswith("shutdown")]
    assert bench.ask("ping", agent="rpcutil") is None
    assert bench.node.due is None


def test_an_upgrade_says_upgraded_and_comes_back_with_the_new_version() -> None:
    bench = Bench(setup(updates=True))
    answer = bench.told("release_update", repository="http://repo.example.net", version="9.9.9")
    assert answer.data == {"message": "Restarting Choria Server after 2s"}
    bench.wait(3)
    assert bench.story()[2:] == [
        "upgraded.provision_mode_server",
        "shutdown.provision_mode_server",
        "answer",
        "detach",
        "attach",
        "startup.provision_mode_server",
    ]
    inventory = bench.ask("inventory", {}, agent="rpcutil")
    assert inventory is not None
    assert (inventory.data["version"], inventory.data["upgradable"]) == ("9.9.9", True)


def test_an_upgrade_without_a_repository_fails() -> None:
    answer = Bench(setup(updates=True)).told("release_update", repository="", version="1")
    assert answer.message.startswith("Update to version 1 failed, release rolled back: ")


def test_without_rsa_keys_there_is_no_request_and_the_text_says_so() -> None:
    answer = Bench().told("gencsr", cn=IDENTITY)
    words = "Could not create private key: this simulator was started without RSA keys (--rsa-keys)"
    assert (answer.code, answer.message) == (1, words)


def test_a_provisioned_server_refuses_and_can_be_reprovisioned() -> None:
    bench = Bench()
    bench.enrol()
    bench.told("restart", splay=1)
    bench.wait(5)
    assert bench.mode is Mode.SERVER
    refused = bench.ask("jwt", collective="choria")
    assert refused is not None
    assert refused.message == "Cannot reconfigure a server that is not in provisioning mode"
    again = bench.ask("reprovision", collective="choria", entropy=(9).to_bytes(8, "big") + ENTROPY[8:])
    assert again is not None
    assert again.data == {"message": "Restarting after 11s"}
    bench.wait(12)
    assert bench.mode is Mode.PROVISIONING
    assert "/etc/choria/server.seed" not in bench.node.files
    assert bench.story()[-6:] == [
        "answer", "shutdown.server", "answer", "detach", "attach", "startup.provision_mode_server",
    ]  # fmt: skip


def test_the_exchange_key_is_the_documented_one() -> None:
    """The test vector of wire/provisioning.md §2.3."""
    secret = bytes.fromhex("67e4a9b3934a3030470ed7a30f89eeaf7dab7b492aa9ee02fb864d690b7e6eeb")
    answer = Bench().ask("jwt", entropy=secret + bytes(16))
    assert answer is not None
    assert answer.data["ecdh_public"] == "88a9a0ed27dc93c29466ea2bef99e078342b27e7a1d789fc35a9131f86c3a022"
