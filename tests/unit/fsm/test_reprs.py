"""What may hold a secret is no part of a repr: an error that shows a value shows none."""

from __future__ import annotations

import pytest

from fsm.events import Sent
from fsm.ports import HelperCall, HelperReply, ProvisioningClaims, Reply, Request, ServerToken, TokenOrder
from security.vault import KeyRing, VaultKey
from usher.effects.site import SiteFacts
from usher.effects.tokens import Tokens

S = "correcthorse"
TEXTS = {"a": S}
VALUES = [
    Request("n", "a", "configure", TEXTS, 30, 1.0),
    Reply(1, S, TEXTS, 0, Sent(1, "c")),
    HelperCall("n", S, None, TEXTS),
    HelperReply(
        msg=S, key=S, configuration=TEXTS, action_policies=TEXTS, opa_policies=TEXTS, server_claims=TEXTS, stderr=S
    ),
    ProvisioningClaims(TEXTS, "1", provisions_by_default=True),
    TokenOrder("n", "ab", 1, b"", TEXTS, TEXTS),
    ServerToken(S, "1", 1, "ab"),
    SiteFacts(Tokens([S]), "0123", secrets=(S,)),
    VaultKey.of(S.encode().ljust(32)),
    KeyRing((VaultKey.of(S.encode().ljust(32)),)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_repr_has_no_secret(value: object):
    assert S not in f"{value!r} {value}"
    assert S.encode().hex() not in repr(value)


def test_what_is_no_secret_is_shown():
    assert "configure" in repr(VALUES[0])
