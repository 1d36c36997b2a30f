"""Units as the engine makes them, for tests of the store: the next transition of a node, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from fsm.codec import encode_event
from fsm.effects import Effect, Intent
from fsm.events import Certainty, DueKind, Event, Hint, HintKind
from fsm.reasons import Reason
from fsm.snapshot import Awaited, Doing, Snapshot, unseen
from fsm.states import State
from fsm.unit import Blob, Closing, HistoryRow, Secret, Unit

AT = 1_795_200_000_000
ENTROPY = b"0123456789abcdef"


def blob(data: bytes) -> Blob:
    """Bytes under their own digest."""
    return Blob(sha256(data).hexdigest(), data)


class Life:
    """One node: `unit` gives the next transition and remembers it."""

    def __init__(self, node: str = "n1.example.net", epoch: int = 1, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or replace(unseen(node), generation=1)
        self.epoch = epoch

    def unit(
        self,
        state: State | None = None,
        opens: Effect | None = None,
        certainty: Certainty | None = None,
        reason: Reason | None = None,
        awaits: DueKind | None = None,
        blobs: Sequence[Blob] = (),
        secrets: Sequence[Secret] = (),
        *,
        anew: bool = False,
        abandons: bool = False,
        closes: bool = True,
        drop: bool = False,
        held: bool = False,
    ) -> Unit:
        """The next transition: to `state`, closing the open effect (with `certainty`), opening another."""
        before = self.snapshot
        seq, generation = before.seq + 1, before.generation + anew
        at, target = AT + seq, state or before.state
        doing = None
        if opens is not None:
            doing = Doing(
                effect=opens,
                seq=seq,
                opened=seq,
                epoch=self.epoch,
                tries=1,
                at=at,
                entropy=ENTROPY,
                since=at,
                open=True,
            )
        after = replace(
            before, state=target, generation=generation, seq=seq, doing=doing, reason=reason, held=held,
            since=at if target != before.state else before.since,
            awaited=Awaited(at + 5000, awaits, 5000) if awaits else None,
        )  # fmt: skip
        event = encode_event(Event(at, ENTROPY, Hint(HintKind.STARTUP)))
        row = HistoryRow(
            before.node, self.epoch, generation, seq, at, 1, "policy", "hint_startup", f"to_{target}", before.state,
            target, event,
        )  # fmt: skip
        identity, opened = after.effect_id(), before.open
        self.snapshot = after
        return Unit(
            after,
            row,
            Intent(identity, opens, at, ENTROPY) if identity is not None and opens is not None else None,
            Closing(opened.opened, certainty, reason, abandoned=abandons) if opened is not None and closes else None,
            tuple(blobs),
            tuple(secrets),
            drop=drop,
        )
