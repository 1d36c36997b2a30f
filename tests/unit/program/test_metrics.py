"""Metrics and probes: the older program's names on the scraped text, with honest values."""

from __future__ import annotations

import asyncio
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fsm.effects import Effect, Intent
from fsm.events import Certainty, HelperFacts, HintKind, Sighting, Verb, Verdict
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import pass_time, sent_over
from tests.fakes.runtime import CONNECTION, DIGEST, NODE, Rig, done, failed, names, virtual
from tests.fakes.scrape import Scrape
from transport.reports import Connected, Disconnected
from usher.metrics.catalogue import PREFIX, families
from usher.metrics.families import Family, Kind, labels

OLDER = {
    "rpc_time": "summary", "rpc_errors": "counter", "helper_time": "summary", "helper_errors": "counter",
    "helper_shutdown_requests": "counter", "discovered": "counter", "event_discovered": "counter",
    "discover_cycles": "counter", "discovery_errors": "counter", "provision_errors": "counter",
    "provisioned": "counter", "busy_workers": "gauge", "work_queue_entries": "gauge", "waiting_nodes": "gauge",
    "paused": "gauge",
}  # fmt: skip
"""wire/provisioning.md §8, without `choria_provisioner_`."""


@virtual
async def test_every_name_and_type_of_the_older_program_is_on_the_text(rig: Rig):
    scrape = Scrape(rig)
    declared = dict(re.findall(r"^# TYPE (\S+) (\S+)$", scrape.text(), re.MULTILINE))
    assert {name: declared[PREFIX + name] for name in OLDER} == OLDER
    rig.seen(*names(3))
    await rig.until_all(State.PROVISIONED, 3)
    text = scrape.text()
    for line in text.splitlines():
        if line.startswith(PREFIX):
            name = line.partition("{")[0].removeprefix(PREFIX)
            bare = re.sub("_(sum|count)$", "", name) if name not in OLDER else name
            assert OLDER.get(bare) is not None, line
            assert (name == bare) is (OLDER[bare] != "summary"), line
    assert not re.search(rf"{PREFIX}\w+_(total|created|bucket)", text)
    assert 'quantile="' not in text


@virtual
async def test_what_the_older_program_presets_is_there_before_anything_happens(rig: Rig):
    values = Scrape(rig).values()
    for name in ("discovered", "provisioned", "work_queue_entries", "waiting_nodes", "paused"):
        assert values[name] == 0


@virtual
async def test_the_values_of_a_fleet_that_went_through(rig: Rig):
    scrape = Scrape(rig)
    rig.seen(*names(5))
    rig.seen("late.example.net", kind=HintKind.STARTUP)
    await rig.until_all(State.PROVISIONED, 6)
    values = scrape.values()
    assert (values["discovered"], values["event_discovered"], values["provisioned"]) == (5, 1, 6)
    assert (values["provision_errors"], values["helper_errors"]) == (0, 0)
    assert values["helper_time_count"] == 6
    for name in ("jwt", "gen25519", "configure", "restart"):
        assert values[f"rpc_time_count{{rpc=choria_provision#{name}}}"] == 6
    assert values["rpc_time_count{rpc=rpcutil#inventory}"] == 6
    assert values["rpc_time_count{rpc=rpcutil#daemon_stats}"] == 12
    assert values["usher_nodes{state=provisioned}"] == 6
    assert values["usher_transitions_total{row=gone}"] == 6
    assert values["usher_effect_seconds_bucket{effect=look,le=+Inf}"] == 12
    assert values["usher_commit_seconds_count"] == 6 * 13
    assert values["usher_ready"] == 1


@virtual
async def test_a_deferral_is_no_error(rig: Rig):
    scrape = Scrape(rig)
    rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: done(intent, HelperFacts(DIGEST, Verdict.DEFER, "later"))
    rig.seen(*names(4))
    await rig.until_all(State.DEFERRED, 4)
    values = scrape.values()
    assert (values["provision_errors"], values["helper_errors"], values["provisioned"]) == (0, 0, 0)
    assert (values["waiting_nodes"], values["busy_workers"], values["work_queue_entries"]) == (4, 0, 0)


@virtual
async def test_a_failure_is_counted_once_for_each_generation(rig: Rig):
    scrape = Scrape(rig)

    def refuses(intent: Intent) -> Outcome:
        sent = sent_over(rig.clock, CONNECTION)
        return failed(intent, Certainty.REFUSED, Reason.REFUSED, sent=sent)

    rig.performer.scripts[Effect.CONFIGURE] = refuses
    rig.seen(NODE)
    await rig.until(lambda: rig.rows().count("fail") == 2)
    values = scrape.values()
    assert values["provision_errors"] == 2
    assert values["rpc_errors{rpc=choria_provision#configure}"] == 2
    assert values["rpc_time_count{rpc=choria_provision#configure}"] == 10
    assert values["usher_nodes{state=failed}"] == 1


