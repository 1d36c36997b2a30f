"""Hints: a bounded set of names, worked off a bounded piece a turn."""

from __future__ import annotations

from fsm.events import Hint, HintKind
from fsm.reasons import Reason
from fsm.runtime.hints import MOST, Hints
from fsm.runtime.pump import Pump
from fsm.states import State
from tests.fakes.clock import Turns, pass_time, settle
from tests.fakes.runtime import NODE, Rig, names, virtual


class Heard:
    """Hints on a loop that is turned by hand."""

    def __init__(self, bound: int = 1000) -> None:
        self.loop = Turns()
        self.taken: list[tuple[str, HintKind]] = []
        self.hints = Hints(self.loop, lambda node, hint: self.taken.append((node, hint.kind)), bound)


@virtual
async def test_a_name_is_taken_once_with_its_newest_kind():
    heard = Heard()
    heard.hints.add("a", HintKind.LISTED)
    heard.hints.add("b", HintKind.LISTED)
    heard.hints.add("a", HintKind.STARTUP)
    assert len(heard.hints) == 2
    heard.loop.turn()
    assert heard.taken == [("a", HintKind.STARTUP), ("b", HintKind.LISTED)]
    assert len(heard.hints) == 0
    heard.hints.add("a", HintKind.LISTED)
    heard.loop.turn()
    assert heard.taken[2:] == [("a", HintKind.LISTED)]


@virtual
async def test_a_turn_takes_a_bounded_piece():
    heard = Heard()
    for number in range(2 * MOST + 1):
        heard.hints.add(str(number), HintKind.LISTED)
    sizes = []
    while heard.loop.next:
        heard.loop.turn()
        sizes.append(len(heard.taken))
    assert sizes == [MOST, 2 * MOST, 2 * MOST + 1]


@virtual
async def test_beyond_the_bound_new_names_are_dropped_and_counted_and_known_ones_are_not():
    heard = Heard(bound=3)
    for name in "abcde":
        heard.hints.add(name, HintKind.LISTED)
    heard.hints.add("a", HintKind.STARTUP)
    assert (len(heard.hints), heard.hints.dropped) == (3, 2)
    heard.loop.turn()
    assert heard.taken == [("a", HintKind.STARTUP), ("b", HintKind.LISTED), ("c", HintKind.LISTED)]
    heard.hints.add("e", HintKind.LISTED)
    heard.loop.turn()
    assert heard.taken[-1] == ("e", HintKind.LISTED)


@virtual
async def test_a_second_answer_is_never_merged_nor_dropped():
    heard = Heard(bound=1)
    heard.hints.add("a", HintKind.LISTED)
    heard.hints.add("a", HintKind.SECOND_ANSWER)
    heard.hints.add("b", HintKind.SECOND_ANSWER)
    assert heard.taken == [("a", HintKind.SECOND_ANSWER), ("b", HintKind.SECOND_ANSWER)]
    heard.loop.turn()
    assert heard.taken[2:] == [("a", HintKind.LISTED)]
    assert heard.hints.dropped == 0


@virtual
async def test_a_shut_one_takes_nothing_more():
    heard = Heard()
    heard.hints.add("a", HintKind.LISTED)
    heard.hints.shut()
    heard.hints.add("b", HintKind.LISTED)
    heard.loop.turn()
    assert heard.taken == []


@virtual
async def test_a_pump_that_was_shut_keeps_what_waits():
    loop, work = Turns(), [3]

    def piece(most: int) -> bool:
        work.append(work[-1] - most)
        return work[-1] > 0

    pump = Pump(loop, piece, 1)
    pump.prime()
    pump.prime()
    assert len(loop.next) == 1
    loop.turn()
    pump.shut()
    loop.turn()
    assert work == [3, 2]
    pump.prime()
    assert loop.next == []
    pump.open()
    while loop.next:
        loop.turn()
    assert work == [3, 2, 1, 0]


@virtual
async def test_two_machines_of_one_name_are_held_at_once(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.seen(NODE)
    await rig.until_state(State.DISCOVERED)
    rig.seen(NODE, kind=HintKind.SECOND_ANSWER)
    await rig.until_state(State.FAILED)
    assert rig.snapshot().reason is Reason.DUPLICATE_IDENTITY
    assert rig.snapshot().held


@virtual
async def test_hints_while_a_turn_runs_cannot_grow_a_mailbox(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.store.hold()
    for _ in range(1000):
        rig.engine.post(NODE, Hint(HintKind.LISTED))
    rig.store.release()
    await rig.until_state(State.DISCOVERED)
    await settle()
    assert len(rig.watcher.rejections) == 1


@virtual
async def test_on_a_full_disk_names_stay_in_their_bounded_set(rig: Rig):
    rig.engine.hold(Reason.DISK_FULL)
    rig.seen(*names(20))
    await pass_time(60)
    assert (len(rig.engine.hints), rig.store.units, rig.engine.active) == (20, [], 0)
    rig.engine.release(Reason.DISK_FULL)
    await rig.until_all(State.PROVISIONED, 20)


@virtual
async def test_a_listing_does_not_hide_that_it_announced_itself():
    heard = Heard()
    heard.hints.add("a", HintKind.STARTUP)
    heard.hints.add("a", HintKind.LISTED)
    heard.hints.add("b", HintKind.SHUTDOWN)
    heard.hints.add("b", HintKind.LISTED)
    heard.loop.turn()
    assert heard.taken == [("a", HintKind.STARTUP), ("b", HintKind.LISTED)]
