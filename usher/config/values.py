"""Reading a mapping of settings into values of the kinds that they should have, with every mistake kept.

Rules:
1. Keys match in any letter case; null is as if the setting was not there (wire/provisioning.md §3.2).
2. A wrong value is an error and its default goes on, so that all mistakes are found at once.
3. An unknown key is a MISTAKE that names the nearest known one.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from usher.config.durations import parse_duration
from usher.config.keys import Key, Kind
from usher.config.problems import Problem, Severity


class Reader:
    """One file's settings as they are read; `problems` grows."""

    def __init__(self, file: Path, place: Callable[[str], str] = str) -> None:
        """Read for this file, which messages name; `place` says how they call a setting."""
        self.file, self._place = file, place
        self.problems: list[Problem] = []

    def error(self, key: str, what: str, next_step: str) -> None:
        """Keep an error."""
        self.problems.append(Problem(self._where(key), what, next_step))

    def mistake(self, key: str, what: str, next_step: str) -> None:
        """Keep what the older program ignored."""
        self.problems.append(Problem(self._where(key), what, next_step, Severity.MISTAKE))

    def warning(self, key: str, what: str, next_step: str) -> None:
        """Keep a warning."""
        self.problems.append(Problem(self._where(key), what, next_step, Severity.WARNING))

    def _where(self, key: str) -> str:
        return f"{self.file}: {self._place(key)}"

    def values(
        self, written: Mapping[str, Any], known: Mapping[str, Key], retired: Mapping[str, str], prefix: str = ""
    ) -> dict[str, Any]:
        """The value of every known setting: what is written, or its default."""
        values = {name: key.default for name, key in known.items()}
        for spelled in sorted(written):
            name, value = spelled.lower(), written[spelled]
            if name in known:
                if value is not None:
                    values[name] = self._value(prefix + name, known[name], value)
            elif name in retired:
                self.mistake(prefix + spelled, f"it does nothing: {retired[name]}", "remove it")
            else:
                self._unknown(prefix + spelled, name, known)
        return {name: self._seconds(prefix + name, known[name], value) for name, value in values.items()}

    def _unknown(self, shown: str, name: str, known: Mapping[str, Key]) -> None:
        near = difflib.get_close_matches(name, known, n=1)
        self.mistake(shown, "there is no such setting", f"did you mean {near[0]}?" if near else "remove it")

    def _value(self, name: str, key: Key, value: Any) -> Any:
        if _fits(key.kind, value):
            return _plain(key, value)
        self.error(name, f"it is {_name(value)}, it must be {key.kind.value}", _advice(key.kind, value))
        return key.default

    def _seconds(self, name: str, key: Key, value: Any) -> Any:
        if key.kind is not Kind.DURATION:
            return value
        if not value and name != "interval":  # an empty interval is 0 for the older program, and refused
            value = str(key.default)
        try:
            return parse_duration(value)
        except ValueError as error:
            self.error(name, f"{value[:80]!r} cannot be used: {error}", "valid examples are 30s, 10m, 1h30m, 2d and 1y")
            return parse_duration(str(key.default))


def _fits(kind: Kind, value: Any) -> bool:  # noqa: PLR0911 one answer for each kind
    match kind:
        case Kind.SWITCH:
            return isinstance(value, bool)
        case Kind.WHOLE:
            return (
                not isinstance(value, bool)
                and isinstance(value, int | float)
                and math.isfinite(value)
                and value == int(value)
            )
        case Kind.DURATION:
            return isinstance(value, str) or (value == 0 and not isinstance(value, bool))
        case Kind.TEXT:
            return isinstance(value, str)
        case Kind.GROUPS:
            return isinstance(value, list) and all(isinstance(item, dict) for item in value)
        case Kind.TEXTS:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case Kind.ONE_OR_MORE:
            return isinstance(value, str) or _fits(Kind.TEXTS, value)
        case Kind.GROUP:
            return isinstance(value, dict)


def _plain(key: Key, value: Any) -> Any:
    match key.kind:
        case Kind.WHOLE:
            return int(value)
        case Kind.DURATION:
            return str(value)
        case Kind.TEXTS:
            return tuple(value) or key.default
        case Kind.ONE_OR_MORE:
            return (value,) * bool(value) if isinstance(value, str) else tuple(value)
        case Kind.GROUP:
            return {str(name): within for name, within in value.items()}
        case _:
            return value


def _name(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a group of settings"
        case list():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def _advice(kind: Kind, value: Any) -> str:
    if kind is Kind.DURATION and isinstance(value, int | float) and not isinstance(value, bool):
        return f"add a unit, as in {value}s"
    if kind in {Kind.TEXT, Kind.ONE_OR_MORE} and not isinstance(value, dict | list):
        return "put it in quotes"
    return "correct it"
