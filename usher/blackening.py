"""Blackening: the last line of defence of a log, after which no known secret is in a line.

Rules:
1. Nothing should ever need it: whoever logs gives no secret to a logger (usher.logs). It is here for the day of a bug.
2. A secret is found as it is and as JSON or a terminal would have it; values are replaced, the keys of a line stay.
3. A line without a secret costs a search of it for each secret, well under a microsecond.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from helpers.redact import GONE
from usher.harmless import SHORTEST


class Blackening:
    """The secrets that are known, and the texts without them."""

    def __init__(self) -> None:
        """Know none."""
        self._secrets: tuple[str, ...] = ()
        self._forms: tuple[str, ...] = ()

    def add(self, secrets: Iterable[str]) -> None:
        """Know these as well; those of fewer than SHORTEST characters stand in ordinary words."""
        known = {secret for secret in secrets if len(secret) >= SHORTEST} | set(self._secrets)
        self._secrets = tuple(sorted(known, key=len, reverse=True))
        self._forms = tuple(dict.fromkeys(form for secret in self._secrets for form in _forms(secret)))

    def strikes(self, line: str) -> bool:
        """Whether a secret is in the line."""
        return any(form in line for form in self._forms)

    def value(self, value: Any) -> Any:
        """A value of a line without the secrets."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {name: self.value(within) for name, within in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(within) for within in value]
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, GONE)
        return text


def _forms(secret: str) -> Iterable[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    try:
        yield orjson.dumps(secret).decode()[1:-1]
    except orjson.JSONEncodeError:  # half a surrogate pair: the form above is the one that a line has
        return
