"""Request ids in the form that Choria uses: a KSUID, 27 characters of base 62 (wire/protocol.md §3.3).

Rules:
1. Pure: the time and the 16 random bytes come from outside.
2. Ids that are made later sort later, to the second.
"""

from __future__ import annotations

from typing import Final

_EPOCH: Final = 1_400_000_000
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
_LENGTH: Final = 27
_FIVE_PAIRS: Final = 3844**5


def ksuid(now: int, entropy: bytes) -> str:
    """The id of a moment (milliseconds since 1970) and 16 random bytes."""
    number = ((now // 1000 - _EPOCH) % 2**32) << 128 | int.from_bytes(entropy[:16].ljust(16, b"\0"), "big")
    number, low = divmod(number, _FIVE_PAIRS)
    high, middle = divmod(number, _FIVE_PAIRS)
    return (_five_pairs(high) + _five_pairs(middle) + _five_pairs(low))[-_LENGTH:]


def _five_pairs(number: int) -> str:
    """Ten digits: in pieces of this size the arithmetic is that of machine words, which halves the time."""
    number, e = divmod(number, 3844)
    number, d = divmod(number, 3844)
    number, c = divmod(number, 3844)
    a, b = divmod(number, 3844)
    return _PAIRS[a] + _PAIRS[b] + _PAIRS[c] + _PAIRS[d] + _PAIRS[e]
