"""What a start finds before anything is touched, and what the daemon is given of the world."""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from security.issuing import make_issuer, make_signer
from usher import run
from usher.config.problems import ConfigErrors
from usher.network import Network, Told
from usher.simulator.material import CALLER, DemoSite, make_broker, make_site
from usher.standing import trouble

YEAR = 365 * 24 * 3600


@pytest.fixture
def site(tmp_path: Path) -> DemoSite:
    """A site whose broker is not there: a start does not ask it."""
    broker = make_broker(tmp_path / "w", port=4999)
    broker.directory.mkdir()
    (broker.directory / "tls.pem").write_text(broker._pem[0])
    return make_site(tmp_path / "w", broker, int(time.time()))


def arguments(site: DemoSite, **options: Any) -> argparse.Namespace:
    given = {"config": str(site.config), "choria_config": str(site.choria_config), "state": None, "pid": None}
    return argparse.Namespace(**(given | {"debug": False, "observe": False} | options))


def change(site: DemoSite, **settings: Any) -> None:
    written = yaml.safe_load(site.config.read_text()) | settings
    site.config.write_text(yaml.safe_dump({name: value for name, value in written.items() if value is not ...}))


def refused(site: DemoSite, **options: Any) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        run.read(arguments(site, **options))
    return str(caught.value).splitlines()


def test_a_site_that_is_right_can_start(site: DemoSite):
    settings = run.read(arguments(site))
    assert settings.problems == ()
    assert settings.state.path == site.state
    assert settings.networks[0].policy.signer


def test_who_observes_stands_in_no_election_and_asks_nothing_of_a_feature(site: DemoSite):
    change(site, leader_election=True, election_name="a")
    (provisions,), (observes,) = (run.read(arguments(site, observe=each)).networks for each in (False, True))
    assert (provisions.outside.way.election_name, observes.outside.way.election_name) == ("a", "")
    assert (observes.policy.observe, observes.policy.features) == (True, frozenset())


def test_everything_that_is_wrong_is_found_at_once(site: DemoSite, capsys: pytest.CaptureFixture[str]):
    past = make_signer(make_issuer(), CALLER, int(time.time()) - 2 * YEAR, YEAR)
    (site.site / "signer.jwt").write_text(past.token)
    site.helper.chmod(0o600)
    change(site, interval="5s", jwt_verify_cert="nonsense", choria_insecure=True)
    with site.choria_config.open("a") as file:
        file.write("plugin.choria.network.connect_timeout = soon\n")
    assert run.run(arguments(site)) == run.WRONG
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for named in ("interval", "choria_insecure", "connect_timeout"):
        assert named in said, said
    assert not (site.state / "lock").exists()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda site: site.helper.chmod(0o600), "not executable"),
        (lambda site: site.helper.unlink(), "there is no file"),
        (lambda site: (site.site / "signer.seed").unlink(), "signer.seed"),
        (lambda site: (site.site / "signer.seed").write_text("zz"), "signer.seed"),
        (lambda site: (site.site / "signer.jwt").write_text("a.b"), "signer.jwt"),
        (lambda site: site.ca.write_text("no certificate"), "tls.pem"),
        (lambda site: change(site, jwt_verify_cert="/nowhere"), "jwt_verify_cert"),
        (lambda site: change(site, leader_election=True, election_name="*"), "election_name"),
        (lambda site: site.choria_config.unlink(), "choria.cfg"),
        (lambda site: site.config.unlink(), "usher.yaml"),
        (lambda site: site.config.write_text("- a\n"), "usher.yaml"),
    ],
)
def test_each_mistake_is_a_line_and_ends_with_2(
    site: DemoSite, spoil: Callable[[DemoSite], None], named: str, capsys: pytest.CaptureFixture[str]
):
    spoil(site)
    assert run.run(arguments(site)) == run.WRONG
    said = capsys.readouterr().err
    assert named in said
    assert all(line.startswith("usher: ") for line in said.splitlines())
    assert not (site.state / "usher.db").exists()


def test_several_files_that_are_wrong_are_several_lines(site: DemoSite):
    site.helper.unlink()
    (site.site / "signer.seed").unlink()
    change(site, jwt_verify_cert="/nowhere")
    said = refused(site)
    assert len(said) >= 3


