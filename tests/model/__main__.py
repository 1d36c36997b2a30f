"""`python -m tests.model [FAULTS [wide]]`: the model search from the command line, as deep as time allows."""

from __future__ import annotations

import sys
import time

from fsm.policy import Policy
from tests.model.search import search
from tests.model.usher import CARRIED, X509, Rules


def main(arguments: list[str]) -> None:
    """Search each kind of node, and say how large and how long it was."""
    faults = int(arguments[0]) if arguments else 3
    for kind, policy, supplies in (("ed25519", Policy(), False), ("x509", X509, False), ("keys", CARRIED, True)):
        began = time.perf_counter()
        result = search(Rules(policy=policy, supplies=supplies), faults=faults, wide="wide" in arguments)
        took = time.perf_counter() - began
        print(f"{kind}: {result.worlds} worlds, {result.moves} moves, {took:.1f} s; ends: {result.ends}")


main(sys.argv[1:])
