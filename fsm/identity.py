"""Which names are safe: as subject tokens, as file names and as claims.

Rules:
1. A name that is not safe is refused before anything is sent to it or said about it (design §7, always refused).
2. Letters, digits, `_` and `-` in labels that are joined by single dots; at most 253 characters.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 253
_SAFE: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


def is_safe(identity: str) -> bool:
    """Whether a node may have this name."""
    return len(identity) <= LONGEST and _SAFE.fullmatch(identity) is not None
