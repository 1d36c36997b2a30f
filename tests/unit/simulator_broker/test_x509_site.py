"""The certificate side of a site: files, modes, and a helper whose answers usher would send."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fsm.certifying import Examined, Supplied
from helpers.configuration import keeps_provisioning, unsafe_configuration
from security.ca import SmallCa
from security.supplied import SuppliedVerifier
from tests.fakes.certificates import private
from tests.fakes.csrs import IDENTITY, checked, request, rsa_key, subject
from usher.config.keys import DENIED
from usher.simulator.x509_site import X509Site, make_x509_site

BROKERS = "nats://127.0.0.1:4222"


@pytest.fixture
def site(tmp_path: Path) -> X509Site:
    return make_x509_site(tmp_path, BROKERS, int(time.time()))


def asked(site: X509Site, facts: dict[str, object] | None = None) -> dict[str, Any]:
    """What the helper answers for a node."""
    node = {
        "identity": IDENTITY,
        "csr": {"csr": request(), "public_key": "", "ssldir": "/etc/choria/ssl"},
        "ed25519_pubkey": None,
        "inventory": json.dumps({"facts": facts or {}}),
        "jwt": None,
    }
    ran = subprocess.run(shlex.split(site.command), input=json.dumps(node), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def test_its_key_and_its_helper_are_for_their_owner_alone(site: X509Site):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in site.directory.iterdir()}
    assert (modes["ca.key"], modes["x509_helper.py"]) == (0o600, 0o700)
    assert "PRIVATE" not in site.ca.read_text()


def test_the_helpers_answer_passes_every_check_of_strict(site: X509Site):
    answer = asked(site)
    offer = Supplied((IDENTITY, answer["configuration"]["identity"]), answer["certificate"], answer["ca"], "",
                     checked(request()).fingerprint, "/etc/choria/ssl")  # fmt: skip
    verifier = SuppliedVerifier(DENIED, strict=True)
    assert verifier.supplied(offer, int(time.time() * 1000)) == Examined()
    assert not keeps_provisioning(answer["configuration"], True)
    assert unsafe_configuration(answer["configuration"]) is None
    assert answer["configuration"]["plugin.choria.middleware_hosts"] == BROKERS


def test_a_node_that_is_worked_on_is_deferred(site: X509Site):
    assert asked(site, {"maintenance": True})["defer"] is True


def test_the_authority_takes_the_key_of_a_request_and_not_its_name():
    authority = SmallCa.make("ca", 1_795_202_485, 3600)
    again = SmallCa.of(authority.certificate, authority.key)
    made = again.certify(request(name=subject("boss.mcollective")), IDENTITY, 1_795_202_485, 3600)
    offer = Supplied((IDENTITY, ""), made, authority.certificate, "", checked(request()).fingerprint, "/d")
    assert SuppliedVerifier(DENIED, strict=True).supplied(offer, 1_795_202_485_000) == Examined()
    assert authority.key.splitlines()[1] not in repr(authority)


def test_what_is_no_request_and_no_key_of_its_own_is_refused():
    authority = SmallCa.make("ca", 1_795_202_485, 3600)
    with pytest.raises(ValueError, match="PEM"):
        authority.certify("x", IDENTITY, 1, 1)
    with pytest.raises(ValueError, match="not one that it made"):
        SmallCa.of(authority.certificate, private(rsa_key()))
