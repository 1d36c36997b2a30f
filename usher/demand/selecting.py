"""Selecting: whom an operator means, by names, files and what usher knows of its nodes.

Rules:
1. Names come from arguments and files; filters narrow them, or choose among all provisioned nodes where none is named.
2. Nothing is guessed: a file that is no text, is empty, or holds what cannot be a name is refused with its line.
3. A node that comes twice is asked once, where it came first, and the number of repetitions is said.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fsm.errors import ProblemError
from fsm.identity import is_safe
from fsm.snapshot import Snapshot
from fsm.states import State
from store.reader import Reader
from usher.views.book import Book
from usher.views.text import visible

LARGEST = 16 * 1024 * 1024
"""Bytes of a file of names."""


class SelectionError(ProblemError):
    """The nodes cannot be told from the arguments"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What usher knows of a node: its state, when its token ends (milliseconds since 1970), its Choria version.

    `networks` are those that its record may name; none is any.
    """

    state: State | None = None
    ends_before: int | None = None
    version: str = ""
    networks: frozenset[str] = frozenset()

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self != Filters()

    def take(self, snapshot: Snapshot) -> bool:
        """Whether a node is meant."""
        facts = snapshot.facts
        ends = facts.token.expires * 1000 if facts.token else None
        late = self.ends_before is None or (ends is not None and ends <= self.ends_before)
        version = not self.version or (facts.inventory is not None and facts.inventory.version == self.version)
        here = not self.networks or snapshot.network in self.networks
        return (self.state is None or snapshot.state is self.state) and late and version and here


@dataclass(frozen=True, slots=True)
class Selection:
    """Who is meant, in order; how many names came again."""

    nodes: tuple[str, ...]
    repeated: int = 0


def named(given: Sequence[str], files: Sequence[str]) -> list[str]:
    """The names of arguments and files (`-` is standard input), repetitions and all; raises SelectionError."""
    found: list[str] = []
    for name in given:
        found += _stdin() if name == "-" else [_checked(name, "")]
    for file in files:
        found += _stdin() if file == "-" else _read(Path(file))
    return found


def select(reader: Reader, names: Sequence[str], filters: Filters, *, listed: bool) -> Selection:
    """The names that the filters take, or all that they take where no list was given; raises SelectionError.

    A name that nobody knows stays in the list where there are no filters: the daemon says that it is not known.
    """
    if not listed and not filters.given:
        raise SelectionError(
            "name nodes, or say which: --from FILE, --in STATE, --expiring 60d, --version V, --network NAME, --discover"
        )
    if not listed:
        state = filters.state or State.PROVISIONED
        views = Book(reader).nodes(state)
        return _chosen(reader, (view.node for view in views), filters)
    unique = list(dict.fromkeys(names))
    chosen = _chosen(reader, unique, filters) if filters.given else Selection(tuple(unique))
    return Selection(chosen.nodes, len(names) - len(unique))


def _chosen(reader: Reader, names: Iterable[str], filters: Filters) -> Selection:
    taken = []
    for name in names:
        snapshot = reader.node(name)
        if snapshot is not None and filters.take(snapshot):
            taken.append(name)
    return Selection(tuple(taken))


def _stdin() -> list[str]:
    return list(_names(sys.stdin.buffer.read(LARGEST + 1), "standard input"))


def _read(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise SelectionError(f"{visible(str(path))}: {said}") from None
    return list(_names(data, visible(str(path))))


def _names(data: bytes, where: str) -> Iterator[str]:
    if len(data) > LARGEST:
        raise SelectionError(f"{where}: it is larger than {LARGEST} bytes: a list of names was expected")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SelectionError(f"{where}: it is not text: a list of names was expected, one a line") from None
    found = 0
    for number, line in enumerate(text.splitlines(), 1):
        for name in line.partition("#")[0].split():
            found += 1
            yield _checked(name, f"{where} line {number}: ")
    if not found:
        raise SelectionError(f"{where}: it names no node")


def _checked(name: str, where: str) -> str:
    if not is_safe(name):
        raise SelectionError(f"{where}{visible(name)[:100]!r} cannot be a node's name")
    return name


def filters_of(args: argparse.Namespace, now: int, first: str = "") -> Filters:
    """The filters of the arguments; records that name no network are those of `first`."""
    ends = None if args.expiring is None else now + args.expiring
    networks = frozenset({args.network, ""} if args.network == first else {args.network}) if args.network else ()
    return Filters(args.in_state, ends, args.version or "", frozenset(networks))


def at_home(
    load: Callable[[str], Snapshot | None], found: Mapping[str, Sequence[str]], first: str
) -> tuple[list[str], int]:
    """Who answered in the network of its record, or has none; and how many did elsewhere, where nobody would ask them.

    `load` reads a node's record, `found` is who answered, by network; a record that names no network is of `first`.
    """
    home, others = dict[str, None](), set[str]()
    for network, nodes in found.items():
        for node in nodes:
            snapshot = load(node)
            if snapshot is None or (snapshot.network or first) == network:
                home[node] = None
            else:
                others.add(node)
    return list(home), len(others - home.keys())
