"""`usher diagram`: the one table as a picture; a node's path through it, or where the fleet is.

Rules:
1. The machine and its effects are drawn from the table of the usher that runs, and no database is read for them; a path
   and a count are read from the database, and never written there.
2. Mermaid, DOT and JSON are text, made here; SVG and PNG are made by Graphviz. Nothing binary goes to a terminal.
3. A file that is there is not written over, and half a file is not left.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from diagrams import document, dot, mermaid, steps
from diagrams.model import Diagram, draw
from usher import graphviz
from usher.views import common, counted, path
from usher.views.book import Book, open_book
from usher.views.documents import line
from usher.views.moments import HELP, time
from usher.views.text import local, utc, visible

FORMATS: Final[dict[str, Callable[[Diagram], str]]] = {
    "mermaid": mermaid.render,
    "dot": dot.render,
    "json": document.render,
}
EVERY: Final = (*FORMATS, *graphviz.KINDS)
_EXAMPLES: Final = """\
examples:
  usher diagram --format svg --out machine.svg
  usher diagram --node web1.example.net --out web1.png
  usher diagram --counts --at 2026-11-30T02:15 --out fleet.svg"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher diagram`."""
    parser.description = (
        "Draw the table that moves every node: an arrow for each pair of states, or every row.\n"
        "Or a node's path through it, the fleet by state, or the effects of each phase."
    )
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--format", choices=EVERY, help="what is written (default: as --out ends, else mermaid)")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--full", action="store_true", help="draw every row, those too that stay in their state")
    what.add_argument("--node", metavar="NODE", help="the way that a node took, with times and failures")
    what.add_argument("--counts", action="store_true", help="how many nodes are in each state")
    what.add_argument("--effects", action="store_true", help="the steps of each phase")
    help_ = f"with --node or --counts: as it was then: {HELP}"
    parser.add_argument("--at", type=time, metavar="TIME", help=help_)
    parser.add_argument("--out", type=_named, metavar="FILE", help="the file to make (default: the standard output)")
    common.add_state(parser)
    parser.set_defaults(run=run)


def _named(text: str) -> str:
    """A file that was named: an empty name is a variable that was not set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: name the file, or leave --out out")
    return text


def run(args: argparse.Namespace) -> int:
    """Draw it."""
    return common.guarded(lambda: _draw(args))


def text(form: str, *, full: bool) -> str:
    """The machine in one of the formats that are text."""
    return FORMATS[form](draw(full=full))


def _draw(args: argparse.Namespace) -> None:
    form = _form(args)
    if args.at is not None:
        _sensible(args)
    if form == "png" and args.out is None and sys.stdout.isatty():
        said = "a PNG is nothing for a terminal: name a file with --out FILE, or send it into a pipe"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    diagram, more = _asked(args)
    if form in graphviz.KINDS:
        _write(args.out, graphviz.picture(dot.render(diagram), form))
    else:
        said = document.render(diagram, **more) if form == "json" else FORMATS[form](diagram)
        _write(args.out, said)


def _form(args: argparse.Namespace) -> str:
    """What was asked for, or what the name of the file says."""
    if args.format is not None:
        return str(args.format)
    ending = Path(args.out).suffix.lower().removeprefix(".") if args.out else ""
    form = {"mmd": "mermaid", "md": "mermaid", "gv": "dot"}.get(ending, ending or "mermaid")
    if form not in EVERY:
        said = f"no format ends in .{visible(ending)}: say --format with one of {', '.join(EVERY)}"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    return form


def _sensible(args: argparse.Namespace) -> None:
    if args.node is None and not args.counts:
        said = "--at needs --node NODE or --counts: the table has no time (what changed in it, CHANGELOG.md tells)"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    if args.at > common.now():
        said = f"{local(args.at)} is still to come: --at takes a time that has passed"
        raise common.RefusedError(said, common.NOTHING_TO_READ)


def _asked(args: argparse.Namespace) -> tuple[Diagram, dict[str, Any]]:
    """The diagram, and what its JSON says besides."""
    if args.effects:
        return steps.draw(), {}
    if args.node is None and not args.counts:
        return draw(full=args.full), {}
    with open_book(common.database(args)) as book:
        if args.at is not None:
            _recorded(book, args.at)
        return _path(book, args.node, args.at) if args.node is not None else _counts(book, args.at)


def _recorded(book: Book, at: int) -> None:
    first = book.began()
    if first is None or first > at:
        since = f"; the first row that is kept is of {local(first)}" if first is not None else " at all"
        raise common.RefusedError(f"nothing is recorded of {local(at)}{since}", common.NOTHING_TO_READ)


def _path(book: Book, node: str, at: int | None) -> tuple[Diagram, dict[str, Any]]:
    lines = list(book.lines(node, None if at is None else book.before(at + 1)))
    if not lines:
        raise common.RefusedError(_nothing(book, node, at), common.NO_SUCH_NODE)
    told = [line(each) for each in lines if each.moved or (each.ended is not None and each.ended.certainty is not None)]
    return path.draw(node, lines, at), {"node": node, "at": utc(at or 0), "lines": told}


def _nothing(book: Book, node: str, at: int | None) -> str:
    """Why there is no path; raises RefusedError if no such node is known."""
    first = next(book.lines(node), None)
    if first is None:
        return f"no row of the history of {visible(common.known(book, node).node)} is kept"
    then = f" at {local(at)}" if at is not None else ""
    return f"{visible(node)} has no history{then}: the first row of it that is kept is of {local(first.at)}"


def _counts(book: Book, at: int | None) -> tuple[Diagram, dict[str, Any]]:
    if at is not None:
        diagram = counted.draw(book.counts_at(at), at)
    else:
        at = common.now()
        diagram = counted.draw(book.counts(), at, book.reasons(), book.waiting())
    return diagram, {"at": utc(at)}


# -- writing ----------------------------------------------------------------------------------------------------------


def _write(out: str | None, made: str | bytes) -> None:
    if out is not None:
        _file(Path(out), made.encode() if isinstance(made, str) else made)
    elif isinstance(made, str):
        common.say(made.splitlines())
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(made)


def _file(out: Path, made: bytes) -> None:
    try:
        with out.open("xb") as file:
            try:
                file.write(made)
                file.flush()
            except OSError:
                out.unlink(missing_ok=True)
                raise
    except FileExistsError:
        said = f"{out} exists, and is not written over: remove it, or name another file with --out"
        raise common.RefusedError(said, common.NOTHING_TO_READ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no name of a file"
        said = f"{out} cannot be written ({why}): name another file with --out"
        raise common.RefusedError(said, common.NOTHING_TO_READ) from None
