"""Shapes: how a frozen dataclass becomes a JSON document, and how it is read back.

Rules:
1. A shape is made once, from the types of the fields; storing a value then is one pass over them, of made code.
2. Packed documents have the short keys and the short digests that are listed here, so a field may be renamed.
3. An unknown key, a missing one or a wrong type is an error that names the key: nothing stored is guessed at.
"""

from __future__ import annotations

import types
from binascii import a2b_base64, a2b_hex, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any, Final, Generic, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from fsm.demand import Demand
from fsm.errors import UsherError
from fsm.events import (
    Ack,
    CsrFacts,
    Done,
    Due,
    Failed,
    HelperFacts,
    Hint,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    Operator,
    PairFacts,
    Sighting,
    TokenFacts,
    WrapFacts,
)
from fsm.snapshot import Awaited, Doing, Facts, Looks, Parting, Quiet, Snapshot

T = TypeVar("T")

KEYS: Final[Mapping[type, Mapping[str, str]]] = {
    Snapshot: {
        "node": "n", "state": "s", "generation": "g", "seq": "q", "since": "t", "first": "f", "looked": "l",
        "doing": "d", "awaited": "w", "facts": "F", "quiet": "Q", "parting": "p", "looks": "L", "answered": "a",
        "failures": "x", "absences": "b", "returns": "r", "held": "h", "failed_from": "ff", "reason": "R",
        "detail": "D", "evidence": "e", "provisioned_at": "pa", "previous_key": "pk", "previous_token": "pt",
        "let_in": "li", "pairing": "P", "demand": "dm", "network": "N", "leaps": "lp",
    },
    Facts: {"at": "t", "jwt": "j", "inventory": "i", "key": "k", "helper": "h", "token": "o", "configured": "c",
            "csr": "r", "pair": "p", "wrap": "w", "pairs": "n"},
    Doing: {
        "effect": "e", "seq": "q", "opened": "o", "epoch": "E", "tries": "n", "at": "t", "entropy": "r", "open": "u",
        "since": "s", "signer": "k",
    },
    Awaited: {"at": "t", "kind": "k", "span": "s"},
    Quiet: {"until": "u", "connection": "c", "since": "s", "digest": "d"},
    Parting: {"at": "t", "acknowledged": "a", "count": "n"},
    Demand: {"effect": "e", "plan": "p", "at": "t", "standing": "s"},
    Looks: {"gone": "g", "connection": "c", "silent": "s"},
    JwtFacts: {"digest": "d", "jti": "i", "provisions_by_default": "p", "let_in": "l"},
    InventoryFacts: {"digest": "d", "version": "v", "upgradable": "u"},
    KeyFacts: {"public_key": "k", "directory": "d"},
    CsrFacts: {"digest": "d", "fingerprint": "f", "directory": "p", "checks": "c"},
    HelperFacts: {"digest": "d", "verdict": "v", "message": "m", "keeps_provisioning": "k", "key": "s", "checks": "c",
                  "serial": "n", "certificate": "f", "certificate_expires": "x"},
    TokenFacts: {"jti": "i", "digest": "d", "expires": "x", "signer": "s", "warning": "w", "checks": "c"},
    PairFacts: {"theirs": "t", "ours": "o"},
    WrapFacts: {"digest": "d"},
}  # fmt: skip
"""The stored key of each field of a snapshot; a field that is not listed is stored under its own name."""

TAGS: Final[Mapping[type, str]] = {
    Done: "done", Failed: "failed", Hint: "hint", Due: "due", Operator: "operator",
    JwtFacts: "jwt", InventoryFacts: "inventory", KeyFacts: "key", CsrFacts: "csr", HelperFacts: "helper",
    TokenFacts: "token", PairFacts: "pair", WrapFacts: "wrap", Ack: "ack", Sighting: "sighting",
}  # fmt: skip
"""How the member of a union is told apart, under the key `is`; a class that is not listed has its own name."""


DIGESTS: Final[Mapping[type, frozenset[str]]] = {
    Snapshot: frozenset({"previous_key"}),
    Facts: frozenset({"configured"}),
    JwtFacts: frozenset({"digest"}),
    InventoryFacts: frozenset({"digest"}),
    KeyFacts: frozenset({"public_key"}),
    CsrFacts: frozenset({"digest", "fingerprint"}),
    HelperFacts: frozenset({"digest", "certificate"}),
    TokenFacts: frozenset({"digest"}),
    WrapFacts: frozenset({"digest"}),
}
"""Texts of 64 hex digits, which a snapshot holds in 43 characters of base64; events have them as they are."""


class MalformedError(UsherError):
    """What is stored of a node cannot be read: restore a backup, or report it with the output of usher audit"""

    def __init__(self, detail: str, key: str = "", node: str = "") -> None:
        """Hold what is wrong with which key of which node."""
        super().__init__()
        self.node = node
        self.key = key
        self.detail = detail


class NewerError(MalformedError):
    """What is stored of a node was written by a newer usher: use that one"""


_PACKED: Final = 43

Encode = Callable[[Any], Any]
Decode = Callable[[Any, str], Any]


def _same(value: Any) -> Any:
    return value


def _member(value: Enum) -> Any:
    return value.value


def _scalar(kind: type) -> Decode:
    def decode(raw: Any, key: str) -> Any:
        if type(raw) is not kind:
            raise MalformedError(f"is {type(raw).__name__}, must be {kind.__name__}", key)
        return raw

    return decode


def _unhex(raw: Any, key: str) -> bytes:
    try:
        return bytes.fromhex(raw)
    except (TypeError, ValueError):
        raise MalformedError("must be hex digits", key) from None


