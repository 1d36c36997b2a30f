"""What a server token shall say: the helper's wishes, checked, and the rules where it has none.

Rules:
1. The claims follow wire/provisioning.md §3.7: `server_claims`, then the configuration, then defaults.
2. A field of another type is refused by its name and no value is quoted: who fills them may have mixed them up with
   secrets. Fields that the rules do not know are ignored.
3. Nothing with a line break or a wildcard becomes a collective, since collectives become subjects.
4. `exp` is a point in time: one in the past means the default validity, one soon is honoured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from fsm.errors import TokenError
from fsm.reasons import Reason
from security.claims import ORGANIZATION

PERMISSIONS: Final = ("submission", "streams", "governor", "service_host")
COLLECTIVE_SPACES: Final = "collective_spaces"
EXPIRY_BEYOND: Final = "expiry_beyond_9999"
"""Checks that `strictness: strict` makes refusals of."""
_KNOWN: Final = ("ou", "collectives", "pub_subjects", "permissions", "exp")
_LATEST: Final = 253_402_300_799  # the last second of the year 9999
_LONGEST: Final = 255
_MOST: Final = 256
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the token shall say; `expires` is Unix seconds or None; permissions are those that are granted, or None."""

    ou: str
    collectives: tuple[str, ...]
    pub_subjects: tuple[str, ...]
    permissions: Mapping[str, bool] | None
    expires: int | None
    warnings: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


Warnings = dict[str, str]
"""What to warn about, each with the check that refuses it under `strict`; empty if it is refused in neither mode."""


def wishes(claims: Mapping[str, Any], configuration: Mapping[str, str], *, strict: bool = False) -> Wishes:
    """The helper's `server_claims` and `configuration` as the token's rules; raises TokenError(HELPER_BAD_OUTPUT)."""
    known = {name.lower(): value for name, value in claims.items() if name.lower() in _KNOWN and value is not None}
    warnings: Warnings = {}
    permissions = _permissions(known.get("permissions"), warnings)
    collectives = _collectives(_texts(known, "collectives"), configuration, warnings, strict=strict)
    pub_subjects = tuple(_pattern(*each) for each in enumerate(_texts(known, "pub_subjects")))
    expires = _expires(known, warnings, strict=strict)
    checks = tuple(dict.fromkeys(check for check in warnings.values() if check))
    return Wishes(_organization(known), collectives, pub_subjects, permissions, expires, tuple(warnings), checks)


def expiry(wished: int | None, at: int, validity: int, limit: int | None) -> tuple[int, tuple[str, ...]]:
    """When the token expires, and what to warn about: the wish, else `at` + `validity`, clipped to `limit`; seconds."""
    warnings: tuple[str, ...] = ()
    if wished is not None and wished <= at:
        said = f"server_claims.exp is a point in time in Unix seconds, and {wished} is in the past"
        warnings = (f"{said}: the default validity of {validity} seconds is used",)
        wished = None
    expires = at + validity if wished is None else wished
    return (expires if limit is None else min(expires, limit)), warnings


def _organization(known: Mapping[str, Any]) -> str:
    value = known.get("ou", "")
    if not isinstance(value, str):
        _wrong("ou", "a text", value)
    if value and not _is_subject(value):
        _refuse("server_claims.ou cannot be part of a subject")
    return value or ORGANIZATION


def _collectives(
    wished: list[str], configuration: Mapping[str, str], warnings: Warnings, *, strict: bool
) -> tuple[str, ...]:
    """§3.7: the wish, else `configuration.collectives` split at commas and not trimmed, else by the provider."""
    place = "server_claims.collectives"
    if not wished and configuration.get("collectives"):
        place, wished = "configuration.collectives", configuration["collectives"].split(",")
    if not wished:
        return ("choria",) if configuration.get("plugin.security.provider") == "choria" else ("mcollective",)
    if len(wished) > _MOST:
        _refuse(f"{place} has {len(wished)} entries, at most {_MOST} are taken")
    for position, name in enumerate(wished):
        if not _is_subject(name.replace(" ", "") or "?", dots=False):
            _refuse(f"{place}[{position}] cannot be part of a subject")
        if not name.strip() or " " in name:
            _spaced(f"{place}[{position}]", warnings, strict=strict)
    return tuple(wished)


def _spaced(place: str, warnings: Warnings, *, strict: bool) -> None:
    said = f"{place} is empty or has spaces: a collective is taken as it is written, and no node is in that one"
    if strict:
        _refuse(said)
    warnings[said] = COLLECTIVE_SPACES


def _is_subject(text: str, *, dots: bool = True) -> bool:
    """Whether it may stand in a subject: no wildcard, no white space; with `dots` no empty token either."""
    if len(text) > _LONGEST or _UNSAFE.search(text) or any(letter.isspace() or letter in "*>" for letter in text):
        return False
    return not dots or all(text.split("."))


def _pattern(position: int, subject: str) -> str:
    bad = len(subject) > _LONGEST or _UNSAFE.search(subject) or any(letter.isspace() for letter in subject)
    if bad or not all(subject.split(".")):
        _refuse(f"server_claims.pub_subjects[{position}] is not a subject")
    return subject


def _permissions(value: Any, warnings: Warnings) -> dict[str, bool] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        _wrong("permissions", "an object of true and false", value)
    asked = {name.lower(): granted for name, granted in value.items() if isinstance(name, str)}
    for name, granted in asked.items():
        if name in PERMISSIONS and not isinstance(granted, bool | None):
            _wrong(f"permissions.{name}", "true or false", granted)
    unknown = sum(name not in PERMISSIONS for name in asked)
    if unknown:
        said = f"{unknown} unknown name{'s' if unknown > 1 else ''}"
        warnings[f"server_claims.permissions has {said}, left out; known are {', '.join(PERMISSIONS)}"] = ""
    return {name: True for name in PERMISSIONS if asked.get(name)}


def _texts(known: Mapping[str, Any], name: str) -> list[str]:
    value = known.get(name, [])
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        _wrong(name, "a list of texts", value)
    if len(value) > _MOST:
        _refuse(f"server_claims.{name} has {len(value)} entries, at most {_MOST} are taken")
    return list(value)


def _expires(known: Mapping[str, Any], warnings: Warnings, *, strict: bool) -> int | None:
    value = known.get("exp")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong("exp", "a number of Unix seconds", value)
    if not math.isfinite(value):
        _wrong("exp", "a number of Unix seconds", "")
    if value > _LATEST:
        said = "server_claims.exp is later than the year 9999: it is in Unix seconds, not milliseconds"
        if strict:
            _refuse(said)
        warnings[said] = EXPIRY_BEYOND
    return min(int(value), _LATEST)


def _wrong(name: str, wanted: str, value: object) -> NoReturn:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    _refuse(f"server_claims.{name} must be {wanted}, and it is {kinds.get(type(value), type(value).__name__)}")


def _refuse(detail: str) -> NoReturn:
    raise TokenError(Reason.HELPER_BAD_OUTPUT, detail)
