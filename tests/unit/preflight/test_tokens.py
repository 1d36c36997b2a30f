"""What the tokens say: ours, and one that a node would have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from security import tokens as jwt
from security.issuing import make_issuer, make_provisioning_token, make_signer
from tests.fakes.site import DAY, ISSUER, NOW, NOW_S, ORGANIZATION, YEAR, changed, claims_of, signer_files, written
from tests.unit.preflight.sites import SECRET, client_of, site_of
from transport.wire.versions import Version
from usher.config.appearance import TokenFiles
from usher.preflight.tokens import NodeToken, client_token, moment, node_token, read_node_token, span
from usher.preflight.verdicts import Check, Verdict

OTHER = make_issuer(b"o" * 32)


def node(issuer=ISSUER, seconds: int = YEAR, **more: object) -> NodeToken:
    text = make_provisioning_token(
        issuer, NOW_S, seconds, **{"token": SECRET, "urls": ["nats://broker:4222"], "user": "", "password": "", **more}
    )
    return NodeToken(text, claims_of(text))


def altered(**changes: object) -> NodeToken:
    text = jwt.sign(changed(node().claims, **changes), ORGANIZATION)
    return NodeToken(text, claims_of(text))


def files_of(where: Path) -> TokenFiles:
    files = client_of(where).appearance
    assert isinstance(files, TokenFiles)
    return files


def worst(checks: list[Check]) -> tuple[Verdict, str]:
    order = (Verdict.WRONG, Verdict.WARNING, Verdict.OK)
    check = min(checks, key=lambda check: order.index(check.verdict))
    return check.verdict, check.what


def test_our_token_says_who_we_are(tmp_path):
    site = site_of(tmp_path)
    said, chain = client_token(site, files_of(tmp_path), NOW)
    assert (said.verdict, chain.verdict) == (Verdict.OK, Verdict.OK)
    assert all(word in said.what for word in ("provisioner_signer", "organization choria", "I-", "provisioner", "365"))


@pytest.mark.parametrize(("days", "verdict"), [(364, Verdict.WARNING), (366, Verdict.WRONG), (100, Verdict.OK)])
def test_its_end_is_near_or_past(tmp_path, days, verdict):
    site = site_of(tmp_path)
    assert next(client_token(site, files_of(tmp_path), NOW + days * DAY * 1000)).verdict is verdict


def test_a_token_of_another_issuer_is_said(tmp_path):
    site = site_of(tmp_path)
    files = files_of(tmp_path)
    signer_files(tmp_path, make_signer(OTHER, "me", NOW_S, YEAR))
    verdict, what = worst(list(client_token(site, files, NOW)))
    assert (verdict, "did not issue it" in what) == (Verdict.WARNING, True)


def test_a_pair_that_does_not_fit(tmp_path):
    site, files = site_of(tmp_path), files_of(tmp_path)
    written(files.seed, make_signer(OTHER, "me", NOW_S, YEAR).seed_hex)
    (check,) = client_token(site, files, NOW)
    assert (check.verdict, "names the public key" in check.what) == (Verdict.WRONG, True)


def test_a_nodes_token_that_is_fine(tmp_path):
    checks = list(node_token(site_of(tmp_path), node(), Version.V2, NOW))
    assert {check.verdict for check in checks} == {Verdict.OK}
    assert SECRET not in str(checks)


@pytest.mark.parametrize(
    ("token", "verdict", "says"),
    [
        (node(token="other"), Verdict.WRONG, "its cht differs"),
        (node(token=""), Verdict.WRONG, "it has no cht"),
        (node(OTHER), Verdict.WRONG, "token_invalid"),
        (node(seconds=-60), Verdict.WRONG, "token_expired"),
        (node(seconds=DAY), Verdict.WARNING, "24.0 hours left"),
        (altered(v2=...), Verdict.WRONG, "nodes with it speak protocol v1, usher as it is configured v2"),
        (altered(chusr="node"), Verdict.WARNING, "only one of user and password"),
        (altered(purpose="choria_server", sub="choria_server"), Verdict.WRONG, "token_purpose"),
    ],
)
def test_what_is_wrong_with_a_nodes_token(tmp_path, token, verdict, says):
    found = worst(list(node_token(site_of(tmp_path), token, Version.V2, NOW)))
    assert found[0] is verdict
    assert says in found[1]


def test_a_token_of_protocol_v1_is_for_a_client_of_v1(tmp_path):
    checks = list(node_token(site_of(tmp_path), altered(v2=...), Version.V1, NOW))
    assert {check.verdict for check in checks} == {Verdict.OK}
    assert worst(list(node_token(site_of(tmp_path), node(), Version.V1, NOW)))[0] is Verdict.WRONG


def test_every_token_of_the_site_is_one(tmp_path):
    site = site_of(tmp_path)
    both = replace(site, tokens=("new", SECRET))
    assert {check.verdict for check in node_token(both, node(), Version.V2, NOW)} == {Verdict.OK}


def test_a_verify_key_that_is_none(tmp_path):
    (check,) = node_token(site_of(tmp_path, jwt_verify_cert="abc"), node(), Version.V2, NOW)
    assert check.verdict is Verdict.WRONG


@pytest.mark.parametrize(
    ("content", "says"), [(b"x.y", "holds no token"), (b"\xff\xfe", "is no text"), (None, "no such")]
)
def test_a_file_that_is_no_token(tmp_path: Path, content, says):
    file = tmp_path / "provisioning.jwt"
    if content is not None:
        file.write_bytes(content)
    token, (check,) = read_node_token(file)
    assert token is None
    assert (check.verdict, says in check.what) == (Verdict.WRONG, True)


def test_a_file_with_a_newline_at_its_end(tmp_path):
    text = node().text
    token, trouble = read_node_token(written(tmp_path / "provisioning.jwt", f"{text}\n"))
    assert token is not None
    assert (token.text, trouble) == (text, ())
    assert token.urls == ("nats://broker:4222",)


def test_times_as_words():
    assert moment(0) == "1970-01-01T00:00:00Z"
    assert moment(1e30) == f"{1e30:.0f}"
    assert (span(3 * DAY), span(3600)) == ("3 days", "1.0 hours")
