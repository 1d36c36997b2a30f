"""A refused client certificate in words, as far as TLS tells."""

from __future__ import annotations

import ssl

import pytest
from nats import errors

from transport.refusals import certificate_refused, describe


def alert(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL] words of the library (_ssl.c:2580)")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", "does not know who made it (TLS alert unknown_ca)"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "another authority, another purpose"),
        ("SSL/TLS_ALERT_CERTIFICATE_EXPIRED", "not valid by the broker's clock"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "it wants one, and none was shown"),
    ],
)
def test_an_alert_says_why(reason: str, says: str):
    assert says in describe(alert(reason))


@pytest.mark.parametrize("reason", ["TLSV1_ALERT_INTERNAL_ERROR", "WRONG_VERSION_NUMBER", "", None])
def test_other_errors_of_tls_are_none_of_it(reason: str | None):
    assert certificate_refused(alert(reason)) == ""
    assert "client certificate" not in describe(alert(reason))


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError(), errors.UnexpectedEOF()])
def test_a_sudden_end_is_perhaps_a_refusal_for_who_shows_no_token(error: Exception):
    assert describe(error) == "the broker closed the connection"
    assert "it may have refused the client certificate" in describe(error, by_token=False)
