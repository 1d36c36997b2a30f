"""The election's bucket, in the embedded broker: what a Choria broker makes of itself (wire/protocol.md §9.1).

Rules:
1. The stream is configured as the real one was read back; only its TTL is chosen.
2. It is made and removed as user `fleet`, in account choria: who stands for election has no right to.
"""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from fsm.errors import UsherError
from transport.connection import Connection
from transport.credentials import tls_context
from transport.reports import Report
from usher.simulator.broker import EmbeddedBroker

STREAM: Final = "KV_CHORIA_LEADER_ELECTION"
_WITHIN: Final = 10.0


class BucketError(UsherError):
    """The embedded broker did not do what was asked of its streams"""

    def __init__(self, why: str) -> None:
        """Hold what it said."""
        super().__init__()
        self.why = why


@dataclass(frozen=True)
class _Fleet:
    password: str = field(repr=False)
    user: str = "fleet"
    token: str = ""

    def sign_nonce(self, nonce: bytes) -> bytes:
        """The embedded broker does not look."""
        return nonce


class _Nobody:
    def count(self, reason: str) -> None:
        """Nothing is thrown away here."""

    def report(self, report: Report) -> None:
        """Whoever waits for the answer hears of it."""


async def make_bucket(broker: EmbeddedBroker, ttl: float, ca: Path | None = None) -> None:
    """Make the bucket, or change the TTL (seconds) of the one that is there; raises BucketError.

    `ca` is the file of the authority that certified the broker; without one it has certified itself.
    """
    config = {
        "name": STREAM,
        "description": "Choria Leader Election Bucket",
        "subjects": ["$KV.CHORIA_LEADER_ELECTION.>"],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "num_replicas": 1,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": 1,
        "max_msg_size": 1024,
        "max_age": round(ttl * 1_000_000_000),
        "duplicate_window": round(min(ttl, 60) * 1_000_000_000),
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": False,
        "allow_rollup_hdrs": True,
    }
    answer = await _asked(broker, f"STREAM.UPDATE.{STREAM}", config, ca)
    if "error" in answer:
        answer = await _asked(broker, f"STREAM.CREATE.{STREAM}", config, ca)
    _good(answer)


async def drop_bucket(broker: EmbeddedBroker) -> None:
    """Remove the bucket with its key; raises BucketError."""
    _good(await _asked(broker, f"STREAM.DELETE.{STREAM}", {}))


async def key_of(broker: EmbeddedBroker) -> tuple[str, int] | None:
    """What stands in the key, and its sequence; None while it is not there. Raises BucketError."""
    wanted = {"last_by_subj": "$KV.CHORIA_LEADER_ELECTION.provisioner"}
    answer = await _asked(broker, f"STREAM.MSG.GET.{STREAM}", wanted)
    if "error" in answer:
        return None
    message = answer["message"]
    return b64decode(message.get("data", "")).decode(), int(message["seq"])


def _good(answer: Mapping[str, Any]) -> None:
    if "error" in answer:
        raise BucketError(str(answer["error"].get("description", answer["error"])))


async def _asked(
    broker: EmbeddedBroker, what: str, document: Mapping[str, Any], ca: Path | None = None
) -> dict[str, Any]:
    """What JetStream answers."""
    nobody, inbox = _Nobody(), f"_INBOX.{secrets.token_hex(8)}"
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(_subject: str, data: bytes, _status: int) -> None:
        if not answered.done():
            answered.set_result(data)

    context = tls_context(ca or broker.certificate)
    link = Connection(
        "bucket",
        [broker.url],
        _Fleet(broker.passwords.fleet),
        lambda: context,
        name="usher simulator",
        discards=nobody,
        report=nobody.report,
    )
    await link.subscribe(inbox, take)
    await link.start()
    try:
        async with asyncio.timeout(_WITHIN):
            await link.ready()
            link.publish(f"$JS.API.{what}", orjson.dumps(document) if document else b"", inbox)
            answer: dict[str, Any] = orjson.loads(await answered)
            return answer
    except TimeoutError:
        raise BucketError("it did not answer") from None
    finally:
        await link.close()
