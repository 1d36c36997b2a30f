"""The agent `rpcutil` of a simulated server: what it reads and says, without lock and without mutex.

Rules:
1. It changes nothing.
2. Members and their order are the captured ones (wire/v2-rare.jsonl, wire/protocol.md §7.5).
3. Not played: `agent_inventory`, `get_data`, `get_config_item`, and all of `choria_util`; unknown actions here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from usher.simulator.model import SECOND, Mode, Node, Setup
from usher.simulator.startup import PROVISION_AGENTS, SERVER_AGENTS

_SERVER_DATA: Final = ("choria", "config_item", "machine_state", "scout")


def agents(node: Node) -> tuple[str, ...]:
    """The agents that a process has, sorted."""
    return SERVER_AGENTS if node.process.mode is Mode.SERVER else PROVISION_AGENTS


def _ping(_node: Node, _setup: Setup, _data: Mapping[str, Any], now: int) -> dict[str, Any]:
    return {"pong": now // SECOND}


def _inventory(node: Node, setup: Setup, _data: Mapping[str, Any], _now: int) -> dict[str, Any]:
    return {
        "agents": agents(node),
        "classes": (),
        "collectives": node.collectives,
        "data_plugins": _SERVER_DATA if node.process.mode is Mode.SERVER else (),
        "facts": setup.facts,
        "machines": (),
        "main_collective": node.collectives[0],
        "version": node.version,
        "upgradable": setup.updates,
    }


def _daemon_stats(node: Node, setup: Setup, _data: Mapping[str, Any], _now: int) -> dict[str, Any]:
    counted = node.process.counters
    return {
        "agents": agents(node),
        "configfile": setup.config_file,
        "filtered": counted.filtered,
        "pid": node.pid,
        "passed": counted.passed,
        "threads": (setup.threads,),
        "replies": counted.replies,
        "starttime": node.process.started // SECOND,
        "ttlexpired": counted.ttlexpired,
        "events": counted.events,
        "times": {"cstime": 0, "cutime": 0, "stime": 0, "utime": 0},
        "total": counted.total,
        "unvalidated": counted.unvalidated,
        "validated": counted.validated,
        "version": node.version,
    }


def _collective_info(node: Node, _setup: Setup, _data: Mapping[str, Any], _now: int) -> dict[str, Any]:
    return {"main_collective": node.collectives[0], "collectives": node.collectives}


def _get_fact(_node: Node, setup: Setup, data: Mapping[str, Any], _now: int) -> dict[str, Any]:
    name = str(data.get("fact") or "")
    return {"fact": name, "value": fact(setup.facts, name)}


def _get_facts(_node: Node, setup: Setup, data: Mapping[str, Any], _now: int) -> dict[str, Any]:
    names = [name.strip() for name in str(data.get("facts") or "").split(",")]
    return {"values": {name: fact(setup.facts, name) for name in names}}


def fact(facts: Mapping[str, Any], name: str) -> Any:
    """The value of a fact by its dotted path, None if there is none."""
    value: Any = facts
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


ACTIONS: Final[Mapping[str, Callable[[Node, Setup, Mapping[str, Any], int], dict[str, Any]]]] = {
    "collective_info": _collective_info,
    "daemon_stats": _daemon_stats,
    "get_fact": _get_fact,
    "get_facts": _get_facts,
    "inventory": _inventory,
    "ping": _ping,
}
