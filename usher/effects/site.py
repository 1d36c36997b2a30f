"""What the effects know of their site.

Rules:
1. Everything here comes from the configuration and from the database's own identity; only tokens and secrets change
   while usher runs (usher.rotation).
2. What an effect reaches the world through is a port; nothing here has a type of a library.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from fsm.certifying import Certificates, Transport
from fsm.ports import Clock, Helper, Requests, Rpc, Signer, Verifier
from usher.effects.hand import Hand
from usher.effects.tokens import Tokens
from usher.harmless import NOTHING_MORE, Harmless


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """`tokens` are those that nodes ask for, `lineage` the database's, `inject` inject_provision_false.

    `secrets` are the site's own, and `harmless` says which of a node's values may be shown: all others are hidden in
    what the node itself says.
    """

    tokens: Tokens = field(repr=False)
    lineage: str
    inject: bool = False
    secrets: Collection[str] = field(default=(), repr=False)
    harmless: Harmless = NOTHING_MORE


@dataclass(frozen=True, slots=True)
class ConfigurationRules:
    """What the helpers' room knows of configurations: would it keep provisioning, is it unsafe, turn it off."""

    keeps: Callable[[Mapping[str, str], bool], bool]
    unsafe: Callable[[Mapping[str, str]], str | None]
    inject: Callable[[Mapping[str, str]], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that an effect reaches the world through."""

    rpc: Rpc
    helper: Helper
    signer: Signer
    verifier: Verifier
    clock: Clock
    hand: Hand
    rules: ConfigurationRules
    requests: Requests
    certificates: Certificates
    transport: Transport
    fleet: Rpc
