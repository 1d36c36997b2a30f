"""The search: every world that can be reached with so many faults, and that each of them ends well without another.

Rules:
1. Worlds are visited in the order of the faults that they took; two worlds that differ only in when they are, and in
   what things are called, are one.
2. Liveness is read off the graph of the moves without cost: no circle, and every end is a good one.
3. A finding says how it was reached: every move from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fsm.snapshot import unseen
from fsm.states import State
from tests.model.moves import moves
from tests.model.outcomes import half_of, key_of
from tests.model.usher import Broken, Rules
from tests.model.world import LIFE, Mode, Node, World, younger

OLD = 200_000
"""Milliseconds after which it does not matter any more how long ago something was."""
START = 1_000_000
MOST = 5_000_000


class Found(AssertionError):  # noqa: N818 it says what the search found
    """The search found a fault"""


class Result(NamedTuple):
    """How many worlds were reached, how many moves lead between them, how many ends there are of each kind."""

    worlds: int
    moves: int
    ends: dict[str, int]


class Graph(NamedTuple):
    """What the search remembers: how each world was reached, and where the moves without cost lead."""

    ids: dict[Any, int]
    came: list[tuple[int, str]]
    free: list[tuple[int, ...]]
    ends: dict[int, str]


def search(rules: Rules, *, faults: int, wide: bool = False, only: str = "", most: int = MOST) -> Result:
    """Visit everything; raises Found with the way to what is broken. `only` is how the names of the faults begin."""
    first = World(START, unseen("node"), Node(x509=rules.x509 or rules.supplies, carried=rules.supplies))
    graph = Graph({identity(first): 0}, [(-1, "begin")], [()], {})
    levels: list[list[tuple[int, World]]] = [[(0, first)], *([] for _ in range(faults + 1))]
    count = 0
    expanded: set[int] = set()
    for spent in range(faults + 1):
        level = levels[spent]
        while level:
            number, world = level.pop()
            if number in expanded:
                continue
            expanded.add(number)
            count += _expand(rules, graph, number, world, levels, spent, wide=wide, only=only, last=spent == faults)
            if len(graph.came) > most:
                raise Found(f"more than {most} worlds: something grows without end\n{_way(graph, number)}")
    _liveness(graph)
    kinds: dict[str, int] = {}
    for kind in graph.ends.values():
        kinds[kind] = kinds.get(kind, 0) + 1
    return Result(len(expanded), count, kinds)


def _expand(
    rules: Rules,
    graph: Graph,
    number: int,
    world: World,
    levels: list[list[tuple[int, World]]],
    spent: int,
    *,
    wide: bool,
    only: str,
    last: bool,
) -> int:
    free: list[int] = []
    count = 0
    where = moves(rules, world, faulty=not last, wide=wide)
    while True:
        try:
            move = next(where, None)
        except Broken as broken:
            raise Found(f"{broken}\n{_way(graph, number)}\n  then it broke, in {world}") from None
        if move is None:
            break
        if move.cost and not move.name.startswith(only):
            continue
        count += 1
        key = identity(move.world)
        known = graph.ids.get(key)
        if known is None:
            known = len(graph.came)
            graph.ids[key] = known
            graph.came.append((number, move.name))
            graph.free.append(())
        levels[spent + move.cost].append((known, move.world))
        if not move.cost:
            free.append(known)
    graph.free[number] = tuple(free)
    if not free:
        graph.ends[number] = _end(world, graph, number)
    return count


def _end(world: World, graph: Graph, number: int) -> str:
    snapshot, node = world.snapshot, world.node
    state = "held" if snapshot.held else snapshot.state.value
    if snapshot.held:
        return state
    if node.mode is Mode.DEAD and snapshot.state in {State.GONE, State.UNSEEN}:
        return f"{state}, and dead by its own restart"
    ours = node.seed == node.token if node.carried else snapshot.previous_key == node.token
    if snapshot.state is State.PROVISIONED and node.mode is Mode.SERVER and ours:
        return state
    if snapshot.state in {State.RETIRED, State.GONE} and node.mode is Mode.DOWN and node.parts:
        return state
    left = snapshot.state in {State.GONE, State.UNSEEN} and node.mode is Mode.SERVER and node.seed == node.token
    if left:
        why = " as asked" if world.asked else " after our restart" if node.ours else ""
        return f"{state}, and it left{why}"
    raise Found(f"this is no good end: {world}\n{_way(graph, number)}")


def _liveness(graph: Graph) -> None:
    """No circle among the moves without cost, so that every way without faults ends."""
    white, grey, black = 0, 1, 2
    colour = bytearray(len(graph.free))
    for root in range(len(graph.free)):
        if colour[root] != white:
            continue
        stack: list[tuple[int, Iterator[int]]] = [(root, iter(graph.free[root]))]
        colour[root] = grey
        while stack:
            number, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                colour[number] = black
                stack.pop()
            elif colour[following] == grey:
                circle = [n for n, _ in stack]
                names = [graph.came[n][1] for n in circle[circle.index(following) :]]
                raise Found(f"it goes in a circle: {names}\n{_way(graph, following)}")
            elif colour[following] == white:
                colour[following] = grey
                stack.append((following, iter(graph.free[following])))


def _way(graph: Graph, number: int) -> str:
    names: list[str] = []
    while number >= 0:
        number, name = graph.came[number]
        names.append(name)
    return "\n".join(f"  {name}" for name in reversed(names))


# -- when two worlds are one ------------------------------------------------------------------------------------------


class Names:
    """Gives things the number of their first mention."""

    def __init__(self) -> None:
        self.known: dict[object, int] = {}

    def __call__(self, name: object) -> int:
        """0 for nothing."""
        return self.known.setdefault(name, len(self.known) + 1) if name else 0


def identity(world: World) -> Any:
    """What is left of a world without its date and the names of its keys, connections, generations.

    The age of the facts is left out too: tests.model.usher asserts that no generation here lives for facts_max_age.
    """
    now, s, node, truth = world.now, world.snapshot, world.node, world.truth
    name = Names()
    name(str(world.connection))

    def ago(at: int) -> int | None:
        return max(at - now, -OLD) if at else None

    doing, facts, quiet, pairing = s.doing, s.facts, s.quiet, s.pairing
    body = (
        s.state,
        (doing.effect, doing.open, doing.tries, doing.seq == 0, doing.epoch == world.epoch) if doing else None,
        (ago(s.awaited.at), s.awaited.kind) if s.awaited else None,
        (facts.jwt is None, facts.inventory is None, name(key_of(s))),
        (name(facts.helper and facts.helper.digest), name(facts.token and facts.token.digest), facts.configured != ""),
        (ago(quiet.until), name(quiet.connection), ago(quiet.since), name(_part(quiet.digest))) if quiet else None,
        (name(half_of(s)), facts.wrap is None, facts.pairs),
        (ago(pairing.until), name(pairing.connection), ago(pairing.since)) if pairing else None,
        (ago(s.parting.at), s.parting.acknowledged, s.parting.count) if s.state is not State.PROVISIONED else None,
        (s.looks.gone, name(s.looks.connection), s.looks.silent) if s.state is not State.PROVISIONED else None,
        (s.answered, s.failures, s.absences, s.returns, s.held, s.reason if s.state is State.FAILED else None),
        ago(s.looked) if s.state is State.PROVISIONED else None,
        ago(s.provisioned_at) if s.state is State.PROVISIONED else None,
        name(s.previous_key) if s.state is State.PROVISIONED else None,
        s.seq == 0,
    )
    machine = (
        node.mode,
        ago(node.started),
        ago(node.leaves),
        node.parts,
        node.ours,
        ago(node.comes) if node.mode is Mode.STARTING else max(node.comes - now, 0),
        max(node.deaf - now, 0),
        max(node.locked - now, 0),
        name(node.seed),
        name(node.token),
        name(_part(node.configuration)),
        younger(world),
        name(node.half),
    )
    waiting = world.waiting
    opened = waiting.request.opened if waiting else -1
    net = tuple(
        (
            r.effect,
            ago(r.sent + LIFE),
            name(str(r.connection)),
            r.opened == opened,
            name(_part(r.configuration)),
            name(r.token),
            r.process and r.process == node.process,
            r.sent <= node.lost,
            name(r.half),
        )
        for r in world.net
    )
    late = waiting.late if waiting else None
    answer = (
        ago(waiting.deadline),
        ago(waiting.request.sent),
        name(str(waiting.request.connection)),
        late and (late.refusal, name(late.key), late.age, late.nobody),
    ) if waiting else None  # fmt: skip
    happened = (
        truth.configured,
        truth.parted,
        tuple((ago(at), name(connection)) for at, connection in truth.gone),
        truth.silent,
        name(truth.signed[0]),
        name(truth.signed[1]),
    )
    return body, machine, net, answer, happened, world.started, world.asked


def _part(configuration: str) -> str:
    return configuration
