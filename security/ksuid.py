"""KSUID: ids that carry their second, as tokens and v2 requests use them.

Rules:
1. An id is a pure function of a second and 16 bytes: the same two give the same 27 characters.
2. What is not a KSUID is a ValueError that says why; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

EPOCH: Final = 1_400_000_000
"""Unix second from which a KSUID counts (wire/provisioning.md §1.2)."""
LENGTH: Final = 27
ENTROPY: Final = 16
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]
_LATEST: Final = EPOCH + 0xFFFFFFFF


def ksuid(seconds: int, entropy: bytes) -> str:
    """The id of a Unix second and 16 bytes, 27 base62 characters (wire/provisioning.md §1.2); raises ValueError."""
    if not EPOCH <= seconds <= _LATEST:
        raise ValueError(f"a KSUID cannot hold the time {seconds}: it begins in 2014 and ends in 2150")
    if len(entropy) != ENTROPY:
        raise ValueError(f"a KSUID takes {ENTROPY} bytes, these are {len(entropy)}")
    number = (seconds - EPOCH) << 128 | int.from_bytes(entropy)
    pairs = []
    for _ in range(LENGTH // 2):
        number, pair = divmod(number, 62 * 62)
        pairs.append(_PAIRS[pair])
    pairs.append(_ALPHABET[number])
    return "".join(reversed(pairs))


def seconds_of(text: str) -> int:
    """The Unix second that an id carries; raises ValueError for what is not a KSUID."""
    if len(text) != LENGTH:
        raise ValueError(f"a KSUID has {LENGTH} characters, this has {len(text)}")
    number = 0
    for letter in text:
        value = _VALUE.get(letter)
        if value is None:
            raise ValueError("a KSUID is made of the characters 0-9, A-Z, a-z")
        number = number * 62 + value
    if number >> 160:
        raise ValueError("this is larger than any KSUID")
    return (number >> 128) + EPOCH


def source(now: Callable[[], int], entropy: Callable[[], bytes]) -> Callable[[], str]:
    """A maker of new ids; `now` gives milliseconds since 1970 and `entropy` 16 bytes, as `fsm.ports.Clock` does."""
    return lambda: ksuid(now() // 1000, entropy())
