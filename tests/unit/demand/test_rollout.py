"""Roll-outs: batches, what stops them, what an interruption leaves, and that nobody is asked twice."""

from __future__ import annotations

import pytest

from fsm.events import Certainty, Verb
from fsm.reasons import Reason
from tests.fakes.demanding import MemorySite
from tests.unit.fsm.scenes import GONE, Scene
from usher.demand.outcome import End, Outcome
from usher.demand.plan import Manner, Plan
from usher.demand.rollout import FOR_AN_ANSWER, Rollout, Tally
from usher.demand.showing import document, standing, summary

NODES = tuple(f"n{number}" for number in range(1, 8))


def plan(verb: Verb = Verb.REPROVISION, nodes: tuple[str, ...] = NODES, **manner: object) -> Plan:
    return Plan(7, verb, "root", "because", Manner(**{"batch": 3, "stop": 100, **manner}), nodes)  # type: ignore[arg-type]


def well(scene: Scene) -> Scene:
    return scene.done()


def run(site: MemorySite) -> tuple[Tally, list[tuple[str, Outcome]]]:
    said: list[tuple[str, Outcome]] = []
    return Rollout(site.plan, site, lambda *each: said.append(each), lambda _: None).run(), said


def test_batches_in_order_and_each_node_is_back_before_the_next_batch():
    site = MemorySite(plan(sleep=30.0), well).add(*NODES)
    tally, said = run(site)
    assert site.batches == [["n1", "n2", "n3"], ["n4", "n5", "n6"], ["n7"]]
    assert [node for node, _ in said] == list(NODES)
    assert {ended.end for ended in tally.ended.values()} == {End.DONE}
    assert all("provisioned again after" in ended.words for ended in tally.ended.values())
    assert site.waits.count(30.0) == 2
    assert {scene.snapshot.generation for scene in site.scenes.values()} == {2}


@pytest.mark.parametrize(("verb", "words"), [(Verb.RESTART, "it restarts"), (Verb.SHUTDOWN, "it shuts down")])
def test_a_restart_or_a_shutdown_is_done_when_it_is_acknowledged(verb: Verb, words: str):
    tally, _ = run(MemorySite(plan(verb), well).add(*NODES))
    assert set(tally.ended.values()) == {Outcome(End.DONE, words)}


def test_nobody_waits_for_the_return_where_that_was_not_wanted():
    tally, _ = run(MemorySite(plan(within=0), well).add(*NODES))
    assert set(tally.ended.values()) == {Outcome(End.DONE, "it goes back into provisioning")}


def test_more_than_so_many_percent_of_failures_stop_it_after_their_batch():
    site = MemorySite(plan(stop=33), lambda scene: scene.fails(Certainty.REFUSED, Reason.WRONG_TOKEN)).add(*NODES)
    tally, _ = run(site)
    assert site.nodes() == ["n1", "n2", "n3"]
    assert tally.stopped == "3 of 3 failed, which is more than 33 %"
    assert (tally.left, tally.counts()) == (4, {End.FAILED: 3})
    assert summary(site.plan, tally) == [
        "reprovision: 7 nodes: 0 done, 3 failed, 0 refused, 4 left",
        "stopped: 3 of 3 failed, which is more than 33 %; when that is understood: usher reprovision --resume",
    ]
    assert document(site.plan, tally)["nodes"]["n1"] == {
        "end": "failed",
        "why": "it refused (wrong_token: so it said)",
    }


def test_as_many_failures_as_are_allowed_stop_nothing():
    failing = iter([True, False, False, True, False, False, False])
    site = MemorySite(
        plan(stop=34), lambda s: s.fails(Certainty.NOT_DELIVERED, Reason.ABSENT) if next(failing) else s.done()
    )
    tally, _ = run(site.add(*NODES))
    assert (tally.stopped, tally.counts()[End.FAILED]) == ("", 2)


def test_who_is_refused_by_the_table_is_told_its_sentence_and_fails_nothing():
    site = MemorySite(plan(nodes=("nobody", "n1"), stop=0), well).add("n1")
    tally, said = run(site)
    assert said[0] == ("nobody", Outcome(End.REFUSED, "no such node is known"))
    assert (tally.stopped, tally.ended["n1"].end) == ("", End.DONE)


def test_who_is_not_back_in_time_has_failed_with_where_it_is():
    site = MemorySite(plan(nodes=("n1",), within=1.0), well).add("n1")
    tally, _ = run(site)
    assert tally.ended["n1"].words == "it is not provisioned again within 1s: discovered (asked)"


def test_an_answer_that_nobody_gives_ends_the_batch_too():
    site = MemorySite(plan(Verb.RESTART, ("n1",)), lambda scene: scene).add("n1")
    tally, _ = run(site)
    assert tally.ended["n1"].end is End.FAILED
    assert site.at >= FOR_AN_ANSWER


def test_an_interrupted_plan_goes_on_where_it_was_and_asks_nobody_twice():
    site = MemorySite(plan(), well, interrupt=2).add(*NODES)
    with pytest.raises(KeyboardInterrupt):
        run(site)
    assert site.nodes() == ["n1", "n2", "n3"]
    site.batches.clear()
    tally, _ = run(site)
    assert {ended.end for ended in tally.ended.values()} == {End.DONE}
    assert {scene.snapshot.generation for scene in site.scenes.values()} == {2}


def test_who_is_held_is_left_out():
    site = MemorySite(plan(), well, interrupt=2).add(*NODES)
    with pytest.raises(KeyboardInterrupt):
        run(site)
    site.scenes["n2"].asks(Verb.QUARANTINE)
    tally, _ = run(site)
    assert tally.ended["n2"] == Outcome(End.REFUSED, "it is held, and was left out")
    assert tally.counts() == {End.DONE: 6, End.REFUSED: 1}


def test_what_is_not_known_counts_as_a_failure_and_is_never_asked_again():
    def in_vain(scene: Scene) -> Scene:
        return scene.fails(Certainty.UNKNOWN).due().done(GONE).done(GONE)

    site = MemorySite(plan(nodes=("n1",)), in_vain).add("n1")
    for _ in range(2):
        tally, _ = run(site)
        assert "is not known" in tally.ended["n1"].words
    assert site.scenes["n1"].row == "asked-before"


def test_where_it_stands_is_one_line():
    site = MemorySite(plan(), well).add(*NODES)
    lines: list[str] = []
    Rollout(site.plan, site, lambda *_: None, lambda tally: lines.append(standing(site.plan, tally))).run()
    assert lines[0] == "batch 1 of 3: 0 done, 0 failed, 0 refused, 3 under way, 4 left"
    assert lines[-1] == "batch 3 of 3: 7 done, 0 failed, 0 refused, 0 under way, 0 left"
