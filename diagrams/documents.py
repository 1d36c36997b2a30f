"""The documents that say what the machine does, written from the table: nobody edits them by hand.

Rules:
1. Every fact of a document comes from the modules of fsm; the same table always gives the same bytes.
2. `python -m diagrams.documents --write docs` writes them, `--check docs` says which are stale; a test does too.
   `--picture FILE` puts the overview between its two markers into a page that people write.
3. A cell of the table is printed with all its rows in the order in which they are asked, the ignored ones too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from diagrams import continuity, mermaid, words
from diagrams.model import draw, opened
from diagrams.page import grid, page
from fsm.actions import Action
from fsm.effects import SPECS, STEPS, Effect, Feature, Unknown
from fsm.events import Trigger
from fsm.rows import OPENS, Opens, Row
from fsm.states import ENDS, FACTS, PHASES, WAITING, State
from fsm.table import ROWS, VERSION

PICTURE: Final = "<!-- picture: written by `make docs` from `usher diagram` -->"
PICTURE_END: Final = "<!-- /picture -->"
PICTURES: Final = {
    "machine": "The machine of a node",
    "full": "The machine of a node, with every row",
    "effects": "The effects of each phase",
}
"""The pictures of the table in docs/pictures, and what each shows."""
_UNKNOWN: Final[dict[Unknown, str]] = {
    Unknown.REPEAT: "it is sent again",
    Unknown.LOOK: "a look finds out; it is never sent again blindly",
}


def machine() -> str:
    """docs/machine.md: the states, the picture, and the table cell by cell."""
    return "\n".join([*page("The machine", _MACHINE), *_states(), *_picture(), *_table()]) + "\n"


def effects() -> str:
    """docs/effects.md: what usher does outside, and what it may do when it does not know whether it happened."""
    return "\n".join([*page("Effects", _EFFECTS), *_effects(), *_phases(), *_opening()]) + "\n"


def shown(picture: str, folder: str) -> str:
    """The Markdown that shows one of the pictures of docs/pictures, and leads to it."""
    path = f"{folder}/{picture}.svg"
    return f"[![{PICTURES[picture]}]({path})]({path})"


DOCUMENTS: Final[dict[str, Callable[[], str]]] = {
    "machine.md": machine,
    "effects.md": effects,
    "continuity.md": continuity.document,
}

_MACHINE: Final = f"""Every node is one machine, and this is all that it can do: version {VERSION} of the table.
A state is a fact that is held; what is under way is the open step of the node, which the states do not show. Each event
in each state is a cell; the rows of a cell are asked from the top, and the first whose guard says yes applies. A row
that is *ignored* says why nothing happens. What a row opens is described in [effects](effects.md)."""
_READING: Final = """An arrow for each pair of states; the box that it leaves names the rows that take it. (`usher
diagram` draws this, `--full` every row.) Phases stand in a line, what waits below them, ends at the right with a double
border. A wire that meets another goes on with it. In the file itself a row tells its sentence when you point at it."""
_EFFECTS: Final = """What usher does outside. An effect is journalled before it happens and closed with its outcome, so
that a process that dies in between knows at its next start what it does not know."""
_TRIES: Final = """`tries` is how often a generation opens the effect; what was not sent, or was interrupted by the
end of usher itself or of the way to the broker, costs none. No effect that changes the node opens while an earlier one
that is unanswered may still live, except `new_key`, and after a `configure` the `configure` of the same bytes and the
restart into them."""


# -- the machine ------------------------------------------------------------------------------------------------------


def _states() -> Iterator[str]:
    yield from ("## States", "")
    rows = ((f"`{state.value}`", FACTS[state], _rest(state), words.steps(STEPS.get(state, ()))) for state in State)
    yield from grid(("state", "the fact", "what it is", "steps"), rows)
    yield ""


def _rest(state: State) -> str:
    if state in PHASES:
        return "a phase"
    if state in ENDS:
        return "an end, until something is seen of it"
    return "waits for a new generation" if state in WAITING else "the start"


def _picture() -> Iterator[str]:
    yield from ("## The picture", "", shown("machine", "pictures"), "", _READING, "")
    yield from ("Every row of the table, those too that stay in their state:", "", shown("full", "pictures"), "")
    yield from ("The same for Mermaid, which forges draw:", "")
    yield from ("```mermaid", mermaid.render(draw()).rstrip("\n"), "```", "")


def _table() -> Iterator[str]:
    yield from ("## The table", "")
    for state in State:
        yield from (f"### {state.value}", "", f"{FACTS[state].capitalize()}.", "")
        yield from grid(("event", "row", "when", "target", "what changes", "opens", "why"), _cells(state))
        yield ""


def _cells(state: State) -> Iterator[Sequence[str]]:
    for trigger in Trigger:
        for row in ROWS:
            if row.trigger is trigger and state in row.sources:
                yield _row(row, state)


def _row(row: Row, state: State) -> Sequence[str]:
    if row.ignored:
        target, changed = "stays", "*ignored*"
    else:
        target = f"`{row.goes_to(state).value}`" if row.goes_to(state) is not state else "stays"
        changed = "; ".join(_said(action) for action in row.actions)
    return (f"`{row.trigger.value}`", row.name, row.question, target, changed, _opens(row, state), row.why)


def _said(action: Action) -> str:
    return (action.__doc__ or "").strip()


def _opens(row: Row, state: State) -> str:
    if row.opens in {Opens.AGAIN, Opens.ANEW}:
        return OPENS[Opens(row.opens)]
    return " or ".join(words.step(step) for step in opened(row, state))


# -- effects ----------------------------------------------------------------------------------------------------------


def _effects() -> Iterator[str]:
    head = ("effect", "what", "port", "if the outcome is not known", "tries", "changes the node", "supersedes")
    yield from grid(head, (_effect(effect) for effect in Effect))
    yield from ("", _TRIES, "")


def _effect(effect: Effect) -> Sequence[str]:
    spec = SPECS[effect]
    changes = "yes" if spec.changes_node else "no"
    unknown, superseded = _UNKNOWN[spec.unknown], ", ".join(spec.supersedes)
    what = spec.what + ("; a request for each token of the site until one is right" if spec.each_token else "")
    return (f"`{effect.value}`", what, spec.port.value, unknown, str(spec.tries), changes, superseded)


def _phases() -> Iterator[str]:
    yield from ("## Phases", "", "The steps of each phase in order; a feature that is off leaves its steps out.", "")
    yield from (shown("effects", "pictures"), "")
    rows = ((f"`{state.value}`", words.steps(STEPS[state]), FACTS[_after(state)]) for state in PHASES)
    yield from grid(("phase", "steps", "after the last of them"), rows)
    yield from ("", f"Features: {', '.join(f'`{feature.value}`' for feature in Feature)}.", "")


def _after(state: State) -> State:
    place = PHASES.index(state) + 1
    return PHASES[place] if place < len(PHASES) else State.PROVISIONED


def _opening() -> Iterator[str]:
    yield from ("## What a row can open", "")
    yield from grid(("in the table", "what it opens"), ((f"`{name.value}`", said) for name, said in OPENS.items()))


# -- writing ----------------------------------------------------------------------------------------------------------


def stale(folder: Path) -> list[str]:
    """The documents in a folder that are not what the table says, by their file names; a missing one is stale."""
    return [name for name, make in DOCUMENTS.items() if not _holds(folder / name, make())]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write(folder: Path) -> None:
    """Write every document into a folder; raises OSError."""
    for name, make in DOCUMENTS.items():
        (folder / name).write_text(make(), encoding="utf-8")


def pictured(text: str) -> str:
    """The same page with the overview between its two markers; raises ValueError if they are not there."""
    before, found, rest = text.partition(PICTURE)
    _, closed, after = rest.partition(PICTURE_END)
    if not found or not closed:
        raise ValueError(f"the markers {PICTURE} and {PICTURE_END} are not in it")
    return f"{before}{found}\n\n{shown('machine', 'docs/pictures')}\n\n{closed}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents, or say which are stale (exit code 1)."""
    parser = argparse.ArgumentParser(prog="python -m diagrams.documents", description="The documents of the one table.")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--write", type=Path, metavar="FOLDER", help="write them")
    chosen.add_argument("--check", type=Path, metavar="FOLDER", help="say which are stale")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="with --write: a page that holds the picture")
    options = parser.parse_args(arguments)
    if options.write:
        write(options.write)
        if options.picture:
            page = options.picture.read_text(encoding="utf-8")
            options.picture.write_text(pictured(page), encoding="utf-8")
        return 0
    old = stale(options.check)
    sys.stderr.writelines(f"{options.check / name} is stale: run make docs\n" for name in old)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
