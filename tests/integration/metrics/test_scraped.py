"""The queries of the dashboards against the exporter of a daemon that provisioned a fleet."""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fsm.states import State
from tests.architecture.house import ROOT
from tests.fakes.promql import Selector, selectors, targets
from tests.fakes.whole import Whole, fetched, free_port, whole
from usher.children import Child
from usher.metrics.catalogue import PREFIX, families
from usher.metrics.families import SECONDS, Kind

pytestmark = pytest.mark.network

CONTRIB = ROOT / "contrib"
OURS = CONTRIB / "grafana" / "usher.json"
RULES = CONTRIB / "prometheus" / "usher.rules.yml"
NODES = 5
TROUBLE = {
    "usher_failures_total", "usher_failed_nodes", "usher_effect_failures_total", "usher_discards_total",
    "usher_rejected_total",
}  # fmt: skip
"""These have no series where nothing goes wrong."""
Sample = tuple[str, dict[str, str], float]


def older(shared: Path) -> list[str]:
    """The queries of the older program's dashboard."""
    return targets(shared / "reference" / "grafana-dashboard.json", instance="demo")


def ours() -> list[str]:
    """The queries of our dashboard."""
    return targets(OURS, site="demo", __rate_interval="1m", datasource="d")


def samples(text: str) -> list[Sample]:
    """Every sample under the name that Prometheus reads: the parser adds `_total` to a counter without it."""
    written = {line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    return [
        (sample.name if sample.name in written else sample.name.removesuffix("_total"), sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def selected(selector: Selector, found: list[Sample]) -> list[Sample]:
    """The samples that a selector takes."""
    return [one for one in found if one[0] == selector.name and all(m.fits(one[1]) for m in selector.matchers)]


async def provisioned(made: Whole) -> None:
    made.fleet(NODES)
    await made.until(NODES, State.PROVISIONED)


async def test_every_query_finds_its_series_in_a_scrape(tmp_path: Path, shared: Path):
    port = await free_port()
    async with whole(tmp_path / "w", monitor_port=port, monitor_address="127.0.0.1") as made:
        made.daemon()
        await provisioned(made)
        code, text = await fetched(port, "/metrics")
    assert code == 200
    found = samples(text)
    for expression in older(shared):
        for selector in selectors(expression):
            assert selected(selector, found), (expression, selector)
    for expression in ours():
        for selector in selectors(expression):
            assert selector.name in TROUBLE or selected(selector, found), (expression, selector)

    values = {(name, labels.get("rpc", "")): value for name, labels, value in found}
    assert values[f"{PREFIX}provisioned", ""] == NODES
    assert values[f"{PREFIX}discovered", ""] + values[f"{PREFIX}event_discovered", ""] >= NODES
    assert values[f"{PREFIX}rpc_time_count", "choria_provision#configure"] >= NODES
    assert values[f"{PREFIX}rpc_errors", "choria_provision#configure"] == 0
    assert values[f"{PREFIX}discover_cycles", ""] >= 1
    assert values[f"{PREFIX}discovery_errors", ""] == 0
    assert values["choria_protocol_valid", ""] >= NODES * 6
    assert values["choria_connector_initial_connect_time_count", ""] == 2
    assert values["usher_commits_total", ""] > 0
    _whole(text, found)


def _whole(text: str, found: list[Sample]) -> None:
    """Types, labels and buckets are those of the catalogue."""
    declared = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    for family in families().values():
        assert declared[family.name] == family.kind.value
        first = ("site",) if family.site else ()
        for name, labels, _ in found:
            if name.removesuffix("_sum").removesuffix("_count").removesuffix("_bucket") == family.name:
                assert tuple(label for label in labels if label != "le") == first + family.names, name
        if family.kind is Kind.HISTOGRAM:
            edges = {labels["le"] for name, labels, _ in found if name == f"{family.name}_bucket"}
            assert sorted(map(float, edges)) == [*SECONDS, math.inf]
    assert "node-0001" not in text


class Prometheus:
    """A real Prometheus that scrapes one usher, with our rules."""

    def __init__(self, binary: str, directory: Path, usher: int, port: int) -> None:
        directory.mkdir()
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "usher", "static_configs": [{"targets": [f"127.0.0.1:{usher}"]}]}],
        }
        (directory / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        self.port = port
        words = [
            binary,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        self.child = Child("prometheus", words, directory / "log")

    def get(self, path: str) -> Any:
        """The data of an answer of its API; None while it does not listen."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", f"/api/v1/{path}")
            answer = json.loads(link.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            link.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The vector that an expression is now."""
        data = self.get(f"query?query={quote(expression, safe='')}")
        return [(one["metric"], float(one["value"][1])) for one in data["result"]] if data else []

    def value(self, expression: str) -> float:
        """The one value that an expression is now; -1 if there is none."""
        found = self.ask(expression)
        return found[0][1] if found else -1

    def rules(self) -> list[dict[str, Any]]:
        """How the rules stand."""
        data = self.get("rules")
        return [rule for group in data["groups"] for rule in group["rules"]] if data else []


async def test_a_real_prometheus_evaluates_every_query(tmp_path: Path, shared: Path):
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed (Debian: the package prometheus)")
    port, other = await asyncio.gather(free_port(), free_port())
    async with whole(tmp_path / "w", monitor_port=port, monitor_address="127.0.0.1") as made:
        made.daemon()
        await made.until_so((made.site.state / "control.sock").exists)
        prometheus = Prometheus(binary, tmp_path / "prometheus", port, other)
        prometheus.child.start()
        made.children.append(prometheus.child)
        await made.until_so(lambda: prometheus.value("count_over_time(choria_provisioner_provisioned[5m])") > 1)
        await provisioned(made)
        await made.until_so(lambda: prometheus.value("choria_provisioner_provisioned") == NODES)
        await made.until_so(lambda: prometheus.value("sum(rate(choria_provisioner_rpc_time_count[1m]))") > 0)

        for expression in older(shared):
            assert prometheus.ask(expression), expression
        for expression in ours():
            quiet = {selector.name for selector in selectors(expression)} & TROUBLE
            assert prometheus.ask(expression) or quiet, expression
        nodes, rpc, helper, discovered, by_event = (
            next(query for query in older(shared) if word in query)
            for word in ("_provisioned{", "rpc_time", "helper_time", "_discovered{", "_event_discovered{")
        )
        assert prometheus.value(nodes) >= NODES
        assert prometheus.value(discovered) + prometheus.value(by_event) > 0
        took = {labels["rpc"]: value for labels, value in prometheus.ask(rpc) if not math.isnan(value)}
        assert {"choria_provision#jwt", "choria_provision#configure", "rpcutil#inventory"} <= took.keys()
        assert all(0 < value < 60 for value in took.values()), took
        assert [labels for labels, value in prometheus.ask(helper) if 0 < value < 60] == [{}]

        await made.until_so(lambda: {rule["health"] for rule in prometheus.rules()} == {"ok"})
        assert [rule for rule in prometheus.rules() if rule["state"] == "firing"] == []
