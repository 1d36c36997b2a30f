"""What an election says to a real broker is what the older program said to one: subjects, headers, bodies, in order."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fsm.runtime.clock import SystemClock
from security.peers import PeerSeal
from tests.fakes.link import QUICK, Discarded, Heard, Known
from transport.connection import Connection, Handed
from transport.credentials import tls_context
from transport.election import Election
from transport.lease import Lease, Role
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.bucket import drop_bucket, key_of, make_bucket

pytestmark = pytest.mark.network
CALLER = "provisioner_signer"
SAID = re.compile(rb"(?:PUB|HPUB) (\S+) (\S+) (?:(\d+) )?(\d+)\r\n")


class Noting(Connection):
    """A connection that keeps what it hands to the socket."""

    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.said: list[bytes] = []

    def publish(self, subject: str, payload: bytes, reply: str = "", headers: bytes = b"") -> Handed:
        handed = super().publish(subject, payload, reply, headers)
        self.said.append(handed.command)
        return handed


def taken_apart(command: bytes) -> tuple[str, str, str | None, str]:
    """Subject, reply, headers and body of what was said."""
    found = SAID.match(command)
    assert found is not None, command
    rest, headers = command[found.end() : -2], int(found[3] or 0)
    return found[1].decode(), found[2].decode(), rest[:headers].decode() or None, rest[headers:].decode()


def captured(shared: Path) -> list[tuple[str, str, str | None, str]]:
    """The election of the capture, in the same form."""
    lines = (shared / "wire" / "v2-ed25519.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines if "choria.streams." in line]
    return [(row["subject"], row["reply"], row["headers"], row["payload"]) for row in rows]


@pytest.fixture
async def said(broker: EmbeddedBroker) -> list[tuple[str, str, str | None, str]]:
    """What an election says until it is won, on a bucket that is new."""
    await make_bucket(broker, 60.0)
    await drop_bucket(broker)
    await make_bucket(broker, 60.0)
    leases: Heard[Lease] = Heard()
    link = Noting(
        "lease", [broker.url], Known("provisioner", broker.passwords.provisioner), tls_context(),
        name="test", discards=Discarded(), report=Heard(), options=QUICK,
    )  # fmt: skip
    election = Election(
        link, CALLER, CALLER, SystemClock(), PeerSeal(lambda: "s3cret"), discards=Discarded(),
        changed=lambda _before, after: leases(after), heard=lambda _: None,
    )  # fmt: skip
    await election.start()
    try:
        await leases.until(lambda found: bool(found) and found[-1].role is Role.LEADER)
        assert await key_of(broker) == (CALLER, 2)
    finally:
        await election.close()
        await drop_bucket(broker)
    return [taken_apart(command) for command in link.said]


async def test_the_exchange_is_the_captured_one(said, shared: Path):
    theirs = captured(shared)
    ours = said[: len(theirs)]
    assert [(subject, headers, body) for subject, _, headers, body in ours] == [
        (subject, headers, body) for subject, _, headers, body in theirs
    ]


async def test_answers_come_to_a_subject_of_the_same_form(said, shared: Path):
    prefix = f"provisioning.reply.{hashlib.md5(CALLER.encode(), usedforsecurity=False).hexdigest()}."
    for _, reply, _, _ in said + captured(shared):
        assert reply.startswith(prefix)
        assert len(reply.split(".")) == 5
    assert len({reply for _, reply, _, _ in said}) == len(said)
    assert len({reply.rpartition(".")[0] for _, reply, _, _ in said}) == 1
