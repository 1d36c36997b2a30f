"""Registration data as nodes in provisioning mode send it, field by field (wire/protocol.md §2, §5)."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

from tests.fakes.link import CALLER
from transport.wire import v2

FACTS = {"os": "linux", "rack": "r17"}


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def content() -> str:
    """The file that is published."""
    packed = b64(gzip.compress(json.dumps(FACTS).encode()))
    document = {"mtime": 1795202246, "file": "/etc/choria/facts.json", "updated": False, "zcontent": packed}
    return json.dumps(document | {"protocol": "choria:registration:filecontent:1"})


def envelope(sender: str, **changed: Any) -> dict[str, Any]:
    none: list[Any] = []
    return {
        "requestid": "293e13a61c6e4d928bf34de508575dbc", "senderid": sender, "callerid": f"choria={sender}",
        "collective": "provisioning", "agent": "registration", "ttl": 60, "time": 1795202485,
        "filter": {"fact": none, "cf_class": none, "agent": none, "identity": none, "compound": none},
    } | changed  # fmt: skip


def registration_v1(sender: str = "n1.example.net", *, header: str = "", **changed: Any) -> bytes:
    """The transport message, its envelope changed."""
    return transport_v1(
        {"protocol": "choria:request:1", "message": content(), "envelope": envelope(sender, **changed)},
        header or sender,
    )


def transport_v1(request: object, header: str = "n1.example.net", **changed: Any) -> bytes:
    """The transport message around a request, unsigned; its secure request changed."""
    secure = {
        "protocol": "choria:secure:request:1", "message": json.dumps(request),
        "signature": b64(b"insecure registration"), "pubcert": "insecure registration",
    } | changed  # fmt: skip
    headers = {"reply-to": "dev.null", "mc_sender": header, "seen-by": [["nats://b:4222", header, "nats://b:4222"]]}
    data = b64(json.dumps(secure).encode())
    return json.dumps({"protocol": "choria:transport:1", "data": data, "headers": headers}).encode()


def registration_v2(sender: str = "n2.example.net", agent: str = "registration") -> bytes:
    """The same in protocol v2."""
    caller = replace(CALLER, sender=sender, caller=f"choria={sender}", credential="x", sign=lambda _data: b"insecure")
    return v2.encode_request(
        content().encode(), caller=caller, agent=agent, request_id="3MN", reply_to="dev.null", ttl=60, time_ns=1
    )
