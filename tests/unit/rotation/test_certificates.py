"""Certificate, key and authority that change under a running usher: together or not at all."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from tests.fakes.authority import DAY, Authority, key_pem, make_authority, pem, put, rsa_key
from tests.fakes.rotating import Bench
from tests.fakes.site import NOW, NOW_S
from tests.fakes.verifying import USER, file_settings
from transport.wire.versions import Version
from usher.metrics.families import labels
from usher.rotation.change import texts

SETTING = "plugin.security.file.certificate"
CA = make_authority()
OTHER = make_authority("other-ca")
BEGIN = datetime.fromtimestamp(NOW_S, UTC)
FIRST = pem(CA.issue(USER))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "ssl"
    folder.mkdir()
    paths = put(folder, FIRST, key_pem(rsa_key()), pem(CA.certificate))
    return Bench(tmp_path, file_settings(paths), {"USER": "usher"})


def replace(bench: Bench, name: str, text: str) -> None:
    bench.put(f"ssl/{name}.pem", text)


def tls(bench: Bench) -> ssl.SSLContext:
    give = bench.outside.way.tls
    assert callable(give)
    context = give()
    assert isinstance(context, ssl.SSLContext)
    return context


def test_a_certificate_is_who_asks_and_a_login_shows_no_token(bench: Bench):
    asks, credentials = bench.outside.way.caller, bench.outside.way.credentials
    assert (asks.version, asks.caller, asks.sender) == (Version.V1, "choria=usher.mcollective", "usher")
    assert (asks.credential, credentials.token) == (FIRST, "")
    assert (credentials.user, credentials.password) == ("provisioner", "p4ssword")
    assert asks.sign is not None
    rsa_key().public_key().verify(asks.sign(b"x"), b"x", PKCS1v15(), hashes.SHA256())


async def test_a_certificate_never_goes_without_its_key(bench: Bench, caplog: pytest.LogCaptureFixture):
    before = tls(bench)
    new = pem(CA.issue(USER, rsa_key(1)))
    replace(bench, "cert", new)
    await bench.rotation.look()
    asks = bench.outside.way.caller
    assert (asks.credential, tls(bench) is before) == (FIRST, True)
    assert "does not belong to it" in caplog.text
    assert bench.count(SETTING, "refused") == 1
    replace(bench, "key", key_pem(rsa_key(1)))
    await bench.rotation.look()
    assert bench.count(SETTING, "taken") == 1
    assert (asks.credential, tls(bench) is before) == (new, False)
    assert asks.sign is not None
    rsa_key(1).public_key().verify(asks.sign(b"x"), b"x", PKCS1v15(), hashes.SHA256())
    (entry,) = bench.journal.entries
    said = json.loads(entry.payload)
    assert said.keys() == {"setting", "files", "certificate", "authority", "until"}
    secret = texts((bench.where / "ssl" / "key.pem",))
    assert len(secret) > 20
    assert set(secret) <= set(bench.outside.secrets)
    assert not [line for line in secret if line in caplog.text or line in str(said)]


async def test_another_authority_is_the_context_of_the_next_login(bench: Bench):
    before = tls(bench)
    replace(bench, "ca", pem(CA.certificate, OTHER.certificate))
    await bench.rotation.look()
    assert tls(bench) is not before
    assert bench.count(SETTING, "taken") == 1


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("cert", "hello", "holds no certificate in PEM"),
        ("cert", pem(CA.issue(USER, begin=BEGIN - 9 * DAY, days=2)), "it expired at"),
        ("cert", pem(CA.issue(USER, begin=BEGIN + DAY)), "it is not valid before"),
        ("key", "", "holds no private key"),
        ("ca", "", "holds no certificate in PEM"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_the_old_one_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture, name: str, text: str, says: str
):
    before = tls(bench)
    replace(bench, name, text)
    await bench.rotation.look()
    await bench.rotation.look()
    assert (bench.count(SETTING, "refused"), bench.count(SETTING, "taken")) == (1, 0)
    assert (bench.outside.way.caller.credential, tls(bench) is before) == (FIRST, True)
    assert says in caplog.text


async def test_a_file_that_is_written_again_with_the_same_text_is_no_change(bench: Bench):
    replace(bench, "cert", FIRST)
    await bench.rotation.look()
    assert bench.journal.told == []


async def test_what_ends_is_said_measured_and_shown(bench: Bench, caplog: pytest.LogCaptureFixture):
    found = {each.credential: each for each in bench.rotation.expiries()}
    assert set(found) == {"client_certificate", "authority", "signer_token"}
    assert found["client_certificate"].setting == SETTING
    assert found["authority"].setting == "plugin.security.file.ca"
    bench.clock.at = NOW + (364 - 20) * 86_400_000
    await bench.rotation.look()
    assert caplog.text.count(f"{SETTING}: it expires in 20d") == 1
    where = labels(credential="client_certificate")
    assert bench.families["usher_credential_expiry_seconds"].value(where) == 20 * 86_400
    assert bench.families["usher_credential_warning"].value(where) == 1


def test_the_reprs_of_what_is_held_show_no_key(bench: Bench):
    shown = repr(bench.outside) + repr(vars(bench.outside.way.caller)["certificate"]._held)
    assert not [line for line in texts((bench.where / "ssl" / "key.pem",)) if line in shown]


def test_an_authority_that_is_another_one_by_the_same_name_is_told(bench: Bench):
    impostor: Authority = make_authority()
    replace(bench, "ca", pem(impostor.certificate))
    (subject,) = (each for each in bench.outside.live.subjects if each.name == SETTING)
    change = subject.read()
    assert change is not None  # compatible: the broker is asked, not we
