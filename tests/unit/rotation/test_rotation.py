"""Noticing, refusing, writing down and using changes: over the real files, signer, verifier and configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.errors import TokenError
from security.issuing import SignerMaterial, make_broker_certificate, make_issuer, make_provisioning_token, make_signer
from security.keyfiles import verify_key
from security.verifier import TokenVerifier
from tests.fakes.rotating import CALLER, Bench
from tests.fakes.site import DAY, ISSUER, NOW, NOW_S, SIGNER, YEAR, written
from usher.metrics.families import labels
from usher.networks.member import Outside
from usher.rotation.expiry import Expiry
from usher.rotation.subjects import VerifySubject


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def material(callerid: str = CALLER, validity: int = YEAR) -> SignerMaterial:
    return make_signer(ISSUER, callerid, NOW_S, validity)


async def test_what_has_not_changed_is_not_said(bench: Bench):
    await bench.rotation.look()
    await bench.rotation.look(asked=True)
    assert bench.journal.told == []


async def test_another_signer_is_durable_as_a_policy_and_an_entry_before_it_signs(bench: Bench):
    before = bench.outside.live.signer()
    bench.signs_with("signer", material())
    await bench.rotation.look()
    after = bench.outside.live.signer()
    assert before != after
    assert bench.journal.told == [(after, before), ("reload", before)]
    assert bench.serving.policy.signer == after
    (entry,) = bench.journal.entries
    assert json.loads(entry.payload) == {
        "setting": "jwt_signing_key",
        "files": [str(bench.where / "signer.seed"), str(bench.where / "signer.jwt")],
        "signer": after,
        "before": before,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [("signer.jwt", "eyJ"), ("signer.jwt", ""), ("signer.seed", "ab" * 31), ("signer.seed", material().seed_hex)],
    ids=["cut", "empty", "short", "another"],
)
async def test_what_cannot_be_used_is_refused_once_and_the_old_one_goes_on(bench: Bench, name: str, text: str):
    before = bench.outside.live.signer()
    bench.put(name, text)
    await bench.rotation.look()
    await bench.rotation.look()
    assert (bench.count("jwt_signing_key", "refused"), bench.count("jwt_signing_key", "taken")) == (1, 0)
    assert (bench.outside.live.signer(), bench.journal.told) == (before, [])
    (bench.where / name).unlink()
    await bench.rotation.look()
    assert bench.count("jwt_signing_key", "refused") == 2


async def test_a_file_that_is_right_again_is_used(bench: Bench):
    new = material()
    bench.put("signer.seed", new.seed_hex)
    await bench.rotation.look()
    bench.put("signer.jwt", new.token)
    await bench.rotation.look()
    assert (bench.count("jwt_signing_key", "refused"), bench.count("jwt_signing_key", "taken")) == (1, 1)


async def test_links_that_are_swapped_are_noticed(bench: Bench):
    for name, text in (("one", SIGNER.token), ("two", make_signer(ISSUER, CALLER, NOW_S, 2 * YEAR).token)):
        (bench.where / name).mkdir()
        written(bench.where / name / "signer.jwt", text)
        written(bench.where / name / "signer.seed", SIGNER.seed_hex)
    (bench.where / "data").symlink_to("one")
    for name in ("signer.jwt", "signer.seed"):
        (bench.where / name).unlink()
        (bench.where / name).symlink_to(Path("data") / name)
    await bench.rotation.look()
    other = make_signer(ISSUER, CALLER, NOW_S, YEAR)
    written(bench.where / "two" / "signer.jwt", other.token)
    written(bench.where / "two" / "signer.seed", other.seed_hex)
    (bench.where / "data.new").symlink_to("two")
    (bench.where / "data.new").rename(bench.where / "data")
    await bench.rotation.look()
    assert bench.count("jwt_signing_key", "taken") == 1


async def test_a_client_token_is_used_for_logins_and_requests_unless_it_is_for_another_caller(bench: Bench):
    way = bench.outside.way
    bench.signs_with("client", material("somebody_else"))
    await bench.rotation.look()
    assert (way.credentials.token, way.caller.caller) == (SIGNER.token, CALLER)
    assert bench.count("plugin.security.choria.token_file", "refused") == 1
    new = material()
    bench.signs_with("client", new)
    await bench.rotation.look()
    assert way.credentials.token == way.caller.credential == new.token
    assert way.caller.sign(b"x") == way.credentials.sign_nonce(b"x")
    assert new.seed_hex in bench.outside.secrets


async def test_the_yaml_file_changes_what_can_change_and_names_the_rest(bench: Bench, caplog: pytest.LogCaptureFixture):
    issuer = make_issuer()
    bench.configure(
        token=["second", "first"],
        broker_provisioning_password="an0ther",
        jwt_verify_cert=issuer.public_hex,
        interval="5m",
    )
    await bench.rotation.look()
    way, tokens = bench.outside.way, bench.outside.tokens
    assert [offer.text for offer in tokens.offers] == ["second", "first"]
    assert (way.credentials.user, way.credentials.password) == ("provisioner", "an0ther")
    assert {"first", "second", "p4ssword", "an0ther"} <= set(bench.outside.secrets)
    assert "interval needs a restart" in caplog.text
    assert [entry.kind for entry in bench.journal.entries] == ["reload", "tokens"]
    assert json.loads(bench.journal.entries[1].payload) == {"tokens": tokens.marks}
    told = repr(bench.journal.entries) + caplog.text
    assert not [secret for secret in ("second", "first", "p4ssword", "an0ther") if secret in told]


async def test_a_yaml_file_with_a_mistake_changes_nothing(bench: Bench, caplog: pytest.LogCaptureFixture):
    bench.configure(token=["second", ""], interval="1s")
    await bench.rotation.look()
    assert [offer.text for offer in bench.outside.tokens.offers] == ["first"]
    assert bench.count("config", "refused") == 1
    assert "(and 1 more: usher check-config)" in caplog.text
    bench.put("usher.yaml", "token: [")
    await bench.rotation.look()
    assert (bench.count("config", "refused"), bench.journal.told) == (2, [])


async def test_another_authority_is_the_context_of_the_next_login(bench: Bench):
    give = bench.outside.way.tls
    assert callable(give)
    before = give()
    bench.put("ca.pem", "no certificate")
    await bench.rotation.look()
    assert give() is before
    bench.put("ca.pem", make_broker_certificate(["localhost"])[0])
    await bench.rotation.look()
    assert give() is not before


async def test_who_asks_by_a_signal_is_told_that_everything_was_read(bench: Bench, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    await bench.rotation.look(asked=True)
    assert "read again, as SIGHUP asks" in caplog.text


def warnings(found: tuple[Expiry, ...]) -> dict[str, str]:
    return {each.credential: each.warning for each in found}


async def test_what_expires_soon_is_said_measured_and_shown(bench: Bench, caplog: pytest.LogCaptureFixture):
    found = warnings(bench.rotation.expiries())
    assert (found["client_token"], found["signer_token"]) == ("", "")
    bench.clock.at = NOW + (YEAR - 60 * DAY) * 1000
    found = warnings(bench.rotation.expiries())
    assert found["client_token"] == ""
    assert "server tokens end with it, not after server_jwt_validity (90d)" in found["signer_token"]
    bench.clock.at = NOW + (YEAR - 20 * DAY) * 1000
    await bench.rotation.look()
    await bench.rotation.look()
    assert caplog.text.count("plugin.security.choria.token_file: it expires in 20d") == 1
    where = labels(credential="client_token")
    assert bench.families["usher_credential_expiry_seconds"].value(where) == 20 * DAY
    assert bench.families["usher_credential_warning"].value(where) == 1
    bench.clock.at = NOW + 2 * YEAR * 1000
    assert "it expired at" in warnings(bench.rotation.expiries())["client_token"]
    bench.clock.at = NOW
    bench.signs_with("client", material(validity=DAY))
    await bench.rotation.look()
    assert warnings(bench.rotation.expiries())["client_token"] == ""


def test_a_key_of_provisioning_tokens_in_a_file_is_read_again(tmp_path: Path):
    file, other = written(tmp_path / "issuer.public", ISSUER.public_hex), make_issuer()
    verifier = TokenVerifier(verify_key(str(file)))
    subject = VerifySubject((str(file),), verifier)
    ours, theirs = (
        make_provisioning_token(each, NOW_S, YEAR, token="x", urls=["nats://b"]) for each in (ISSUER, other)
    )
    assert verifier.provisioning_token(ours, NOW).jti
    assert subject.read() is None
    written(file, other.public_hex)
    change = subject.read()
    assert change is not None
    assert verifier.provisioning_token(ours, NOW).jti
    change.take()
    assert verifier.provisioning_token(theirs, NOW).jti
    with pytest.raises(TokenError):
        verifier.provisioning_token(ours, NOW)
    assert subject.read() is None


def test_the_outside_shows_no_secret(bench: Bench):
    outside: Outside = bench.outside
    shown = repr(outside.secrets) + repr(outside.tokens)
    assert not [secret for secret in ("first", "p4ssword", SIGNER.seed_hex) if secret in shown]


async def test_the_intake_follows_the_file_without_a_restart(bench: Bench):
    intake, heard = bench.outside.intake, []
    intake.on_change = lambda: heard.append(intake.per_minute)
    bench.configure(identity_deny=["^ci-"], max_nodes_per_minute=20)
    await bench.rotation.look()
    assert intake.refuses("ci-1.example.net")
    assert heard == [20]
    assert bench.count("config", "taken") == 1
    assert "identity_deny: 1 pattern from now on; max_nodes_per_minute: 20" in bench.journal.entries[-1].reason


async def test_a_pattern_that_cannot_be_used_changes_nothing(bench: Bench):
    bench.configure(identity_deny=["^ci-"])
    await bench.rotation.look()
    bench.configure(identity_deny=["("])
    await bench.rotation.look()
    assert bench.outside.intake.refuses("ci-1.example.net")
    assert bench.count("config", "refused") == 1
