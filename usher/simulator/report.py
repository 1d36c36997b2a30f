"""The report of a fleet: what each simulated server holds, and what reached it, for whoever checks a provisioner.

Rules:
1. One JSON object a line, a node a line, in the order of their names; times are milliseconds since 1970.
2. A seed is never written, only the public key that follows from it.
3. The file is whole or as it was before: it is written beside its place and then renamed.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from fsm.errors import UsherError
from security.keys import SigningKey
from security.node_tls import key_fingerprint
from usher.simulator.model import MILLISECOND, Node, Setup
from usher.simulator.startup import claims

TIMED: Final = frozenset({"restart", "shutdown"})
"""Requests whose times are told, since a node takes only one of them well."""


class ReportError(UsherError):
    """The report cannot be written"""

    def __init__(self, file: Path, problem: str) -> None:
        """Hold the file and what the system said."""
        super().__init__()
        self.file = file
        self.problem = problem


class Report:
    """What reached the nodes, by their host names; `write` adds what they hold."""

    def __init__(self, file: Path) -> None:
        """Name the file; nothing is written yet."""
        self.file = file
        self._requests: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._times: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))

    def heard(self, host: str, action: str, now: int) -> None:
        """A request for this action reached the process on this host (nanoseconds)."""
        self._requests[host][action] += 1
        if action in TIMED:
            self._times[host][action].append(now // MILLISECOND)

    def write(self, nodes: Iterable[Node], setup: Setup) -> None:
        """Write the file anew; raises ReportError."""
        beside = self.file.with_name(f"{self.file.name}.new")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.writelines(self._lines(nodes, setup))
            beside.replace(self.file)
        except OSError as error:
            raise ReportError(self.file, error.strerror or str(error)) from None

    def _lines(self, nodes: Iterable[Node], setup: Setup) -> Iterator[bytes]:
        for node in nodes:
            told = holding(node, setup)
            told["requests"] = dict(sorted(self._requests[node.host].items()))
            told["times"] = dict(self._times[node.host])
            yield orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def holding(node: Node, setup: Setup) -> dict[str, Any]:
    """What a node is and holds: `key` is its public key, `token_key` the one that its server token names (hex).

    On an x509 network `tls_key` and `certificate_key` are the SHA-256 of the public keys of its private key and of its
    certificate.
    """
    seed, token = node.files.get(setup.seed_file), claims(node.files.get(setup.token_file, ""))
    return {
        "node": node.host,
        "identity": node.identity,
        "phase": node.phase(setup).value,
        "process": node.process.mode.value,
        "started": node.process.started // MILLISECOND,
        "key": SigningKey.from_hex(seed).public_hex if seed else "",
        "token_key": str(token.get("public_key", "")),
        "token_id": str(token.get("jti", "")),
        "tls_key": key_fingerprint(node.files.get(setup.private_file, "")),
        "certificate_key": key_fingerprint(node.files.get(f"{setup.ssl_directory}/certificate.pem", "")),
    }
