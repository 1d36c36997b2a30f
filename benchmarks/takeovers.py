"""How long nobody leads: who leads is killed, frozen and stopped in turn, with nodes in flight each time.

python -m benchmarks.takeovers [--rounds 9] [--ttl 10] [--nodes 8] [--network x509]

Rules:
1. The time is from the blow to the moment at which the other usher goes to work, as its own log has it.
2. Each round checks what tests/integration/election checks: no node executes a request of the old epoch after one of
   the new, and every node is provisioned. A round that fails ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.fakes.pair import Blow, Taken, pair
from usher.simulator.networks import Kind

ORDER = (Blow.STOP, Blow.KILL, Blow.FREEZE, Blow.CUT)


def main() -> int:
    """Run the rounds, and print a line for each kind of blow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="default 9")
    parser.add_argument("--ttl", type=float, default=10.0, metavar="SECONDS", help="of the bucket (default 10)")
    parser.add_argument("--nodes", type=int, default=8, metavar="N", help="new nodes in each round (default 8)")
    kinds = [kind.value for kind in Kind]
    help_ = "its kind (default issuer); a leader of x509 sends nothing for a bucket TTL of 30 s or less"
    parser.add_argument("--network", choices=kinds, default=Kind.ISSUER.value, help=help_)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="usher-takeovers-") as directory:
        taken = asyncio.run(rounds(Path(directory) / "pair", args))
    print("\n".join(lines(taken, args.ttl)))
    return 0


async def rounds(directory: Path, asked: argparse.Namespace) -> list[Taken]:
    """Blow after blow, each to who leads then."""
    taken: list[Taken] = []
    async with pair(directory, asked.ttl, Kind(asked.network)) as both:
        leader, other = "a", "b"
        for number in range(asked.rounds):
            taken.append(await both.takeover(ORDER[number % len(ORDER)], leader, other, asked.nodes))
            said = f"{number + 1}/{asked.rounds}: {taken[-1].blow.value}, {taken[-1].seconds:.2f} s"
            print(said, file=sys.stderr, flush=True)
            leader, other = other, leader
    return taken


def lines(taken: Sequence[Taken], ttl: float) -> list[str]:
    """A table: how often, the median, and the longest."""
    said = [f"bucket TTL {ttl:g} s; seconds until the other usher works", "| leader | times | median | longest |"]
    said.append("|---|---|---|---|")
    for blow in ORDER:
        times = [each.seconds for each in taken if each.blow is blow]
        if times:
            said.append(f"| {blow.value} | {len(times)} | {median(times):.2f} | {max(times):.2f} |")
    return said


if __name__ == "__main__":
    sys.exit(main())
