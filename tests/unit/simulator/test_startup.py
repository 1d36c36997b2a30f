"""What a process becomes at its start: seed, token, identity, expiry, the option and the token's `chpd`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest

from tests.fakes.simulated import CONFIGURATION, NOW_S, Bench, setup
from usher.simulator.model import Mode, Phase
from usher.simulator.startup import claims, parse

PROVISION = "plugin.choria.server.provision"


def configured(bench: Bench, configuration: Mapping[str, str]) -> None:
    answer = bench.told("configure", config=orjson.dumps(dict(configuration)).decode())
    assert answer.code == 0


def restart(bench: Bench) -> None:
    assert bench.told("restart", splay=1).code == 0
    bench.wait(3)


def test_a_node_that_fits_leaves_and_says_so_as_server() -> None:
    bench = Bench()
    bench.enrol()
    before = bench.node.process.started
    restart(bench)
    assert bench.mode is Mode.SERVER
    assert bench.node.phase(bench.setup) is Phase.PROVISIONED
    assert bench.node.process.started > before
    assert bench.story()[-5:] == ["shutdown.provision_mode_server", "answer", "detach", "attach", "startup.server"]
    assert bench.node.collectives == ("choria",)


@pytest.mark.parametrize(
    "claims_", [{"public_key": "0" * 64}, {"exp": NOW_S - 1}, {"purpose": "choria_client_id"}, {"issexp": NOW_S}]
)
def test_seed_and_token_that_do_not_fit_are_deleted(claims_: Mapping[str, object]) -> None:
    bench = Bench()
    bench.enrol(**claims_)
    restart(bench)
    assert bench.mode is Mode.PROVISIONING
    assert bench.story()[-2:] == ["attach", "startup.provision_mode_server"]
    assert "/etc/choria/server.seed" not in bench.node.files
    assert "/etc/choria/server.jwt" not in bench.node.files
    assert "/etc/choria/server.conf" in bench.node.files


@pytest.mark.parametrize("missing", ["/etc/choria/server.seed", "/etc/choria/server.jwt"])
def test_half_of_the_credentials_is_none(missing: str) -> None:
    bench = Bench()
    bench.enrol()
    files = {path: text for path, text in bench.node.files.items() if path != missing}
    bench.node = bench.node._replace(files=files)
    restart(bench)
    assert bench.mode is Mode.PROVISIONING


def test_a_token_for_another_identity_leaves_the_node_nowhere() -> None:
    """The option is off, so the server does not go back; no broker lets it in (go-choria: ProvisionMode)."""
    bench = Bench()
    bench.enrol(identity="other.example.net")
    restart(bench)
    assert bench.mode is Mode.STRANDED
    assert bench.story()[-1] == "detach"
    assert "/etc/choria/server.jwt" in bench.node.files


def test_without_the_option_a_token_with_chpd_provisions_for_ever() -> None:
    bench = Bench()
    configured(bench, {name: value for name, value in CONFIGURATION.items() if name != PROVISION})
    restart(bench)
    assert bench.mode is Mode.PROVISIONING


def test_without_chpd_nothing_begins_by_itself() -> None:
    assert Bench(setup(by_default=False)).mode is Mode.STRANDED


def test_another_security_provider_is_not_played() -> None:
    bench = Bench()
    configured(bench, {PROVISION: "false"})
    restart(bench)
    assert bench.mode is Mode.STRANDED
    assert bench.node.phase(bench.setup) is Phase.STRANDED


def test_a_new_process_has_forgotten_the_lock_and_counts_anew() -> None:
    bench = Bench()
    bench.enrol(public_key="0" * 64)
    pid = bench.node.pid
    restart(bench)
    answer = bench.ask("jwt", caller="other", sender="other")
    assert answer is not None
    assert answer.code == 0
    stats = bench.ask("daemon_stats", {}, agent="rpcutil")
    assert stats is not None
    assert (stats.data["total"], stats.data["replies"], stats.data["events"], stats.data["pid"]) == (2, 1, 1, pid)


def test_alive_comes_again_and_again_with_one_id() -> None:
    bench = Bench()
    bench.wait(3 * 3600)
    alive = [orjson.loads(out.payload) for out in bench.said if ".alive." in getattr(out, "subject", "")]
    assert len(alive) >= 5
    assert len({document["id"] for document in alive}) == 1
    assert len({document["data"]["timestamp"] for document in alive}) == 1


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("# c\n\n a = b \nc=d=e\nempty=\nnothing\n", {"a": "b", "c": "d=e"}),
        ("a=1\na=2\n", {"a": "2"}),
        ("", {}),
    ],
)
def test_a_configuration_is_read_leniently(text: str, options: Mapping[str, str]) -> None:
    assert parse(text) == options


@pytest.mark.parametrize("text", ["", "a.b", "a.!.c", "a.bnVsbA.c", "a.e30"])
def test_what_is_no_token_says_nothing(text: str) -> None:
    assert claims(text) == {}