def test_an_expired_login_stops_the_start(site: DemoSite):
    past = make_signer(make_issuer(), CALLER, int(time.time()) - 2 * YEAR, YEAR)
    (site.site / "signer.seed").write_text(past.seed_hex)
    (site.site / "signer.jwt").write_text(past.token)
    assert any("expired" in line for line in refused(site))


def test_a_seed_that_everybody_may_read_is_a_check_and_strict_refuses_it(site: DemoSite):
    (site.site / "signer.seed").chmod(0o644)
    settings = run.read(arguments(site))
    checks = {problem.check for problem in settings.problems if problem.check}
    assert len(checks) == 1
    assert "strictness: strict" in str(settings.problems[0])
    change(site, strictness="strict")
    assert any("signer.seed" in line for line in refused(site))


def test_a_state_directory_that_was_chosen_counts_and_not_the_written_one(site: DemoSite, tmp_path: Path):
    (tmp_path / "file").write_text("")
    change(site, state_directory=str(tmp_path / "file"))
    assert any("not a directory" in line for line in refused(site))
    chosen = tmp_path / "chosen"
    assert run.read(arguments(site, state=str(chosen))).state.path == chosen


def test_a_state_directory_too_deep_for_its_socket_ends_with_2(
    site: DemoSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    deep = tmp_path / ("x" * 100)
    assert run.run(arguments(site, state=str(deep))) == run.WRONG
    assert "name a shorter directory" in capsys.readouterr().err


def test_who_logs_in(site: DemoSite):
    found = run.read(arguments(site))
    password = yaml.safe_load(site.config.read_text())["broker_provisioning_password"]
    credentials = found.networks[0].outside.way.credentials
    assert (credentials.user, credentials.password) == ("provisioner", password)
    with site.choria_config.open("a") as file:
        file.write("plugin.nats.user = carl\nplugin.nats.pass = hunter2\n")
    credentials = run.read(arguments(site)).networks[0].outside.way.credentials
    assert (credentials.user, credentials.password) == ("provisioner", password)
    change(site, broker_provisioning_password=...)
    credentials = run.read(arguments(site)).networks[0].outside.way.credentials
    assert (credentials.user, credentials.password) == ("carl", "hunter2")


async def test_the_connect_timeout_of_the_file_reaches_every_connection(site: DemoSite):
    with site.choria_config.open("a") as file:
        file.write("plugin.choria.network.connect_timeout = 7s\n")
    outside = run.read(arguments(site)).networks[0].outside
    assert outside.way.connect_timeout == 7.0
    told = Told(lambda *_: None, lambda _: None, lambda _: None, lambda *_: None, Nothing())
    network = Network(outside.way, told, outside.clock)
    assert [each._options.connect_timeout for each in (network.events, network.calls)] == [7.0, 7.0]


class Nothing:
    """transport.reports.Discards"""

    def count(self, reason: str) -> None:
        """Not counted."""


@pytest.mark.parametrize(
    ("holds", "paused", "said"),
    [
        ({}, None, ""),
        ({"paused": "x", "disconnected": "y"}, {"by": "anna", "reason": "why"}, "paused by anna: why"),
        ({"disconnected": "y"}, None, "not connected to the broker (rpc: Authorization Violation)"),
        ({"disk_full": "the disk is full"}, None, "the disk is full"),
    ],
)
def test_trouble_is_one_sentence(holds: dict[str, str], paused: dict[str, str] | None, said: str):
    connections = {"rpc": {"reason": "Authorization Violation"}, "events": {"reason": ""}}
    assert trouble({"pid": 1, "holds": holds, "paused": paused, "connections": connections}) == said


@pytest.mark.usefixtures("root")
def test_a_pid_file_or_a_port_that_cannot_be_had_ends_with_2(
    site: DemoSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run.run(arguments(site, pid=str(tmp_path / "missing" / "usher.pid"))) == run.WRONG
    assert "missing/usher.pid" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        change(site, monitor_address="127.0.0.1", monitor_port=taken.getsockname()[1])
        assert run.run(arguments(site)) == run.WRONG
    assert "choose another monitor_port" in capsys.readouterr().err
