"""In whatever order decisions come, however often, whatever is lost first: who has heard the same holds the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.cluster_talk import LINEAGES
from transport.wire.decisions import FLEET, LATEST, NAMES, Decision, Kind, decode, encode_decisions
from usher.cluster.register import Register, rank

NODES = ("", "n1", "n2", "n3", "/^ci-/")
STAMPS = st.integers(0, 6) | st.integers(0, LATEST - 1)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    node = draw(st.sampled_from(NODES))
    kinds = FLEET if node == "" else NAMES if node.startswith("/") else set(Kind) - FLEET - NAMES
    kind = draw(st.sampled_from(sorted(kinds)))
    origin = draw(st.sampled_from(sorted(LINEAGES)))
    words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
    by = draw(st.sampled_from(["root", "anna", "uid:7"]))
    return Decision(kind, node, draw(STAMPS), origin, LINEAGES[origin], by, draw(words))


MANY = st.lists(decisions(), max_size=12)


def holding(heard: list[Decision]) -> Register:
    register = Register()
    for decision in heard:
        register.take(decision)
    return register


def all_of(register: Register) -> list[Decision]:
    return list(register.beyond({}))


@given(heard=MANY, order=st.randoms(), data=st.data())
def test_any_order_and_any_repetition_comes_to_the_same(heard: list[Decision], order: Random, data: st.DataObject):
    again = data.draw(st.lists(st.sampled_from(heard), max_size=5)) if heard else []
    shuffled = [*heard, *again]
    order.shuffle(shuffled)
    one, other = holding(heard), holding(shuffled)
    assert all_of(one) == all_of(other)
    assert one.marks == other.marks
    for node in NODES:
        later = [rank(decision) for decision in heard if decision.node == node]
        held = one.of(node)
        assert (rank(held) if held else None) == max(later, default=None)


@given(parts=st.lists(MANY, min_size=2, max_size=4), lost=st.lists(st.booleans(), max_size=30))
def test_ushers_that_tell_what_others_lack_come_to_the_same_whatever_is_lost_first(
    parts: list[list[Decision]], lost: list[bool]
):
    registers = [holding(part) for part in parts]
    losing = iter(lost)
    for _ in range(len(lost) + 2):
        for hearer in registers:
            for teller in registers:
                for body in encode_decisions(teller.beyond(hearer.marks)):
                    told = decode(body)
                    assert isinstance(told, tuple)
                    if not next(losing, False):
                        for decision in told:
                            hearer.take(decision)
    everything = holding([decision for part in parts for decision in part])
    for register in registers:
        assert all_of(register) == all_of(everything)
        assert not list(register.beyond(everything.marks))


@given(heard=MANY, decision=decisions(), now=st.integers(0, 10))
def test_who_decides_after_having_heard_wins(heard: list[Decision], decision: Decision, now: int):
    register = holding([each for each in heard if each.stamp < LATEST - 1])
    stamped = replace(decision, stamp=register.next_stamp(decision.node, now))
    assert register.take(stamped)
    assert register.of(decision.node) == stamped
    assert not register.take(stamped)
