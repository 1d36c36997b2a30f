"""A server of an x509 network: its requests, a key that is sent to it, and what it is after its restart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat

from security.csr import RequestVerifier
from security.node_tls import key_fingerprint, unwrapped
from tests.fakes.authority import Authority, key_pem, make_authority, pem, rsa_key
from tests.fakes.simulated import ENTROPY, IDENTITY, SECRET, Bench, server_token, setup, wire_request
from transport.wire.mcorpc import DISCOVERY_PING, encode_call
from transport.wire.versions import WIRES, Version
from usher.config.keys import DENIED
from usher.simulator.kinds import made_keys
from usher.simulator.model import Answer, Mode, Phase, Setup
from usher.simulator.report import holding

KEYS = made_keys(3)
CA = make_authority()
SSL = "/etc/choria/ssl"
CONFIGURATION = {
    "identity": IDENTITY,
    "plugin.choria.server.provision": "false",
    "plugin.security.provider": "file",
    "plugin.security.file.certificate": f"{SSL}/certificate.pem",
    "plugin.security.file.key": f"{SSL}/private.pem",
    "plugin.security.file.ca": f"{SSL}/ca.pem",
}


def v1(**changes: Any) -> Setup:
    return setup(**{"version": Version.V1, "keys": KEYS, **changes})


def certified(request: str, authority: Authority = CA, **how: Any) -> str:
    """The certificate for a node's request."""
    read = x509.load_pem_x509_csr(request.encode())
    name = read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    return pem(authority.issue(str(name), _Public(read.public_key()), **how))  # type: ignore[arg-type]


class _Public:
    """What an authority takes the public half of."""

    def __init__(self, public: object) -> None:
        self._public = public

    def public_key(self) -> object:
        return self._public


def configure(bench: Bench, certificate: str, **more: str) -> Any:
    config = orjson.dumps(CONFIGURATION).decode()
    given = {"config": config, "certificate": certificate, "ca": pem(CA.certificate), "ssldir": SSL} | more
    return bench.told("configure", **given)


def restarted(bench: Bench) -> Mode:
    bench.told("restart", splay=1)
    bench.wait(5)
    return bench.mode


def shared(node: str) -> tuple[bytes, str]:
    """A secret with the owner of a half, and our half."""
    ours = X25519PrivateKey.generate()
    secret = ours.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(node)))
    return secret, ours.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def wrapped(key: RSAPrivateKey, secret: bytes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(secret)).decode()


# -- who speaks what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speaks", Version)
@pytest.mark.parametrize("asked", Version)
def test_a_request_of_the_other_version_is_met_with_silence(speaks, asked):
    bench = Bench(v1(version=speaks))
    changes = {"agent": "discovery", "version": asked}
    answers = [out for out in bench.hear(wire_request(DISCOVERY_PING, **changes)) if isinstance(out, Answer)]
    assert len(answers) == (speaks is asked)
    counted = bench.node.process.counters
    assert (counted.total, counted.unvalidated, counted.replies) == (1, speaks is not asked, speaks is asked)
    if answers:
        reply = WIRES[asked].decode_reply(answers[0].payload)
        assert (reply.sender, reply.payload) == (IDENTITY, b"pong")


@pytest.mark.parametrize("version", Version)
def test_every_action_is_there_in_both_versions_unless_a_server_is_too_old_for_it(version):
    bench = Bench(v1(version=version, lacks=frozenset({"gen25519"})))
    assert bench.told("jwt").data["jwt"]
    assert bench.told("gencsr").data["csr"]
    assert bench.ask("daemon_stats", {}, agent="rpcutil").data["version"] == "0.99.0"
    answer = bench.told("gen25519", nonce="n")
    assert (answer.code, answer.message) == (2, "Unknown action gen25519 for agent choria_provision")


# -- gencsr -----------------------------------------------------------------------------------------------------------


