"""`usher explain CODE`: a reason code in three lines: what it means, what is likely behind it, what to do.

Rules:
1. It reads nothing but the program: it answers on any machine, without a state directory.
2. A code that does not exist is refused with the nearest ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from fsm.reasons import WHAT, Reason
from usher.advice import ADVICE
from usher.views import common
from usher.views.nodes_list import reason


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The codes, or none for all of them."""
    parser.description = (
        "Say what a reason code means, what is likely behind it, and what to do. Without one: all codes."
    )
    parser.add_argument("codes", nargs="*", type=reason, metavar="CODE", help="a reason code, as nodes list shows it")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    return common.guarded(lambda: _explain(args))


def _explain(args: argparse.Namespace) -> None:
    codes = tuple(dict.fromkeys(args.codes)) or tuple(Reason)
    if args.json:
        common.answer_all(document(code) for code in codes)
    else:
        common.say(line for number, code in enumerate(codes) for line in ([""] if number else []) + list(lines(code)))


def lines(code: Reason) -> Iterable[str]:
    """Three lines."""
    advice = ADVICE[code]
    return (f"{code.value}: {WHAT[code]}", f"  likely: {advice.cause}", f"  do: {advice.command}")


def document(code: Reason) -> dict[str, str]:
    """The same for programs."""
    advice = ADVICE[code]
    return {"reason": code.value, "what": WHAT[code], "cause": advice.cause, "command": advice.command}
