"""The site of an x509 network: files and modes, the name in the client's certificate, tokens that its YAML verifies."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from security.keyfiles import verify_key
from security.keys import RsaKey
from security.verifier import TokenVerifier
from usher.config.appearance import CertificateFiles
from usher.config.loading import Configuration, load, surroundings
from usher.simulator.material import DemoSite, DirectoryTakenError
from usher.simulator.x509_broker import X509Broker
from usher.simulator.x509_demo import make_x509_broker, make_x509_demo

NOW = int(time.time())


@pytest.fixture
def broker(tmp_path: Path) -> X509Broker:
    made = make_x509_broker(tmp_path / "demo", NOW)
    made.front.port, made.behind.port = 4222, 4223  # they are not started
    return made


@pytest.fixture
def site(tmp_path: Path, broker: X509Broker) -> DemoSite:
    return make_x509_demo(tmp_path / "demo", broker, NOW, {"workers": 7})


def test_everything_but_the_authoritys_certificate_is_for_its_owner_alone(site: DemoSite):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (site.site, site.state, *site.site.iterdir())}
    assert modes.pop("site") == modes.pop("state") == modes.pop("x509_helper.py") == 0o700
    assert modes.pop("ca.pem") == 0o644
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("environ", [{}, {"USER": "me"}, {"MCOLLECTIVE_CERTNAME": "other.mcollective"}])
def test_the_clients_certificate_is_for_who_usher_appears_as(
    tmp_path: Path, broker: X509Broker, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
):
    for name in ("USER", "MCOLLECTIVE_CERTNAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    loaded = load_configuration(make_x509_demo(tmp_path / "demo", broker, NOW))
    appearance = loaded.networks[0].client.appearance
    assert isinstance(appearance, CertificateFiles)
    shown = x509.load_pem_x509_certificate(appearance.paths.certificate.read_bytes())
    assert shown.subject.rfc4514_string() == f"CN={appearance.certname}"


def test_the_nodes_token_is_of_protocol_v1_and_verifies_with_the_certificate_that_the_yaml_names(site: DemoSite):
    key = verify_key(yaml.safe_load(site.config.read_text())["jwt_verify_cert"])
    assert isinstance(key, RsaKey)
    claims = TokenVerifier(key).provisioning_token(site.provisioning_token.read_text(), NOW * 1000).claims
    assert ("v2" in claims, claims["chusr"]) == (False, "node")


def test_the_yaml_takes_more_keys(site: DemoSite):
    assert yaml.safe_load(site.config.read_text())["workers"] == 7


def test_a_directory_that_holds_something_is_refused(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DirectoryTakenError, match="not empty"):
        make_x509_broker(tmp_path, NOW)


def load_configuration(site: DemoSite) -> Configuration:
    """As `usher run` reads it."""
    return load(site.config, site.choria_config, surroundings(NOW * 1000))
