"""`networks:` of the YAML file: what an entry says, what it inherits, and every mistake by its network and setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm.effects import Feature
from tests.unit.config.test_check import SiteFiles
from usher.config.loading import Findings, inspect, load
from usher.config.networks import read_site
from usher.config.policy import policy_of
from usher.config.problems import Severity
from usher.config.summary import document, lines


class Two(SiteFiles):
    """A site of two networks on the disk, which a test then changes."""

    def __init__(self, where: Path) -> None:
        super().__init__(where)
        self.written = yaml.safe_load(self.yaml.read_text())
        other = where / "other.conf"
        other.write_text(self.cfg.read_text())
        self.east: dict[str, Any] = {"name": "east", "choria_config": str(self.cfg)}
        self.west: dict[str, Any] = {"name": "west", "choria_config": str(other)}
        self.networks: Any = [self.east, self.west]

    def found(self, **more: Any) -> Findings:
        self.yaml.write_text(yaml.safe_dump(self.written | {"networks": self.networks} | more))
        return inspect(self.yaml, None, self.around())

    def errors(self, **more: Any) -> list[str]:
        said = [str(each) for each in self.found(**more).problems if each.severity is Severity.ERROR]
        return [text.removeprefix(f"{self.yaml}: ") for text in said]


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_what_an_entry_does_not_say_is_the_top_levels(two: Two):
    two.west |= {"token": ["new", "old"], "features": {"jwt": True, "pki": True}, "strictness": "strict"}
    east, west = (each.site for each in two.found().networks)
    assert east is not None
    assert west is not None
    assert (east.network, east.tokens, east.features, east.strict) == (
        "east", ("s3cret",), frozenset({Feature.JWT, Feature.ED25519}), False,
    )  # fmt: skip
    assert (west.network, west.tokens, west.features, west.strict) == (
        "west", ("new", "old"), frozenset({Feature.JWT, Feature.PKI}), True,
    )  # fmt: skip
    assert (east.helper, east.state_directory) == (west.helper, west.state_directory)
    assert [policy_of(site, "").network for site in (east, west)] == ["east", "west"]


def test_a_file_without_a_list_is_one_network_without_a_name(two: Two):
    two.write()
    loaded = load(two.yaml, two.cfg, two.around())
    assert [each.name for each in loaded.networks] == [""]
    assert b"network" not in policy_of(loaded.site, "").document()


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ([], "networks: it is an empty list; list the networks, or remove it: the file is one network then"),
        ({"name": "x"}, "networks: it must be a list of networks; begin each with `- name: NAME`, or remove it"),
        (["x"], "networks[0]: it is no group of settings; write `- name: NAME`, and its settings below that"),
        ([{}], "networks[0].name: it is missing; give each network a name: letters, digits, '_' and '-'"),
        ([{"name": 7}], "networks[0].name: it must be text; put it in quotes"),
        ([{"name": "a.b"}], ("networks[0].name: 'a.b' is no name of a network; use at most 32 letters, digits, "
         "'_' and '-'")),
        ([{"name": "n" * 33}], (f"networks[0].name: {'n' * 33!r} is no name of a network; use at most 32 letters, "
         "digits, '_' and '-'")),
    ],
)  # fmt: skip
def test_a_list_that_is_none(two: Two, networks: Any, said: str):
    two.networks = networks
    assert two.errors() == [said]


def test_two_networks_have_no_name_in_common(two: Two):
    two.west["name"] = "east"
    said = "networks[1].name: there are two networks east; give each a name of its own: nodes are recorded by it"
    assert two.errors() == [said]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("choria_config", None, ("networks.west.choria_config: it is missing; name the Choria client configuration of "
         "this network")),
        ("choria_config", 7, ("networks.west.choria_config: it must be the name of a file; name the Choria client "
         "configuration of this network")),
        ("jwt_signing_token", 7, "networks.west.jwt_signing_token: it is a number, it must be text; put it in quotes"),
        ("features", {"pki": True, "ed25519": True}, ("networks.west.features: pki and ed25519 exclude each other; "
         "choose one")),
        ("features", {"pki": 1}, "networks.west.features.pki: it is a number, it must be true or false; correct it"),
        ("token", ["x", ""], "networks.west.token[1]: it is empty; remove it, or write there what belongs there"),
        ("fleet_token_file", "operator.jwt",
         "networks.west.fleet_seed_file: it is missing, and fleet_token_file is set; set both, or neither"),
        ("strictness", "lax", "networks.west.strictness: 'lax' is neither compatible nor strict; use one of them"),
        ("workers", 3, ("networks.west.workers: it is the same for all networks; move it to the top level; their own "
         "are features, token, helper, jwt_verify_cert, jwt_signing_key, jwt_signing_token, "
         "broker_provisioning_password, cert_deny_list, identity_allow, identity_deny, max_nodes_per_minute, "
         "choria_insecure, strictness, lifecycle_component, "
         "fleet_token_file, fleet_seed_file, fleet_certificate_file, fleet_key_file, fleet_collective, fleet_user, "
         "fleet_password")),
    ],
)  # fmt: skip
def test_a_mistake_of_an_entry_names_the_network_and_the_setting(two: Two, setting: str, value: Any, said: str):
    two.west[setting] = value
    assert two.errors() == [said]


def test_a_file_that_is_missing_names_the_network(two: Two):
    two.west["choria_config"] = str(two.where / "absent.conf")
    said = f"there is no file {two.where}/absent.conf; correct the path, or put the file there"
    assert two.errors() == [f"networks.west.choria_config: {said}"]
    two.west |= {"choria_config": str(two.where / "other.conf"), "helper": str(two.where / "absent")}
    (said,) = two.errors()
    assert said.startswith("networks.west: ")
    assert "there is no file" in said


def test_a_provider_that_usher_cannot_be_names_the_network(two: Two):
    (two.where / "other.conf").write_text("plugin.security.provider = pkcs11\nidentity = x\n")
    (said,) = two.errors()
    assert said.startswith("networks.west: ")
    assert "plugin.security.provider" in said


def test_an_unknown_setting_of_an_entry_is_a_mistake_with_the_nearest(two: Two):
    two.west["tokn"] = "x"
    (said,) = [str(each) for each in two.found().problems if each.severity is Severity.MISTAKE]
    assert said == f"{two.yaml}: networks.west.tokn: there is no such setting; did you mean token?"


def test_what_is_wrong_at_the_top_level_is_said_once(two: Two):
    said = (
        "interval: it must be at least 1 minute: valid examples are 1m, 10m and 10h; correct it, or remove it for the "
    )
    assert two.errors(interval="5s") == [f"{said}default"]


def test_one_client_configuration_for_two_networks_is_a_mistake(two: Two):
    two.west["choria_config"] = str(two.cfg)
    (said,) = [str(each) for each in two.found().problems if each.severity is Severity.MISTAKE]
    assert said.startswith(f"{two.yaml}: networks.west.choria_config: it is that of east too")


def test_one_client_configuration_on_the_command_line_is_refused(two: Two):
    two.found()
    found = inspect(two.yaml, two.cfg, two.around())
    said = [str(each) for each in found.problems if each.severity is Severity.ERROR]
    assert said == [
        (
            f"--choria-config: it is one client configuration, and {two.yaml} lists several networks; "
            "leave it out: each of them names its own choria_config"
        )
    ]


def test_each_network_is_told_and_no_secret_is(two: Two):
    two.west["token"] = "0ther"
    found = two.found()
    said = document(found)
    assert [each["name"] for each in said["networks"]] == ["east", "west"]  # type: ignore[attr-defined]
    assert [line.split(":")[1].strip() for line in lines(found) if ": networks." in line] == [
        "networks.east", "networks.west",
    ]  # fmt: skip
    assert not any(secret in str(said) + str(lines(found)) for secret in ("0ther", "s3cret"))


def test_a_network_that_is_not_in_the_file_any_more(two: Two):
    two.found()
    site, problems = read_site(two.yaml, {}, "north")
    assert site is None
    assert str(problems[-1]).endswith(
        "there is no network north in it any more; restart usher to use the file as it is"
    )


@pytest.mark.parametrize("several", [True, False])
def test_an_election_is_refused_with_a_list_of_networks(two: Two, *, several: bool):
    two.networks = two.networks if several else [two.east]
    said = two.errors(leader_election=True)
    assert [text for text in said if text.startswith("leader_election: ")] == [
        (
            "leader_election: an election with several networks is not supported yet; remove it, or remove networks: "
            "a usher with one network stands for election (docs/high-availability.md)"
        )
    ]


def test_an_election_without_a_list_is_not_refused(two: Two):
    two.yaml.write_text(yaml.safe_dump(two.written | {"leader_election": True}))
    found = inspect(two.yaml, two.cfg, two.around())
    assert not [problem for problem in found.problems if "leader_election" in problem.where]
