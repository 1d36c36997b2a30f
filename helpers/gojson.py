"""JSON as Go's encoding/json writes and reads it, since that is what sites' helpers were written against.

Rules:
1. Text is written byte for byte as Go writes it: no spaces, HTML escapes, float64 numbers.
2. Text is read as leniently, and as strictly, as Go reads it; how often a key stands in an object is kept, its fate is
   the reader's choice.
3. Nothing but GoJsonError is raised, however deep, huge or broken the document is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fsm.errors import UsherError

_ESCAPES: Final = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SPECIAL: Final = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
_DIGITS: Final = 18
_encode_text: Final = json.encoder.encode_basestring


class GoJsonError(UsherError):
    """The text is not JSON that Go would read"""

    def __init__(self, detail: str) -> None:
        """Hold what is wrong with it."""
        super().__init__()
        self.detail = detail


class Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object as it was written: every pair, in order, repeated keys included."""

    __slots__ = ()

    def plain(self) -> dict[str, Any]:
        """The object as a dict: the last of repeated keys wins, nested objects too."""
        return {key: plain(value) for key, value in self}


def plain(value: Any) -> Any:
    """The value with every object in it as a dict."""
    if isinstance(value, Pairs):
        return value.plain()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


# -- writing -----------------------------------------------------------------------------------------------------------


def dumps(value: Any, *, sort_keys: bool = False) -> str:
    """The value as Go's json.Marshal writes it; `sort_keys` as it does for maps, else in the mapping's order.

    Numbers are written as float64, as a Go map of unknown shape holds them. Raises GoJsonError for what has no JSON.
    """
    try:
        return _write(value, sort_keys)
    except RecursionError:
        raise GoJsonError("it is nested too deeply") from None


def _write(value: Any, sort_keys: bool) -> str:
    match value:  # in the order of how often it is met; an abstract class takes longer to ask than dict and list
        case str():
            return _text(value)
        case dict() | Mapping():
            items = sorted(value.items()) if sort_keys else value.items()
            return "{" + ",".join([f"{_text(key)}:{_write(item, sort_keys)}" for key, item in items]) + "}"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value)
        case list() | Sequence():
            return "[" + ",".join([_write(item, sort_keys) for item in value]) + "]"
        case _:
            raise GoJsonError(f"a {type(value).__name__} has no JSON form")


def _text(value: str) -> str:
    text = _encode_text(value)
    if _SPECIAL.search(text) is None:  # inventories have thousands of texts, and hardly any of these characters
        return text
    return _SURROGATE.sub("\ufffd", text).translate(_ESCAPES)


def _number(value: float) -> str:
    """A float64: plain up to 1e21, with a short exponent beyond, as ECMAScript writes it."""
    if isinstance(value, int) and abs(value) < 1 << 53:
        return str(value)
    try:
        number = float(value)
    except OverflowError:
        raise GoJsonError("a number is too large for a float64") from None
    if not math.isfinite(number):
        raise GoJsonError("a number is not finite")
    size = abs(number)
    if size == 0 or 1e-6 <= size < 1e21:
        return _plain_digits(repr(number))
    mantissa, _, exponent = repr(number).partition("e")
    sign, digits = exponent[0], exponent[1:]
    return f"{mantissa.removesuffix('.0')}e{sign}{digits if sign == '+' else digits.lstrip('0')}"


def _plain_digits(text: str) -> str:
    """Python's shortest digits of a float without an exponent."""
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.removesuffix(".0")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, rest = mantissa.lstrip("-").partition(".")
    power = int(exponent)
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{whole}{rest}"
    return f"{sign}{whole}{rest.ljust(power, '0')}"


# -- reading -----------------------------------------------------------------------------------------------------------


def loads(data: bytes) -> Any:
    """One JSON document as Go's json.Unmarshal reads it, objects as Pairs; raises GoJsonError.

    Bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD. NaN and Infinity are errors.
    """
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text, object_pairs_hook=Pairs, parse_constant=_refuse, parse_int=_whole)
        return _mend(value) if "\\ud" in text.lower() else value
    except RecursionError:
        raise GoJsonError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise GoJsonError(_place(error)) from None


def is_document(data: bytes) -> bool:
    """Whether it is one JSON document."""
    try:
        loads(data)
    except GoJsonError:
        return False
    return True


def _refuse(word: str) -> Any:
    raise GoJsonError(f"{word} is not a JSON value")


def _whole(digits: str) -> float:
    """An integer; beyond 18 digits a float, since nobody needs such a number exactly."""
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def _place(error: json.JSONDecodeError) -> str:
    if not error.doc.strip():
        return "it is empty"
    if error.msg == "Extra data":
        return f"line {error.lineno} column {error.colno}: something follows the JSON document"
    return f"line {error.lineno} column {error.colno}: {error.msg}"


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, Pairs):
        return Pairs((_mend(key), _mend(item)) for key, item in value)
    if isinstance(value, list):
        return [_mend(item) for item in value]
    return value
