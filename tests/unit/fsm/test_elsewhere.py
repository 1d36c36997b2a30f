"""A node's network is part of its record: set where a generation begins, and where it is found elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.codec import LARGEST, decode_snapshot, encode_snapshot
from fsm.effects import Effect
from fsm.events import Certainty, Verb
from fsm.machine import Decision
from fsm.policy import Policy
from fsm.snapshot import unseen
from fsm.states import State
from tests.unit.fsm.scenes import GONE, OLD, Scene, through

EAST, WEST = Policy(network="east"), Policy(network="west")


def fired(scene: Scene) -> str:
    assert isinstance(scene.last, Decision)
    return scene.last.row.name


def test_a_generation_begins_in_the_network_that_decides():
    scene = Scene(EAST).hint()
    assert (fired(scene), scene.snapshot.network) == ("first-seen", "east")
    assert through(Effect.CONFIGURE).snapshot.network == ""


def test_a_provisioned_node_that_is_found_elsewhere_moves_there():
    scene = Scene(EAST).to(State.PROVISIONED)
    scene.policy = WEST
    scene.later(WEST.look_interval).hint()
    assert (fired(scene), scene.snapshot.network) == ("seen-again", "east")
    scene.done(OLD)
    assert (fired(scene), scene.state, scene.snapshot.network) == ("found-elsewhere", State.REPROVISION, "west")
    scene.due()
    assert (scene.state, scene.snapshot.network) == (State.DISCOVERED, "west")


def test_who_is_found_where_its_record_says_does_not_move():
    scene = Scene(EAST).to(State.PROVISIONED).later(EAST.look_interval).hint().done(OLD)
    assert (fired(scene), scene.snapshot.network) == ("back-in-provisioning", "east")


def test_a_forged_sighting_elsewhere_moves_no_record():
    scene = Scene(EAST).to(State.PROVISIONED)
    scene.policy = WEST
    scene.later(WEST.look_interval).hint().done(GONE)
    assert (fired(scene), scene.state, scene.snapshot.network) == ("still-provisioned", State.PROVISIONED, "east")


def test_a_crash_during_the_look_elsewhere_leaves_the_record_where_it_was():
    scene = Scene(EAST).to(State.PROVISIONED)
    scene.policy = WEST
    scene.later(WEST.look_interval).hint()
    scene.policy = EAST  # the start takes it up in the network of its record
    scene.crash()
    assert (scene.state, scene.snapshot.network, scene.snapshot.open) == (State.PROVISIONED, "east", None)


def test_a_node_that_had_left_is_taken_in_where_it_is_seen():
    scene = gone(EAST)
    scene.policy = WEST
    scene.hint()
    assert (fired(scene), scene.state, scene.snapshot.network) == ("back-elsewhere", State.DISCOVERED, "west")
    assert fired(gone(EAST).hint()) == "back-again"


def gone(policy: Policy) -> Scene:
    return Scene(policy).hint().due().fails(Certainty.NOT_DELIVERED)


def test_a_closed_record_is_of_no_network():
    scene = Scene(EAST).to(State.PROVISIONED).asks(Verb.FORGET)
    assert (scene.state, scene.snapshot.network) == (State.UNSEEN, "")


def test_one_network_alone_is_written_nowhere():
    assert b"network" not in Policy().document()
    assert b'"N"' not in encode_snapshot(Scene().hint().snapshot)
    assert Policy().hash != EAST.hash


@pytest.mark.parametrize("network", ["", "east", "n" * 32])
def test_a_network_is_read_back(network: str):
    snapshot = replace(Scene(EAST).to(State.RESTARTED).snapshot, network=network)
    stored = encode_snapshot(snapshot)
    assert decode_snapshot(stored) == snapshot
    assert len(stored) < LARGEST
    assert decode_snapshot(encode_snapshot(replace(unseen("n"), network=network))).network == network
