"""What the embedded broker is configured with, and what is said when it is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from usher.simulator.broker import EmbeddedBroker, Passwords

PEM = ("certificate", "key")


def test_passwords_are_drawn_anew_for_each_broker():
    first, second = Passwords(), Passwords()
    drawn = {first.provisioner, first.node, first.fleet, second.provisioner, second.node, second.fleet}
    assert len(drawn) == 6
    assert all(len(password) == 32 for password in drawn)


def test_a_node_may_do_what_a_broker_lets_an_unprovisioned_node_do(tmp_path: Path, shared: Path):
    text = EmbeddedBroker(tmp_path, PEM).configuration()
    reference = (shared / "wire" / "nats-server.conf").read_text()
    for subject in ("choria.lifecycle.>", "provisioning.reply.>", "provisioning.registration.>", "provisioning.node.>"):
        assert f'"{subject}"' in text
        assert f'"{subject}"' in reference
    for agent in ("discovery", "rpcutil", "choria_util", "choria_provision"):
        assert f'"provisioning.broadcast.agent.{agent}"' in text
        assert f'"provisioning.broadcast.agent.{agent}"' in reference


def test_a_directory_with_quotes_and_blanks_is_quoted(tmp_path: Path):
    directory = tmp_path / 'a "strange" place'
    text = EmbeddedBroker(directory, PEM).configuration()
    assert 'a \\"strange\\" place/jetstream"' in text


def test_a_port_that_is_given_is_used_and_none_lets_the_broker_choose(tmp_path: Path):
    assert 'listen: "127.0.0.1:4222"' in EmbeddedBroker(tmp_path, PEM, port=4222).configuration()
    assert 'listen: "127.0.0.1:-1"' in EmbeddedBroker(tmp_path, PEM).configuration()


def test_nothing_is_written_before_it_starts(tmp_path: Path):
    broker = EmbeddedBroker(tmp_path / "broker", PEM)
    assert broker.pid == 0
    assert broker.tail() == ""
    broker.stop()
    assert not (tmp_path / "broker").exists()


def test_without_the_wheel_the_extra_is_named(root: Path):
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from usher.simulator.broker import BrokerMissingError, binary\n"
        "try: print(binary())\n"
        "except BrokerMissingError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "The embedded broker is not installed: pip install 'choria-usher[demo]'"
