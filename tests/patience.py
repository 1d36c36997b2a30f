"""Patience: how long a test waits for what happens within a second on a machine that is not busy.

Rules:
1. It is a limit for what would hang, never a measure: a slow and busy machine must not fail a test.
2. Whatever a test waits for without a limit of its own is bounded by LONGEST (tests/conftest.py), which says where.
"""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 90.0
"""Seconds for something that happens at once, or within a few turns of a loop, of a thread, or of another process."""
LONGEST: Final = 600
"""Seconds after which a test that is still under way is a failure, and not a run that never ends."""
