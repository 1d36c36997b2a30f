"""Anything that a node can be, and anything that can happen to it, for Hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from fsm.effects import Effect, EffectId, choices
from fsm.events import (
    Ack,
    Body,
    Certainty,
    CsrFacts,
    Done,
    Due,
    DueKind,
    Event,
    Failed,
    HelperFacts,
    Hint,
    HintKind,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    Operator,
    PairFacts,
    Payload,
    Sent,
    Sighting,
    TokenFacts,
    Verb,
    Verdict,
    WrapFacts,
)
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.snapshot import Awaited, Doing, Facts, Looks, Parting, Quiet, Snapshot
from fsm.states import ENDS, State

NOW = 1_795_202_697_000
NODE = "web1.example.net"

times = st.integers(NOW - 3_600_000, NOW + 3_600_000)
maybe = st.just(0) | times
entropies = st.binary(min_size=16, max_size=16)
digests = st.sampled_from(["0a" * 32, "1b" * 32, "2c" * 32])
connections = st.sampled_from(["", "c1", "c2"])
effects = st.sampled_from(Effect)
texts = st.text(max_size=60)
policies = st.builds(
    Policy,
    features=st.sampled_from(choices()),
    strict=st.booleans(),
    signer=st.sampled_from(["", "s1", "s2"]),
    silent_looks=st.integers(1, 3),
    restarts=st.integers(1, 3),
    absences=st.integers(1, 3),
    loops=st.integers(1, 8),
)

jwts = st.builds(JwtFacts, digests, st.just("3MNtG812Kz7PHsNFHl1wiN1Tooq"), st.booleans())
inventories = st.builds(InventoryFacts, digests, st.just("0.30.2"), st.booleans())
keys = st.builds(KeyFacts, digests, st.just("/etc/choria"))
csrs = st.builds(CsrFacts, digests, digests, st.just("/etc/choria/ssl"), st.sampled_from(["", "csr_foreign_name"]))
checks = st.sampled_from(["", "certificate_name certificate_chain"])
helpers = st.builds(HelperFacts, digests, st.sampled_from(Verdict), texts, st.booleans(), st.booleans(), checks)
tokens = st.builds(TokenFacts, st.just("3MNtG812Kz7PHsNFHl1wiN1Tooq"), digests, st.just(1_826_738_754), st.just("s1"))
pairs = st.builds(PairFacts, st.just("6a" * 8), st.just("7b" * 8))
wraps = st.builds(WrapFacts, digests)
acks = st.builds(Ack, texts, digests)
sightings = st.builds(Sighting, st.booleans(), st.integers(0, 200_000))
OF: dict[Effect, st.SearchStrategy[Payload]] = {
    Effect.FETCH_JWT: jwts,
    Effect.FETCH_INVENTORY: inventories,
    Effect.NEW_KEY: keys,
    Effect.NEW_CSR: csrs,
    Effect.RUN_HELPER: helpers,
    Effect.SIGN_TOKEN: tokens,
    Effect.EXCHANGE_KEY: pairs,
    Effect.WRAP_KEY: wraps,
    Effect.CONFIGURE: acks,
    Effect.RESTART: acks,
    Effect.SHUTDOWN: acks,
    Effect.LOOK: sightings,
    Effect.SEND_REPROVISION: acks,
    Effect.SEND_RESTART: acks,
    Effect.SEND_SHUTDOWN: acks,
    Effect.LOOK_IN_FLEET: sightings,
}
sents = st.none() | st.builds(Sent, times, connections)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A snapshot that is sound, whether or not the table leads to it."""
    state = draw(st.sampled_from(State))
    held = state is State.FAILED and draw(st.booleans())
    step = draw(st.none() | st.builds(
        Doing, effects, st.integers(0, 9), st.integers(0, 9), st.integers(1, 3), st.integers(0, 5), times, entropies,
        times, st.just(False), st.sampled_from(["", "s1", "s2"]),
    ))  # fmt: skip
    due = draw(st.builds(Awaited, times, st.sampled_from(sorted(set(DueKind) - {DueKind.ADMIT})), st.just(0)))
    idle = held or state is State.UNSEEN
    may_idle = idle or state in ENDS or state is State.DISCOVERED
    what = draw(st.sampled_from((["idle"] if may_idle else []) + ([] if idle else ["open", "due"])))
    if what == "open":
        step = replace(step or Doing(Effect.LOOK, 1, 1, 1, 1, NOW, bytes(16), NOW, open=True), open=True)
    return Snapshot(
        NODE,
        state,
        generation=draw(st.integers(0, 9)),
        seq=draw(st.integers(9, 99)),
        since=draw(times),
        looked=draw(maybe),
        doing=step,
        awaited=due if what == "due" else None,
        facts=draw(st.builds(
            Facts, maybe, st.none() | jwts, st.none() | inventories, st.none() | keys, st.none() | helpers,
            st.none() | tokens, st.sampled_from(["", "a.b"]), st.none() | csrs, st.none() | pairs, st.none() | wraps,
            st.integers(0, 3),
        )),
        quiet=draw(st.none() | st.builds(Quiet, times, connections, times, st.sampled_from(["", "x", "0a" * 8 + "."]))),
        parting=draw(st.builds(Parting, maybe, st.booleans(), st.integers(0, 3))),
        looks=draw(st.builds(Looks, st.integers(0, 2), connections, st.integers(0, 3))),
        answered=draw(st.booleans()),
        failures=draw(st.integers(0, 40)),
        absences=draw(st.integers(0, 3)),
        returns=draw(st.integers(0, 8)),
        held=held,
        failed_from=draw(st.none() | st.sampled_from(State)),
        reason=draw(st.none() | st.sampled_from(Reason)),
        pairing=draw(st.none() | st.builds(Quiet, times, connections, times, st.just(""))),
    )  # fmt: skip


