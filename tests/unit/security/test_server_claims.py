"""What a server token shall say: every rule of wire/provisioning.md §3.7 about the helper's wishes."""

from __future__ import annotations

from typing import Any

import pytest

from fsm.errors import TokenError
from fsm.reasons import Reason
from security.server_claims import expiry, wishes


def refusal(claims: dict[str, Any], configuration: dict[str, str] | None = None, *, strict: bool = False) -> str:
    with pytest.raises(TokenError) as caught:
        wishes(claims, configuration or {}, strict=strict)
    assert caught.value.reason is Reason.HELPER_BAD_OUTPUT
    return caught.value.detail


def test_without_wishes_there_are_defaults():
    found = wishes({}, {})
    assert (found.ou, found.pub_subjects, found.permissions, found.expires) == ("choria", (), None, None)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("claims", "configuration", "collectives"),
    [
        ({"collectives": ["a", "b.c"]}, {"collectives": "x"}, ("a", "b.c")),
        ({}, {"collectives": "x,y"}, ("x", "y")),
        ({"collectives": []}, {"collectives": "x", "plugin.security.provider": "choria"}, ("x",)),
        ({"collectives": None}, {"plugin.security.provider": "choria"}, ("choria",)),
        ({}, {"collectives": "", "plugin.security.provider": "choria"}, ("choria",)),
        ({}, {"plugin.security.provider": "file"}, ("mcollective",)),
        ({}, {}, ("mcollective",)),
    ],
)
def test_collectives_fall_back_in_order(
    claims: dict[str, Any], configuration: dict[str, str], collectives: tuple[str, ...]
):
    found = wishes(claims, configuration)
    assert (found.collectives, found.warnings) == (collectives, ())


def test_collectives_of_the_configuration_are_not_trimmed_which_is_said_and_strict_refuses():
    configuration = {"collectives": "one, two"}
    found = wishes({}, configuration)
    assert found.collectives == ("one", " two")
    assert len(found.warnings) == 1
    assert "configuration.collectives[1] is empty or has spaces" in found.warnings[0]
    assert "configuration.collectives[1] is empty or has spaces" in refusal({}, configuration, strict=True)
    assert wishes({}, {"collectives": "one,two"}, strict=True).collectives == ("one", "two")


@pytest.mark.parametrize(
    "name", ["*", ">", "a.>", "a*", "a\nb", "a\tb", "a\rb", "a\x00b", "a\u2028b", "\u00a0", "x" * 300]
)
def test_what_cannot_be_part_of_a_subject_is_no_collective(name: str):
    assert "cannot be part of a subject" in refusal({"collectives": ["ok", name]})
    assert "cannot be part of a subject" in refusal({}, {"collectives": f"ok,{name}"})


def test_the_organization_is_the_helpers():
    assert wishes({"ou": "acme"}, {}).ou == "acme"
    assert wishes({"ou": ""}, {}).ou == "choria"
    assert "server_claims.ou" in refusal({"ou": "a\nb"})
    assert "server_claims.ou" in refusal({"ou": "a.>"})


def test_publish_subjects_are_the_helpers_with_their_wildcards():
    assert wishes({"pub_subjects": ["a.b", "c.>"]}, {}).pub_subjects == ("a.b", "c.>")
    for subject in ("", "a b", "a\nb", "a..b", ".a"):
        assert "is not a subject" in refusal({"pub_subjects": [subject]})


def test_permissions_are_those_that_are_granted_in_their_order():
    asked = {"service_host": True, "streams": True, "governor": False, "submission": None}
    assert list((wishes({"permissions": asked}, {}).permissions or {}).items()) == [
        ("streams", True),
        ("service_host", True),
    ]
    assert wishes({"permissions": {}}, {}).permissions == {}


def test_unknown_permissions_are_left_out_and_said():
    found = wishes({"permissions": {"streams": True, "root": True, "x": 1}}, {})
    assert found.permissions == {"streams": True}
    (warning,) = found.warnings
    assert warning.startswith("server_claims.permissions has 2 unknown names, left out; known are submission, ")


