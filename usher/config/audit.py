"""The `audit` group of the site's YAML: which key signs checkpoints, how often, and which command gets them.

Rules:
1. Whatever is wrong is found with everything else that is wrong (usher.config.site).
2. Every setting has a default that is right for a site that has no auditor yet: checkpoints are taken all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from helpers.command import CommandError, split_command
from usher.config.keys import AUDIT
from usher.config.values import Reader

_LIMITS: Final[dict[str, tuple[float, float, str]]] = {
    "checkpoint_rows": (100, 10_000_000, "a number of rows, at least 100"),
    "checkpoint_interval": (10, float("inf"), "at least 10s"),
    "checkpoint_timeout": (0.001, 600, "longer than nothing and at most 10m"),
}


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Where the key is (empty: usher's own), the command in words, its time limit and the interval in seconds."""

    key_file: str = ""
    command: tuple[str, ...] = ()
    timeout: float = 10.0
    rows: int = 10_000
    interval: float = 600.0


def read_audit(reader: Reader, written: Mapping[str, Any]) -> AuditSettings:
    """The group's settings; what is wrong with them is kept by the reader."""
    values = reader.values(written, AUDIT, {}, "audit.")
    for name, (least, most, said) in _LIMITS.items():
        if not least <= values[name] <= most:
            reader.error(f"audit.{name}", f"it must be {said}", "correct it, or remove it for the default")
    return AuditSettings(
        values["key_file"],
        _command(reader, values["checkpoint_command"]),
        values["checkpoint_timeout"],
        values["checkpoint_rows"],
        values["checkpoint_interval"],
    )


def _command(reader: Reader, text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    try:
        return tuple(split_command(text))
    except CommandError as error:
        what = f"the command cannot be split into words: {error.detail}"
        reader.error("audit.checkpoint_command", what, "correct the quotes")
        return ()
