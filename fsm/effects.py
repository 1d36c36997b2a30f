"""Effects: what the machine can have done to the world, each with what may be done when its outcome is not known.

Rules:
1. An effect is data: whether it changes the node, what it supersedes, what may follow an unknown outcome (law 5).
2. A phase is a list of steps; features and facts choose steps, they never add states.
3. An intent is complete: whoever carries it out needs no clock and no randomness of its own. The one exception is our
   half of an exchange: what it is drawn from must be secret, and the journal is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from itertools import combinations
from typing import Final

from fsm.frozen import quick
from fsm.states import State


class Effect(StrEnum):
    """Everything that usher can do outside; the value is what journals, logs and diagrams say."""

    FETCH_JWT = "fetch_jwt"
    FETCH_INVENTORY = "fetch_inventory"
    NEW_KEY = "new_key"
    NEW_CSR = "new_csr"
    RUN_HELPER = "run_helper"
    SIGN_TOKEN = "sign_token"  # noqa: S105 an effect, not a secret
    EXCHANGE_KEY = "exchange_key"
    WRAP_KEY = "wrap_key"
    CONFIGURE = "configure"
    RESTART = "restart"
    SHUTDOWN = "shutdown"
    LOOK = "look"
    SEND_REPROVISION = "send_reprovision"
    SEND_RESTART = "send_restart"
    SEND_SHUTDOWN = "send_shutdown"
    LOOK_IN_FLEET = "look_in_fleet"


class Port(StrEnum):
    """What carries an effect out; each port has a limit of its own in the executor."""

    RPC = "rpc"
    HELPER = "helper"
    SIGNER = "signer"
    FLEET = "fleet"


TO_NODES: Final = frozenset({Port.RPC, Port.FLEET})
"""The ports that reach nodes: in provisioning mode, and in the fleet."""


class Unknown(StrEnum):
    """What may be done when nobody knows whether the effect happened."""

    REPEAT = "repeat"
    LOOK = "look"


class Feature(StrEnum):
    """What a site chooses steps by; ED25519 and PKI exclude each other, since a node has one way to prove who it is."""

    JWT = "jwt"
    ED25519 = "ed25519"
    PKI = "pki"


class Fact(StrEnum):
    """What is known of a node and chooses steps for it; the value is what documents and diagrams say."""

    HELPER_KEY = "helper supplied a key"


Condition = Feature | Fact

EXCLUSIVE: Final = frozenset({Feature.ED25519, Feature.PKI})
"""Features of which a site has one at most."""


@cache
def choices() -> tuple[frozenset[Feature], ...]:
    """Every set of features that a site may choose."""
    sets = (frozenset(chosen) for count in range(len(Feature) + 1) for chosen in combinations(Feature, count))
    return tuple(chosen for chosen in sets if not chosen >= EXCLUSIVE)


@cache
def conditions() -> tuple[frozenset[Condition], ...]:
    """Every set of conditions that can hold at once."""
    facts = (frozenset(held) for count in range(len(Fact) + 1) for held in combinations(Fact, count))
    return tuple(chosen | held for held in facts for chosen in choices())


@dataclass(frozen=True, slots=True)
class Spec:
    """What is known of an effect before it is used.

    `tries` is how often it is sent in one generation before the node fails; `changes_node` says whether a request
    that is still under way could undo what comes after it; `what` is the sentence that documents print. `each_token`
    says that one opening may make several requests: the next of the site's tokens after each that the node has refused.
    """

    port: Port
    unknown: Unknown
    tries: int
    changes_node: bool
    supersedes: tuple[str, ...]
    what: str
    each_token: bool = False


SPECS: Final[dict[Effect, Spec]] = {
    Effect.FETCH_JWT: Spec(
        Port.RPC, Unknown.REPEAT, 3, False, (), "read the node's provisioning token; takes its lock", each_token=True
    ),
    Effect.FETCH_INVENTORY: Spec(Port.RPC, Unknown.REPEAT, 5, False, (), "read what the node is"),
    Effect.NEW_KEY: Spec(
        Port.RPC,
        Unknown.REPEAT,
        5,
        True,
        ("key", "helper", "token", "exchange", "wrapped key"),
        "have the node make a key and prove that it holds it",
    ),
    Effect.NEW_CSR: Spec(
        Port.RPC,
        Unknown.REPEAT,
        3,
        True,
        ("csr", "helper", "certificate", "exchange", "wrapped key"),
        "have the node make a key and a request for a certificate; only when quiet",
    ),
    Effect.RUN_HELPER: Spec(
        Port.HELPER, Unknown.REPEAT, 3, False, (), "ask the site what the node's configuration shall be"
    ),
    Effect.SIGN_TOKEN: Spec(Port.SIGNER, Unknown.REPEAT, 3, False, (), "make the node's server token"),
    Effect.EXCHANGE_KEY: Spec(
        Port.RPC,
        Unknown.REPEAT,
        3,
        False,
        ("exchange", "wrapped key"),
        "have the node make a new half of a shared secret, and draw ours; takes its lock",
    ),
    Effect.WRAP_KEY: Spec(
        Port.SIGNER, Unknown.REPEAT, 3, False, ("wrapped key",), "encrypt the helper's key with the shared secret"
    ),
    Effect.CONFIGURE: Spec(
        Port.RPC,
        Unknown.REPEAT,
        5,
        True,
        (),
        "give the node its configuration and its token, or its certificate once a look finds who made the key",
    ),
    Effect.RESTART: Spec(Port.RPC, Unknown.LOOK, 3, True, (), "have the node restart into its configuration"),
    Effect.SHUTDOWN: Spec(Port.RPC, Unknown.LOOK, 3, True, (), "have the node shut down, as the helper wishes"),
    Effect.LOOK: Spec(
        Port.RPC, Unknown.REPEAT, 3, False, (), "find out whether the node is there, and which process answers"
    ),
    Effect.SEND_REPROVISION: Spec(
        Port.FLEET, Unknown.LOOK, 1, True, (), "send a provisioned node back into provisioning", each_token=True
    ),
    Effect.SEND_RESTART: Spec(
        Port.FLEET, Unknown.LOOK, 1, True, (), "have a provisioned node restart", each_token=True
    ),
    Effect.SEND_SHUTDOWN: Spec(
        Port.FLEET, Unknown.LOOK, 1, True, (), "have a provisioned node shut down", each_token=True
    ),
    Effect.LOOK_IN_FLEET: Spec(
        Port.FLEET, Unknown.REPEAT, 1, False, (), "find out in the fleet what became of what an operator asked"
    ),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a phase; `when` names the feature or the fact that it belongs to, None means always."""

    effect: Effect
    when: Condition | None = None