@virtual
async def test_a_helper_that_fails_and_a_node_that_was_shut_down(rig: Rig):
    scrape = Scrape(rig)

    def helper(intent: Intent) -> Outcome:
        if intent.id.node == NODE:
            return failed(intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)
        return done(intent, HelperFacts(DIGEST, Verdict.SHUTDOWN, ""))

    rig.performer.scripts[Effect.RUN_HELPER] = helper
    rig.seen(NODE, "n2")
    await rig.until_state(State.RETIRED, "n2")
    values = scrape.values()
    assert values["helper_errors"] >= 1
    assert values["helper_shutdown_requests"] == 1
    assert values["provisioned"] == 0


@virtual
async def test_what_an_operator_holds_is_no_error_of_provisioning(rig: Rig):
    scrape = Scrape(rig)
    rig.engine.hold(Reason.PAUSED)
    rig.seen(NODE)
    await rig.until_state(State.DISCOVERED)
    await rig.ask(NODE, Verb.QUARANTINE)
    values = scrape.values()
    assert values["provision_errors"] == 0
    assert (values["paused"], values["usher_ready"]) == (1, 0)


@virtual
async def test_no_node_is_counted_twice_as_waiting(rig: Rig):
    scrape = Scrape(rig)
    rig.performer.scripts[Effect.FETCH_INVENTORY] = failed
    rig.performer.scripts[Effect.RUN_HELPER] = lambda _: asyncio.get_running_loop().create_future()
    rig.seen(*names(100))
    await pass_time(0.6)
    values = scrape.values()
    assert values["waiting_nodes"] == 100
    assert values["busy_workers"] + values["work_queue_entries"] <= 100
    assert values["usher_window"] >= 64


@virtual
async def test_the_waiting_room_and_its_oldest(rig: Rig):
    scrape = Scrape(rig)
    rig.engine.hold(Reason.DISCONNECTED)
    rig.seen(*names(7))
    await rig.until_all(State.DISCOVERED, 7)
    await pass_time(90)
    values = scrape.values()
    assert values["work_queue_entries"] == 7
    assert values["usher_oldest_waiting_seconds"] == pytest.approx(90, abs=0.01)
    assert (values["usher_effects_running{port=rpc}"], values["usher_hints_waiting"]) == (0, 0)


@virtual
async def test_connections_discoveries_discards_and_compatibility(rig: Rig):
    scrape = Scrape(rig)
    scrape.reports = {
        "rpc": Connected("rpc", "c1", "nats://b"),
        "events": Disconnected("events", "c2", "nats://b", "EOF", 0),
    }
    scrape.recorder.part("").discovered(sent=True, answers=3)
    scrape.recorder.part("").discovered(sent=False, answers=0)
    scrape.recorder.part("").count('wrong"hash\\\n')
    scrape.recorder.compat("collective_spaces")
    values = scrape.values()
    assert (values["discover_cycles"], values["discovery_errors"]) == (2, 1)
    assert values["usher_connected{connection=rpc}"] == 1
    assert values["usher_connected{connection=events}"] == 0
    assert values['usher_discards_total{reason=wrong"hash\\\n}'] == 1
    assert values["usher_compat_total{check=collective_spaces}"] == 1


@virtual
async def test_no_node_is_ever_a_label(rig: Rig):
    scrape = Scrape(rig)
    rig.performer.scripts[Effect.LOOK] = lambda intent: done(intent, Sighting(present=True, age=1))
    rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: ZeroDivisionError(intent.id.node)
    rig.seen(NODE)
    await pass_time(60)
    rig.seen(NODE, kind=HintKind.SHUTDOWN)
    await pass_time(1)
    text = scrape.text()
    assert NODE not in text
    assert scrape.values()["usher_bugs_total"] == 1


def test_every_family_says_what_it_answers():
    for name, family in families().items():
        assert family.what, name
        assert family.name.endswith(name)
    questions = [family.what for name, family in families().items() if name.startswith("usher_")]
    assert [what for what in questions if "? " not in what] == []


def test_a_histogram_has_its_buckets():
    family = Family("took", Kind.HISTOGRAM, "Seconds")
    for seconds in (0.0004, 0.3, 100.0):
        family.observe(seconds, labels(a="b"))
    (read,) = text_string_to_metric_families("\n".join(family.lines(labels(site="s"))) + "\n")
    buckets = {sample.labels["le"]: sample.value for sample in read.samples if sample.name == "took_bucket"}
    assert (buckets["0.0005"], buckets["0.25"], buckets["0.5"], buckets["+Inf"]) == (1, 1, 2, 3)
