"""The invariants of design §6, asked of a database and of what the simulated nodes say: who breaks which, by number.

Rules:
1. Nothing of the engine is trusted: each node is folded anew from its recorded events, and asked row by row.
2. What usher says of itself is held against what reached the nodes, which usher did not write.
3. Each check is a generator of violations; a check that cannot fail is no check (test_invariants.py plants them all).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from fsm.codec import decode_payload, encode_snapshot
from fsm.effects import SPECS, Effect, Feature, Port
from fsm.events import Done
from fsm.machine import Decision, decide
from fsm.policy import Policy
from fsm.states import State
from store.audit import verify
from store.reader import Reader, open_reader
from store.views import HistoryView
from tests.crash.checks import OF_A_LIFE, Life, Moved, Violation
from tests.crash.dying import ACTIONS, ALSO

_PAGE: Final = 5000


def policy_from(document: bytes) -> Policy:
    """The policy that history rows name, from the document that is stored under its hash."""
    values = json.loads(document)
    return Policy(**{**values, "features": frozenset(Feature(name) for name in values["features"])})


def violations(path: Path, reports: Iterable[dict[str, Any]] = ()) -> list[Violation]:
    """Every violation in the database at `path`, and against the reports of the simulated nodes."""
    found: list[Violation] = []
    told = list(reports)
    with open_reader(path) as reader:
        lives: list[Life] = []
        found.extend(_folds(reader, lives))
        found.extend(_chain(reader))
        found.extend(_effects_fit(reader, lives))
        for check in OF_A_LIFE:
            for life in lives:
                found.extend(check(life))
        found.extend(_against_nodes(reader, lives, told))
    return found


def lives_in(path: Path) -> dict[str, Life]:
    """Each node's history, decided again, as far as it folds."""
    lives: list[Life] = []
    with open_reader(path) as reader:
        for _ in _folds(reader, lives):
            pass
    return {life.node: life for life in lives}


