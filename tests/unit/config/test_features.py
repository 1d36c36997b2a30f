"""Features: which are on, what each needs, and what is said where a node would have nothing to prove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fsm.effects import Feature
from usher.config.networks import load_site

GOOD = """\
helper: /etc/helper 'one word'
token: s3cret
broker_provisioning_password: pass
jwt_verify_cert: e72cba5268b34627b75c5ceae9449ad16d62f15f862c30d4e0e7d2588e2e6259
jwt_signing_key: /etc/signer.seed
features: {ed25519: true}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "usher.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("written", "features", "warns"),
    [
        ("pki: true", {Feature.PKI}, False),
        ("pki: true, jwt: true", {Feature.PKI, Feature.JWT}, False),
        ("ed25519: true", {Feature.ED25519, Feature.JWT}, False),
        ("jwt: true", {Feature.JWT}, True),
        ("pki: false", frozenset(), True),
    ],
)
def test_features_are_those_that_are_written_and_ed25519_turns_jwt_on(
    write, written: str, features: object, warns: bool
):
    site = load_site(write(GOOD.replace("ed25519: true", written)), {})
    assert site.features == features
    assert any("neither pki nor ed25519 is on" in problem.what for problem in site.problems) is warns


def test_an_x509_network_needs_no_key_of_ours(write):
    good = GOOD.replace("ed25519: true", "pki: true").replace("jwt_verify_cert", "# ").replace("jwt_signing_key", "# ")
    site = load_site(write(good), {})
    assert (site.jwt_verify_cert, site.jwt_signing_key) == ((), "")
