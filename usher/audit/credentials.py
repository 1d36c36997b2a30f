"""Credentials: who was given which, as the history says it: keys, tokens and certificates by their public marks.

Rules:
1. Everything told is public or a digest: no token, no certificate and no key that signs is in the history.
2. A credential is told with what is known of its way: acknowledged, perhaps received, refused, or never sent.
3. What cannot be read any more (a payload that was removed) is counted and never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fsm.codec import MalformedError, decode_payload
from fsm.effects import Effect
from fsm.events import PERHAPS, Body, CsrFacts, Done, Failed, HelperFacts, KeyFacts, TokenFacts
from store.reader import Reader

_TOKEN: Final = b'"is":"token"'
_CERTIFICATE: Final = b'"serial":"'
_ROWS: Final = """
SELECT position, seq, at, event, payload FROM history WHERE node = ? AND generation = ? ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; None does not matter. Texts may be the beginning of a key, id or serial; times in ms."""

    node: str | None = None
    key: str | None = None
    jti: str | None = None
    serial: str | None = None
    between: tuple[int, int] | None = None

    def matches(self, issued: Issued) -> bool:
        """Whether a credential is what is asked for."""
        return (
            (self.node is None or issued.node == self.node)
            and (self.key is None or issued.key.startswith(self.key))
            and (self.jti is None or issued.jti.startswith(self.jti))
            and (self.serial is None or issued.serial.startswith(self.serial))
            and (self.between is None or self.between[0] <= issued.at < self.between[1])
        )


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential: `key` is the ed25519 key, or the SHA-256 of the certificate's SubjectPublicKeyInfo (hex).

    `digest` is the SHA-256 of the token's text, or of the certificate's DER; `signer` the key that signed the token.
    `expires` in Unix seconds, 0 where it is not known. `received` says what is known of its way to the node.
    """

    node: str
    generation: int
    position: int
    at: int
    kind: str
    key: str = ""
    jti: str = ""
    serial: str = ""
    digest: str = ""
    signer: str = ""
    expires: int = 0
    received: str = "not sent"
    received_at: int = 0


@dataclass(slots=True)
class Search:
    """What was found, and how many rows of what was looked at have no payload any more."""

    found: list[Issued] = field(default_factory=list)
    unreadable: int = 0


def search(reader: Reader, wanted: Wanted) -> Search:
    """Every credential that is asked for, in the order in which they were made; raises StoreError."""
    made = Search()
    for node, generation in _generations(reader, wanted):
        made.found += [each for each in _generation(reader, node, generation, made) if wanted.matches(each)]
    made.found.sort(key=lambda each: each.position)
    return made


def _generations(reader: Reader, wanted: Wanted) -> Iterator[tuple[str, int]]:
    """The generations of nodes in which it may be."""
    conditions: dict[str, tuple[Any, ...]] = {}
    if wanted.node is not None:
        conditions["node = ?"] = (wanted.node,)
    for text in (wanted.key, wanted.jti, wanted.serial):
        if text is not None:
            conditions["instr(payload, ?) > 0" + " " * len(conditions)] = (text.encode(),)
    if wanted.between is not None:
        conditions["at >= ? AND at < ? AND (instr(payload, ?) OR instr(payload, ?))"] = (
            *wanted.between, _TOKEN, _CERTIFICATE,
        )  # fmt: skip
    marked = [text for text in conditions if "payload" in text]
    if wanted.node is not None and len(marked) > 1:  # different rows of one generation have them
        conditions = {"node = ?": (wanted.node,)}
    elif len(marked) > 1:
        conditions = {marked[0]: conditions[marked[0]]}
    where, values = " AND ".join(conditions), [value for each in conditions.values() for value in each]
    query = f"SELECT DISTINCT node, generation FROM history WHERE {where} ORDER BY node, generation"  # noqa: S608 texts of this module
    for row in reader.rows(query, values):
        yield row["node"], row["generation"]


def _generation(reader: Reader, node: str, generation: int, made: Search) -> list[Issued]:
    """The credentials of one generation, each with what became of it."""
    issued: list[Issued] = []
    key = ""
    for row in reader.rows(_ROWS, (node, generation)):
        if row["payload"] is None:
            made.unreadable += 1
            continue
        try:
            body = decode_payload(row["payload"])[0].body
        except MalformedError:
            made.unreadable += 1
            continue
        key = _key(body) or key
        one = _credential(body, Issued(node, generation, row["position"], row["at"], "", key))
        if one is not None:
            issued.append(one)
        elif issued and isinstance(body, Done | Failed) and body.effect is Effect.CONFIGURE:
            issued[-1] = _sent(issued[-1], body, row["at"])
    return issued


def _key(body: Body) -> str:
    match body:
        case Done(facts=KeyFacts(public_key=key)):
            return key
        case Done(facts=CsrFacts(fingerprint=key)):
            return key
        case _:
            return ""


def _credential(body: Body, empty: Issued) -> Issued | None:
    match body:
        case Done(facts=TokenFacts() as facts):
            return replace(
                empty, kind="token", jti=facts.jti, digest=facts.digest, signer=facts.signer, expires=facts.expires
            )
        case Done(facts=HelperFacts(serial=serial) as facts) if serial:
            return replace(
                empty, kind="certificate", serial=serial, digest=facts.certificate, expires=facts.certificate_expires
            )
        case _:
            return None


def _sent(issued: Issued, body: Done | Failed, at: int) -> Issued:
    """What is known after a configure; an acknowledgement stays one."""
    if isinstance(body, Done):
        return replace(issued, received="acknowledged", received_at=at)
    if issued.received == "acknowledged":
        return issued
    if body.certainty in PERHAPS:
        return replace(issued, received="perhaps", received_at=at)
    return issued if issued.received == "perhaps" else replace(issued, received=body.certainty.value, received_at=at)