def read_report(path: Path) -> list[dict[str, Any]]:
    """What `usher simulate --report` wrote."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


# -- 1, 2, 11: history ------------------------------------------------------------------------------------------------


def _folds(reader: Reader, lives: list[Life]) -> Iterator[Violation]:
    """Snapshot = fold(history), rows dense, and each row is the one that decides today."""
    policies: dict[str, Policy] = {}
    for stored in reader.rows("SELECT node, seq, body FROM nodes ORDER BY node"):
        life = Life(stored["node"])
        lives.append(life)
        yield from _fold(life, _history(reader, life.node), policies, reader)
        if life.snapshot.seq != stored["seq"]:
            yield Violation(1, life.node, stored["seq"], f"its history folds to row {life.snapshot.seq}")
        elif encode_snapshot(life.snapshot) != stored["body"]:
            yield Violation(1, life.node, stored["seq"], "its snapshot is not the fold of its history")


def _history(reader: Reader, node: str) -> Iterator[HistoryView]:
    after = 0
    while page := reader.history(node, after, _PAGE):
        yield from page
        after = page[-1].seq


def _fold(life: Life, rows: Iterable[HistoryView], known: dict[str, Policy], reader: Reader) -> Iterator[Violation]:
    for row in rows:
        before = life.snapshot
        if row.seq != before.seq + 1:
            yield Violation(2, life.node, row.seq, f"row {before.seq + 1} is missing")
            return
        if row.payload is None:
            yield Violation(1, life.node, row.seq, "its payload is gone, so it cannot be folded")
            return
        if row.policy not in known:
            known[row.policy] = policy_from(reader.policy(row.policy) or b"{}")
        event, _ = decode_payload(row.payload)
        decision = decide(before, event, known[row.policy])
        if not isinstance(decision, Decision):
            yield Violation(1, life.node, row.seq, f"its event is rejected: {decision.why}")
            return
        after = decision.snapshot
        if (decision.row.name, after.state, after.generation) != (row.name, row.target, row.generation):
            yield Violation(1, life.node, row.seq, f"it decides {decision.row.name}, not {row.name}")
            return
        life.moves.append(Moved(row, event, before, after, decision))


def _chain(reader: Reader) -> Iterator[Violation]:
    fault = verify(reader).fault
    if fault is not None:
        yield Violation(11, fault.node, fault.seq, str(fault))


# -- 3, 9: what is open -----------------------------------------------------------------------------------------------


def _effects_fit(reader: Reader, lives: Iterable[Life]) -> Iterator[Violation]:
    """At most one open effect a node, and it is the one of its snapshot."""
    query = "SELECT node, opened FROM effects WHERE closed_at IS NULL"
    opened: defaultdict[str, list[int]] = defaultdict(list)
    for row in reader.rows(query):
        opened[row["node"]].append(row["opened"])
    for life in lives:
        doing, rows = life.snapshot.open, opened.pop(life.node, [])
        expected = [] if doing is None else [doing.opened]
        if rows != expected:
            yield Violation(3, life.node, life.snapshot.seq, f"open are {rows}, by its snapshot {expected}")
    for node, rows in opened.items():
        yield Violation(3, node, 0, f"open are {rows}, and there is no such node")


# -- 5: evidence ------------------------------------------------------------------------------------------------------


# -- 4, 7, 8: what was sent -------------------------------------------------------------------------------------------


def _against_nodes(reader: Reader, lives: Sequence[Life], reports: Sequence[dict[str, Any]]) -> Iterator[Violation]:
    by_node = {life.node: life for life in lives}
    sent = _sent(reader)
    for told in reports:
        life = by_node.get(told["node"], Life(told["node"]))
        yield from _committed_first(life, told, sent)
        yield from _keys_fit(life, told)


def _sent(reader: Reader) -> Counter[tuple[str, Effect]]:
    """How many requests of each effect may have been sent to each node: those whose effect was started."""
    query = """
    SELECT node, effect, count(*) AS count FROM effects
    WHERE status <> 'intended' AND certainty IS NOT 'not_sent' GROUP BY node, effect
    """
    return Counter({(row["node"], Effect(row["effect"])): row["count"] for row in reader.rows(query)})


def _committed_first(life: Life, told: dict[str, Any], sent: Counter[tuple[str, Effect]]) -> Iterator[Violation]:
    """Nothing outside moves before its commit: no more requests came than effects were committed as started."""
    certified = "gencsr" in told["requests"]
    for action, effect in ACTIONS.items():
        came, committed = told["requests"].get(action, 0), sent[life.node, effect]
        committed += sent[life.node, ALSO[action]] if certified and action in ALSO else 0
        if came > committed:
            yield Violation(4, life.node, 0, f"{came} requests for {effect} reached it, {committed} were committed")


# -- 6, 12: credentials -----------------------------------------------------------------------------------------------


def _keys_fit(life: Life, told: dict[str, Any]) -> Iterator[Violation]:
    """The token's or the certificate's key is the key that the node holds, and both are those that usher knows of."""
    snapshot = life.snapshot
    if told["token_key"] and told["key"] != told["token_key"]:
        yield Violation(6, life.node, snapshot.seq, f"it holds the key {told['key']}, its token {told['token_key']}")
    if told["certificate_key"] and told["tls_key"] != told["certificate_key"]:
        yield Violation(6, life.node, snapshot.seq, "its certificate is for another key than it holds")
    if snapshot.state is not State.PROVISIONED:
        return
    if told["process"] != "server":
        yield Violation(6, life.node, snapshot.seq, f"provisioned, and its process is {told['process']}")
    key = told["key"] or ("" if _key_was_supplied(life) else told["tls_key"])
    if (key or snapshot.previous_key, told["token_id"]) != (snapshot.previous_key, snapshot.previous_token):
        yield Violation(6, life.node, snapshot.seq, "provisioned with another key or token than usher knows of")
    if not (told["token_key"] or told["certificate_key"]):
        yield Violation(6, life.node, snapshot.seq, "provisioned with neither a token nor a certificate")


def _key_was_supplied(life: Life) -> bool:
    """Whether the helper's key was wrapped for the node in its last generation: it then holds that one."""
    last = life.snapshot.generation
    return any(
        isinstance(move.event.body, Done) and move.event.body.effect is Effect.WRAP_KEY
        for move in life.moves
        if move.before.generation == last
    )


# -- how it went ------------------------------------------------------------------------------------------------------


def at_rest(path: Path) -> list[str]:
    """What is not at its end: nodes with something open, or due, or waiting."""
    with open_reader(path) as reader:
        rows = reader.rows("SELECT node, state, doing, due_kind FROM nodes WHERE active = 1 ORDER BY node")
    return [f"{row['node']}: {row['state']} {row['doing'] or row['due_kind'] or ''}".strip() for row in rows]


def requests(path: Path) -> int:
    """How many requests were, or may have been, sent over the network."""
    with open_reader(path) as reader:
        return sum(count for (_, effect), count in _sent(reader).items() if SPECS[effect].port is Port.RPC)
