"""What a helper is shown of a provisioning token."""

from __future__ import annotations

from typing import Any

import pytest

from fsm.errors import TokenError
from security.claims import Purpose, provisioning_claims, purpose_of

LEAST = {"cht": "s", "purpose": "choria_provisioning"}


def test_defaults_are_those_of_the_older_program_in_its_order():
    shown = provisioning_claims({})
    assert shown == {"cht": "", "chs": False, "chpd": False, "extensions": None, "ou": "choria", "purpose": ""}
    assert list(shown) == ["cht", "chs", "chpd", "extensions", "ou", "purpose"]


def test_everything_is_shown_in_the_documented_order():
    said = {
        "cht": "s3cret", "chs": False, "chu": "nats://localhost:4222", "chpd": True, "chrd": "/p/reg.json",
        "chf": "/p/facts.json", "chusr": "u1", "chpwd": "p1", "extensions": {"claims": {"net": "x"}}, "ou": "acme",
        "update": True, "purpose": "choria_provisioning", "iss": "Choria Tokens Package", "sub": "choria_provisioning",
        "exp": 1826738754, "nbf": 1795202754, "iat": 1795202754, "jti": "3MNtG812Kz7PHsNFHl1wiN1Tooq",
    }  # fmt: skip
    shuffled = dict(reversed(said.items()))
    assert list(provisioning_claims(shuffled).items()) == list(said.items())


def test_unknown_claims_are_left_out_and_empty_ones_too():
    said = {**LEAST, "site": "x", "chu": "", "v2": False, "update": False, "aud": [], "exp": None}
    assert set(provisioning_claims(said)) == {"cht", "chs", "chpd", "extensions", "ou", "purpose"}


def test_numbers_become_whole_seconds_and_one_audience_a_list():
    shown = provisioning_claims({**LEAST, "exp": 5.9, "nbf": 0, "aud": "x"})
    assert (shown["exp"], shown["nbf"], shown["aud"]) == (5, 0, ["x"])


def test_extensions_are_sorted_as_the_older_program_sorts_them():
    shown = provisioning_claims({**LEAST, "extensions": {"b": {"d": 1, "c": [{"f": 1, "e": 2}]}, "a": 1}})
    assert str(shown["extensions"]) == "{'a': 1, 'b': {'c': [{'e': 2, 'f': 1}], 'd': 1}}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("cht", 5), ("chpd", "true"), ("chs", 1), ("extensions", []), ("ou", {}), ("exp", "1"), ("aud", [5]), ("aud", 5)],
)
def test_a_claim_of_another_type_is_refused_by_name(name: str, value: Any):
    with pytest.raises(TokenError) as caught:
        provisioning_claims({**LEAST, name: value})
    assert caught.value.detail.startswith(f"{name} is not")


@pytest.mark.parametrize(
    ("claims", "purpose"),
    [
        ({"purpose": "choria_provisioning"}, Purpose.PROVISIONING),
        ({"sub": "choria_provisioning"}, Purpose.PROVISIONING),
        ({"purpose": "choria_server"}, Purpose.SERVER),
        ({"purpose": "choria_client_id"}, Purpose.CLIENT),
        ({"purpose": "other"}, None),
        ({}, None),
    ],
)
def test_the_purpose_is_detected(claims: dict[str, Any], purpose: Purpose | None):
    assert purpose_of(claims) is purpose
