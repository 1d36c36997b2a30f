"""`python -m tests.model [FAULTS [wide]]`: the model search from the command line, as deep as time allows."""

from __future__ import annotations

import sys
import time

from tests.model.search import search
from tests.model.usher import Rules


def main(arguments: list[str]) -> None:
    """Search, and say how large and how long it was."""
    faults = int(arguments[0]) if arguments else 3
    began = time.perf_counter()
    result = search(Rules(), faults=faults, wide="wide" in arguments)
    print(f"{result.worlds} worlds, {result.moves} moves, {time.perf_counter() - began:.1f} s; ends: {result.ends}")


main(sys.argv[1:])
