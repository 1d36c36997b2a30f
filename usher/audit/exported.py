"""A checkpoint as a line: what a command gets, a bundle holds, and the log says.

Rules:
1. The text that was signed stands in it as text, so whoever has a JSON reader has its exact bytes.
2. A file of such lines may be a log with other lines in it; a line of a checkpoint that is broken is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fsm.errors import ProblemError
from store.checkpoints import Checkpoint

_LONGEST: Final = 1 << 20
_FIELDS: Final = ("key", "signature", "successor", "countersigned")


class CheckpointFileError(ProblemError):
    """The file of checkpoints cannot be used"""


def document(checkpoint: Checkpoint) -> dict[str, Any]:
    """The fields of its line; signatures in hexadecimal."""
    made: dict[str, Any] = {
        "checkpoint": checkpoint.document.decode("ascii"),
        "key": checkpoint.key,
        "signature": checkpoint.signature.hex(),
    }
    if checkpoint.successor and checkpoint.countersigned:
        made |= {"successor": checkpoint.successor, "countersigned": checkpoint.countersigned.hex()}
    return made


def line(checkpoint: Checkpoint) -> str:
    """The line, with its end."""
    return json.dumps(document(checkpoint)) + "\n"


def read_line(text: str) -> Checkpoint | None:
    """The checkpoint of a line, None if it has none; raises ValueError for one that is broken."""
    if '"checkpoint"' not in text:
        return None
    said = json.loads(text)
    if not isinstance(said, dict) or not isinstance(said.get("checkpoint"), str):
        return None
    signed = said["checkpoint"].encode()
    try:
        key, signature, successor, counter = (said.get(name) for name in _FIELDS)
        inner = json.loads(signed)
        made = Checkpoint(
            inner["number"],
            inner["at"],
            inner["history"]["position"],
            inner["journal"]["position"],
            str(key),
            signed,
            bytes.fromhex(str(signature)),
            successor,
            bytes.fromhex(counter) if counter else None,
        )
        made.says()
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks {error}") from None
    if not all(type(value) is int for value in (made.number, made.at, made.position, made.fleet_position)):
        raise ValueError("its numbers are none")
    return made


def read_file(path: Path) -> list[Checkpoint]:
    """The checkpoints of a file, in its order; raises CheckpointFileError."""
    try:
        found = list(_read(path))
    except OSError as error:
        what = f"it cannot be read ({error.strerror}): name a file that you may read"
        raise CheckpointFileError(f"{path}: {what}") from None
    if not found:
        raise CheckpointFileError(f"{path}: no checkpoint is in it: name what audit.checkpoint_command kept, or a log")
    return found


def _read(path: Path) -> Iterator[Checkpoint]:
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
            try:
                checkpoint = read_line(raw.decode())
            except ValueError as error:
                raise CheckpointFileError(f"{path}: line {number} is a broken checkpoint ({error})") from None
            if checkpoint is not None:
                yield checkpoint
