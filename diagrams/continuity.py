"""docs/continuity.md: what if usher is killed here? Asked of the machine for each effect in each state.

Rules:
1. What a restart finds, which row fires, what opens and when is found by really deciding (diagrams.lives).
2. Only why something may be repeated, and what is not of one node, is written in words (diagrams.answers).
3. Every effect in every state in which it can be open has a section; one that is added appears by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from diagrams.answers import FLEET, MOMENTS, PLAIN, PROMISE, WAITING, WHY
from diagrams.lives import ANSWERS, GONE, NEW, SAME, Aftermath, Life, killed, openings, waits
from diagrams.page import grid, page
from fsm.effects import SPECS, STEPS, Effect, Unknown
from fsm.events import Certainty
from fsm.policy import MINUTE, SECOND, Policy
from fsm.reasons import Reason
from fsm.rows import Row
from fsm.states import FACTS, State

DOWN: Final = Policy().facts_max_age + 5 * MINUTE
"""Milliseconds of the long absence that each section tells of: longer than facts may be old."""
_SEEN: Final = (("nobody", GONE), ("the same process", SAME), ("a new process", NEW))


def document() -> str:
    """The page."""
    parts = (page("Continuity", PROMISE), _moments(), _glance(), _sections(), _waits(), _fleet(), _plain())
    return "\n".join(line for part in parts for line in part).rstrip("\n") + "\n"


def _moments() -> Iterator[str]:
    index = " · ".join(f"[{title}](#{_anchor(title)})" for title in _TITLES)
    lost = "If usher does not start, or something is lost: [recovery](recovery.md)."
    yield from (lost, "", index, "", f"## {_TITLES[0]}", "")
    yield from grid(("killed when", "the database says", "the next start finds"), MOMENTS)
    yield ""


# -- one line for each effect -----------------------------------------------------------------------------------------


def _glance() -> Iterator[str]:
    yield from (f"## {_TITLES[1]}", "", _GLANCE, "")
    rows = (_line(state, effect, life) for (state, effect), life in openings().items())
    yield from grid(("killed during", "of a node in", "not sent yet", "sent, or answered and not committed"), rows)
    yield ""


def _line(state: State, effect: Effect, life: Life) -> Sequence[str]:
    link = f"[{effect.value}](#{_anchor(_title(state, effect))}){_feature(effect)}"
    ends = (_short(killed(life, started=started)) for started in (False, True))
    return (link, f"`{state.value}`", *ends)


def _feature(effect: Effect) -> str:
    named = [step.when.value for phase in STEPS.values() for step in phase if step.effect is effect and step.when]
    return f" ({named[0]})" if named else ""


def _short(after: Aftermath) -> str:
    if after.opened is None:
        return f"stays `{after.last.snapshot.state.value}`"
    before = after.before.snapshot.open
    if before is not None and after.opened is before.effect:
        return f"again {_when(after.waited)}"
    return f"a {after.opened.value} {_when(after.waited)}"


# -- a section for each effect ----------------------------------------------------------------------------------------


def _sections() -> Iterator[str]:
    yield from (f"## {_TITLES[2]}", "", _STEPS, "")
    for (state, effect), life in openings().items():
        yield from (f"### {_title(state, effect)}", "", *_told(state, effect), "")
        yield from grid(("killed", "finds", "row of the table", "then"), _moment_rows(state, effect, life))
        yield ""
        if effect in {Effect.LOOK, Effect.LOOK_IN_FLEET}:
            yield from ("What the look then says decides:", "")
            yield from grid(("it finds", "row of the table", "then"), _looks(state, life))
            yield ""


def _told(state: State, effect: Effect) -> Iterator[str]:
    spec = SPECS[effect]
    may = "May be sent again" if spec.unknown is Unknown.REPEAT else "Never sent again blindly, a look first"
    yield f"{spec.what[0].upper()}{spec.what[1:]}. The node is `{state.value}`: {FACTS[state]}."
    yield f"**{may}**: {WHY[effect]}."


def _moment_rows(state: State, effect: Effect, life: Life) -> Iterator[Sequence[str]]:
    unsent, sent = killed(life, started=False), killed(life, started=True)
    yield ("not sent yet", "NOT_SENT", _row(unsent.rows[0], state), _then(unsent))
    yield ("sent; or answered, and not committed", "INTERRUPTED", _chain(sent, state), _then(sent))
    well = life.done(ANSWERS[effect][0])
    if well is not None:
        yield ("outcome committed", "nothing of it", _row(well.row, state), _goes_on(well))
    again = life.fails(Certainty.REFUSED, Reason.REFUSED)
    if again is not None and again.snapshot.awaited is not None:
        killed_when = "between two tries" if again.snapshot.state is state else "after it failed"
        yield (killed_when, "nothing open", _row(again.row, state), _goes_on(again))
    long = killed(life, started=True, down=DOWN)
    yield (f"sent, and down for {_span(DOWN)}", "INTERRUPTED", _rows(long.rows, state), _then(long))


def _then(after: Aftermath) -> str:
    if after.opened is None:
        stays = f"stays `{after.last.snapshot.state.value}`, nothing is opened"
        return "begins anew, in the waiting room" if after.anew else stays
    said = [f"{after.opened.value} {_when(after.waited)}"]
    if after.repeated:
        said.append("same number, same order")
        said.append(f"{after.tries} tries lost" if after.tries else "no try lost")
    return "; ".join([*said, *_quiet(after)])


def _quiet(after: Aftermath) -> Iterator[str]:
    span, effects = after.held_back
    if span:
        yield f"no {_listed(effect.value for effect in effects)} for {_span(span)}"


def _goes_on(life: Life) -> str:
    state, opened, awaited = life.snapshot.state, life.snapshot.open, life.snapshot.awaited
    if opened is not None:
        return f"[{opened.effect.value}](#{_anchor(_title(state, opened.effect))}), intended in the same transaction"
    if awaited is None:
        return f"`{state.value}`: nothing is left to do"
    return f"{_due(life)} {_within(awaited.span)}: the due time stands"


def _due(life: Life) -> str:
    after = life.due()
    if after is None:
        return "nothing"
    opened, joins = after.snapshot.open, life.snapshot.state is State.DISCOVERED
    if opened is None and after.snapshot.awaited is not None:
        return _due(after)
    if opened is not None:
        return opened.effect.value
    return "the waiting room" if joins else "a new generation"


def _looks(state: State, life: Life) -> Iterator[Sequence[str]]:
    for said, facts in _SEEN:
        yield (said, *_seen(life.done(facts), state))
    yield ("no answer", *_seen(life.fails(Certainty.UNKNOWN, Reason.NO_ANSWER), state))


def _seen(life: Life | None, state: State) -> Sequence[str]:
    return (_row(life.row, state), _goes_on(life)) if life is not None else ("", "")


# -- what is not under way --------------------------------------------------------------------------------------------


def _waits() -> Iterator[str]:
    yield from (f"## {_TITLES[3]}", "", *WAITING, "")
    grouped: dict[tuple[State, Row], list[Life]] = {}
    for life in waits():
        if life.row is not None:
            grouped.setdefault((life.snapshot.state, life.row), []).append(life)
    rows = (_wait(state, row, lives) for (state, row), lives in grouped.items())
    yield from grid(("a node in", "waits because", "at most", "then"), rows)
    yield ""


def _wait(state: State, row: Row, lives: Sequence[Life]) -> Sequence[str]:
    longest = max(life.snapshot.awaited.span for life in lives if life.snapshot.awaited)
    opened = dict.fromkeys(_due(life) for life in lives)
    then = " or ".join(opened)
    return (f"`{state.value}`", f"*{row.name}*: {row.why}", _capped(row, longest), then)


def _capped(row: Row, longest: int) -> str:
    grows = any(action.__name__ in {"fail", "wait_after_return"} for action in row.actions)
    return f"{_span(Policy().retry_cap)} (grows)" if grows else (_span(longest) if longest else "at once")


def _fleet() -> Iterator[str]:
    yield from (f"## {_TITLES[4]}", "")
    yield from grid(("what", "killed before its commit", "killed after its commit"), FLEET)
    yield ""


def _plain() -> Iterator[str]:
    yield from (f"## {_TITLES[5]}", "")
    for question, answer in PLAIN:
        yield from (f"### {question}", "", *answer, "")


# -- words ------------------------------------------------------------------------------------------------------------

_TITLES: Final = (
    "The moments", "At a glance", "Step by step", "Nodes that wait", "What concerns the whole fleet", "Plain answers",
)  # fmt: skip
_GLANCE: Final = """Times are the defaults, each the longest that it can be. *Again* is the same step under the same
number with the same order; none of it costs the node a try."""
_STEPS: Final = """Each table is what the machine really decides for a node that was driven to that place, killed there
and taken up by a new process. Facts that are older than `facts_max_age` when a step opens start the node anew, which is
what the last line of each table shows."""


def _title(state: State, effect: Effect) -> str:
    return f"{effect.value} in {state.value}"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _row(row: Row | None, state: State) -> str:
    return "" if row is None else f"[{row.name}](machine.md#{state.value}): {row.why}"


def _rows(rows: Iterable[Row], state: State) -> str:
    return ", then ".join(f"[{row.name}](machine.md#{state.value})" for row in rows)


def _chain(after: Aftermath, state: State) -> str:
    """The row that closes what was open, and those that make it wait before the last."""
    between = after.rows[1:-1]
    return _row(after.rows[0], state) + (f"; then {_rows(between, state)}" if between else "")


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _when(milliseconds: int) -> str:
    return f"after {_span(milliseconds)}" if milliseconds else "at once"


def _within(milliseconds: int) -> str:
    return f"within {_span(milliseconds)}" if milliseconds else "at once"


def _span(milliseconds: int) -> str:
    if milliseconds >= 2 * MINUTE and not milliseconds % MINUTE:
        return f"{milliseconds // MINUTE} min"
    return f"{milliseconds / SECOND:g} s"