def test_other_fields_are_ignored_and_letter_case_does_not_matter():
    found = wishes({"identity": "evil", "public_key": 5, "iss": "x", "jti": [], "OU": "acme", "Exp": 7}, {})
    assert (found.ou, found.expires) == ("acme", 7)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"ou": 5}, "server_claims.ou must be a text, and it is a number"),
        ({"collectives": "a,b"}, "server_claims.collectives must be a list of texts, and it is a text"),
        ({"collectives": ["a", 5]}, "server_claims.collectives must be a list of texts, and it is a list"),
        ({"pub_subjects": {}}, "server_claims.pub_subjects must be a list of texts, and it is an object"),
        (
            {"permissions": ["streams"]},
            "server_claims.permissions must be an object of true and false, and it is a list",
        ),
        (
            {"permissions": {"Streams": "yes"}},
            "server_claims.permissions.streams must be true or false, and it is a text",
        ),
        ({"exp": "tomorrow"}, "server_claims.exp must be a number of Unix seconds, and it is a text"),
        ({"exp": True}, "server_claims.exp must be a number of Unix seconds, and it is true or false"),
        ({"exp": float("nan")}, "server_claims.exp must be a number of Unix seconds, and it is a text"),
    ],
)
def test_a_field_of_another_type_is_named(claims: dict[str, Any], said: str):
    assert refusal(claims) == said


def test_too_many_entries_are_refused():
    assert "257 entries" in refusal({"collectives": ["a"] * 257})
    assert "257 entries" in refusal({"pub_subjects": ["a"] * 257})
    assert "257 entries" in refusal({}, {"collectives": ",".join(["a"] * 257)})


def test_a_time_in_milliseconds_is_said_and_strict_refuses_it():
    found = wishes({"exp": 1_826_738_160_000}, {})
    assert found.expires == 253_402_300_799
    assert "not milliseconds" in found.warnings[0]
    assert "not milliseconds" in refusal({"exp": 1e300}, strict=True)
    assert wishes({"exp": 1e300}, {}).expires == 253_402_300_799


AT, VALIDITY = 1_795_200_000, 31_536_000


def test_an_expiry_in_the_future_is_honoured_however_soon():
    assert expiry(AT + 1, AT, VALIDITY, None) == (AT + 1, ())
    assert expiry(AT + 3600, AT, VALIDITY, None) == (AT + 3600, ())
    assert expiry(AT + 5 * VALIDITY, AT, VALIDITY, None) == (AT + 5 * VALIDITY, ())


@pytest.mark.parametrize("wished", [157_680_000, AT, AT - 1, 0, -5])
def test_an_expiry_in_the_past_means_the_default_and_a_warning_that_says_why(wished: int):
    expires, (warning,) = expiry(wished, AT, VALIDITY, None)
    assert expires == AT + VALIDITY
    assert "exp is a point in time" in warning
    assert str(wished) in warning


def test_without_a_wish_it_is_the_default():
    assert expiry(None, AT, VALIDITY, None) == (AT + VALIDITY, ())


def test_it_is_clipped_to_the_signer_tokens():
    assert expiry(None, AT, VALIDITY, AT + 100) == (AT + 100, ())
    assert expiry(AT + 200, AT, VALIDITY, AT + 100) == (AT + 100, ())
    assert expiry(AT + 50, AT, VALIDITY, AT + 100) == (AT + 50, ())
    assert expiry(5, AT, VALIDITY, AT + 100)[0] == AT + 100


def test_the_limits_are_inclusive():
    latest = wishes({"exp": 253_402_300_799}, {})
    assert (latest.expires, latest.warnings) == (253_402_300_799, ())
    assert len(wishes({"collectives": ["a"] * 256, "pub_subjects": ["a"] * 256}, {}).pub_subjects) == 256
    assert len(wishes({}, {"collectives": ",".join(["a"] * 256)}).collectives) == 256
    longest = "x" * 255
    found = wishes({"collectives": [longest], "pub_subjects": [longest]}, {})
    assert (found.collectives, found.pub_subjects) == ((longest,), (longest,))


def test_an_empty_collective_is_taken_as_it_is_and_said():
    found = wishes({}, {"collectives": "a,"})
    assert found.collectives == ("a", "")
    assert "configuration.collectives[1] is empty or has spaces" in found.warnings[0]
    assert "configuration.collectives[1] is empty or has spaces" in refusal({}, {"collectives": "a,"}, strict=True)
