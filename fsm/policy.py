"""Policy: the part of the configuration that decisions depend on, as a frozen value.

Rules:
1. A decision reads its policy from here and from nowhere else; each history row names the policy that was in force.
2. Durations are milliseconds. Defaults are those of the design.
3. Targets never depend on a policy, only guards and due times do (law 1).
4. A field that is new has a default that means what was done before there was a choice: old policies are read for ever.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from hashlib import sha256
from typing import Any

from fsm.effects import EXCLUSIVE, Feature

SECOND = 1000
MINUTE = 60 * SECOND


@dataclass(frozen=True)
class Policy:
    """What a site has chosen, as far as decisions are concerned; see each field's comment for its unit."""

    features: frozenset[Feature] = frozenset({Feature.JWT, Feature.ED25519})
    strict: bool = False
    signer: str = ""  # id of the key that signs server tokens now
    facts_max_age: int = 15 * MINUTE
    try_delay: int = 750  # before the second try of a step; grows to try_cap
    try_cap: int = 5 * SECOND
    outage_delay: int = 3 * SECOND  # after NOT_SENT; costs no try
    retry_delay: int = 5 * SECOND  # before the generation after the first failure; doubles to retry_cap
    retry_cap: int = 10 * MINUTE
    defer_delay: int = MINUTE
    lock_delay: int = 2 * MINUTE  # the node's lock lives this long (wire/provisioning.md §2.1)
    look_delay: int = 5 * SECOND  # after a restart, and between two looks
    shutdown_delay: int = 10 * SECOND  # the node leaves within 9 s (wire/provisioning.md §2.2)
    hint_delay: int = 5 * SECOND
    look_interval: int = MINUTE  # a provisioned node is looked at for hints no more often
    request_life: int = MINUTE  # sent + 2 x ttl of 30 s
    silent_looks: int = 3
    restarts: int = 3
    absences: int = 3
    loops: int = 8  # returns in a row from our own restart, after which it is held as looping
    returns_within: int = MINUTE  # who is back so soon after it was provisioned came back from our own restart
    observe: bool = False  # read what can be read without a node's lock, and do nothing else
    observe_delay: int = 10 * MINUTE  # before a node that was observed is read again
    network: str = ""  # of several networks the one whose nodes are decided by this; generations begin in it

    def __post_init__(self) -> None:
        """Refuse features that exclude each other; the configuration has said so before, in its own words."""
        if self.observe and self.features:
            raise ValueError("whoever observes does nothing that a feature asks for")
        if self.features >= EXCLUSIVE:
            raise ValueError(f"{' and '.join(sorted(EXCLUSIVE))} exclude each other")

    def document(self) -> bytes:
        """The canonical JSON that is stored once and named by its hash; one network alone is not named in it."""
        values = asdict(self) | {"features": sorted(self.features)}
        if not self.network:
            del values["network"]
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    @cached_property
    def hash(self) -> str:
        """The first 16 hex characters of the document's SHA-256."""
        return named(self.document())


def named(document: bytes) -> str:
    """The hash that names a policy's document."""
    return sha256(document).hexdigest()[:16]


def read_policy(document: bytes) -> Policy:
    """The policy of a stored document; raises ValueError, TypeError, KeyError if it is of another usher."""
    values: dict[str, Any] = json.loads(document)
    known = {field.name for field in fields(Policy)}
    if values.keys() - known:
        raise ValueError(f"it has {', '.join(sorted(values.keys() - known))}")
    features = frozenset(Feature(name) for name in values.pop("features"))
    return Policy(features=features, **values)
