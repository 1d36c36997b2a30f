"""The helper's command line, split as a POSIX shell splits it: quotes and backslashes, no expansion.

Rules:
1. It is split once, when the configuration is read; a mistake is named there, not at the first node.
2. `$`, `*`, `~`, `#` and `;` are ordinary characters (wire/provisioning.md §4).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsm.errors import UsherError

_BLANKS: Final = " \t\n"
_ESCAPED_IN_QUOTES: Final = '$`"\\'


class CommandError(UsherError):
    """The helper's command line cannot be split"""

    def __init__(self, detail: str) -> None:
        """Hold what is wrong with it."""
        super().__init__()
        self.detail = detail


def split_command(command: str) -> tuple[str, ...]:
    """The program and its arguments; raises CommandError for open quotes, a trailing backslash, NUL, or nothing."""
    if "\0" in command:
        raise CommandError("it has a NUL character in it")
    words: list[str] = []
    word: list[str] | None = None
    rest = iter(command)
    for char in rest:
        if char in _BLANKS:
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        word = [] if word is None else word
        word.append(_piece(char, rest))
    if word is not None:
        words.append("".join(word))
    if not words or not words[0]:
        raise CommandError("it is empty")
    return tuple(words)


def _piece(char: str, rest: Iterator[str]) -> str:
    match char:
        case "'":
            return _single(rest)
        case '"':
            return _double(rest)
        case "\\":
            following = next(rest, None)
            if following is None:
                raise CommandError("it ends with a backslash")
            return "" if following == "\n" else following
        case _:
            return char


def _single(rest: Iterator[str]) -> str:
    piece: list[str] = []
    for char in rest:
        if char == "'":
            return "".join(piece)
        piece.append(char)
    raise CommandError("a single quote is not closed")


def _double(rest: Iterator[str]) -> str:
    piece: list[str] = []
    for char in rest:
        if char == '"':
            return "".join(piece)
        if char != "\\":
            piece.append(char)
            continue
        following = next(rest, "")
        if following in _ESCAPED_IN_QUOTES:
            piece.append(following)
        elif following != "\n":
            piece.append("\\" + following)
    raise CommandError("a double quote is not closed")