def _base64(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode()


def _unbase64(raw: Any, key: str) -> bytes:
    try:
        return a2b_base64(raw, strict_mode=True)
    except (TypeError, ValueError):
        raise MalformedError("must be base64", key) from None


def _pack(value: str) -> str:
    """64 lower-case hex digits as base64 without its `=`; any other text after a `~`."""
    try:
        packed = a2b_hex(value)
    except ValueError:
        return "~" + value
    if len(value) != 64 or packed.hex() != value:
        return "~" + value
    return b2a_base64(packed, newline=False)[:_PACKED].decode()


def _unpack(raw: Any, key: str) -> str:
    try:
        return str(raw[1:]) if raw[0] == "~" else a2b_base64(raw + "=", strict_mode=True).hex()
    except (TypeError, ValueError, IndexError, KeyError):
        raise MalformedError("must be base64, or text after a ~", key) from None


def _enum(kind: type[Enum]) -> Decode:
    members = {str(member.value): member for member in kind}

    def decode(raw: Any, key: str) -> Enum:
        try:
            return members[raw]
        except (KeyError, TypeError):
            raise MalformedError(f"{raw!r:.40} is not a {kind.__name__}", key) from None

    return decode


def _tagged(kinds: tuple[type, ...], *, packed: bool) -> tuple[Encode, Decode]:
    """A union of dataclasses: the member's tag stands under `is`."""
    tags = {kind: TAGS.get(kind, kind.__name__) for kind in kinds}
    shapes: dict[str, Shape[Any]] = {tag: Shape(kind, packed=packed, head={"is": tag}) for kind, tag in tags.items()}
    encoders = {kind: shapes[tag].encode for kind, tag in tags.items()}

    def encode(value: Any) -> dict[str, Any]:
        return encoders[type(value)](value)

    def decode(raw: Any, key: str) -> Any:
        if type(raw) is not dict or raw.get("is") not in shapes:
            raise MalformedError(f"is none of {' '.join(shapes)}", key)
        return shapes[raw.pop("is")].decode(raw, key)

    return encode, decode


def _converters(hint: Any, *, packed: bool) -> tuple[Encode, Decode]:
    if get_origin(hint) in (Union, types.UnionType):
        members = tuple(member for member in get_args(hint) if member is not type(None))
        return _converters(members[0], packed=packed) if len(members) == 1 else _tagged(members, packed=packed)
    if is_dataclass(hint):
        inner = Shape(hint, packed=packed)  # type: ignore[arg-type]  # a class, not an instance
        return inner.encode, inner.decode
    if issubclass(hint, Enum):
        return _member, _enum(hint)
    if hint is bytes:
        return (_base64, _unbase64) if packed else (bytes.hex, _unhex)
    return _same, _scalar(hint)


class _Out(NamedTuple):
    key: str
    name: str
    default: Any
    encode: Encode


_WRITTEN: Final[Mapping[Encode, str]] = {_same: "item", _member: "item._value_"}
"""Encoders that made code has in place: a call would cost more than they do."""


def _encoder(out: list[_Out], head: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """A function that makes a value's document, made as dataclasses make theirs.

    A snapshot has seventy fields with those inside it, and is stored at each transition: a loop over them took twice
    as long as this.
    """
    given: dict[str, Any] = {}
    lines = [f"def encode(value):\n document = {dict(head)!r}"]
    for number, field in enumerate(out):
        written = _WRITTEN.get(field.encode, f"encode{number}(item)")
        compared = "!=" if field.encode is _same else "is not"
        given[f"encode{number}"], given[f"default{number}"] = field.encode, field.default
        lines.append(f" item = value.{field.name}")
        unless = "" if field.default is MISSING else f"if item {compared} default{number}: "
        lines.append(f" {unless}document[{field.key!r}] = {written}")
    exec("\n".join([*lines, " return document"]), given)  # noqa: S102 only names of this house's fields are in it
    made: Callable[[Any], dict[str, Any]] = given["encode"]
    return made


class Shape(Generic[T]):
    """How one dataclass is stored: made on first use, from its fields and the keys above."""

    encode: Callable[[T], dict[str, Any]]
    """The document of a value: `head`, and each field that has not its default."""

    def __init__(self, kind: type[T], *, packed: bool, head: Mapping[str, Any] | None = None) -> None:
        """Read the fields of `kind`; `packed` is how snapshots are stored, with short keys and digests."""
        hints, keys, digests = get_type_hints(kind), KEYS.get(kind, {}), DIGESTS.get(kind, frozenset())
        listed: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]  # always a dataclass
        out: list[_Out] = []
        self._kind = kind
        self._in: dict[str, tuple[str, type | None, Decode]] = {}
        for f in listed:
            key, hint = keys.get(f.name, f.name) if packed else f.name, hints[f.name]
            encode, decode = (_pack, _unpack) if packed and f.name in digests else _converters(hint, packed=packed)
            out.append(_Out(key, f.name, f.default, encode))
            self._in[key] = (f.name, hint if encode is _same else None, decode)
        self._needed = {field.key for field in out if field.default is MISSING}
        if len(self._in) != len(listed):
            raise TypeError(f"two fields of {kind.__name__} have one key")
        self.encode = _encoder(out, head or {})

    def decode(self, raw: Any, key: str = "") -> T:
        """The value of a document; raises MalformedError with the key that is wrong."""
        if type(raw) is not dict:
            raise MalformedError(f"is {type(raw).__name__}, must be an object", key)
        found: dict[str, Any] = {}
        for name, item in raw.items():
            try:
                field, plain, decode = self._in[name]
            except KeyError:
                raise MalformedError("is not known", f"{key}.{name}" if key else name) from None
            found[field] = item if type(item) is plain else decode(item, name)
        try:
            return self._kind(**found)
        except TypeError:
            raise MalformedError(f"lacks {', '.join(sorted(self._needed - raw.keys()))}", key) from None
