"""Profiles: what a file says, every mistake with its place, and those that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.house import ROOT
from tests.fakes.simulated import TOKEN
from tests.unit.simulator.test_plan import options
from usher.simulator.cruelty import FLOODS, RETURNS, WHAT, WILDCARDS, Cruelty, Part
from usher.simulator.plan import ArgumentsError, make_plan
from usher.simulator.profile import Amount, Churn, Facts, Profile, ProfileError, cast, excess, read_profile
from usher.simulator.unkind import Fault, Rule

SHIPPED = sorted((ROOT / "docs" / "profiles").glob("*.yaml"))
NAMES = [f"n{number}" for number in range(100)]


def profile(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "profile.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        read_profile(path)
    return [mistake.replace(str(path), "FILE") for mistake in caught.value.mistakes]


FULL = """\
nodes: 10
seed: 3
facts:
  - {nodes: 50%, size: 2000, set: {maintenance: true, os: {family: Debian}}}
unkindness:
  lose: [1%, jwt=0.5]
  delay: 10%:1-2
cruelties:
  wrong-key: 20%
  crash-after-jwt: {nodes: 1, away: 2, times: 3}
  flood-events: {nodes: 1, many: 7}
churn: {each_second: 0.5, stays: 60, seconds: 600}
"""


def test_all_of_it(tmp_path: Path) -> None:
    assert read_profile(profile(tmp_path, FULL)) == Profile(
        nodes=10,
        seed=3,
        facts=(Facts(Amount(share=0.5), 2000, {"maintenance": True, "os": {"family": "Debian"}}),),
        rules=(Rule(Fault.LOSE, 0.01), Rule(Fault.LOSE, 0.5, "jwt"), Rule(Fault.DELAY, 0.1, "*", 1, 2)),
        parts=(
            (Part(Cruelty.WRONG_KEY), Amount(share=0.2)),
            (Part(Cruelty.CRASH_AFTER_JWT, away=2, times=3), Amount(number=1)),
            (Part(Cruelty.FLOOD_EVENTS, many=7), Amount(number=1)),
        ),
        churn=Churn(0.5, 60, 600),
    )


def test_json_is_read_too(tmp_path: Path) -> None:
    read = read_profile(profile(tmp_path, '{"nodes": 3, "cruelties": {"twin": "50%"}}'))
    assert (read.nodes, read.parts) == (3, ((Part(Cruelty.TWIN), Amount(share=0.5)),))


def test_it_tells_what_it_will_do(tmp_path: Path) -> None:
    assert list(read_profile(profile(tmp_path, FULL)).told(10)) == [
        f"     2 of them: wrong-key: {WHAT[Cruelty.WRONG_KEY]}",
        f"     1 of them: crash-after-jwt (3 times, away 2 s): {WHAT[Cruelty.CRASH_AFTER_JWT]}",
        f"     1 of them: flood-events (7): {WHAT[Cruelty.FLOOD_EVENTS]}",
        "     5 of them: facts of 2,000 bytes with maintenance, os",
        "messages   lose 0.01 of *",
        "messages   lose 0.5 of jwt",
        "messages   delay 0.1 of *, 1 to 2 s",
        "churn      0.5 new names a second for 600 s, each gone after 60 s",
    ]


def test_every_mistake_has_its_place(tmp_path: Path) -> None:
    text = """\
nodes: none
sed: 1
facts: {nodes: 1}
facts: []
unkindness: {lose: 7, mute: 1%:2, lie: 1%}
cruelties:
  wrong_key: 1%
  twin: 0
  flood-events: {away: 1, many: 0}
  crash-after-jwt: {nodes: 101%, times: yes, away: .inf}
