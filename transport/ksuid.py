"""Request ids in the form that Choria uses: a KSUID, 27 characters of base 62 (wire/protocol.md §3.3).

A KSUID is a number of 160 bits, the second and then chance. Nodes take an id as it is, so the chance need not be
written digit by digit: 21 characters of it are looked up, and six before them keep the id within its second. Dividing
such a number 27 times costs as much as all other parts of a request together.

Rules:
1. Pure: the time and the 16 random bytes come from outside.
2. Ids that are made later sort later, to the second, and a KSUID's reader finds that second in them.
"""

from __future__ import annotations

from binascii import b2a_base64
from functools import lru_cache
from typing import Final

_EPOCH: Final = 1_400_000_000
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HEAD: Final = 6
_TAIL: Final = 21
_SAME_HEAD: Final = 62**_TAIL
"""How many ids begin with the same six characters; a second has seven such ranges, or eight."""
_ALPHABET: Final = bytes.maketrans(b"+/", b"0z")
"""Base64 has two digits more than base 62, so two of ours are twice as likely: a sixteenth of a bit a character."""


def ksuid(now: int, entropy: bytes) -> str:
    """The id of a moment (milliseconds since 1970) and 16 random bytes, of which it keeps 124 bits."""
    tail = b2a_base64(entropy[:16].ljust(16, b"\0"))[:_TAIL]
    return _head(now // 1000) + tail.translate(_ALPHABET).decode("ascii")


@lru_cache(maxsize=2)
def _head(second: int) -> str:
    """The six characters of the first range that lies within a second as a whole."""
    first = ((second - _EPOCH) % 2**32) << 128
    number = -(-first // _SAME_HEAD)
    digits = []
    for _ in range(_HEAD):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
