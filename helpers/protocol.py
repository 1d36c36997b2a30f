"""The helper contract: what is written to a helper, and what its answer means (wire/provisioning.md §4).

Rules:
1. What is written is byte-compatible with the older program: five keys in one order, null when unused, no newline.
2. An answer is read as leniently as that program reads it, and refused where it refuses, with the field named.
3. An error names fields and types, never values: they may be secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fsm.errors import HelperError
from fsm.ports import HelperCall, HelperReply, NodeCsr, NodeKey
from fsm.reasons import Reason
from helpers import gojson
from helpers.reading import Field, FieldError, Kind, fields, read_object
from helpers.redact import visible

_ALWAYS: Final = ("cht", "chs", "chpd", "extensions", "purpose")
_ABSENT: Final[dict[str, object]] = {"cht": "", "chs": False, "chpd": False, "extensions": None, "purpose": ""}
_CLAIMS: Final = (
    "cht", "chs", "chu", "chsrv", "chpd", "chrd", "chf", "chusr", "chpwd", "extensions", "ou", "v2", "update",
    "purpose", "tcs", "public_key", "issexp", "iss", "sub", "aud", "exp", "nbf", "iat", "jti",
)  # fmt: skip
"""The claims of a provisioning token in the order in which the older program writes them; it knows no others."""

_PERMISSIONS: Final = fields(dict.fromkeys(("submission", "streams", "governor", "service_host"), Kind.BOOL))
_SERVER_CLAIMS: Final = fields(
    dict.fromkeys(("identity", "ou", "purpose", "tcs", "public_key", "iss", "sub", "jti"), Kind.STRING)
    | dict.fromkeys(("collectives", "pub_subjects"), Kind.STRINGS)
    | dict.fromkeys(("issexp", "exp", "nbf", "iat"), Kind.DATE)
    | {"aud": Kind.STRING_OR_STRINGS, "permissions": Field("permissions", Kind.OBJECT, _PERMISSIONS)}
)
_REPLY: Final = fields(
    dict.fromkeys(("defer", "shutdown"), Kind.BOOL)
    | dict.fromkeys(("msg", "key", "certificate", "ca", "ssldir", "upgrade"), Kind.STRING)
    | dict.fromkeys(("configuration", "action_policies", "opa_policies"), Kind.TEXTS)
    | {"server_claims": Field("server_claims", Kind.OBJECT, _SERVER_CLAIMS)}
)


def encode_call(call: HelperCall) -> bytes:
    """What a helper reads from its standard input."""
    document = {
        "identity": call.identity,
        "csr": None if call.csr is None else _csr(call.csr),
        "ed25519_pubkey": None if call.key is None else _key(call.key),
        "inventory": call.inventory,
        "jwt": None if call.claims is None else _claims(call.claims),
    }
    return gojson.dumps(document).encode()


def inventory_text(data: Mapping[str, Any]) -> str:
    """An inventory as the JSON text that `HelperCall.inventory` holds: sorted keys, Go's escapes and numbers."""
    return gojson.dumps(data, sort_keys=True)


def decode_reply(output: bytes, stderr: str = "") -> HelperReply:
    """What a helper wrote to its standard output; raises HelperError(HELPER_BAD_OUTPUT) that names the wrong field."""
    try:
        document = gojson.loads(output)
        values = {} if document is None else read_object(document, _REPLY, "")
    except (gojson.GoJsonError, FieldError) as error:
        raise HelperError(Reason.HELPER_BAD_OUTPUT, visible(error.detail), stderr) from None
    except RecursionError:
        raise HelperError(Reason.HELPER_BAD_OUTPUT, "it is nested too deeply", stderr) from None
    return HelperReply(**values, stderr=stderr)


def _key(key: NodeKey) -> dict[str, object]:
    return {"public_key": key.public_key, "directory": key.directory, "signature": key.signature}


def _csr(csr: NodeCsr) -> dict[str, object]:
    return {"csr": csr.csr, "public_key": csr.public_key, "ssldir": csr.ssldir}


def _claims(claims: Mapping[str, object]) -> dict[str, object]:
    """The claims as the older program's structure holds them: its order, empty optional ones left out."""
    written: dict[str, object] = {}
    for name in _CLAIMS:
        value = claims.get(name)
        if name in _ALWAYS:
            written[name] = _sorted(value) if value is not None else _ABSENT[name]
        elif value not in (None, "", False, [], ()):
            written[name] = [value] if name == "aud" and isinstance(value, str) else value
    return written


def _sorted(value: object) -> object:
    """Free-form data with the keys of every object in order, as Go writes maps."""
    if isinstance(value, Mapping):
        return {key: _sorted(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
