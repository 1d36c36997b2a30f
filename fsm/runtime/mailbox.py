"""Mailboxes: one running turn a node, and what came meanwhile in order.

Rules:
1. A node that has no turn running costs no mailbox.
2. Letters of a node are taken in the order in which they were posted.
3. Replies are never shed; hints of a node that is busy are, beyond one of a kind: they prove nothing and come again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fsm.events import Event, Hint
from fsm.frozen import quick
from fsm.machine import Decision, Rejected
from fsm.unit import Blob, Secret


@quick
@dataclass(frozen=True, slots=True)
class Letter:
    """An event for a node with what came beside it; `answer` is told what was decided, once it is durable."""

    event: Event
    blobs: Sequence[Blob] = ()
    secrets: Sequence[Secret] = ()
    note: str = ""
    answer: asyncio.Future[Decision | Rejected] | None = None

    def tell(self, decided: Decision | Rejected) -> None:
        """Tell whoever asked."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(decided)


class Mailboxes:
    """Which nodes have a turn running, and what waits for it."""

    def __init__(self) -> None:
        """Begin with no turn running."""
        self._boxes: dict[str, deque[Letter] | None] = {}

    def __len__(self) -> int:
        """How many turns are running."""
        return len(self._boxes)

    def __contains__(self, node: str) -> bool:
        """Whether a turn of this node is running."""
        return node in self._boxes

    def begin(self, node: str, letter: Letter) -> bool:
        """Begin a turn for this letter; if one is running already the letter waits, and the answer is False."""
        if node not in self._boxes:
            self._boxes[node] = None  # nearly always nothing comes meanwhile: a deque takes 600 bytes
            return True
        box = self._boxes[node]
        if box is None:
            self._boxes[node] = deque((letter,))
        elif not (isinstance(letter.event.body, Hint) and any(kept.event.body == letter.event.body for kept in box)):
            box.append(letter)
        return False

    def next(self, node: str) -> Letter | None:
        """The letter of the node's next turn; None ends the running one."""
        box = self._boxes[node]
        if box:
            return box.popleft()
        del self._boxes[node]
        return None
