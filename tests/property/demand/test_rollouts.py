"""Whatever is lost, refused, interrupted and resumed: a node executes what a plan asks of it once at most."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fsm.events import Certainty, Verb
from fsm.reasons import Reason
from tests.fakes.demanding import MemorySite
from tests.unit.fsm.scenes import GONE, NEW, OLD, Scene
from usher.demand.outcome import End
from usher.demand.plan import Manner, Plan
from usher.demand.rollout import Rollout

VERBS = st.sampled_from([Verb.REPROVISION, Verb.RESTART, Verb.SHUTDOWN])
FATES = st.sampled_from(["taken", "refused", "absent", "not sent", "answer lost", "request lost", "killed", "silence"])
NODES = ("a", "b", "c", "d")


class Fates:
    """What becomes of each request, as drawn, and how often a node executed one."""

    def __init__(self, fates: list[str]) -> None:
        self.fates, self.executed = iter(fates), Counter[int]()

    def __call__(self, scene: Scene) -> Scene:  # noqa: PLR0911 one answer a fate
        match next(self.fates, "taken"):
            case "refused":
                return scene.fails(Certainty.REFUSED, Reason.REFUSED)
            case "absent":
                return scene.fails(Certainty.NOT_DELIVERED, Reason.ABSENT)
            case "not sent":
                return scene.fails(Certainty.NOT_SENT, Reason.DISCONNECTED)
            case "answer lost":
                self.executed[id(scene)] += 1
                return self._left(scene.fails(Certainty.UNKNOWN))
            case "killed":
                self.executed[id(scene)] += 1
                return self._left(scene.crash())
            case "request lost":
                return scene.fails(Certainty.UNKNOWN).due().done(OLD).due().done(OLD)
            case "silence":
                self.executed[id(scene)] += 1
                return scene.fails(Certainty.UNKNOWN).due().fails(Certainty.UNKNOWN)
            case _:
                self.executed[id(scene)] += 1
                return scene.done()

    def _left(self, scene: Scene) -> Scene:
        """The look finds what is true: a restarted process, or nobody in the fleet."""
        demand = scene.snapshot.demand
        if demand is not None and demand.effect is not None and demand.effect.value == "send_restart":
            return scene.due().done(NEW)
        scene.due().done(GONE)
        return scene.done(OLD) if scene.snapshot.open is not None else scene


@given(
    VERBS, st.lists(FATES, max_size=24), st.lists(st.integers(1, 6), max_size=3), st.integers(1, 4), st.integers(0, 100)
)
def test_no_plan_has_a_node_do_twice_what_it_asks_once(
    verb: Verb, fates: list[str], interrupts: list[int], batch: int, stop: int
):
    fate = Fates(fates)
    plan = Plan(9, verb, "root", "because", Manner(batch=batch, stop=stop), NODES)
    site = MemorySite(plan, fate).add(*NODES)
    for interrupt in [*interrupts, 0]:
        site.interrupt = len(site.waits) + interrupt if interrupt else 0
        rollout = Rollout(plan, site, lambda *_: None, lambda _: None)
        try:
            tally = rollout.run()
        except KeyboardInterrupt:
            continue
        assert len(tally.ended) + tally.left == len(NODES)
        assert not tally.under_way
        done = {node for node, ended in tally.ended.items() if ended.end is End.DONE}
        assert all(fate.executed[id(site.scenes[node])] == 1 for node in done)
    assert max(fate.executed.values(), default=0) <= 1
