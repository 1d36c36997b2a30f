"""Traces: what may be told of an exception that nobody foresaw, whose words may quote a secret.

Rules:
1. Types, files, lines, names of functions and our own source lines are told; words are not, of whatever exception, its
   causes and contexts included. An error of usher says its docstring, an error of the system what its number means.
2. Nothing here raises, however strange the exception is.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from typing import Final

from fsm.errors import UsherError

HOME: Final = Path(__file__).resolve().parent.parent
OURS: Final = ("diagrams", "fsm", "helpers", "security", "store", "transport", "usher")
"""Our packages (usher.house names them too): the source of others may hold what a site wrote into it."""
_MOST: Final = 64
"""Frames of one exception, and exceptions of one trace, that are told: the last ones, the first ones."""
_BETWEEN: Final = {
    "cause": "The exception above is the direct cause of the following one:",
    "context": "While the exception above was handled, another one happened:",
    "part": "It was one of several within the following one:",
}


def told(error: BaseException) -> str:
    """An exception in one line: its type, what can be said of it, and where of our own code it happened."""
    place = next((f" in {shown}:{line}" for shown, line, _, ours in _frames(error, newest=True) if ours), "")
    return f"{type(error).__name__}{place}"


def trace(error: BaseException) -> str:
    """The lines of a trace, as Python writes them, without the words of anybody."""
    return "\n".join(_lines(error, set()))


def words(error: BaseException) -> str:
    """What an exception may say: the docstring of an error of usher, the meaning of the system's number."""
    if isinstance(error, UsherError):
        return (error.__doc__ or "").strip().partition("\n")[0]
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return os.strerror(error.errno)
    return ""


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    for how, before in _before(error):
        if id(before) not in seen and len(seen) < _MOST:
            yield from _lines(before, seen)
            yield from ("", _BETWEEN[how], "")
    frames = list(_frames(error))
    if frames:
        yield "Traceback (most recent call last):"
    for shown, line, name, ours in frames:
        yield f'  File "{shown}", line {line}, in {name}'
        if ours and (source := linecache.getline(str(HOME / shown), line).strip()):
            yield f"    {source}"
    said = words(error)
    yield f"{type(error).__name__}: {said}" if said else type(error).__name__


def _before(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    if error.__cause__ is not None:
        yield "cause", error.__cause__
    elif error.__context__ is not None and not error.__suppress_context__:
        yield "context", error.__context__
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield "part", part


def _frames(error: BaseException, *, newest: bool = False) -> Iterator[tuple[str, int, str, bool]]:
    """File, line, function, and whether it is ours; the last ones, oldest first unless the newest are asked for."""
    found = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)][-_MOST:]
    for code, line in reversed(found) if newest else found:
        shown, ours = _file(code.co_filename)
        yield shown, line or 0, code.co_name, ours


def _file(name: str) -> tuple[str, bool]:
    """The file as it is shown: our own relative to where our packages are."""
    try:
        shown = Path(name).resolve().relative_to(HOME)
    except (OSError, RuntimeError, ValueError):
        return name, False
    return (str(shown), True) if shown.parts[:1] and shown.parts[0] in OURS else (name, False)
