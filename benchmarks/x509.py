"""How fast a burst of x509 nodes is provisioned with an authority in the process, and what of it costs what.

Rules:
1. The whole is measured as benchmarks.throughput measures it; the daemon is benchmarks.certifying_daemon.
2. The parts are measured alone, over what a node of such a network really sends and is sent; the best of several
   rounds counts, since what comes on top is the machine's other users.
3. What no part explains is usher's own: machine, journal, sealing, log, metrics, event loop, TLS, sockets.

    python -m benchmarks.x509 [--nodes 10000] [--connections 50] [--repeat 3] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from benchmarks.processes import calibration
from benchmarks.scene import Figures, RunError, Setting, run
from benchmarks.throughput import COLUMNS, INLINE, ROOT, machine
from fsm.certifying import Supplied
from security.ca import SmallCa
from security.csr import RequestVerifier
from security.node_tls import RsaPair
from security.supplied import SuppliedVerifier
from transport.wire.caller import Caller
from transport.wire.mcorpc import encode_answer, encode_call
from transport.wire.versions import WIRES, Version
from usher.config.keys import DENIED
from usher.simulator.material import YEAR
from usher.simulator.networks import Kind
from usher.simulator.x509_site import make_authority

LEAST: Final = 6_000
"""Nodes a minute that are to be reached."""
ROUNDS, NODES = 5, 50
NODE: Final = "node-00001.example.net"
REQUESTS: Final = ("jwt", "inventory", "gencsr", "daemon_stats", "configure", "restart", "daemon_stats", "daemon_stats")
"""What a node is asked; the last two are looks that nobody answers."""
ANSWERS: Final = {"jwt": 900, "inventory": 1500, "gencsr": 1600, "daemon_stats": 400, "configure": 60, "restart": 60}
"""Bytes of what the simulated nodes answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the daemon, and its CPU in milliseconds a node."""

    title: str
    ms: float


class Parts:
    """What is done for one node, each as a piece of work."""

    def __init__(self, now: int) -> None:
        """Make an authority, a client and a node; `now` in Unix seconds."""
        self._now, self._authority = now, make_authority(now)
        self._client = self._caller(self._authority)
        pair = RsaPair.generate()
        self._request, self._public = pair.request({"cn": NODE}), pair.public_pem
        self._certificate = self._authority.certify(self._request, NODE, now, YEAR)
        wire = WIRES[Version.V1]
        self._replies = [
            wire.encode_reply(
                encode_answer(action, 0, "OK", {"said": "x" * size}),
                request_id="0" * 32, sender=NODE, agent="choria_provision", time_ns=now * 10**9,
            )
            for action, size in ANSWERS.items()
        ]  # fmt: skip
        self._requests, self._judge = RequestVerifier(DENIED), SuppliedVerifier(DENIED)
        fingerprint = self._requests.certificate_request(self._request, self._public, NODE).fingerprint
        self._offer = Supplied((NODE, NODE), self._certificate, self._authority.certificate, "", fingerprint, "/ssl")

    def found(self) -> list[Part]:
        """Each part."""
        return [
            Part("the authority signs the certificate", _ms(self._certify)),
            Part(f"the wire: {len(REQUESTS)} requests encoded and signed (RSA)", _ms(self._ask)),
            Part(f"the wire: {len(ANSWERS)} replies decoded, hashes checked", _ms(self._decode)),
            Part("usher: the request judged", _ms(self._judge_request)),
            Part("usher: the certificate judged", _ms(self._judge_certificate)),
        ]

    def _caller(self, authority: SmallCa) -> Caller:
        certificate, key = authority.issue("usher.mcollective", self._now, YEAR)
        private = load_pem_private_key(key.encode(), None)
        if not isinstance(private, RSAPrivateKey):
            raise TypeError("the authority issues RSA keys")
        sign = lambda data: private.sign(data, PKCS1v15(), SHA256())  # noqa: E731 one use
        return Caller(Version.V1, "usher.example.net", "choria=usher.mcollective", certificate, sign)

    def _certify(self) -> None:
        self._authority.certify(self._request, NODE, self._now, YEAR)

    def _ask(self) -> None:
        for action in REQUESTS:
            data = {"config": "x" * 400, "certificate": self._certificate} if action == "configure" else {}
            WIRES[Version.V1].encode_request(
                encode_call("choria_provision", action, data),
                caller=self._client, agent="choria_provision", request_id="0" * 32, reply_to="provisioning.reply.x",
                ttl=60, time_ns=self._now * 10**9, filter_agents=("choria_provision",),
            )  # fmt: skip

    def _decode(self) -> None:
        for reply in self._replies:
            orjson.loads(WIRES[Version.V1].decode_reply(reply).payload)

    def _judge_request(self) -> None:
        self._requests.certificate_request(self._request, self._public, NODE)

    def _judge_certificate(self) -> None:
        self._judge.supplied(self._offer, self._now * 1000)


def _ms(work: Callable[[], None]) -> float:
    """Milliseconds of this thread, the best of the rounds."""
    took = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(NODES):
            work()
        took.append(time.thread_time() - began)
    return min(took) / NODES * 1000


def main() -> int:
    """Measure and print; the exit code is 1 if a node was lost, or the aim was missed."""
    parser = argparse.ArgumentParser(description="x509 nodes a minute, and what the authority, the wire and usher cost")
    parser.add_argument("--nodes", type=int, default=10_000, metavar="N", help="default 10000")
    parser.add_argument("--connections", type=int, default=50, metavar="N", help="of the fleet (default 50)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="whole runs (default 3)")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for databases")
    parser.add_argument("--json", action="store_true", help="one document")
    asked = parser.parse_args()
    os.chdir(ROOT)  # the daemon is a module of this folder
    calibrations = [calibration()]
    parts = Parts(int(time.time())).found()
    setting = Setting(
        asked.nodes, "inline", asked.connections, INLINE, asked.dir, 120 + asked.nodes / 20,
        ("benchmarks.certifying_daemon",), kind=Kind.X509,
    )  # fmt: skip
    try:
        runs = [asyncio.run(run(setting)) for _ in range(asked.repeat)]
    except RunError as error:
        print(f"x509: {error}", file=sys.stderr)
        return 1
    calibrations.append(calibration())
    _tell(parts, runs, calibrations, as_json=asked.json)
    reached = median(figures.a_minute for figures in runs) >= LEAST
    return int(not reached or any(figures.lost for figures in runs))


def _tell(parts: Sequence[Part], runs: Sequence[Figures], calibrations: Sequence[float], *, as_json: bool) -> None:
    whole = median(figures.with_looks for figures in runs)
    rest = Part("usher: all the rest", whole - sum(part.ms for part in parts))
    lines = [*parts, rest, Part("the daemon, as measured", whole)]
    if as_json:
        found = {"parts": [asdict(line) for line in lines], "runs": [asdict(figures) for figures in runs]}
        print(json.dumps({**machine(), "calibration_ms": calibrations, **found}))
        return
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print("calibration: " + ", ".join(f"{each:.1f}" for each in calibrations) + " ms\n")
    print(f"| | {runs[0].nodes:,} nodes |\n|---|---:|")
    for column in COLUMNS:
        print(f"| {column.title} | {median(column.of(figures) for figures in runs):,.{column.digits}f} |")
    print("\n| of it | CPU ms a node | share |\n|---|---:|---:|")
    for line in lines:
        print(f"| {line.title} | {line.ms:,.2f} | {line.ms / whole:.0%} |")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
