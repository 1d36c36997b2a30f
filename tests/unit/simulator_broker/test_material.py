"""A site in a directory: the layout, the modes, the files that other programs read, and the helper."""

from __future__ import annotations

import json
import stat
import subprocess
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
import yaml

from security.keys import SigningKey
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import CALLER, DemoSite, DirectoryTakenError, helper_command, make_broker, make_site

NOW = 1_795_202_485
NODE = {
    "identity": "n1.example.net",
    "csr": None,
    "ed25519_pubkey": {"public_key": "ab" * 32, "directory": "/etc/choria", "signature": "cd" * 64},
    "inventory": json.dumps({"agents": ["rpcutil"], "facts": {}, "version": "0.99.0"}),
    "jwt": {"chu": "nats://127.0.0.1:4222", "chpd": True},
}


@pytest.fixture
def broker(tmp_path: Path) -> EmbeddedBroker:
    return EmbeddedBroker(tmp_path / "demo" / "broker", ("certificate", "key"), port=4222)


@pytest.fixture
def site(tmp_path: Path, broker: EmbeddedBroker) -> DemoSite:
    (tmp_path / "demo").mkdir()
    return make_site(tmp_path / "demo", broker, NOW)


def claims(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    held: dict[str, object] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return held


def test_everything_is_for_its_owner_alone(site: DemoSite):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (site.site, site.state, *site.site.iterdir())}
    assert modes.pop("site") == modes.pop("state") == modes.pop("helper.py") == 0o700
    assert set(modes.values()) == {0o600}


FLEET = {"fleet_token_file", "fleet_seed_file", "fleet_user", "fleet_password"}
"""What the older program does not do: ask provisioned nodes."""


def test_the_yaml_has_the_keys_of_a_site_with_an_issuer(site: DemoSite, broker: EmbeddedBroker, shared: Path):
    settings = yaml.safe_load(site.config.read_text())
    reference = yaml.safe_load((shared / "reference" / "issuer-network.yaml").read_text())
    assert set(settings) == set(reference) - {"workers"} | {"state_directory"} | FLEET
    assert settings["broker_provisioning_password"] == broker.passwords.provisioner
    assert settings["features"] == reference["features"]


def test_what_the_yaml_names_exists(site: DemoSite):
    settings = yaml.safe_load(site.config.read_text())
    for key in ("helper", "jwt_signing_key", "jwt_signing_token", "state_directory"):
        assert Path(settings[key]).exists()


def test_the_yaml_takes_more_keys(tmp_path: Path, broker: EmbeddedBroker):
    made = make_site(tmp_path, broker, NOW, {"workers": 7})
    assert yaml.safe_load(made.config.read_text())["workers"] == 7


def test_the_choria_configuration_names_broker_token_and_authority(site: DemoSite, shared: Path):
    settings = dict(line.split(" = ") for line in site.choria_config.read_text().splitlines())
    reference = dict(
        line.split(" = ") for line in (shared / "reference" / "issuer-network.cfg").read_text().splitlines()
    )
    assert set(reference) <= set(settings)
    assert settings["plugin.choria.middleware_hosts"] == "nats://127.0.0.1:4222"
    assert settings["plugin.security.choria.ca"] == str(site.ca)
    assert settings["identity"] == CALLER


def test_seeds_are_exact_and_the_signer_token_is_the_seeds_own(site: DemoSite):
    seed = (site.site / "signer.seed").read_text()
    assert len(seed) == 64
    signer = claims((site.site / "signer.jwt").read_text())
    assert signer["public_key"] == SigningKey.from_hex(seed).public_hex
    assert signer["callerid"] == CALLER
    assert signer["exp"] == NOW + 730 * 24 * 3600


def test_a_nodes_token_carries_its_login_and_the_shared_secret(site: DemoSite, broker: EmbeddedBroker):
    held = claims(site.provisioning_token.read_text())
    settings = yaml.safe_load(site.config.read_text())
    assert (held["chusr"], held["chpwd"]) == ("node", broker.passwords.node)
    assert held["cht"] == settings["token"]
    assert held["chu"] == "nats://127.0.0.1:4222"
    assert held["v2"] is True


def test_a_directory_that_holds_something_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DirectoryTakenError, match=r"not empty.*--dir"):
        make_broker(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def helped(site: DemoSite, node: dict[str, object]) -> dict[str, object]:
    done = subprocess.run([site.helper], input=json.dumps(node), capture_output=True, text=True, check=True, timeout=10)
    assert done.stderr == ""
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_helper_configures_a_node_and_turns_provisioning_off(site: DemoSite):
    answer = helped(site, NODE)
    configuration = answer["configuration"]
    assert isinstance(configuration, dict)
    issuer = yaml.safe_load(site.config.read_text())["jwt_verify_cert"]
    assert "defer" not in answer
    assert configuration["plugin.choria.server.provision"] == "false"
    assert configuration["plugin.security.issuer.choria.public"] == issuer
    assert configuration["identity"] == "n1.example.net"
    assert configuration["plugin.security.choria.token_file"] == "/etc/choria/server.jwt"
    assert all(isinstance(value, str) for value in configuration.values())


def test_the_helper_defers_when_a_fact_says_so(site: DemoSite):
    inventory = json.dumps({"facts": {"maintenance": True}})
    answer = helped(site, NODE | {"inventory": inventory})
    assert answer == {"defer": True, "msg": "the fact 'maintenance' is set"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_helper_reads_what_the_older_program_sent(site: DemoSite, shared: Path, number: int):
    node = json.loads((shared / "wire" / f"helper-stdin-ed25519-{number}.json").read_text())
    configuration = helped(site, node)["configuration"]
    assert isinstance(configuration, dict)
    assert configuration["identity"] == node["identity"]


def test_a_token_that_the_helper_asks_for_ends_in_the_future(site: DemoSite):
    asked = helped(site, NODE)["server_claims"]
    assert isinstance(asked, dict)
    assert NOW < asked["exp"] < NOW + 100 * 365 * 24 * 3600


def test_a_helper_in_a_place_with_blanks_is_quoted():
    assert helper_command(Path("/a b/helper.py")) == "'/a b/helper.py'"
