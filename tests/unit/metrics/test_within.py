"""The metrics of one of several networks: its own series of usher's own names, and one for all of the older names."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.effects import FixedClock
from transport.reports import Connected
from usher.metrics.catalogue import families
from usher.metrics.families import Family, Kind, labels, render
from usher.metrics.links import Links
from usher.metrics.recorder import Recorder
from usher.metrics.within import within

EAST, WEST = labels(network="east"), labels(network="west")


@pytest.fixture
def made() -> dict[str, Family]:
    """A family of each kind, and one of the older program's."""
    return {
        "usher_a_total": Family("usher_a_total", Kind.COUNTER, "counted", ("reason",)),
        "usher_b": Family("usher_b", Kind.GAUGE, "measured"),
        "usher_c_seconds": Family("usher_c_seconds", Kind.HISTOGRAM, "timed", ("port",)),
        "provisioned": Family("provisioned", Kind.COUNTER, "of the older program"),
    }


def samples(made: dict[str, Family], name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """The samples of this name in the scraped text, by their labels."""
    found = text_string_to_metric_families(render(made, labels(site="demo")))
    return {
        tuple((label, value) for label, value in sample.labels.items() if label != "site"): sample.value
        for family in found
        for sample in family.samples
        if name in {sample.name, sample.name.removesuffix("_total")}  # the parser adds it to counters
    }


def test_each_network_counts_in_series_of_its_own(made: dict[str, Family]):
    for network, times in (("east", 2), ("west", 3)):
        part = within(made, network)
        for _ in range(times):
            part["usher_a_total"].add(1, labels(reason="x"))
        part["usher_b"].set(times)
        part["usher_c_seconds"].observe(times, labels(port="rpc"))
        assert part["usher_a_total"].value(labels(reason="x")) == times
        assert part["usher_b"].value() == times
    reason, port = labels(reason="x"), labels(port="rpc")
    assert samples(made, "usher_a_total") == {(*reason, *EAST): 2, (*reason, *WEST): 3}
    assert samples(made, "usher_b") == {EAST: 2, WEST: 3}
    assert samples(made, "usher_c_seconds_sum") == {(*port, *EAST): 2, (*port, *WEST): 3}


def test_what_one_network_sets_alone_leaves_the_other_as_it_is(made: dict[str, Family]):
    east, west = (within(made, network)["usher_a_total"] for network in ("east", "west"))
    x, y = labels(reason="x"), labels(reason="y")
    for part in (east, west):
        part.only({x: 1})
    east.only({y: 2})
    assert (east.known(), west.known()) == ({x, y}, {x})
    assert samples(made, "usher_a_total") == {(*x, *EAST): 0, (*y, *EAST): 2, (*x, *WEST): 1}


def test_the_older_names_count_all_networks_in_one_series(made: dict[str, Family]):
    for network in ("east", "west"):
        within(made, network)["provisioned"].add()
    assert samples(made, "provisioned") == {(): 2}


def test_where_there_is_one_network_alone_nothing_is_added(made: dict[str, Family]):
    assert within(made, "") is made


def test_a_name_is_written_as_labels_are(made: dict[str, Family]):
    within(made, 'a"b\\')["usher_b"].set(1)
    assert samples(made, "usher_b") == {labels(network='a"b\\'): 1}


def test_connections_and_discards_are_each_networks_own():
    recorder = Recorder("demo")
    for network in ("east", "west"):
        Links(within(recorder.families, network), FixedClock(), ("rpc",))
    Links(within(recorder.families, "west"), FixedClock(), ()).report(Connected("rpc", "c1", "nats://b"))
    recorder.part("east").count("not_json")
    rpc = labels(connection="rpc")
    assert samples(recorder.families, "usher_logins_total") == {(*rpc, *EAST): 0, (*rpc, *WEST): 1}
    assert samples(recorder.families, "usher_discards_total") == {(*labels(reason="not_json"), *EAST): 1}
    assert set(recorder.families) == set(families())