def test_a_request_is_one_that_usher_takes():
    bench = Bench(v1())
    said = bench.told("gencsr", cn=IDENTITY, C="MT", L="here", O="org", OU="unit", ST="never written").data
    assert list(said) == ["csr", "public_key", "ssldir"]
    assert said["ssldir"] == SSL
    checked = RequestVerifier(DENIED, strict=True).certificate_request(said["csr"], said["public_key"], IDENTITY)
    assert checked.fingerprint == key_fingerprint(bench.node.files[f"{SSL}/private.pem"])
    read = x509.load_pem_x509_csr(said["csr"].encode())
    assert read.subject.rfc4514_string({x509.NameOID.COUNTRY_NAME: "C"}) == f"CN={IDENTITY},OU=unit,O=org,L=here,C=MT"
    assert not list(read.extensions)
    assert read.public_key().key_size == 2048
    assert bench.node.phase(bench.setup) is Phase.KEYED


def test_each_call_makes_another_key_than_the_one_before():
    bench = Bench(v1())
    last = ""
    for _ in range(5):
        bench.told("gencsr")
        key = bench.node.files[f"{SSL}/private.pem"]
        assert key != last
        last = key


def test_what_no_subject_can_hold_is_refused_in_words():
    answer = Bench(v1()).told("gencsr", cn=IDENTITY, C="Malta")
    assert answer.code == 1
    assert answer.message.startswith("Could not create CSR bytes: ")


# -- the restart ------------------------------------------------------------------------------------------------------


def test_a_certificate_for_its_key_makes_a_server():
    bench = Bench(v1())
    request = bench.told("gencsr").data["csr"]
    assert configure(bench, certified(request)).message == "OK"
    assert restarted(bench) is Mode.SERVER
    assert bench.node.collectives == ("mcollective",)
    told = holding(bench.node, bench.setup)
    assert told["tls_key"] == told["certificate_key"] != ""
    assert (told["phase"], told["key"]) == ("provisioned", "")


def test_a_certificate_for_another_key_makes_a_dead_node():
    """A lost reply of gencsr, and another call: the first request's certificate is of no use (design.md §4)."""
    bench = Bench(v1())
    first = bench.told("gencsr").data["csr"]
    bench.told("gencsr")
    configure(bench, certified(first))
    said = len(bench.said)
    assert restarted(bench) is Mode.DEAD
    assert bench.node.phase(bench.setup) is Phase.DEAD
    assert bench.node.due is None
    assert bench.ask("ping", {}, agent="rpcutil") is None
    assert [word for word in bench.story()[said:] if word != "answer"] == ["shutdown.provision_mode_server", "detach"]
    told = holding(bench.node, bench.setup)
    assert told["tls_key"] != told["certificate_key"] != ""


@pytest.mark.parametrize(
    ("change", "mode"),
    [
        ({"certificate": "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"}, Mode.DEAD),
        ({"ca": "none"}, Mode.DEAD),
        ({"ssldir": "/elsewhere"}, Mode.DEAD),
        ({"ssldir": ""}, Mode.DEAD),
    ],
)
def test_files_that_a_server_cannot_read_end_it(change, mode):
    bench = Bench(v1())
    certificate = certified(bench.told("gencsr").data["csr"])
    configure(bench, **{"certificate": certificate, **change})
    assert restarted(bench) is mode


@pytest.mark.parametrize("begin", [timedelta(days=-400), timedelta(days=2)])
def test_with_a_certificate_out_of_its_time_it_runs_and_is_let_in_nowhere(begin):
    bench = Bench(v1())
    request = bench.told("gencsr").data["csr"]
    configure(bench, certified(request, begin=CA.begin + begin, days=30))
    assert restarted(bench) is Mode.STRANDED