churn: {each_second: 1, stays: soon}
"""
    amount = "is no amount of nodes: a share such as 2%, or a number such as 3"
    assert sorted(mistakes(profile(tmp_path, text)), key=lambda said: int(said.split()[2][:-1])) == [
        "FILE line 1: nodes: 'none' must be a whole number from 1 to 1000000",
        "FILE line 2: 'sed' is not known; did you mean seed?",
        "FILE line 3: facts: must be a list",
        "FILE line 4: 'facts' stands twice",
        "FILE line 5: unkindness: 'lie' is not known; known are delay, duplicate, late, lose, mute, refuse",
        "FILE line 5: unkindness.lose: '7' a chance is at most 1, or 100%",
        "FILE line 5: unkindness.mute: '1%:2' mute takes no seconds",
        "FILE line 7: cruelties: 'wrong_key' is not known; did you mean wrong-key?",
        f"FILE line 8: cruelties.twin: '0' {amount}",
        "FILE line 9: cruelties.flood-events: 'away' is not known; known are many, nodes",
        "FILE line 9: cruelties.flood-events: needs nodes",
        "FILE line 9: cruelties.flood-events.many: '0' must be a whole number from 1 to 10000",
        "FILE line 10: cruelties.crash-after-jwt.away: '.inf' must be a number from 0.01 to 86400",
        "FILE line 10: cruelties.crash-after-jwt.times: 'yes' must be a whole number from 1 to 1000000",
        f"FILE line 10: cruelties.crash-after-jwt.nodes: '101%' {amount}",
        "FILE line 11: churn: needs seconds",
        "FILE line 11: churn.stays: 'soon' must be a number from 0.1 to 86400",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty"),
        (b"# nothing\n", "it is empty"),
        (b"\xff\xfe\x00", "it is not UTF-8 text"),
        (b"nodes: [1", "line 1: it is not YAML"),
        (b"a: &x 1\nb: *x\n", "it has an alias"),
        (b"[" * 1500, "it is not YAML"),
        (b"nodes: 1\x1b[2J", "it is not YAML"),
        (b"#" * (1 << 20) + b"##", "it is larger than 1,048,576 bytes"),
        (b"7", "must have members: nodes, seed, facts, servers, ..."),
        (b"- nodes: 1", "must have members"),
        (b"nodes: 1\n---\nnodes: 2", "line 2: it is not YAML"),
        (b"facts: [{nodes: 1, set: {1: 2}}]", "facts[1].set: must be members that JSON can hold"),
        (b"facts: [{nodes: 1, set: {a: 2020-01-01}}]", "facts[1].set: must be members that JSON can hold"),
        (b"facts: [{nodes: 1, set: {a: !!python/object:os.x 1}}]", "facts[1].set: is no plain value"),
        (b"servers: [{nodes: 1, protocol: v3}]", "servers[1].protocol: 'v3' is no protocol: v1 or v2"),
        (b"servers: [{nodes: 1, without: [fly]}]", "is no action of a server: configure, gen25519"),
        (b"seed: !!int x", "seed: 'x' is no plain value"),
        (b'"a\\x1b[2Jb": 1', "'a\\x1b[2Jb' is not known"),
        (b"cruelties: [twin]", "cruelties: must have members: crash-after-jwt"),
        (b"cruelties: {twin: {nodes: [1]}}", "cruelties.twin.nodes: must be a single value"),
    ],
    ids=range(20),
)
def test_files_that_are_no_profile(tmp_path: Path, text: bytes, said: str) -> None:
    found = mistakes(profile(tmp_path, text))
    assert said in found[0]
    assert all(mistake.isprintable() for mistake in found)


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    assert mistakes(tmp_path / name)[0].startswith("FILE: ")


def test_a_cast_is_exact_disjoint_and_the_same_for_the_same_seed() -> None:
    amounts = [Amount(share=0.1), Amount(number=7), Amount(share=0.001)]
    chosen = cast(1, "x", amounts, NAMES)
    assert [len(group) for group in chosen] == [10, 7, 1]
    assert len({name for group in chosen for name in group}) == 18
    assert chosen == cast(1, "x", amounts, list(reversed(NAMES)))
    assert chosen != cast(2, "x", amounts, NAMES)
    assert chosen != cast(1, "y", amounts, NAMES)


def test_more_than_there_are_is_a_mistake(tmp_path: Path) -> None:
    read = read_profile(profile(tmp_path, "cruelties: {twin: 60%, wrong-key: 50%}\nfacts: [{nodes: 100%, size: 1}]"))
    assert excess(read, 10) == ["cruelties: 11 nodes are spoken of, and there are 10"]
    assert not excess(read_profile(profile(tmp_path, "cruelties: {twin: 60%, wrong-key: 40%}")), 10)


def test_options_win_and_mistakes_are_told_with_theirs(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    words = ["--token", str(token), "--profile", str(profile(tmp_path, FULL))]
    plan = make_plan(options(*words))
    assert (len(plan.names), plan.unkindness.seed, len(plan.unkindness.rules), len(plan.parts)) == (10, 3, 3, 4)
    assert len(plan.setups) == 5
    assert {one.facts["maintenance"] for one in plan.setups.values()} == {True}
    assert plan.told[0].startswith("10 nodes, seed 3, as ")
    plan = make_plan(options(*words, "--nodes", "20", "--seed", "0", "--mute", "1%"))
    assert (len(plan.names), plan.unkindness.seed, len(plan.unkindness.rules), len(plan.parts)) == (20, 0, 4, 6)
    with pytest.raises(ArgumentsError) as caught:
        make_plan(options(*words, "--nodes", "2", "--mute", "x"))
    named = sorted(mistake[: mistake.index(": ") + 2] for mistake in caught.value.mistakes)
    assert named == ["--mute: ", "--profile: "]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shipped_is_read(path: Path) -> None:
    read = read_profile(path)
    assert read.nodes
    assert not excess(read, read.nodes)
    assert f"](profiles/{path.name})" in (ROOT / "docs" / "simulator.md").read_text()


def test_each_cruelty_but_those_that_spoil_the_rest_is_in_cruel_yaml() -> None:
    read = read_profile(ROOT / "docs" / "profiles" / "cruel.yaml")
    assert {part.cruelty for part, _ in read.parts} == set(Cruelty) - WILDCARDS - {Cruelty.FLOOD_EVENTS}
    assert set(WHAT) == set(Cruelty)
    assert set(Cruelty) > RETURNS | FLOODS
