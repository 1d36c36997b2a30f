"""Journals of released versions: written once, by the usher of that release, and never changed.

    git worktree add /tmp/released TAG
    cd /tmp/released && PYTHONPATH=. python .../tests/replay/released.py > .../tests/replay/journals/VERSION.jsonl

`0.2.0+table3` is of a tree between two releases whose table was in use.

Rules:
1. What is imported here, that release had too: the machine, the codec, and the scenes of its tests.
2. Lives are drawn by chance that repeats itself; one is kept as far as it shows a row or an opening that no life
   before it has shown.
3. A line is a policy; or a node with its policy and what was held of it in the end; or a row of the node before it.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from fsm.codec import encode_payload, encode_snapshot
from fsm.effects import Effect, Feature
from fsm.events import Body, Certainty, Event, HelperFacts, HintKind, Sighting, Verb, Verdict
from fsm.machine import Decision
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.snapshot import unseen
from fsm.table import VERSION
from tests.unit.fsm.scenes import GONE, NEW, OLD, Scene

LIVES = 3000
LENGTH = 60
PAUSES = (0, 0, 0, 1, 700, 5_000, 30_000, 1_000_000)
SETS = ({"jwt", "ed25519"}, {"jwt", "ed25519"}, {"ed25519"}, {"jwt", "pki"})
"""Features of the sites whose nodes are recorded, as far as the release has them."""
SAYS = tuple(HelperFacts("4e" * 32, verdict, "a word, and another", keeps) for verdict, keeps in (
    (Verdict.CONFIGURE, False), (Verdict.CONFIGURE, False), (Verdict.CONFIGURE, False), (Verdict.DEFER, False),
    (Verdict.SHUTDOWN, False), (Verdict.SHUTDOWN, False), (Verdict.CONFIGURE, True),
))  # fmt: skip
SEES: tuple[Sighting, ...] = (GONE, GONE, GONE, OLD, NEW)
REASONS = (Reason.NO_ANSWER, Reason.LOCK_HELD, Reason.ABSENT, Reason.FACTS_LOST, Reason.HELPER_FAILED)

Line = dict[str, Any]


class Recorder(Scene):
    """A scene that keeps the rows of what happens in it, as a journal does."""

    rows: list[Line]

    def post(self, body: Body) -> Scene:
        """Something happens now."""
        before, self.entropy = self.snapshot, sha256(b"%d" % self.snapshot.seq).digest()[:16]
        event = Event(self.now, self.entropy, body, self.epoch)
        super().post(body)
        if isinstance(self.last, Decision):
            self.rows.append(self._row(before.state.value, event, self.last))
        return self

    def _row(self, source: str, event: Event, decision: Decision) -> Line:
        payload, opens = encode_payload(event, ""), decision.opens
        return {
            "seq": self.snapshot.seq, "at": event.at, "table": VERSION, "generation": self.snapshot.generation,
            "event": event.body.trigger.value, "row": decision.row.name, "source": source,
            "target": self.snapshot.state.value, "payload": payload.decode(),
            "opened": opens.effect.value if opens else None, "tries": opens.id.tries if opens else None,
            "first": opens.id.seq if opens else None,
        }  # fmt: skip


def step(scene: Recorder, chance: random.Random) -> None:
    """Something happens: mostly what the node waits for."""
    scene.later(chance.choice(PAUSES))
    doing, what = scene.snapshot.open, chance.randrange(24)
    if what == 0:
        scene.asks(chance.choice(list(Verb)))
    elif what == 1:
        scene.hint(chance.choice(list(HintKind)))
    elif what == 2:
        scene.crash(started=chance.random() < 0.5)
    elif doing is None:
        waits = scene.snapshot.awaited is not None or scene.snapshot.waiting_for_admission
        scene.due() if waits else scene.hint()
    elif what < 7:
        scene.fails(chance.choice(list(Certainty)), chance.choice(REASONS), transient=chance.random() < 0.8)
    elif doing.effect is Effect.RUN_HELPER:
        scene.done(chance.choice(SAYS))
    else:
        scene.done(chance.choice(SEES) if doing.effect is Effect.LOOK else None)


def long_away(scene: Recorder, _chance: random.Random) -> None:
    """Its restart has no answer, and when usher comes back after long it is still there."""
    scene.until(Effect.RESTART).fails(Certainty.UNKNOWN).later(max(PAUSES)).due().done(OLD)


def comes_back(scene: Recorder, _chance: random.Random) -> None:
    """It comes back from its restart until it is held."""
    for _ in range(scene.policy.loops):
        scene.until(Effect.LOOK).done(NEW)


def silent(scene: Recorder, _chance: random.Random) -> None:
    """It comes back from its restart once, and after the next one it is silent until that will do."""
    scene.until(Effect.LOOK).done(NEW)
    for _ in range(scene.policy.silent_looks):
        scene.until(Effect.LOOK).fails(Certainty.UNKNOWN)


def policies() -> Iterator[Policy]:
    """Sites of each kind that the release knows."""
    known = {feature.value for feature in Feature}
    for number, features in enumerate(SETS):
        if features <= known:
            yield Policy(features=frozenset(map(Feature, features)), strict=number == 1, signer="ab12")


OPENINGS = {0: long_away, 1: comes_back, 2: silent}
"""How some lives begin, since chance is long about it."""


def shown(row: Line) -> tuple[str, ...]:
    """What of a row makes a life worth keeping."""
    return (row["row"], row["opened"] or "")


def lives() -> Iterator[tuple[Recorder, list[Line], str]]:
    """Each life that shows something new, its rows, and what was held after the last of them."""
    sites, seen = list(policies()), set[tuple[str, ...]]()
    for number in range(LIVES):
        chance = random.Random(number)  # noqa: S311 a recording repeats itself
        scene = Recorder(sites[number % len(sites)], unseen(f"web{number}.example.net"))
        scene.rows, held = [], ""
        kept: list[Line] = []
        for count in range(LENGTH):
            (step if count else OPENINGS.get(number, step))(scene, chance)
            if scene.rows and shown(scene.rows[-1]) not in seen:
                seen.add(shown(scene.rows[-1]))
                kept, held = [*scene.rows], encode_snapshot(scene.snapshot).decode()
        if kept:
            yield scene, kept, held


def main() -> None:
    """Write a journal."""
    written: set[str] = set()
    for scene, rows, held in lives():
        policy = scene.policy
        if policy.hash not in written:
            written.add(policy.hash)
            print(json.dumps({"policy": policy.hash, "document": policy.document().decode()}))
        print(json.dumps({"node": scene.snapshot.node, "policy": policy.hash, "held": held}))
        print("\n".join(json.dumps(row) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
