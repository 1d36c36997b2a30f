"""Our own series and those of the library: what each counts, with which labels, and what is absent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fsm.effects import Effect, Intent
from fsm.events import Certainty, Verb
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import pass_time
from tests.fakes.runtime import Rig, failed, names, virtual
from tests.fakes.scrape import Scrape
from transport.counting import ReplyCounts
from transport.lease import Role
from transport.reports import Complaint, Connected, Disconnected, Refused
from transport.wire.versions import WIRES, Version
from usher.leading import Standing
from usher.metrics.catalogue import PREFIX, families
from usher.metrics.library import NOT_EXPORTED, library
from usher.metrics.links import Links


@virtual
async def test_every_series_has_the_labels_that_the_catalogue_names(rig: Rig):
    scrape = Scrape(rig)
    links = Links(scrape.recorder.families, rig.clock, ("rpc", "events"))
    links.report(Refused("rpc", "nats://b", "nobody listens there", 1.0))
    scrape.rig.performer.scripts[Effect.RUN_HELPER] = failed
    scrape.recorder.compat("collective_spaces")
    scrape.recorder.part("").count("bad_event")
    rig.seen(*names(3))
    await rig.until_all(State.FAILED, 3)
    found = families()
    for family in text_string_to_metric_families(scrape.text()):
        told = found.get(family.name.removeprefix(PREFIX)) or found[f"{family.name}_total".removeprefix(PREFIX)]
        first = ("site",) if told.site else ()
        for sample in family.samples:
            assert tuple(name for name in sample.labels if name != "le") == first + told.names, sample


@virtual
async def test_what_failed_is_told_by_reason_and_by_effect(rig: Rig):
    scrape = Scrape(rig)

    def helper(intent: Intent) -> Outcome:
        return failed(intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)

    rig.performer.scripts[Effect.RUN_HELPER] = helper
    rig.seen(*names(3))
    await rig.until_all(State.FAILED, 3)
    values = scrape.values()
    assert values["usher_failed_nodes{reason=helper_failed}"] == 3
    assert values["usher_failures_total{reason=helper_failed}"] == 3
    assert values["usher_effect_failures_total{effect=run_helper,certainty=refused}"] >= 3
    assert values["usher_due_nodes"] == 3
    for node in names(3):
        await rig.ask(node, Verb.FORGET)
    assert scrape.values()["usher_failed_nodes{reason=helper_failed}"] == 0


@virtual
async def test_replies_and_transactions_are_read_from_those_who_keep_them(rig: Rig, tmp_path: Path):
    scrape = Scrape(rig, tmp_path / "usher.db")
    (tmp_path / "usher.db").write_bytes(bytes(4096))
    scrape.network.rpc.counts = ReplyCounts(WIRES[Version.V2], valid=3, invalid=1)
    scrape.network.discovery.counts = ReplyCounts(WIRES[Version.V2], valid=4, unparsable=2, errors=2)
    scrape.journal = SimpleNamespace(commits=5, waiting=6)
    values = scrape.values()
    assert values["choria_protocol_valid{version=2}"] == 7
    assert values["choria_protocol_invalid{version=2}"] == 1
    assert values["choria_protocol_error{version=2}"] == 2
    assert values["choria_protocol_json_parse_failures{version=2}"] == 2
    assert (values["usher_commits_total"], values["usher_commits_waiting"], values["usher_epoch"]) == (5, 6, 7)
    assert values["usher_database_bytes{file=main}"] == 4096
    assert "usher_database_bytes{file=wal}" not in values
    assert values["usher_state_free_bytes"] > 0
    scrape.network.version = Version.V1
    assert scrape.values()["choria_protocol_valid{version=1}"] == 7


@virtual
async def test_a_scrape_is_answered_when_the_disk_is_not(rig: Rig):
    values = Scrape(rig).values()
    assert "usher_state_free_bytes" not in values
    assert values["usher_ready"] == 1


@virtual
async def test_what_holds_everything_is_told_one_by_one(rig: Rig):
    scrape = Scrape(rig)
    rig.engine.hold(Reason.DISK_FULL)
    values = scrape.values()
    assert values["usher_held{reason=disk_full}"] == 1
    others = (Reason.PAUSED, Reason.DISCONNECTED, Reason.RESTORED, Reason.STOPPING)
    assert [values[f"usher_held{{reason={other.value}}}"] for other in others] == [0, 0, 0, 0]
    rig.engine.release(Reason.DISK_FULL)
    assert scrape.values()["usher_held{reason=disk_full}"] == 0


@virtual
async def test_logins_that_come_and_go_are_counted(rig: Rig):
    scrape = Scrape(rig)
    links = Links(scrape.recorder.families, rig.clock, ("rpc", "events"))
    assert scrape.values()["usher_disconnections_total{connection=events}"] == 0
    links.report(Refused("rpc", "nats://b", "nobody listens there", 1.0))
    links.report(Connected("events", "e1", "nats://b"))
    await pass_time(2)
    links.report(Connected("rpc", "c1", "nats://b"))
    links.report(Complaint("rpc", "c1", "nats://b", "Permissions Violation"))
    links.report(Disconnected("rpc", "c1", "nats://b", "EOF", 0))
    links.report(Refused("rpc", "nats://b", "nobody listens there", 1.0))
    links.report(Connected("rpc", "c2", "nats://b"))
    values = scrape.values()
    assert values["choria_connector_initial_connection_attempts"] == 1
    assert values["choria_connector_reconnections"] == 1
    assert values["choria_connector_errors"] == 1
    assert values["choria_connector_initial_connect_time_count"] == 2
    assert values["choria_connector_initial_connect_time_sum"] == pytest.approx(2, abs=0.01)
    assert values["usher_logins_total{connection=rpc}"] == 2
    assert values["usher_logins_refused_total{connection=rpc}"] == 2
    assert values["usher_disconnections_total{connection=rpc}"] == 1
    assert values["usher_complaints_total{connection=rpc}"] == 1
    assert values["usher_logins_total{connection=events}"] == 1


@virtual
async def test_a_larger_fleet_has_no_more_series(rig: Rig):
    scrape = Scrape(rig)
    rig.seen(*names(3))
    await rig.until_all(State.PROVISIONED, 3)
    few = scrape.values().keys()
    rig.seen(*names(60)[3:])
    await rig.until_all(State.PROVISIONED, 60)
    assert scrape.values().keys() == few


OLDER = {
    "choria_connector_connection_closed": ("counter", ()),
    "choria_connector_errors": ("counter", ()),
    "choria_connector_initial_connect_time": ("summary", ()),
    "choria_connector_initial_connection_attempts": ("counter", ()),
    "choria_connector_reconnections": ("counter", ()),
    "choria_election_campaigns": ("counter", ("election", "identity", "state")),
    "choria_election_interval_seconds": ("gauge", ("election", "identity")),
    "choria_election_leader": ("gauge", ("election", "identity")),
    "choria_protocol_error": ("counter", ("version",)),
    "choria_protocol_invalid": ("counter", ("version",)),
    "choria_protocol_json_parse_failures": ("counter", ("version",)),
    "choria_protocol_valid": ("counter", ("version",)),
}
"""What a real choria-provisioner serves of its libraries after a fleet, and with an election."""


def test_the_library_is_that_of_the_older_program():
    for name, family in library().items():
        assert (family.kind.value, family.names, family.site) == (*OLDER[name], False), name
    assert OLDER.keys() <= library().keys() | NOT_EXPORTED.keys()


@virtual
async def test_an_election_is_told_under_the_older_programs_names(rig: Rig):
    scrape = Scrape(rig)
    standing = Standing(Role.LEADER, True, 59.5, 0.5, {"candidate": 3, "leader": 20})
    leadership = SimpleNamespace(name="u1", standing=lambda: standing)
    scrape.cluster = SimpleNamespace(leadership=leadership, peers=SimpleNamespace(heard=(), unseen=()))
    values = scrape.values()
    where = "election=provisioner,identity=u1"
    assert values[f"choria_election_campaigns{{{where},state=leader}}"] == 20
    assert values[f"choria_election_campaigns{{{where},state=candidate}}"] == 3
    assert values[f"choria_election_leader{{{where}}}"] == 1
    assert values[f"choria_election_interval_seconds{{{where}}}"] == 0.5
    assert (values["usher_election_role{role=leader}"], values["usher_election_role{role=opening}"]) == (1, 0)
    assert values["usher_election_lease_seconds"] == 59.5


@virtual
async def test_who_is_there_and_who_lacks_most_is_told_of_peers(rig: Rig):
    scrape = Scrape(rig)
    assert "usher_peers" not in scrape.values()
    now = rig.clock.now()
    leadership = SimpleNamespace(name="u1", standing=lambda: Standing(Role.CANDIDATE, False, 0.0, 0.5, {}))
    peers = SimpleNamespace(heard=(now - 1000, now - 31_000), unseen=(0, 3))
    scrape.cluster = SimpleNamespace(leadership=leadership, peers=peers)
    values = scrape.values()
    assert (values["usher_peers"], values["usher_peers_silent_seconds"]) == (1, 31)
    assert values["usher_peers_unseen_decisions"] == 3


@virtual
async def test_what_the_library_has_and_usher_does_not_do_is_absent(rig: Rig):
    text = Scrape(rig).text()
    for name in NOT_EXPORTED:
        assert name not in text
    assert not NOT_EXPORTED.keys() & library().keys()
