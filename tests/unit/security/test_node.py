"""The node's side: its key, and which server token it would use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from security import tokens
from security.node import NodeKey, server_token_fits, server_token_misfit
from security.verifier import TokenVerifier
from tests.fakes.site import NODE, NOW, NOW_S, SIGNER, VERIFIES, changed, claims_of, file_signer, order

LATER = NOW + 120_000


@pytest.fixture
def token(tmp_path: Path) -> str:
    return file_signer(tmp_path).server_token(order(claims={"exp": NOW_S + 600})).text


def test_a_nodes_proof_is_accepted():
    key = NodeKey.generate()
    TokenVerifier(VERIFIES).proof(key.public_key, key.prove("0" * 32), "0" * 32)
    assert NodeKey.generate() != key


def test_a_token_for_this_node_is_used(token: str):
    assert server_token_fits(token, NODE.public_hex, "n1.example.net", LATER)
    assert server_token_misfit(token + "\n", NODE.public_hex, "n1.example.net", NOW + 600_000) is None


def test_a_token_for_another_key_name_or_time_is_not(token: str):
    assert server_token_misfit(token, SIGNER.public_hex, "n1.example.net", LATER) == "its public key is not the seed's"
    assert server_token_misfit(token, NODE.public_hex, "n2.example.net", LATER) == (
        "identity n2.example.net does not match caller n1.example.net in JWT token"
    )
    assert server_token_misfit(token, NODE.public_hex, "n1.example.net", NOW + 600_001) == "it has expired"
    assert not server_token_fits(token, NODE.public_hex, "n2.example.net", LATER)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"purpose": "choria_client_id"}, "it is not a server token"),
        ({"exp": ..., "issexp": ...}, "it has expired"),
        ({"issexp": NOW_S}, "it has expired"),
        ({"exp": "x"}, "exp is not a number of seconds"),
        ({"public_key": 5}, "public_key is not text"),
    ],
)
def test_a_token_that_says_something_else_is_not(token: str, changes: dict[str, Any], why: str):
    text = tokens.sign(changed(claims_of(token), **changes), NODE)
    assert server_token_misfit(text, NODE.public_hex, "n1.example.net", LATER) == why


def test_garbage_is_a_sentence_and_never_an_error():
    assert server_token_misfit("x", NODE.public_hex, "n", LATER) == "it is not three base64url parts joined by dots"
    assert server_token_misfit("", NODE.public_hex, "n", LATER) == "the token is empty"
