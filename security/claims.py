"""What tokens say: their purpose, and the claims of a provisioning token as the helper receives them.

Rules:
1. The helper sees exactly the claims that the older program shows, in its order, with its defaults
   (wire/helper-stdin-*.json, wire/provisioning.md §1.3, §4): unknown claims are left out, `extensions` is always there.
2. A claim of another type is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NoReturn

from fsm.errors import TokenError
from fsm.reasons import Reason
from security.tokens import seconds, text_of

ORGANIZATION: Final = "choria"
"""The `ou` of a token that names none."""


class Purpose(StrEnum):
    """What a token is for (wire/provisioning.md §1.2)."""

    PROVISIONING = "choria_provisioning"
    SERVER = "choria_server"
    CLIENT = "choria_client_id"


def purpose_of(claims: Mapping[str, Any]) -> Purpose | None:
    """The purpose, None for an unknown one; old provisioning tokens say it in `sub` only. Raises TokenError."""
    if text_of(claims, "sub") == Purpose.PROVISIONING:
        return Purpose.PROVISIONING
    said = text_of(claims, "purpose")
    return next((purpose for purpose in Purpose if purpose == said), None)


def provisioning_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of a provisioning token as a helper gets them: typed, ordered, with defaults. Raises TokenError."""
    shown: dict[str, Any] = {}
    for name, read, always in _PROVISIONING:
        value = read(claims, name)
        if name == "ou":
            value = value or ORGANIZATION
        if always or (value is not None and value is not False and value not in ("", [])):
            shown[name] = value
    return shown


def _flag(claims: Mapping[str, Any], name: str) -> bool:
    value = claims.get(name)
    if not isinstance(value, bool | None):
        _refuse(f"{name} is not true or false")
    return bool(value)


def _object(claims: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        _refuse(f"{name} is not an object")
    return {key: _sorted(value[key]) for key in sorted(value)}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    value = claims.get(name)
    listed = [value] if isinstance(value, str) else value or []
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        _refuse(f"{name} is not a list of texts")
    return listed


def _time(claims: Mapping[str, Any], name: str) -> int | None:
    value = seconds(claims, name)
    return None if value is None else int(value)


_PROVISIONING: Final[tuple[tuple[str, Callable[[Mapping[str, Any], str], Any], bool], ...]] = (
    ("cht", text_of, True),
    ("chs", _flag, True),
    ("chu", text_of, False),
    ("chsrv", text_of, False),
    ("chpd", _flag, True),
    ("chrd", text_of, False),
    ("chf", text_of, False),
    ("chusr", text_of, False),
    ("chpwd", text_of, False),
    ("extensions", _object, True),
    ("ou", text_of, True),
    ("v2", _flag, False),
    ("update", _flag, False),
    ("purpose", text_of, True),
    ("tcs", text_of, False),
    ("public_key", text_of, False),
    ("issexp", _time, False),
    ("iss", text_of, False),
    ("sub", text_of, False),
    ("aud", _texts, False),
    ("exp", _time, False),
    ("nbf", _time, False),
    ("iat", _time, False),
    ("jti", text_of, False),
)
"""Claim, how it is read, whether it is shown when empty; the order is that of the captured helper input."""


def _refuse(detail: str) -> NoReturn:
    raise TokenError(Reason.TOKEN_INVALID, detail)
