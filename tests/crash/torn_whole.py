"""`python -m tests.crash.torn_whole`: every frame, every 61st byte and each byte of the last frames of a log is a cut.

Rules:
1. It prints how many copies were opened; the first that opens to anything else than it should ends it with 1.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.crash.torn import Torn, TornError, chance, make, steps

NODES: Final = 4
EVERY: Final = 61
WHOLE: Final = (-1, -2, -3)
SPOILED: Final = 2000
WRITTEN_BACK: Final = 200


def main() -> int:
    """Cut, flip, overwrite."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="usher-torn-") as folder:
        torn = asyncio.run(make(Path(folder), NODES))
        try:
            broken = _all(torn)
        except TornError as error:
            print(f"torn writes: {error}")
            return 1
    print(*broken[:20], sep="\n", end="\n" if broken else "")
    frames = torn.of.frames.frames
    print(
        f"torn writes: a log of {len(torn.of.log):,} bytes, {len(frames)} frames, {len(torn.ends)} transactions: "
        f"{torn.opened:,} copies opened, each to the state that was committed last in it; {len(broken)} invariants "
        f"broken; {time.monotonic() - begun:.0f} s"
    )
    return int(bool(broken))


def _all(torn: Torn) -> list[object]:
    random, log = chance(), len(torn.of.log)
    torn.truncated(steps(torn, EVERY, WHOLE))
    torn.spoiled((position * log // SPOILED for position in range(SPOILED)), random)
    torn.written_back(random, WRITTEN_BACK)
    return list(torn.deep())


if __name__ == "__main__":
    sys.exit(main())
