"""When what usher holds expires, and from when on that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from security.expiry import certificate_end, certificate_warning, expiring, token_end, token_warning
from security.issuing import make_broker_certificate, make_signer
from tests.fakes.site import DAY, ISSUER, NOW, NOW_S, YEAR, written

LIVES = {"iat": 0, "exp": 90 * DAY}


@pytest.mark.parametrize(
    ("claims", "now", "said"),
    [
        (LIVES, 60 * DAY, ""),
        (LIVES, 60 * DAY + 1, "it expires in 30d, at 1970-04-01T00:00:00Z"),
        (LIVES, 89 * DAY, "it expires in 24h, at 1970-04-01T00:00:00Z"),
        (LIVES, 90 * DAY, "it expired at 1970-04-01T00:00:00Z"),
        ({"iat": 0, "exp": 3 * DAY}, 2 * DAY, ""),
        ({"iat": 0, "exp": 3 * DAY}, 2 * DAY + 1, "it expires in 24h, at 1970-01-04T00:00:00Z"),
        ({"iat": 0, "exp": 90 * DAY, "issexp": DAY}, DAY, "it expired at 1970-01-02T00:00:00Z"),
        ({}, 0, ""),
        ({"exp": "x"}, 0, ""),
        ({"exp": 90 * DAY, "iat": "x"}, 89 * DAY, "it expires in 24h, at 1970-04-01T00:00:00Z"),
    ],
)
def test_soon_is_thirty_days_or_the_last_third_of_a_shorter_life(claims: dict[str, object], now: int, said: str):
    assert token_warning(claims, now) == said


def test_a_signer_that_ends_before_what_it_signs_is_said():
    assert token_warning(LIVES, 0, 90 * DAY) == ""
    said = token_warning(LIVES, 1, 90 * DAY)
    assert said == (
        "it expires in 90d, at 1970-04-01T00:00:00Z: server tokens end with it, not after server_jwt_validity (90d)"
    )


def test_a_token_that_says_no_end_has_none():
    assert (token_end({}), token_end({"exp": 5}), token_end({"exp": 5, "issexp": 4})) == (None, 5, 4)


def test_a_token_file_is_a_finding_only_while_it_is_good(tmp_path: Path):
    file = written(tmp_path / "signer.jwt", make_signer(ISSUER, "x", NOW_S, YEAR).token)
    assert expiring(file, "jwt_signing_token", NOW, YEAR) == ()
    (found,) = expiring(file, "jwt_signing_token", NOW + 1000, YEAR)
    assert (found.check, found.fatal, str(file) in found.place, "docs/rotation.md" in found.next) == (
        "token_expires", False, True, True,
    )  # fmt: skip
    assert expiring(file, "jwt_signing_token", NOW + YEAR * 1000, YEAR) == ()
    assert expiring(tmp_path / "none", "jwt_signing_token", NOW) == ()
    assert expiring(written(tmp_path / "no", "x.y.z"), "jwt_signing_token", NOW) == ()


def test_of_several_authorities_the_last_one_counts(tmp_path: Path):
    short, long = (make_broker_certificate(["localhost"], days=days)[0] for days in (10, 400))
    end = certificate_end(written(tmp_path / "both.pem", short + long))
    assert end == certificate_end(written(tmp_path / "long.pem", long))
    assert end is not None
    assert certificate_warning(end, end - 31 * DAY) == ""
    assert certificate_warning(end, end - 29 * DAY).startswith("it expires in 29d")
    assert certificate_warning(None, 0) == ""
    assert certificate_end(written(tmp_path / "none.pem", "none")) is None
    assert certificate_end(tmp_path / "missing.pem") is None