def outcomes(effect: Effect, identity: EffectId) -> st.SearchStrategy[Body]:
    """Every way in which this opening of an effect can end."""
    return st.builds(Done, st.just(effect), st.just(identity), OF[effect], sents) | st.builds(
        Failed,
        st.just(effect),
        st.just(identity),
        st.sampled_from(Certainty),
        st.sampled_from(Reason),
        texts,
        st.booleans(),
        sents,
    )


strangers = st.builds(EffectId, st.just(NODE), *[st.integers(0, 9)] * 5)
hints = st.builds(Hint, st.sampled_from(HintKind))
dues = st.builds(Due, st.sampled_from(DueKind), maybe)
wishes = st.builds(Operator, st.sampled_from(Verb), st.just("root"), texts)


@st.composite
def bodies(draw: st.DrawFn, snapshot: Snapshot) -> Body:
    """Anything: what the snapshot waits for half of the time, strangers and old acquaintances otherwise."""
    identity = snapshot.effect_id()
    fitting: list[st.SearchStrategy[Body]] = []
    if snapshot.open is not None and identity is not None:
        fitting.append(outcomes(snapshot.open.effect, identity))
    if snapshot.awaited is not None:
        fitting.append(st.just(Due(snapshot.awaited.kind, snapshot.awaited.at)))
    if snapshot.waiting_for_admission:
        fitting.append(st.just(Due(DueKind.ADMIT)))
    anything = st.one_of(hints, dues, wishes, effects.flatmap(lambda effect: strangers.flatmap(
        lambda stranger: outcomes(effect, stranger)
    )))  # fmt: skip
    body: Body = draw(st.one_of(*fitting, anything) if fitting else anything)
    return body


def events(snapshot: Snapshot) -> st.SearchStrategy[Event]:
    """Anything that happens at any time."""
    return st.builds(Event, times, entropies, bodies(snapshot), st.integers(1, 3))
