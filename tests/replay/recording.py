"""Recorded lives: `python -m tests.replay.recording` writes them anew; only a change of meaning is a reason to.

Rules:
1. A line is one event as the journal keeps it, and what it did: the row, where the node was then, what opened.
2. A life that is checked in was decided by an earlier usher; code that decides otherwise raises fsm.table.VERSION.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fsm.codec import encode_event
from fsm.effects import Effect
from fsm.events import Body, Certainty, Event, HintKind, Verb, Verdict
from fsm.machine import Decision
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.states import State
from tests.unit.fsm.scenes import CARRIED, NEW, OLD, X509, Scene, helper

LIVES = Path(__file__).parent / "lives"


class Recorder(Scene):
    """A scene that writes down what happens in it."""

    def post(self, body: Body) -> Scene:
        """Something happens now."""
        self.entropy = bytes([self.snapshot.seq % 256] * 16)
        event = Event(self.now, self.entropy, body, self.epoch)
        super().post(body)
        written.append(json.dumps({"event": json.loads(encode_event(event)), **said(self)}, sort_keys=True))
        return self


written: list[str] = []


def said(scene: Scene) -> dict[str, object]:
    """What an event did, in words that stay the same."""
    last = scene.last
    return {
        "row": last.row.name if last and last.row else "",
        "decided": isinstance(last, Decision),
        "state": scene.state.value,
        "seq": scene.snapshot.seq,
        "opens": last.opens.effect.value if isinstance(last, Decision) and last.opens else "",
        "awaited": scene.snapshot.awaited.at if scene.snapshot.awaited else 0,
    }


def whole(scene: Scene) -> None:
    """All goes well, and a forged hint afterwards."""
    scene.to(State.PROVISIONED).hint(HintKind.STARTUP).done()


def crashes(scene: Scene) -> None:
    """Usher is killed in every step, before and after it was sent."""
    for effect in (Effect.FETCH_JWT, Effect.NEW_KEY, Effect.SIGN_TOKEN, Effect.CONFIGURE, Effect.RESTART):
        scene.until(effect).crash(started=False).until(effect).crash()
    scene.to(State.PROVISIONED)


def returns(scene: Scene) -> None:
    """It restarts in vain, comes back without its token, and is provisioned the second time."""
    scene.to(State.RESTARTED).due().done(OLD).due().done().due().done(NEW).to(State.PROVISIONED)


def refusals(scene: Scene) -> None:
    """Somebody else holds the lock, the helper says later, and an operator holds and releases it."""
    scene.until(Effect.FETCH_JWT).fails(Certainty.REFUSED, Reason.LOCK_HELD)
    scene.until(Effect.RUN_HELPER).done(helper(Verdict.DEFER)).hint()
    scene.until(Effect.CONFIGURE).asks(Verb.QUARANTINE).asks(Verb.RETRY).asks(Verb.RELEASE).to(State.PROVISIONED)


def silences(scene: Scene) -> None:
    """No look is ever answered."""
    scene.to(State.RESTARTED)
    while scene.state is State.RESTARTED:
        scene.due().fails(Certainty.UNKNOWN)


def absences(scene: Scene) -> None:
    """It is not there three times, and comes back."""
    scene.until(Effect.NEW_KEY)
    while scene.state is not State.GONE:
        scene.fails(Certainty.NOT_DELIVERED, Reason.ABSENT)
        if scene.snapshot.awaited is not None:
            scene.due().due()
    scene.to(State.PROVISIONED)


def shutdowns(scene: Scene) -> None:
    """The helper has it shut down."""
    scene.until(Effect.RUN_HELPER).done(helper(Verdict.SHUTDOWN)).fails(Certainty.UNKNOWN).due().done(OLD)
    scene.due().done().due().done()


def certificates(scene: Scene) -> None:
    """An x509 node: usher is killed while the node makes its key, then no answer comes, then an operator asks anew."""
    scene.until(Effect.NEW_CSR).crash(started=False).due().crash().due().due().fails(Certainty.UNKNOWN).due().due()
    scene.asks(Verb.REPROVISION).until(Effect.FETCH_INVENTORY).done().due().to(State.PROVISIONED)


def keys(scene: Scene) -> None:
    """A helper supplies a key: usher is killed in each step, the node cannot decrypt, an operator asks."""
    scene.supplied = True
    scene.until(Effect.FETCH_JWT).crash().until(Effect.EXCHANGE_KEY).crash(started=False).due().crash().due().due()
    scene.fails(Certainty.UNKNOWN).due().due().until(Effect.WRAP_KEY).crash()
    scene.until(Effect.CONFIGURE).fails(Certainty.REFUSED, Reason.KEY_NOT_DECRYPTED, transient=False)
    scene.until(Effect.CONFIGURE).fails(Certainty.UNKNOWN).due().asks(Verb.REPROVISION).to(State.PROVISIONED)


def undecrypted(scene: Scene) -> None:
    """A node with a certificate never decrypts the key that the helper supplies; then the helper supplies none."""
    scene.supplied = True
    while scene.state is not State.FAILED:
        scene.until(Effect.CONFIGURE).fails(Certainty.REFUSED, Reason.KEY_NOT_DECRYPTED, transient=False)
    scene.supplied = False
    scene.to(State.PROVISIONED)


UNDER = {"certificates": X509, "keys": CARRIED, "undecrypted": X509}
"""The policy of a life whose network is not one with tokens."""
EACH: tuple[Callable[[Scene], None], ...] = (
    whole,
    crashes,
    returns,
    refusals,
    silences,
    absences,
    shutdowns,
    certificates,
    keys,
    undecrypted,
)


def main() -> None:
    """Write every life."""
    LIVES.mkdir(exist_ok=True)
    for life in EACH:
        written.clear()
        life(Recorder(UNDER.get(life.__name__, Policy())))
        (LIVES / f"{life.__name__}.jsonl").write_text("\n".join(written) + "\n")


if __name__ == "__main__":
    main()
