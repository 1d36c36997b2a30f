"""Unkindness: rules from text, and the same strikes for the same seed."""

from __future__ import annotations

import pytest

from usher.simulator.unkind import EACH, KIND, Fault, Rule, RuleError, Unkindness, parse_rule, treatment


@pytest.mark.parametrize(
    ("fault", "text", "rule"),
    [
        (Fault.LOSE, "0.1", Rule(Fault.LOSE, 0.1)),
        (Fault.MUTE, "10%", Rule(Fault.MUTE, 0.1)),
        (Fault.REFUSE, "configure=1", Rule(Fault.REFUSE, 1.0, "configure")),
        (Fault.DELAY, "0.5:2", Rule(Fault.DELAY, 0.5, EACH, 2.0, 2.0)),
        (Fault.LATE, "jwt=100%:2-30.5", Rule(Fault.LATE, 1.0, "jwt", 2.0, 30.5)),
    ],
)
def test_rules(fault: Fault, text: str, rule: Rule) -> None:
    assert parse_rule(fault, text) == rule


@pytest.mark.parametrize(
    ("fault", "text", "why"),
    [
        (Fault.LOSE, "often", ""),
        (Fault.LOSE, "1.1", "a chance is at most 1, or 100%"),
        (Fault.LOSE, "0.1:2", "lose takes no seconds"),
        (Fault.DELAY, "0.1", "delay needs seconds"),
        (Fault.LATE, "0.1:3-2", "the second time is less than the first"),
        (Fault.LOSE, "-1", ""),
    ],
)
def test_rules_that_are_none(fault: Fault, text: str, why: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(fault, text)
    assert (caught.value.fault, caught.value.text, caught.value.why) == (fault.value, text, why)


def strikes(rules: tuple[Rule, ...], action: str = "jwt", seed: int = 1) -> list[bool]:
    unkindness = Unkindness(rules, seed)
    return [treatment(unkindness, "n1", action, count).lose for count in range(2000)]


def test_the_same_seed_strikes_the_same_messages() -> None:
    rules = (Rule(Fault.LOSE, 0.1),)
    assert strikes(rules) == strikes(rules)
    assert strikes(rules) != strikes(rules, seed=2)
    assert 140 < sum(strikes(rules)) < 260


def test_chances_of_nothing_and_of_all() -> None:
    assert not any(strikes((Rule(Fault.LOSE, 0.0),)))
    assert all(strikes((Rule(Fault.LOSE, 1.0),)))


@pytest.mark.parametrize("turned", [False, True])
def test_a_rule_for_the_action_goes_before_the_one_for_all(*, turned: bool) -> None:
    rules = (Rule(Fault.LOSE, 1.0), Rule(Fault.LOSE, 0.0, "jwt"))
    rules = rules[::-1] if turned else rules
    assert not any(strikes(rules))
    assert all(strikes(rules, "configure"))


def test_amounts_are_between_least_and_most() -> None:
    unkindness = Unkindness((Rule(Fault.LATE, 1.0, EACH, 2.0, 4.0), Rule(Fault.DELAY, 1.0, EACH, 1.0, 1.0)), 3)
    treated = [treatment(unkindness, "n1", "jwt", count) for count in range(200)]
    assert all(2.0 <= one.late <= 4.0 and one.delay == 1.0 for one in treated)
    assert max(one.late for one in treated) - min(one.late for one in treated) > 1


def test_without_rules_all_is_kind() -> None:
    assert treatment(Unkindness(), "n1", "jwt", 1) == KIND


def test_each_fault_has_its_word() -> None:
    rules = tuple(Rule(fault, 1.0, EACH, 1.0, 1.0) for fault in Fault)
    one = treatment(Unkindness(rules), "n1", "jwt", 1)
    assert (one.lose, one.mute, one.duplicate, one.refuse, one.delay, one.late) == (True, True, True, True, 1.0, 1.0)
