"""What a refusal likely means: the cause that the trials speak for comes first."""

from __future__ import annotations

import pytest

from usher.preflight.refusal import Alone, Shown, Tried, client_refused, node_refused

CLIENT_PASSWORD = "plugin.choria.network.provisioning.client_password"


@pytest.mark.parametrize(
    ("tried", "says", "then"),
    [
        (
            Tried("provisioner", Alone.ACCEPTED, Shown(True, "choria")),
            "that one is good: the password of user",
            CLIENT_PASSWORD,
        ),
        (
            Tried("provisioner", Alone.REFUSED, Shown(True, "acme")),
            "another organization or issuer",
            "issuer.acme.public",
        ),
        (Tried("provisioner", Alone.REFUSED, Shown(True, "")), "expired by the broker's clock", "issuer.OU.public"),
        (Tried("provisioner", Alone.UNKNOWN, Shown(True, "choria")), "or provisioning is not enabled", CLIENT_PASSWORD),
        (Tried("provisioner", Alone.ACCEPTED, Shown(False, "choria")), "lacks the permission", "--server-provisioner"),
        (Tried("", Alone.REFUSED, Shown(True, "choria")), "no user is sent", CLIENT_PASSWORD),
    ],
)
def test_our_own(tried, says, then):
    what, step = client_refused(tried)
    assert says in what
    assert then in step


def test_a_node_has_a_password_only_with_a_user():
    assert "password for user node" in node_refused("node")[0]
    assert "password for user" not in node_refused("")[0]
    assert "signer_cert" in node_refused("")[1]