STEPS: Final[dict[State, tuple[Step, ...]]] = {
    State.DISCOVERED: (Step(Effect.FETCH_JWT, Feature.JWT), Step(Effect.FETCH_INVENTORY)),
    State.INVENTORIED: (
        Step(Effect.NEW_KEY, Feature.ED25519),
        Step(Effect.NEW_CSR, Feature.PKI),
        Step(Effect.RUN_HELPER),
        Step(Effect.SIGN_TOKEN, Feature.ED25519),
        Step(Effect.EXCHANGE_KEY, Fact.HELPER_KEY),
        Step(Effect.WRAP_KEY, Fact.HELPER_KEY),
    ),
    State.ENROLLED: (Step(Effect.CONFIGURE),),
    State.CONFIGURED: (Step(Effect.RESTART),),
    State.RESTARTED: (Step(Effect.LOOK),),
}
"""What each phase does, in order; the last success of a phase is the fact that the next state names."""


@cache
def steps(state: State, holding: frozenset[Condition]) -> tuple[Effect, ...]:
    """The effects of a phase while these conditions hold, in order; empty for a state that is no phase."""
    return tuple(step.effect for step in STEPS.get(state, ()) if step.when is None or step.when in holding)


@cache
def following(state: State, effect: Effect, holding: frozenset[Condition]) -> Effect | None:
    """The effect that comes after this one within its phase, None after the last."""
    phase = steps(state, holding)
    position = phase.index(effect) + 1 if effect in phase else len(phase)
    return phase[position] if position < len(phase) else None


@quick
@dataclass(frozen=True, slots=True)
class EffectId:
    """Which opening of an effect this is, within one database (its lineage is the database's).

    `seq` is the history row that first opened the step: it stays the same when the step is tried again, so a helper
    can recognise a repetition. `opened` is the row that opened this try, which makes every opening distinct.
    """

    node: str
    epoch: int
    generation: int
    seq: int
    opened: int
    tries: int


@quick
@dataclass(frozen=True, slots=True)
class Intent:
    """An effect that has been decided: everything that its execution needs, fixed before it begins.

    `at` (milliseconds since 1970) and `entropy` (16 bytes) are those of the event that first opened the step: a
    repetition of sign_token makes the same token. `since` is the time of the restart or shutdown that a look asks
    about, 0 otherwise.
    """

    id: EffectId
    effect: Effect
    at: int
    entropy: bytes
    since: int = 0

    def nonce(self) -> str:
        """The 32 hex characters that the node signs; fresh for every opening (wire/provisioning.md §3.6 step 3)."""
        return sha256(b"nonce %d " % self.id.opened + self.entropy).hexdigest()[:32]
