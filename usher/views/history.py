"""`usher history NODE`: what happened to a node, a line a transition.

Rules:
1. Lines stand in the order in which they were committed; with a limit they are the newest.
2. A note stands below the line that it belongs to. What the helper says is no note: it is sealed (usher nodes output).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Final

from usher.views import common
from usher.views.book import open_book
from usher.views.closed import closing
from usher.views.documents import line
from usher.views.past import Past
from usher.views.text import columns, cut, fits, local, table, visible

HEAD: Final = ("TIME", "SEQ", "GEN", "EVENT", "ROW", "STATE", "EFFECT", "DETAIL")
NEWEST: Final = 200
_WORTH_SAYING: Final = frozenset({"intended", "started", "abandoned"})  # the others have a line that says so


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher history`."""
    parser.description = "Show what happened to a node, a line a transition, oldest first."
    parser.add_argument("node", metavar="NODE", help="the node's name")
    help_ = f"no more than the newest N lines (default {NEWEST})"
    parser.add_argument("--limit", type=common.count, default=NEWEST, metavar="N", help=help_)
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    return common.guarded(lambda: _history(args))


def _history(args: argparse.Namespace) -> None:
    with open_book(common.database(args)) as book:
        past, begun = book.history(args.node, args.limit), book.begins(args.node)
        if not past:
            common.known(book, args.node)
    if args.json:
        common.answer_all(line(each) for each in past)
    else:
        said = closing(past, common.now())
        common.say([*lines(past, common.width(), begun), *([f"({said})"] if said else [])])


def lines(past: Sequence[Past], width: int | None, begun: tuple[int, int] | None = None) -> Iterator[str]:
    """A line a transition, each followed by its note; two lines where the terminal is too narrow.

    `begun` is the seq that its history begins with above a floor, and when that was set.
    """
    if not past:
        yield "nothing of its history is kept" + (f": {pruned(begun)}" if begun else "")
        return
    cells = [_cells(each) for each in past]
    if any(each.network for each in past):
        named = [(*row, each.network) for row, each in zip(cells, past, strict=True)]
        head: tuple[str, ...] = (*HEAD, "NETWORK")
    else:
        named, head = cells, HEAD
    wide = fits(head, named, width)
    told = table(head, named, width) if wide else (_stacked(row) for row in cells)
    if wide:
        yield next(told)
    for each, text in zip(past, told, strict=True):
        yield from (_fitting(line, width) for line in text.splitlines())
        yield from (_fitting(f"    note | {visible(line)}", width) for line in each.note.splitlines())
    if begun and past[0].seq == begun[0]:
        yield f"({pruned(begun)})"
    elif past[0].seq > 1:
        yield f"(from seq {past[0].seq}: earlier lines are not shown, see --limit)"


def pruned(begun: tuple[int, int]) -> str:
    """Where a node's history begins, and since when."""
    return f"its history begins at seq {begun[0]}: what was before was pruned on {local(begun[1])}"


def _stacked(cells: Sequence[str]) -> str:
    """The same cells, the effect and the words below the others."""
    at, seq, generation, event, row, state, done, detail = (visible(cell) for cell in cells)
    first = f"{at}  seq {seq}  gen {generation}  {event}: {row}  {state}"
    return "\n    ".join(part for part in (first, done, detail) if part)


def _fitting(line: str, width: int | None) -> str:
    return line if width is None or columns(line) <= width else cut(line, width)


def _cells(past: Past) -> tuple[str, ...]:
    state = f"{past.source.value} -> {past.target.value}" if past.moved else past.source.value
    return (
        local(past.at, "milliseconds"),
        str(past.seq),
        str(past.generation),
        past.event,
        past.row,
        state,
        effect(past),
        past.detail,
    )


def effect(past: Past) -> str:
    """What the transition closed, how certainly, and what it opened."""
    said = []
    if past.ended is not None:
        said.append(f"{past.ended.effect.value} {_outcome(past)}")
    if past.opened is not None:
        again = f" (try {past.opened.tries})" if past.opened.tries > 1 else ""
        far = f", {past.opened.status}" if past.opened.status in _WORTH_SAYING else ""
        said.append(f"opens {past.opened.effect.value}{again}{far}")
    return "; ".join(said)


def _outcome(past: Past) -> str:
    if past.ended is None or past.ended.certainty is None:
        return "done"
    reason = f" ({past.ended.reason.value})" if past.ended.reason else ""
    return f"{past.ended.certainty.value}{reason}"