def test_a_server_token_with_anonymous_tls_makes_a_server_of_an_x509_network():
    bench = Bench(v1())
    key = bench.told("gen25519", nonce="n").data["public_key"]
    settings = {
        "identity": IDENTITY, "plugin.choria.server.provision": "false", "plugin.security.provider": "file",
        "plugin.security.server_anon_tls": "true",
        "plugin.choria.security.server.seed_file": "/etc/choria/server.seed",
        "plugin.choria.security.server.token_file": "/etc/choria/server.jwt",
    }  # fmt: skip
    token = server_token(key, exp=bench.now // 10**9 + 3600)
    assert bench.told("configure", config=orjson.dumps(settings).decode(), server_jwt=token).code == 0
    assert restarted(bench) is Mode.SERVER
    assert bench.node.collectives == ("mcollective",)


# -- a key that the helper supplied -----------------------------------------------------------------------------------


def test_a_key_that_is_sent_is_unwrapped_and_the_request_is_gone():
    bench = Bench(v1())
    half = bench.told("jwt").data["ecdh_public"]
    bench.told("gencsr")
    secret, ours = shared(half)
    certificate = pem(CA.issue(IDENTITY, rsa_key(7)))
    assert configure(bench, certificate, key=wrapped(rsa_key(7), secret), ecdh_public=ours).code == 0
    assert bench.node.files[f"{SSL}/private.pem"] == key_pem(rsa_key(7), PrivateFormat.TraditionalOpenSSL)
    assert f"{SSL}/csr.pem" not in bench.node.files
    assert restarted(bench) is Mode.SERVER


def test_a_key_for_a_half_that_was_made_anew_cannot_be_decrypted():
    bench = Bench(v1())
    secret, ours = shared(bench.told("jwt").data["ecdh_public"])
    assert bench.ask("jwt", {"token": SECRET}, entropy=ENTROPY[::-1]) is not None
    answer = configure(bench, pem(CA.issue(IDENTITY)), key=wrapped(rsa_key(), secret), ecdh_public=ours)
    assert answer.code == 1
    assert answer.message == ("TLS Setup Failed: could not decrypt private key: x509: decryption password incorrect")


@pytest.mark.parametrize(
    ("key", "half", "words"),
    [
        ("none", "11" * 32, "bad key received"),
        (key_pem(rsa_key()), "11" * 32, "key is not encrypted"),
        ("x", "1", "encoding/hex: invalid byte"),
        (wrapped(rsa_key(), bytes(32)), "00" * 32, "bad input point: low order point"),
        (wrapped(rsa_key(), bytes(32)), "11" * 31, "bad point length: 31, expected 32"),
    ],
)
def test_what_cannot_be_decrypted_is_refused_in_words(key, half, words):
    bench = Bench(v1())
    bench.told("jwt")
    answer = configure(bench, "c", key=key, ecdh_public=half)
    assert answer.code == 1
    assert answer.message.startswith(f"TLS Setup Failed: could not decrypt private key: {words}")


def test_a_process_that_never_said_its_half_has_none():
    answer = configure(Bench(v1()), "c", key=wrapped(rsa_key(), bytes(32)), ecdh_public="11" * 32)
    assert answer.message.endswith("private key not set")


def test_the_vector_of_the_real_agent():
    """wire/provisioning.md §2.3: both halves, and the secret that a key was wrapped with."""
    node = bytes.fromhex("67e4a9b3934a3030470ed7a30f89eeaf7dab7b492aa9ee02fb864d690b7e6eeb")
    ours = "c25fab933b16b2a4589e2c2d297669b818c82881f2f9bfd08cb8fd298924a41b"
    secret = bytes.fromhex("53a4887b448755a3f0a0618b289eb2369ec4b2461d44890abdfa3084ef080c55")
    plain = key_pem(rsa_key(), PrivateFormat.TraditionalOpenSSL)
    assert unwrapped(wrapped(rsa_key(), secret), node, ours) == plain


def test_files_that_cannot_be_read_have_no_key_in_the_report():
    bench = Bench(v1())
    node = bench.node._replace(files={f"{SSL}/private.pem": "none", f"{SSL}/certificate.pem": "none"})
    told = holding(node, bench.setup)
    assert (told["tls_key"], told["certificate_key"]) == ("", "")


def test_a_call_is_what_both_versions_carry():
    payload = encode_call("choria_provision", "jwt", {"token": SECRET})
    for version in Version:
        bench = Bench(v1(version=version))
        answers = [out for out in bench.hear(wire_request(payload, version=version)) if isinstance(out, Answer)]
        assert WIRES[version].decode_reply(answers[0].payload).agent == "choria_provision"
