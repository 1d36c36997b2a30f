"""The operator's certificate: its name in the caller id, what is said of it, and whether servers obey it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from security.client_certificate import ClientCertificate, Paths
from security.obeying import obeyed
from security.operating import CERTIFICATE_SETTING, KEY_SETTING, certname_of, inspect_operating
from security.problems import CredentialError
from tests.fakes.authority import CLIENT, SERVER, Authority, key_pem, make_authority, named, pem, put, the_ca
from tests.fakes.csrs import rsa_key
from tests.fakes.site import DAY, NOW, NOW_S

NAME = "operator.mcollective"
MESSAGE = b'{"protocol":"choria:request:1"}'


def paths(where: Path, certificate: x509.Certificate, authority: Authority | None = None) -> Paths:
    made = put(where, pem(certificate), key_pem(rsa_key()), (authority or the_ca()).pem)
    return Paths(*made.files, (CERTIFICATE_SETTING, KEY_SETTING, made.settings[2]))


@pytest.mark.parametrize(
    ("name", "others", "asks_as"),
    [
        (NAME, (), NAME),
        ("rip.choria", (), "rip.choria"),
        ("Rip van Winkle", (NAME,), NAME),
        ("host.example.net", ("rip.mcollective",), "rip.mcollective"),
        ("host.example.net", ("other.example.net",), "host.example.net"),
    ],
)
def test_the_caller_is_a_name_that_servers_obey_if_the_certificate_has_one(
    tmp_path: Path, name: str, others: tuple[str, ...], asks_as: str
):
    alternative = x509.SubjectAlternativeName([x509.DNSName(each) for each in others])
    certificate = the_ca().signs(named(name), None, *([alternative] if others else []))
    found = ClientCertificate(paths(tmp_path, certificate))
    assert certname_of(found) == asks_as
    said = inspect_operating(found.paths, NOW, strict=False)
    usual = asks_as.endswith((".mcollective", ".choria"))
    assert [(each.check, each.fatal) for each in said] == ([] if usual else [("certificate_name", False)])


def test_a_certificate_without_a_name_for_a_caller_id_is_refused(tmp_path: Path):
    files = paths(tmp_path, the_ca().signs(named("Rip van Winkle")))
    with pytest.raises(CredentialError, match=r"fleet_certificate_file .* has no name"):
        certname_of(ClientCertificate(files))
    assert [each.check for each in inspect_operating(files, NOW, strict=False)] == ["certificate_name"]


def test_what_is_wrong_with_the_files_is_said_as_of_any_certificate_and_once(tmp_path: Path):
    files = paths(tmp_path, the_ca().issue(NAME, days=60))
    (soon,) = inspect_operating(files, NOW + 50 * DAY * 1000, strict=False)
    assert (soon.fatal, "fleet_certificate_file" in soon.place, "expires" in soon.what) == (False, True, True)
    (ended,) = inspect_operating(files, NOW + 70 * DAY * 1000, strict=False)
    assert ended.check == "certificate_expired"
    files.key.write_text(key_pem(rsa_key(1)))
    (other,) = inspect_operating(files, NOW, strict=False)
    assert (other.check, "fleet_key_file" in other.what) == ("key_mismatch", True)
    files.key.unlink()
    (missing,) = inspect_operating(files, NOW, strict=False)
    assert "fleet_key_file" in missing.place


def asks(certificate: x509.Certificate, caller: str = f"choria={NAME}", **changed: object) -> bool:
    """Whether a server of the site's authority obeys who shows this certificate."""
    signature = rsa_key().sign(MESSAGE, PKCS1v15(), SHA256())
    given = {"signed": (MESSAGE, signature), "now_s": NOW_S, "authority": the_ca().pem} | changed
    return obeyed(pem(certificate), caller=caller, **given)  # type: ignore[arg-type]


def test_servers_obey_a_certificate_of_their_authority_that_names_the_caller_and_signs():
    assert asks(the_ca().issue(NAME))
    assert asks(the_ca().issue("rip.privileged.mcollective"), caller="choria=anybody.mcollective")
    assert asks(the_ca().issue(NAME, uses=()))


def test_servers_are_silent_to_everybody_else():
    mine = the_ca().issue(NAME)
    assert not asks(mine, caller="choria=other.mcollective")
    assert not asks(mine, caller=NAME)
    assert not asks(the_ca().issue("host.example.net"), caller="choria=host.example.net")
    assert not asks(the_ca().issue(NAME, uses=(SERVER,)))
    assert not asks(make_authority("another").issue(NAME))
    assert not asks(mine, now_s=NOW_S + 400 * DAY)
    assert not asks(mine, signed=(MESSAGE + b" ", rsa_key().sign(MESSAGE, PKCS1v15(), SHA256())))
    assert not asks(the_ca().issue(NAME, rsa_key(1), uses=(CLIENT,)))
    assert not asks(mine, authority="no certificate")
