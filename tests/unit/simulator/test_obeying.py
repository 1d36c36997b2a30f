"""Whom a server with a certificate obeys once it is provisioned; to everybody else it is silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fakes.authority import make_authority, pem, rsa_key
from tests.fakes.simulated import SECRET, Bench
from tests.unit.simulator.test_x509 import CA, certified, configure, restarted, v1
from transport.wire.caller import Caller
from transport.wire.mcorpc import encode_call
from transport.wire.versions import WIRES, Version, WireRequest, decode_request
from usher.simulator.model import Mode

OPERATOR = "operator.mcollective"


def serving() -> Bench:
    """A provisioned server."""
    bench = Bench(v1())
    configure(bench, certified(bench.told("gencsr").data["csr"]))
    assert restarted(bench) is Mode.SERVER
    return bench


def asking(bench: Bench, **changes: Any) -> WireRequest:
    """A request of an operator, signed as such requests are, and decoded; its parts may be others'."""
    caller = Caller(
        Version.V1, "usher", f"choria={OPERATOR}", pem(CA.issue(OPERATOR)),
        lambda message: rsa_key().sign(message, PKCS1v15(), SHA256()),
    )  # fmt: skip
    made = WIRES[Version.V1].encode_request(
        encode_call("choria_provision", "reprovision", {"token": SECRET}),
        caller=caller, agent="choria_provision", request_id="0" * 32, reply_to="mcollective.reply.x.r", ttl=60,
        time_ns=bench.now, collective="mcollective", filter_agents=("choria_provision",),
    )  # fmt: skip
    return replace(decode_request(made), **changes)


def test_an_operator_whom_its_authority_names_is_obeyed_until_the_process_is_gone():
    bench = serving()
    assert bench.hear(asking(bench))
    assert bench.node.files[bench.setup.config_file].count("plugin.choria.server.provision=1") == 1
    assert bench.hear(asking(bench, agent="rpcutil", payload=encode_call("rpcutil", "ping", {})))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": Version.V2},
        {"caller": "choria=other.mcollective"},
        {"signature": b"s"},
        {"signature": None},
        {"credential": "insecure"},
        {"credential": pem(make_authority("another").issue(OPERATOR))},
    ],
)
def test_anybody_else_meets_silence_and_is_counted(changes: dict[str, Any]):
    bench = serving()
    before = bench.node.process.counters.unvalidated
    assert bench.hear(asking(bench, **changes)) == ()
    assert bench.node.process.counters.unvalidated == before + 1
