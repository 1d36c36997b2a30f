"""Aging in virtual time: whose record is closed, when, how many at once, and what comes after."""

from __future__ import annotations

from collections.abc import Sequence

from fsm.codec import decode_snapshot
from fsm.effects import Effect, Intent
from fsm.events import Certainty, HelperFacts, Hint, HintKind, Verb, Verdict
from fsm.reasons import Reason
from fsm.states import ENDS, State
from tests.fakes.clock import JumpingClock, pass_time, settle
from tests.fakes.runtime import DIGEST, Answer, Rig, done, failed, names, virtual
from usher.aging import EVERY, MOST, Aging

DAY = 86_400
KEEP = 30 * DAY * 1000


def aging(rig: Rig, keep: int = KEEP) -> Aging:
    """At work on a rig; the store in memory is looked through as the journal would be."""

    def aged(before: int, most: int) -> Sequence[str]:
        held = [decode_snapshot(body) for body in rig.store.bodies.values()]
        return [each.node for each in held if each.state in ENDS and each.resting and each.since <= before][:most]

    made = Aging(rig.engine, aged, rig.clock, keep)
    made.start()
    return made


async def provisioned(rig: Rig, count: int = 1) -> list[str]:
    """So many nodes, provisioned."""
    nodes = names(count)
    rig.seen(*nodes)
    await rig.until_all(State.PROVISIONED, count)
    return nodes


@virtual
async def test_a_record_is_closed_after_its_time_and_not_before(rig: Rig):
    ages = aging(rig)
    (node,) = await provisioned(rig)
    await pass_time(30 * DAY - 120)
    assert (rig.state(node), ages.closed) == (State.PROVISIONED, 0)
    await pass_time(240)
    assert (rig.state(node), ages.closed) == (State.UNSEEN, 1)
    last = rig.watcher.moves[-1]
    assert last.decision.row.name == "forget"
    assert (last.event.body.name, last.event.body.reason) == ("usher", "at rest for 30d (keep_nodes)")
    ages.stop()


@virtual
async def test_every_end_ages_and_nothing_else(rig: Rig):
    def helper(intent: Intent) -> Answer:
        match intent.id.node.partition(".")[0]:
            case "retired":
                return done(intent, HelperFacts(DIGEST, Verdict.SHUTDOWN, "it is too old"))
            case "failed":
                return failed(intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)
            case _:
                return rig.performer._well(intent)

    def inventory(intent: Intent) -> Answer:
        nobody = intent.id.node.startswith("gone")
        return failed(intent, Certainty.NOT_DELIVERED, Reason.ABSENT) if nobody else rig.performer._well(intent)

    rig.performer.scripts |= {Effect.RUN_HELPER: helper, Effect.FETCH_JWT: inventory}
    every = {"provisioned.x": State.PROVISIONED, "retired.x": State.RETIRED, "gone.x": State.GONE}
    rig.seen(*every, "failed.x", "held.x")
    for node, state in every.items():
        await rig.until_state(state, node)
    await rig.until_state(State.FAILED, "failed.x")
    await rig.ask("held.x", Verb.QUARANTINE)
    ages = aging(rig, keep=3_600_000)
    await pass_time(DAY)
    assert ages.closed == 3
    assert [rig.state(node) for node in every] == [State.UNSEEN] * 3
    assert rig.state("failed.x") is not State.UNSEEN
    assert rig.state("held.x") is State.FAILED
    ages.stop()


@virtual
async def test_who_comes_back_begins_anew_with_its_numbers_going_on(rig: Rig):
    ages = aging(rig)
    (node,) = await provisioned(rig)
    before = rig.snapshot(node)
    await pass_time(31 * DAY)
    ages.stop()
    closed = rig.snapshot(node)
    assert closed.state is State.UNSEEN
    assert (closed.seq, closed.generation, closed.previous_key) == (before.seq + 1, before.generation, "")
    rig.seen(node)
    await rig.until_state(State.DISCOVERED, node)
    first = next(move.decision for move in reversed(rig.watcher.moves) if move.decision.row.name == "first-seen")
    assert (first.snapshot.seq, first.snapshot.generation) == (before.seq + 2, before.generation + 1)
    await rig.until_state(State.PROVISIONED, node)
    assert rig.fatal == []


@virtual
async def test_many_that_are_old_at_once_go_a_few_a_minute(rig: Rig):
    nodes = await provisioned(rig, 2 * MOST + 50)
    await pass_time(31 * DAY)
    ages = aging(rig)
    for closed in (0, MOST, 2 * MOST, len(nodes)):
        assert rig.states()[State.UNSEEN] == ages.closed == closed
        await pass_time(EVERY)
        await settle()
    ages.stop()


@virtual
async def test_no_record_is_closed_while_usher_is_held(rig: Rig):
    await provisioned(rig)
    await pass_time(31 * DAY)
    ages = aging(rig)
    for why in (Reason.PAUSED, Reason.DISK_FULL, Reason.RESTORED, Reason.STOPPING):
        rig.engine.hold(why)
        await pass_time(5 * EVERY)
        assert ages.closed == 0
        rig.engine.release(why)
    rig.engine.hold(Reason.DISCONNECTED)
    await pass_time(2 * EVERY)
    assert ages.closed == 1
    ages.stop()


@virtual
async def test_a_node_that_is_seen_at_that_moment_is_left_alone(rig: Rig):
    (node,) = await provisioned(rig)
    await pass_time(31 * DAY)
    ages = aging(rig)
    rig.store.hold()  # the look that the hint opens is not durable yet when the record would be closed
    rig.post(node, Hint(HintKind.LISTED))
    assert not rig.engine.resting(node)
    await pass_time(EVERY + 1)
    rig.store.release()
    await rig.until(lambda: "still-provisioned" in rig.rows(node))
    assert "forget" not in rig.rows(node)
    await pass_time(2 * EVERY)
    assert rig.state(node) is State.UNSEEN
    ages.stop()


@virtual
async def test_zero_keeps_every_node_for_ever(rig: Rig):
    ages = aging(rig, keep=0)
    (node,) = await provisioned(rig)
    await pass_time(100 * DAY)
    assert (rig.state(node), ages.closed) == (State.PROVISIONED, 0)
    ages.stop()


@virtual
async def test_a_process_that_dies_before_the_commit_closes_it_the_next_time(rig: Rig):
    (node,) = await provisioned(rig)
    await pass_time(31 * DAY)
    aging(rig)
    rig.store.hold()
    await pass_time(EVERY + 1)
    dead = Rig(JumpingClock(), rig.store)  # what the first one asked for was never durable
    rig.store._waiting.clear()
    rig.store.release()
    dead.engine.start()
    ages = aging(dead)
    await pass_time(2 * EVERY)
    assert (dead.snapshot(node).state, ages.closed) == (State.UNSEEN, 1)
    ages.stop()
