"""The dashboards and the rules: each expression names only what usher exports, each alert has its section."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm.breaker import NAMES
from fsm.effects import Effect, Port
from fsm.events import Certainty
from fsm.reasons import Reason
from fsm.states import State
from tests.architecture.house import ROOT
from tests.fakes.promql import COUNTED, TARGET, Selector, grouped, selectors, targets
from usher.metrics.catalogue import families
from usher.metrics.families import Family, Kind
from usher.network import EVENTS, RPC

CONTRIB = ROOT / "contrib"
RULES = CONTRIB / "prometheus" / "usher.rules.yml"
UNIT = CONTRIB / "prometheus" / "usher.rules.test.yml"
DASHBOARD = CONTRIB / "grafana" / "usher.json"
ALERTS = ROOT / "docs" / "alerts.md"
OLDER = ROOT.parent / "shared" / "reference" / "grafana-dashboard.json"
PROCESS = {"process_cpu_seconds_total": Kind.COUNTER, "process_resident_memory_bytes": Kind.GAUGE}
"""Those of prometheus-client that are used."""
VALUES = {
    "state": set(State), "reason": set(Reason), "effect": set(Effect), "certainty": set(Certainty), "port": set(Port),
    "connection": {EVENTS, RPC}, "file": {"main", "wal"}, "result": {"taken", "refused"},
    "dependency": set(NAMES.values()),
}  # fmt: skip


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def queries() -> list[str]:
    """Every query of our own dashboard."""
    return targets(DASHBOARD, site="demo", __rate_interval="1m", datasource="d")


def older() -> list[str]:
    """Every query of the older program's dashboard; none where it is not at hand."""
    return targets(OLDER, instance="demo") if OLDER.is_file() else []


@cache
def known() -> dict[str, Family]:
    """The families by the names of their series."""
    found: dict[str, Family] = {name: Family(name, kind, "", site=False) for name, kind in PROCESS.items()}
    for family in families().values():
        names = {Kind.SUMMARY: ("_sum", "_count"), Kind.HISTOGRAM: ("_sum", "_count", "_bucket")}.get(
            family.kind, ("",)
        )
        found |= {family.name + ending: family for ending in names}
    return found


def wrong(selector: Selector) -> str:
    """What an expression asks of a series that it does not have; empty if nothing."""
    family = known().get(selector.name)
    if family is None:
        return f"{selector.name} is not exported"
    has = TARGET | set(family.names) | ({"site"} if family.site else set())
    has |= {"le"} if selector.name.endswith("_bucket") else set()
    for matcher in selector.matchers:
        if matcher.name not in has:
            return f"{selector.name} has no label {matcher.name}"
        possible = VALUES.get(matcher.name)
        if possible and not set(matcher.value.split("|")) <= possible:
            return f"{matcher.name} is never {matcher.value}"
    counts = family.kind is not Kind.GAUGE
    if selector.function in COUNTED and not (counts and selector.ranged):
        return f"{selector.function} is not for {selector.name}"
    return f"{selector.name} only grows" if counts and not selector.ranged else ""


@pytest.mark.parametrize("expression", [*queries(), *(rule["expr"] for rule in rules()), *older()])
def test_an_expression_names_only_what_usher_exports(expression: str):
    found = selectors(expression)
    assert found
    assert [problem for problem in map(wrong, found) if problem] == []
    labels = {label for selector in found for label in known()[selector.name].names} | TARGET | {"site", "le"}
    assert grouped(expression) <= labels | ({"rpc"} if expression in older() else set())
    if "histogram_quantile" in expression:
        assert all(selector.name.endswith("_bucket") for selector in found)
        assert "le" in grouped(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "usher_node",
        'usher_nodes{stat="failed"}',
        'usher_nodes{state="broken"}',
        "rate(usher_nodes[5m])",
        "usher_bugs_total > 0",
        'increase(choria_protocol_invalid{site="s"}[5m])',
        "rate(usher_commit_seconds[5m])",
    ],
)
def test_what_usher_does_not_export_is_found(expression: str):
    assert any(wrong(selector) for selector in selectors(expression))


def test_every_alert_is_complete():
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule
        assert set(rule["annotations"]) == {"summary", "runbook"}, rule
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))


def test_every_alert_has_its_section_and_a_command_in_it():
    sections = re.split(r"^## ", ALERTS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections] == [rule["alert"] for rule in rules()]
    for section in sections:
        assert "\nusher " in section, section


def test_every_alert_is_tested_to_fire_and_to_be_quiet():
    tested = [case for test in yaml.safe_load(UNIT.read_text())["tests"] for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in tested if case["exp_alerts"]} == names
    assert {case["alertname"] for case in tested if not case["exp_alerts"]} == names


def test_the_dashboard_is_whole():
    board = json.loads(DASHBOARD.read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [each["name"] for each in board["templating"]["list"]] == ["datasource", "site"]
    for panel in panels:
        if panel["type"] != "row":
            assert panel["title"], panel["id"]
            assert panel["description"], panel["title"]
            assert panel["targets"], panel["title"]
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("words", [("check", "rules", RULES), ("test", "rules", UNIT)], ids=["check", "test"])
def test_promtool_agrees(words: tuple[str | Path, ...]):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: the package prometheus)")
    done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
