"""A helper's key on its way: an exchange stands alone, and what the node could not decrypt is made anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.codec import decode_snapshot, encode_snapshot
from fsm.effects import SPECS, Effect, Fact, Feature, following, steps
from fsm.events import Certainty, Due, DueKind, Verb
from fsm.policy import Policy
from fsm.quiet import APART, configuration
from fsm.reasons import Reason
from fsm.recovery import waits_until_quiet
from fsm.snapshot import Quiet, Snapshot
from fsm.states import State
from tests.unit.fsm.scenes import CARRIED, Scene, through

LIFE = Policy().request_life
EXCHANGE, WRAP = Effect.EXCHANGE_KEY, Effect.WRAP_KEY


def carried(policy: Policy = CARRIED) -> Scene:
    """A node whose helper supplies its key."""
    return Scene(policy, supplied=True)


def refused(scene: Scene) -> Scene:
    """The node cannot decrypt what it is sent."""
    return scene.until(Effect.CONFIGURE).fails(Certainty.REFUSED, Reason.KEY_NOT_DECRYPTED, transient=False)


# -- the steps --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [frozenset[Feature](), {Feature.PKI}, {Feature.ED25519}])
def test_a_key_is_exchanged_and_wrapped_last_before_the_configuration(more: frozenset[Feature]):
    scene, opened = carried(Policy(features=frozenset({Feature.JWT} | more))).until(Effect.RUN_HELPER), []
    while scene.doing is not Effect.CONFIGURE:
        scene.go_on()
        opened.append(scene.doing)
    signs = [Effect.SIGN_TOKEN] if Feature.ED25519 in more else []
    assert opened == [*signs, EXCHANGE, WRAP, Effect.CONFIGURE]


def test_a_node_whose_helper_supplies_none_has_neither_step():
    assert Scene(CARRIED).until(Effect.RUN_HELPER).done().doing is Effect.CONFIGURE


def test_a_fact_chooses_a_step_as_a_feature_does():
    none, held = frozenset[Fact](), frozenset({Fact.HELPER_KEY})
    assert steps(State.INVENTORIED, none) == (Effect.RUN_HELPER,)
    assert steps(State.INVENTORIED, held) == (Effect.RUN_HELPER, EXCHANGE, WRAP)
    assert (following(State.INVENTORIED, Effect.RUN_HELPER, none), following(State.INVENTORIED, WRAP, held)) == (
        None,
    ) * 2


def test_what_was_wrapped_is_part_of_what_a_configuration_is_called():
    scene = carried().until(Effect.CONFIGURE)
    wrap = scene.snapshot.facts.wrap
    assert wrap is not None
    assert configuration(scene.snapshot.facts).endswith(f".{wrap.digest[:16]}")


# -- superseding ------------------------------------------------------------------------------------------------------


def test_another_exchange_supersedes_what_was_wrapped_and_a_new_key_both():
    scene = refused(carried()).due().done()
    facts = scene.snapshot.facts
    assert (facts.pair is not None, facts.wrap, facts.pairs) == (True, None, 2)
    for feature, effect in ((Feature.PKI, Effect.NEW_CSR), (Feature.ED25519, Effect.NEW_KEY)):
        scene = carried(Policy(features=frozenset({feature, Feature.JWT}))).until(effect)
        facts = scene.snapshot.facts
        scene.snapshot = replace(
            scene.snapshot, facts=replace(facts, pair=scene.usual(EXCHANGE), wrap=scene.usual(WRAP))
        )
        facts = scene.done().snapshot.facts
        assert (facts.pair, facts.wrap) == (None, None)


# -- what the node could not decrypt ----------------------------------------------------------------------------------


def test_a_key_that_was_not_decrypted_is_exchanged_and_wrapped_anew_and_no_second_token_is_signed():
    scene = refused(carried(Policy(features=frozenset({Feature.JWT, Feature.ED25519}))))
    token = scene.snapshot.facts.token
    assert (scene.row, scene.state, scene.wait[0]) == ("exchange-anew", State.INVENTORIED, DueKind.STEP)
    assert scene.due().doing is EXCHANGE
    assert scene.done().doing is WRAP
    assert scene.done().doing is Effect.CONFIGURE
    assert (scene.state, scene.snapshot.facts.token) == (State.ENROLLED, token)


def test_after_a_few_exchanges_it_begins_anew():
    scene = carried()
    for _ in range(SPECS[EXCHANGE].tries - 1):
        assert refused(scene).row == "exchange-anew"
    assert refused(scene).row == "fail"
    assert (scene.state, scene.snapshot.reason) == (State.FAILED, Reason.KEY_NOT_DECRYPTED)
    assert scene.due().snapshot.facts.pairs == 0


def test_other_bytes_wait_for_a_configuration_that_may_be_alive():
    scene = carried().until(Effect.CONFIGURE).fails(Certainty.UNKNOWN).due()
    scene.connection = "c2"
    scene.fails(Certainty.REFUSED, Reason.KEY_NOT_DECRYPTED, transient=False).due().done().done()
    assert (scene.row, scene.state, scene.doing) == ("enrolled-not-yet", State.ENROLLED, None)


# -- an exchange stands alone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [Effect.FETCH_JWT, EXCHANGE])
def test_what_may_yet_make_another_half_is_waited_for(effect: Effect):
    scene = carried().until(effect).crash()
    until = scene.now + LIFE
    assert scene.snapshot.pairing == Quiet(until, "", scene.now, "")
    while scene.doing is not EXCHANGE:
        scene.go_on()
    assert scene.now == until
    assert scene.snapshot.doing is not None
    assert scene.snapshot.doing.tries == 1
    assert waits_until_quiet(carried().until(EXCHANGE).crash().snapshot)


def test_it_waits_before_its_first_opening_and_at_its_due_time():
    scene = carried().until(Effect.FETCH_JWT).crash().until(Effect.RUN_HELPER).done()
    assert (scene.row, scene.wait) == ("exchange-not-yet", (DueKind.STEP, LIFE))
    scene = through(EXCHANGE).fails(Certainty.UNKNOWN).due()
    assert (scene.row, scene.wait) == ("exchange-later", (DueKind.STEP, LIFE - 750))
    assert scene.due().row == "step-again"


def pairing(scene: Scene, connection: str, later: int) -> Quiet | None:
    """What may be alive of a fetch_jwt without an answer, once a later one has one."""
    scene.until(Effect.FETCH_JWT)
    begun = scene.now
    scene.fails(Certainty.UNKNOWN).due()
    scene.connection, scene.now = connection, begun + later
    return scene.done().snapshot.pairing


@pytest.mark.parametrize(
    ("connection", "later", "over"), [("c1", APART, True), ("c1", APART - 1, False), ("c2", APART, False)]
)
def test_the_agents_later_answer_on_the_same_connection_proves_it_over(connection: str, later: int, over: bool):
    assert (pairing(carried(), connection, later) is None) is over


@pytest.mark.parametrize("certainty", [Certainty.NOT_SENT, Certainty.NOT_DELIVERED, Certainty.REFUSED])
def test_a_request_that_cannot_be_alive_makes_nobody_wait(certainty: Certainty):
    assert through(EXCHANGE).fails(certainty).snapshot.pairing is None


@pytest.mark.parametrize("verb", [Verb.REPROVISION, Verb.FORGET, Verb.QUARANTINE])
def test_neither_a_new_generation_nor_an_operator_ends_it(verb: Verb):
    scene = through(EXCHANGE).asks(verb)
    assert scene.snapshot.pairing == Quiet(scene.now + LIFE, "", scene.now, "")


def test_a_clock_that_went_back_makes_it_no_longer():
    scene = through(EXCHANGE).crash()
    awaited = scene.snapshot.awaited
    assert awaited is not None
    scene.now -= 10 * LIFE
    scene.post(Due(awaited.kind, awaited.at))
    assert scene.wait == (DueKind.STEP, LIFE)


def test_nobody_else_waits_for_it():
    scene = Scene().until(Effect.FETCH_JWT).crash()
    begun = scene.now
    assert scene.snapshot.pairing is not None
    assert scene.until(Effect.CONFIGURE).now == begun


def test_it_is_part_of_what_is_stored():
    snapshot: Snapshot = (
        carried().until(Effect.CONFIGURE).asks(Verb.REPROVISION).until(Effect.FETCH_JWT).crash().snapshot
    )
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot
    whole = carried().until(Effect.CONFIGURE).snapshot
    assert decode_snapshot(encode_snapshot(whole)) == whole
