"""What every reading command shares: which database, how it answers, and how it refuses.

Rules:
1. A command reads the database and nothing else: it works with a daemon and without one, and never writes.
2. A refusal is one sentence with the next step: exit code 2 if there is nothing to read or the question is wrong, 1 if
   the answer is "no such node".
3. Output is plain text or JSON, the same on a terminal and in a pipe but for its width; who stops reading ends it.
4. Nothing here prints a blob, a vault entry or entropy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from threading import Event
from typing import Any, Final

from fsm.errors import ProblemError, StoreError, UsherError
from fsm.snapshot import Snapshot
from usher.state import state_directory
from usher.views.book import Book
from usher.views.text import visible

_COMPARED: Final = 500  # names on each side that are compared letter by letter: a twentieth of a second
_TYPED: Final = 3  # letters at the beginning in which a name may be mistyped and still be found
NO_SUCH_NODE: Final = 1
NOTHING_TO_READ: Final = 2
NOBODY_LISTENS: Final = 141
"""128 + SIGPIPE, as a shell reports it of any other program."""


class RefusedError(ProblemError):
    """The question cannot be answered"""

    def __init__(self, sentence: str, code: int) -> None:
        """Hold the sentence for the user, and the exit code."""
        super().__init__(sentence)
        self.code = code


# -- arguments --------------------------------------------------------------------------------------------------------


def add_state(parser: argparse.ArgumentParser) -> None:
    """The option that says where the database is."""
    help_ = "the state directory (default: $STATE_DIRECTORY, else /var/lib/usher)"
    parser.add_argument("--state", dest="state_directory", type=directory, metavar="DIR", help=help_)


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option for programs."""
    parser.add_argument("--json", action="store_true", help="answer in JSON, times in UTC")


def directory(text: str) -> str:
    """A directory that was named: an empty name is a variable that was not set, and never means the default."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: name the state directory, or leave --state out")
    return text


def file(text: str) -> str:
    """A file that was named: an empty name is a variable that was not set, and never means the default."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: name a file")
    return text


def path(text: str) -> Path:
    """A file that was named, as a path."""
    return Path(file(text))


def count(text: str) -> int:
    """A number of lines, at least one."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10**8):
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is not a number of lines, such as 50")
    return int(text)


def database(args: argparse.Namespace) -> Path:
    """The file that holds the answer; raises RefusedError if there is none."""
    path = state_directory(args.state_directory, os.environ).database
    try:
        path.lstat()  # what is no file, or not ours, is refused by whoever opens it
    except (FileNotFoundError, NotADirectoryError):
        said = f"there is no database in {path.parent}: start usher there first (usher run), or name its directory"
        raise RefusedError(f"{said} with --state DIR", NOTHING_TO_READ) from None
    except OSError as error:
        said = f"{path} cannot be read ({error.strerror}): run this as the user that runs usher, or name another"
        raise RefusedError(f"{said} directory with --state DIR", NOTHING_TO_READ) from None
    return path


def known(book: Book, node: str) -> Snapshot:
    """The node's snapshot; raises RefusedError with the nearest names if there is none."""
    snapshot = book.node(node)
    if snapshot is not None:
        return snapshot
    near = nearest(node, book.names())
    said = f"; did you mean {' or '.join(visible(name) for name in near)}?" if near else ""
    hint = said or ": usher nodes list lists those that are known"
    raise RefusedError(f"no node is known by the name {visible(node)}{hint}", NO_SUCH_NODE)


def nearest(node: str, names: Iterable[str], most: int = 3) -> list[str]:
    """The known names that are most like this one: those that begin with it or hold it, else similar ones.

    Of many names (in their order) those are compared that stand next to where it would stand, or end as it does.
    """
    begin: list[str] = []
    hold: list[str] = []
    before: deque[str] = deque(maxlen=_COMPARED)
    after: list[str] = []
    ending: list[str] = []
    for name in names:
        if node and node in name:
            kept = begin if name.startswith(node) else hold
            kept += [name] if len(kept) < most else []
        if name < node:
            before.append(name)
        elif len(after) < _COMPARED:
            after.append(name)
        if name[_TYPED:] == node[_TYPED:] and len(ending) < _COMPARED:
            ending.append(name)
    return (begin + hold)[:most] or get_close_matches(node, dict.fromkeys([*ending, *before, *after]), most, 0.7)


def pacing(seconds: float) -> Callable[[], bool]:
    """What lets time pass between two looks, for ever: Ctrl-C ends it."""
    return lambda: not Event().wait(seconds)


# -- answers ----------------------------------------------------------------------------------------------------------


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def width() -> int | None:
    """The terminal's columns; None where nothing needs to be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(lines: Iterable[str], *, flush: bool = False) -> None:
    """Print lines; what the output's encoding does not have is escaped. `flush` has a reader see them at once."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        said = line if line.isascii() else line.encode(encoding, "backslashreplace").decode(encoding)
        sys.stdout.write(said + "\n")
    if flush:
        sys.stdout.flush()


def warn(sentence: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"usher: {sentence}\n")


def answer(document: Any) -> None:
    """Print a JSON document."""
    say([json.dumps(document, indent=2, ensure_ascii=True)])


def answer_all(documents: Iterable[Any]) -> None:
    """Print a JSON array one element at a time, so that a hundred thousand of them need no memory."""
    say(["["])
    held: str | None = None
    for document in documents:
        if held is not None:
            say([f"  {held},"])
        held = json.dumps(document, ensure_ascii=True)
    say([f"  {held}", "]"] if held is not None else ["]"])


def guarded(view: Callable[[], None]) -> int:
    """Run a view: what it refuses is a sentence on standard error, and nobody who stopped listening is an error."""
    try:
        view()
        sys.stdout.flush()
    except (UsherError, ValueError) as error:
        sys.stderr.write(f"usher: {_sentence(error)}\n")
        return error.code if isinstance(error, RefusedError) else NOTHING_TO_READ
    except BrokenPipeError:
        _silence()
        return NOBODY_LISTENS
    except OSError as error:
        _silence()
        sys.stderr.write(f"usher: the answer could not be written: {error.strerror}\n")
        return NOTHING_TO_READ
    return 0


def _sentence(error: UsherError | ValueError) -> str:
    match error:
        case StoreError(detail=detail):
            return visible(detail)
        case UsherError():
            return visible(str(error))
        case _:
            return f"the database was written by another version of usher: use that one ({visible(str(error))})"


def _silence() -> None:
    """What is still buffered goes nowhere, so that the interpreter's own flush at exit has nothing to complain of."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
