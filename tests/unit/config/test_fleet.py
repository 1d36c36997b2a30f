"""Who usher is in the fleet: by the network's Choria client configuration and by what the site says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from security.issuing import make_signer
from tests.fakes.authority import key_pem, pem, put, rsa_key, the_ca
from tests.fakes.site import DAY, ISSUER, NOW_S, YEAR, written
from tests.fakes.site_files import SiteFiles
from usher.config.fleet import CertificateOperator, Nobody, Operator, TokenOperator, operator_of
from usher.config.problems import Severity

NAME = "operator.mcollective"
CERTIFICATES = {"jwt": True, "pki": True}


class Fleet(SiteFiles):
    """A site with an operator of either kind in its directory, and a client configuration of either kind."""

    def __init__(self, where: Path) -> None:
        super().__init__(where)
        self.settings = yaml.safe_load(self.yaml.read_text())
        operator = make_signer(ISSUER, "up=operator", NOW_S, YEAR, permissions={"fleet_management": True})
        self.tokens = {
            "fleet_token_file": str(written(where / "operator.jwt", operator.token)),
            "fleet_seed_file": str(written(where / "operator.seed", operator.seed_hex)),
        }
        certificate = pem(the_ca().issue(NAME))
        put(where, certificate, key_pem(rsa_key()), the_ca().pem)
        self.certificates = {
            "fleet_certificate_file": str(written(where / "operator.pem", certificate)),
            "fleet_key_file": str(written(where / "operator.key", key_pem(rsa_key()))),
        }

    def says(self, *what: Mapping[str, Any], certified: bool = False, **more: Any) -> Fleet:
        """What the site says, and whether its client has a certificate."""
        settings = self.settings | more
        for each in what:
            settings |= each
        self.yaml.write_text(yaml.safe_dump(settings))
        if certified:
            files = {
                name: self.where / f"{file}.pem"
                for name, file in (("certificate", "cert"), ("key", "key"), ("ca", "ca"))
            }
            lines = "".join(f"plugin.security.file.{name} = {path}\n" for name, path in files.items())
            common = f"identity = {NAME}\nplugin.choria.middleware_hosts = broker:4222\n"
            self.cfg.write_text(f"plugin.security.provider = file\n{common}{lines}")
        return self

    def operator(self) -> Operator:
        (found,) = self.load().networks
        return operator_of(found.site, found.client)

    def warned(self) -> list[str]:
        return [each for each in self.said(Severity.WARNING) if "fleet_" in each]


@pytest.fixture
def site(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_a_certificate_is_shown_where_the_client_has_one_and_its_authority_is_the_clients(site: Fleet):
    found = site.says(site.certificates, certified=True, features=CERTIFICATES).operator()
    assert isinstance(found, CertificateOperator)
    assert found.paths.files == (site.where / "operator.pem", site.where / "operator.key", site.where / "ca.pem")
    assert found.paths.settings == ("fleet_certificate_file", "fleet_key_file", "plugin.security.file.ca")
    assert site.warned() == []


def test_a_token_is_shown_where_the_client_has_one(site: Fleet):
    found = site.says(site.tokens).operator()
    assert found == TokenOperator(site.where / "operator.jwt", site.where / "operator.seed")
    assert site.warned() == []


@pytest.mark.parametrize(
    ("kind", "certified", "more", "why"),
    [
        ("", False, {}, "no fleet_token_file is configured: make one with"),
        ("", True, {"features": CERTIFICATES}, "no fleet_certificate_file is configured: have"),
        ("tokens", True, {"features": CERTIFICATES}, "obey no operator's token: set fleet_certificate_file and"),
        ("certificates", False, {}, "obey no certificate: set fleet_token_file and fleet_seed_file instead"),
        ("certificates", True, {"choria_insecure": True}, "choria_insecure is on, so no authority is known"),
        ("", True, {"choria_insecure": True, "features": CERTIFICATES}, "choria_insecure is on, so no authority"),
    ],
)
def test_what_would_only_meet_silence_is_refused_by_name(
    site: Fleet, kind: str, certified: bool, more: dict[str, Any], why: str
):
    found = site.says(getattr(site, kind) if kind else {}, certified=certified, **more).operator()
    assert isinstance(found, Nobody)
    assert why in found.why
    warned = [each for each in site.warned() if each.startswith(f"{site.yaml}: fleet_")]
    assert len(warned) == (1 if kind else 0)
    if kind:
        assert warned == [f"{site.yaml}: fleet_{'token' if kind == 'tokens' else 'certificate'}_file: "
                          + found.why.replace(": ", "; ", 1)]  # fmt: skip


def test_the_collective_is_that_of_the_protocol_unless_the_site_says_another(site: Fleet):
    def collective(*what: Mapping[str, Any], **more: Any) -> str:
        (found,) = site.says(*what, certified=True, features=CERTIFICATES, **more).load().networks
        return found.site.fleet_collective

    assert collective(site.certificates) == "mcollective"
    assert collective(site.tokens) == collective() == "choria"
    assert collective(site.certificates, fleet_collective="dc1") == "dc1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fleet_key_file": ""}, ("fleet_key_file: it is missing, and fleet_certificate_file is set; set both, "
         "or neither")),
        ({"fleet_certificate_file": ""}, ("fleet_certificate_file: it is missing, and fleet_key_file is set; set both, "
         "or neither")),
        ({"fleet_token_file": "t", "fleet_seed_file": "s"}, ("fleet_certificate_file: fleet_token_file is set too, and "
         'usher is one operator in a network; leave one of the two out, or write it as ""')),
        ({"fleet_collective": "a.b"}, ("fleet_collective: it is not one token of a subject; leave it out for "
         "mcollective")),
    ],
)  # fmt: skip
def test_half_a_pair_both_pairs_and_a_collective_that_is_none_are_mistakes(
    site: Fleet, changes: dict[str, Any], said: str
):
    site.says(site.certificates, changes, certified=True, features=CERTIFICATES)
    assert site.said(Severity.ERROR) == [f"{site.yaml}: {said}"]


def test_the_files_are_judged_as_the_clients_own_and_only_warn(site: Fleet):
    site.says(site.certificates, certified=True, features=CERTIFICATES)
    certificate, key = (Path(path) for path in site.certificates.values())
    certificate.write_text(pem(the_ca().issue(NAME, days=0.05)))
    (soon,) = site.warned()
    assert soon.startswith(f"fleet_certificate_file ({certificate}): it expires in ")
    certificate.write_text(pem(the_ca().issue(NAME, rsa_key(1))))
    assert f"the key of fleet_key_file ({key}) does not belong to it" in site.warned()[0]
    certificate.write_text(pem(the_ca().issue("operator.example.net")))
    (named,) = site.warned()
    assert "it is for operator.example.net, and servers obey names that end in .mcollective or .choria" in named
    key.unlink()
    assert site.warned()[0].startswith(f"fleet_key_file ({key}): ")
    assert site.said(Severity.ERROR, now=(NOW_S + DAY) * 1000) == []


def test_without_a_client_configuration_nothing_is_said_of_the_fleet(site: Fleet):
    site.says(site.certificates)
    site.cfg.unlink()
    assert site.warned() == []
