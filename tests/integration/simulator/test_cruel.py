"""Every cruelty beside honest nodes, with the whole daemon: who ends where, as docs/simulator.md says."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from fsm.errors import StoreError
from fsm.states import State
from store.reader import open_reader
from tests.architecture.house import ROOT
from tests.fakes.whole import Whole, whole
from usher.children import Child
from usher.simulator.crowds import FORGED
from usher.simulator.cruelty import CRASHES, FLOODS, WHAT, WILDCARDS, Cruelty
from usher.simulator.profile import Amount, cast

pytestmark = pytest.mark.network
HONEST = 4
WITHIN = 240.0
ROW = re.compile(r"^\| `([a-z-]+)` \| ([^|]*) \| ([^|]*)\| ([^|]*)\| ([^|]*)\|$", re.MULTILINE)
PAGE = (ROOT / "docs" / "simulator.md").read_text()
DRIVER = "tests.integration.simulator.hasty"


def word(cell: str) -> str:
    return cell.strip().strip("`")


TOLD = {Cruelty(row[0]): row for row in ROW.findall(PAGE) if row[0] in {cruelty.value for cruelty in Cruelty}}
ENDS = {cruelty: (word(row[2]), word(row[3])) for cruelty, row in TOLD.items()}
ALONE = [cruelty for cruelty in Cruelty if cruelty not in FLOODS | WILDCARDS]
PARAMETERS = {
    **{cruelty: {"away": 0.3} for cruelty in CRASHES},
    Cruelty.NEW_DISK_AFTER_KEY: {"away": 1.5},
    Cruelty.NEW_DISK_LATER: {"away": 4.0},
    Cruelty.FLOOD_DISCOVERY: {"many": 200},
    Cruelty.FLOOD_EVENTS: {"many": 40},
}
END = "SELECT node, state, reason, generation, held FROM nodes"


@dataclass(frozen=True)
class Scene:
    """What a fleet with these cruelties came to."""

    names: Mapping[str, Cruelty]
    honest: list[str]
    ends: Mapping[str, dict[str, Any]]
    report: Mapping[str, dict[str, Any]]
    evidence: set[str]
    log: list[dict[str, Any]]
    text: str

    def end(self, name: str) -> tuple[str, str]:
        row = self.ends.get(name)
        return (row["state"], row["reason"] or "") if row else ("", "")


async def play(folder: Path, cruelties: list[Cruelty], honest: tuple[str, str]) -> Scene:
    """A fleet of one of each and some honest ones, until all have come to their ends, or for a minute."""
    count = len(cruelties) + HONEST
    profile = {"seed": 5, "cruelties": {each.value: {"nodes": 1, **PARAMETERS.get(each, {})} for each in cruelties}}
    names = [f"node-{number:04d}.example.net" for number in range(1, count + 1)]
    groups = cast(5, "cruelties", [Amount(number=1)] * len(cruelties), names)
    roles = {group[0]: cruelty for group, cruelty in zip(groups, cruelties, strict=True)}
    wanted = {name: ENDS[roles[name]] if name in roles else honest for name in names}
    async with whole(folder) as made:
        (made.site.directory / "profile.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
        command = [sys.executable, "-m", DRIVER, *made.site.daemon()[1:]]
        daemon = Child("daemon", command, made.site.directory / "daemon.log")
        made.children.append(daemon)
        daemon.start()
        await made.until_so(lambda: daemon.ended.done() or (made.site.state / "control.sock").exists())
        report = made.site.directory / "report.jsonl"
        words = ("--profile", str(made.site.directory / "profile.yaml"), "--report", str(report))
        fleet = made.fleet(count, *words)
        never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        until = asyncio.get_running_loop().time() + WITHIN
        while asyncio.get_running_loop().time() < until and not daemon.ended.done() and not fleet.ended.done():
            await asyncio.wait([daemon.ended, fleet.ended, never], timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
            if _all_ended(ends(made), roles, wanted):
                break
        return await _scene(made, fleet, daemon, roles, names, report)


def _all_ended(rows: Mapping[str, dict[str, Any]], roles: Mapping[str, Cruelty], wanted: Any) -> bool:
    return all(
        (rows[name]["state"], rows[name]["reason"] or "") == end
        and (roles.get(name) is not Cruelty.NEW_DISK_LATER or rows[name]["generation"] > 1)
        if name in rows
        else end == ("", "")
        for name, end in wanted.items()
    )


def ends(made: Whole) -> dict[str, dict[str, Any]]:
    try:
        with open_reader(made.site.state / "usher.db") as reader:
            return {row["node"]: row for row in reader.rows(END)}
    except StoreError:
        return {}


def held(report: Path) -> dict[str, dict[str, Any]]:
    return {line["node"]: line for line in map(orjson.loads, report.read_bytes().splitlines())}


def evidence(made: Whole, names: list[str]) -> set[str]:
    with open_reader(made.site.state / "usher.db") as reader:
        return {snapshot.evidence for name in names if (snapshot := reader.node(name)) is not None}


async def _scene(
    made: Whole, fleet: Child, daemon: Child, roles: Mapping[str, Cruelty], names: list[str], report: Path
) -> Scene:
    rows = ends(made)
    await daemon.stop()
    assert daemon.ended.result() == 0, daemon.tail()
    await fleet.stop()
    assert fleet.ended.result() == 0, fleet.tail()
    told = held(report)
    honest = [name for name in names if name not in roles]
    return Scene(roles, honest, rows, told, evidence(made, honest), made.log(daemon), daemon.log.read_text())


async def scenes(folder: Path) -> dict[str, Scene]:
    """All at once: they only wait."""
    there = (State.PROVISIONED.value, "")
    names = ("alone", "floods", "listeners", "forger")
    played = await asyncio.gather(
        play(folder / "alone", ALONE, there),
        play(folder / "floods", sorted(FLOODS, key=lambda each: each.value), there),
        play(folder / "listeners", [Cruelty.WILDCARD_SILENT, Cruelty.WILDCARD_ANSWERS], there),
        play(folder / "forger", [Cruelty.WILDCARD_FORGES], (State.FAILED.value, "duplicate_identity")),
    )
    return dict(zip(names, played, strict=True))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    return asyncio.run(scenes(tmp_path_factory.mktemp("cruel")))


def test_the_page_tells_of_each_cruelty_what_it_does():
    assert {cruelty: row[1].strip() for cruelty, row in TOLD.items()} == WHAT


@pytest.mark.parametrize("cruelty", Cruelty, ids=lambda each: each.value)
def test_it_ends_as_the_page_says(cruelty: Cruelty, played: dict[str, Scene]):
    scene, name = next((each, name) for each in played.values() for name, role in each.names.items() if role is cruelty)
    assert scene.end(name) == ENDS[cruelty]


@pytest.mark.parametrize("where", ["alone", "floods", "listeners"])
def test_the_honest_ones_are_provisioned(where: str, played: dict[str, Scene]):
    scene = played[where]
    assert {scene.end(name) for name in scene.honest} == {("provisioned", "")}
    assert {scene.report[name]["process"] for name in scene.honest} == {"server"}
    assert all(scene.report[name]["key"] == scene.report[name]["token_key"] for name in scene.honest)


@pytest.mark.parametrize("where", ["alone", "floods", "listeners", "forger"])
def test_nothing_of_it_troubles_the_daemon(where: str, played: dict[str, Scene]):
    scene = played[where]
    assert "Traceback" not in scene.text
    assert not [line for line in scene.log if line.get("level") in {"error", "critical"}]
    assert not [row for row in scene.ends.values() if row["reason"] == "bug"]
    assert all(character.isprintable() for line in scene.text.splitlines() for character in line)


def test_a_listener_hides_that_nobody_is_there(played: dict[str, Scene]):
    assert played["alone"].evidence == played["floods"].evidence == {"left"}
    assert played["listeners"].evidence == {"silence"}


def test_forged_names_are_gone(played: dict[str, Scene]):
    forged = {name: row for name, row in played["floods"].ends.items() if name.startswith(FORGED)}
    assert forged
    assert {row["state"] for row in forged.values()} <= {"gone", "discovered"}
    assert {row["reason"] for row in forged.values() if row["state"] == "gone"} == {"absent"}


def test_nobody_is_configured_by_the_words_of_a_forger(played: dict[str, Scene]):
    scene = played["forger"]
    assert {scene.end(name) for name in scene.honest} == {("failed", "duplicate_identity")}
    assert all(scene.ends[name]["held"] for name in scene.honest)
    assert not [name for name in scene.honest if scene.report[name]["token_key"]]


def test_no_twin_is_configured(played: dict[str, Scene]):
    scene = played["alone"]
    name = next(name for name, role in scene.names.items() if role is Cruelty.TWIN)
    assert scene.ends[name]["held"]
    assert scene.report[name]["token_key"] == ""
