"""Unkindness on request: what a fleet does to the messages of its nodes.

Rules:
1. A treatment is a pure function of the seed, the node, the action and how many such messages it has had.
2. The rule that names an action goes before the one for all actions.
3. Without rules nothing is drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Final

from fsm.errors import UsherError


class Fault(Enum):
    """What may happen to a message."""

    LOSE = "lose"  # the request never arrives
    MUTE = "mute"  # it is done, the answer never arrives
    DELAY = "delay"  # the request arrives later
    LATE = "late"  # it is done at once, the answer comes later
    DUPLICATE = "duplicate"  # the answer comes twice
    REFUSE = "refuse"  # nothing is done, the answer is code 1


TIMED: Final = frozenset({Fault.DELAY, Fault.LATE})
EACH: Final = "*"
_RULE: Final = re.compile(
    r"(?:(?P<action>[a-z0-9_]+)=)?(?P<chance>\d+(?:\.\d+)?%?)(?::(?P<least>\d+(?:\.\d+)?)(?:-(?P<most>\d+(?:\.\d+)?))?)?"
)


class RuleError(UsherError):
    """This is not a rule such as 0.1, 10%, configure=0.1, or for times 0.1:2 or jwt=0.1:2-30 (seconds)"""

    def __init__(self, fault: str, text: str, why: str = "") -> None:
        """Hold the option, what it said, and what is wrong with it."""
        super().__init__()
        self.fault = fault
        self.text = text
        self.why = why


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault's chance (0 to 1) for one action or for EACH; `least` and `most` seconds for the timed ones."""

    fault: Fault
    chance: float
    action: str = EACH
    least: float = 0.0
    most: float = 0.0


@dataclass(frozen=True, slots=True)
class Unkindness:
    """All rules of a fleet and the seed of its chance."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Treatment:
    """What happens to one message; `delay` and `late` in seconds."""

    lose: bool = False
    mute: bool = False
    delay: float = 0.0
    late: float = 0.0
    duplicate: bool = False
    refuse: bool = False


KIND: Final = Treatment()


def treatment(unkindness: Unkindness, identity: str, action: str, count: int) -> Treatment:
    """What happens to the node's `count`-th message, which asks for `action`."""
    struck = {}
    for fault in Fault:
        rule = _rule(unkindness.rules, fault, action)
        if rule is None:
            continue
        key = f"{unkindness.seed}/{identity}/{action}/{count}/{fault.value}".encode()
        draw = blake2b(key, digest_size=16).digest()
        if int.from_bytes(draw[:8], "big") < rule.chance * 2**64:
            struck[fault] = rule.least + (rule.most - rule.least) * int.from_bytes(draw[8:], "big") / 2**64
    return Treatment(
        lose=Fault.LOSE in struck,
        mute=Fault.MUTE in struck,
        delay=struck.get(Fault.DELAY, 0.0),
        late=struck.get(Fault.LATE, 0.0),
        duplicate=Fault.DUPLICATE in struck,
        refuse=Fault.REFUSE in struck,
    )


def _rule(rules: tuple[Rule, ...], fault: Fault, action: str) -> Rule | None:
    best = None
    for rule in rules:
        if rule.fault is fault and rule.action in (action, EACH) and (best is None or rule.action != EACH):
            best = rule
    return best


def parse_rule(fault: Fault, text: str) -> Rule:
    """A rule from an option's text: `[ACTION=]CHANCE[:SECONDS[-SECONDS]]`; raises RuleError."""
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise RuleError(fault.value, text)
    number = match["chance"]
    chance = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    if chance > 1:
        raise RuleError(fault.value, text, "a chance is at most 1, or 100%")
    if (match["least"] is not None) != (fault in TIMED):
        wanted = "needs seconds" if fault in TIMED else "takes no seconds"
        raise RuleError(fault.value, text, f"{fault.value} {wanted}")
    least = float(match["least"] or 0)
    most = float(match["most"] or least)
    if most < least:
        raise RuleError(fault.value, text, "the second time is less than the first")
    return Rule(fault, chance, match["action"] or EACH, least, most)
