"""Hooks: what the interpreter says by itself of an exception that nobody took.

Rules:
1. It says what a trace may say (fsm.traces): types, files and lines, not the words of an exception.
2. They are set by the commands alone: whoever imports usher keeps their own.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from fsm.traces import trace


def install() -> None:
    """Take the interpreter's three hooks."""
    sys.excepthook = _uncaught
    threading.excepthook = _in_a_thread
    sys.unraisablehook = _unraisable


def _uncaught(_kind: type[BaseException], error: BaseException, _where: TracebackType | None) -> None:
    _say("an exception ended usher", error)


def _in_a_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        _say("an exception ended a thread", args.exc_value)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    if args.exc_value is not None:
        _say("an exception was ignored", args.exc_value)


def _say(what: str, error: BaseException) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"usher: this is a bug: {what}\n{trace(error)}\n")
