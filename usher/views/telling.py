"""Telling: a step of a node's history in lines, for a person.

Rules:
1. The first line is the row as `usher history` has it; what is below it is indented, a subject a line.
2. On a terminal lines are wrapped; into a pipe each subject is one line, so that it can be searched for.
3. Digests and keys are cut where they only tell two values apart; --json has them whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap
from typing import Any, Final

from fsm.replay import Judged
from usher.views.past import SAID
from usher.views.steps import Ended, Told
from usher.views.text import ELLIPSIS, local, span, visible

_INDENT: Final = "    "
_LABEL: Final = 9
_HEX: Final = re.compile(r"[0-9a-f]{32,}")
_SHOWN: Final = 12
_WIDE: Final = 30
"""Columns below which nothing is wrapped any narrower."""
_JUDGED: Final = {
    Judged.DECLARED: "changed",
    Judged.UNDECIDED: "unknown",
    Judged.DIVERGES: "DIVERGES",
}


def lines(each: Told, width: int | None, *, full: bool = False) -> Iterator[str]:
    """A step; `full` has every guard and every change on a line of its own."""
    yield from _wrapped(headline(each), width, "", _INDENT)
    for label, said in _subjects(each, full=full):
        yield from _wrapped(said, width, f"{_INDENT}{label:<{_LABEL}}", _INDENT + " " * _LABEL)


def _wrapped(text: str, width: int | None, first: str, after: str) -> list[str]:
    if width is None:
        return [first + text]
    return wrap(text, max(width, _WIDE), initial_indent=first, subsequent_indent=after, break_on_hyphens=False)


def brief(each: Told) -> str:
    """A row in a few words."""
    row = each.step.recorded
    return visible(f"generation {row.generation}, {row.event}: {row.row}")


def headline(each: Told) -> str:
    """The row: when, its numbers, its event, its name, and where from and to."""
    row = each.step.recorded
    moved = f"{row.source} -> {row.target}" if row.source != row.target else row.source
    said = f"{row.seq}  {local(row.at, 'milliseconds')}{_gap(each.gap)}  gen {row.generation}"
    return visible(f"{said}  {row.event}: {row.row}  {moved}")


def _gap(gap: int | None) -> str:
    if gap is None:
        return ""
    return f" (+{length(gap)})" if gap >= 0 else f" (the clock went back {length(-gap)})"


def length(milliseconds: int) -> str:
    """A length of time; what is shorter than a second in milliseconds."""
    return f"{milliseconds} ms" if milliseconds < 1000 else span(milliseconds)


def _subjects(each: Told, *, full: bool) -> Iterator[tuple[str, str]]:
    step = each.step
    if each.sentence:
        yield "why", each.sentence
    if step.judged in _JUDGED:
        yield _JUDGED[step.judged], visible(step.why)
    yield from _asked(each, full=full)
    if each.ended is not None:
        yield "closed", closed(each.ended)
    if step.recorded.opened is not None:
        yield "opened", visible(opened(each))
    if each.said.detail:
        yield "said", visible(each.said.detail)
    yield from (("note", visible(line)) for line in each.said.note.splitlines())
    changed = {name: (_value(name, was), _value(name, now)) for name, (was, now) in each.changes(_time).items()}
    found = [f"{name} {was} -> {now}" for name, (was, now) in changed.items() if was != now]
    if found:
        yield from (("facts", line) for line in found) if full else [("facts", "; ".join(found))]


def _asked(each: Told, *, full: bool) -> Iterator[tuple[str, str]]:
    asked = each.asked
    if full:
        for one in asked:
            said = "yes" if one.applies else "no"
            yield "asked", f"{said:<4}{one.row.name}: {one.row.question or 'the last row of its cell asks nothing'}"
    elif asked:
        last = asked[-1].row
        answer = f"yes ({last.question})" if last.guard else "asks nothing"
        yield "asked", ", ".join([*(f"{one.row.name} no" for one in asked[:-1]), f"{last.name} {answer}"])


def closed(ended: Ended) -> str:
    """The effect that a step closed, how certainty has it, its try, and how long it took."""
    after = f", after {length(ended.took)}" if ended.took is not None else ""
    reason = f" ({ended.reason.value})" if ended.reason is not None else ""
    how = SAID[ended.certainty] if ended.certainty is not None else "was abandoned" if ended.abandoned else "was done"
    return f"{ended.effect.value} {how}{reason}, try {ended.tries}{after}"


def opened(each: Told) -> str:
    """The effect that a step opened, its try, and how it ended if it has."""
    row, opening = each.step.recorded, each.opening
    said = f"{row.opened}, try {row.tries}"
    if opening is None:
        return said
    took = f" after {length(opening.closed_at - row.at)}" if opening.closed_at is not None else ""
    return f"{said}: {opening.status.value}{took}"


def _time(at: int) -> str | None:
    return local(at) if at else None


def _value(name: str, value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith(".span"):
        return span(value)
    return _HEX.sub(lambda found: found.group()[:_SHOWN] + ELLIPSIS, visible(str(value)))
