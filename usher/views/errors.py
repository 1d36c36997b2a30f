"""`usher errors`: what fails in the fleet, a group a reason, with a node of each to look at.

Rules:
1. Failed and deferred nodes are counted by the reason that they hold now; the sample is the one that failed last.
2. The largest group comes first; each names the command that explains it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from fsm.reasons import WHAT
from fsm.states import FACTS
from store.views import Group
from usher.advice import ADVICE
from usher.views import common
from usher.views.book import open_book
from usher.views.text import span, table, utc

HEAD = ("REASON", "STATE", "NODES", "HELD", "LAST", "SAMPLE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The state directory, and how to answer."""
    parser.description = "Group the nodes that are failed or deferred by reason, each with a node to look at."
    common.add_state(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    return common.guarded(lambda: _errors(args))


def _errors(args: argparse.Namespace) -> None:
    with open_book(common.database(args)) as book:
        groups = book.failures()
    if args.json:
        common.answer([document(group) for group in groups])
    else:
        common.say(lines(groups, common.now(), common.width()))


def lines(groups: Sequence[Group], now: int, width: int | None) -> Iterable[str]:
    """A line a group, and what to do about the largest."""
    if not groups:
        return ["no node is failed or deferred"]
    several = any(group.network for group in groups)
    cells = [((group.network or "-",) if several else ()) + _cells(group, now) for group in groups]
    told = table((*(("NETWORK",) if several else ()), *HEAD), cells, width)
    largest = groups[0]
    code = "" if largest.reason is None else f": usher explain {largest.reason.value}"
    return [*told, "", f"usher nodes why {largest.sample} tells more of the first{code}"]


def _cells(group: Group, now: int) -> tuple[str, ...]:
    reason = group.reason.value if group.reason else "-"
    return (reason, group.state.value, str(group.nodes), str(group.held), f"{span(now - group.last)} ago", group.sample)


def document(group: Group) -> dict[str, Any]:
    """A group for programs."""
    reason = group.reason
    return {
        "reason": reason.value if reason else None,
        "what": WHAT[reason] if reason else None,
        "cause": ADVICE[reason].cause if reason else None,
        "command": ADVICE[reason].command if reason else None,
        "state": group.state.value,
        "fact": FACTS[group.state],
        "nodes": group.nodes,
        "held": group.held,
        "last": utc(group.last),
        "sample": group.sample,
        "network": group.network,
    }
