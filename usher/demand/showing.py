"""How a roll-out is shown: a line a node, and on a terminal one live line below them.

Rules:
1. A pipe gets plain lines, and nothing twice; with --json one document at the end and nothing else.
2. What a node said is shown with its control characters visible.
"""

from __future__ import annotations

import json
import shutil
from typing import Any, Final, TextIO

from usher.demand.outcome import End, Outcome
from usher.demand.plan import Plan
from usher.demand.rollout import Tally
from usher.views.text import cut, visible

_CLEAR: Final = "\r\x1b[K"
_ENDS: Final = (End.DONE, End.FAILED, End.REFUSED)


class Progress:
    """Shows a roll-out on a stream; `live` draws the line that moves, `quiet` shows nothing."""

    def __init__(self, stream: TextIO, plan: Plan, *, live: bool, quiet: bool) -> None:
        """Hold the stream."""
        self._stream, self._plan, self._live, self._quiet = stream, plan, live, quiet
        self._shown = ""

    def told(self, node: str, ended: Outcome) -> None:
        """A node's end, a line that stays."""
        self.say(f"{node}: {ended.end.value}: {visible(ended.words)}")

    def moved(self, tally: Tally) -> None:
        """Where it stands."""
        width = shutil.get_terminal_size().columns - 1
        line = standing(self._plan, tally)
        if self._live and not self._quiet and line != self._shown:
            self._shown = line
            self._write(f"{_CLEAR}{cut(line, width) if len(line) > width else line}")

    def say(self, *lines: str) -> None:
        """Lines that stay."""
        if not self._quiet:
            self._write("".join(f"{_CLEAR if self._shown else ''}{line}\n" for line in lines))
            self._shown = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def standing(plan: Plan, tally: Tally) -> str:
    """Where a roll-out stands, in one line."""
    size = plan.manner.batch
    batches = -(-(tally.total) // size)
    return f"batch {tally.batch} of {batches}: {_counted(tally)}, {len(tally.under_way)} under way, {tally.left} left"


def summary(plan: Plan, tally: Tally) -> list[str]:
    """What became of it, and how to go on."""
    nodes, left = f"{tally.total} node{'s' * (tally.total != 1)}", tally.total - len(tally.ended)
    said = [f"{plan.verb}: {nodes}: {_counted(tally)}, {left} left"]
    if tally.stopped:
        said.append(f"stopped: {tally.stopped}; when that is understood: {again(plan)}")
    return said


def again(plan: Plan) -> str:
    """The command that goes on."""
    return f"usher {plan.verb} --resume"


def document(plan: Plan, tally: Tally) -> dict[str, Any]:
    """For programs."""
    counts = tally.counts()
    return {
        "plan": plan.id,
        "verb": plan.verb.value,
        **{end.value: counts[end] for end in _ENDS},
        "left": tally.total - len(tally.ended),
        "stopped": tally.stopped or None,
        "nodes": {node: {"end": ended.end.value, "why": ended.words} for node, ended in tally.ended.items()},
    }


def as_json(plan: Plan, tally: Tally) -> str:
    """The document as text."""
    return json.dumps(document(plan, tally))


def _counted(tally: Tally) -> str:
    counts = tally.counts()
    return ", ".join(f"{counts[end]} {end.value}" for end in _ENDS)
