"""How the rows of what operators ask on demand happen, each by the shortest life that leads there."""

from __future__ import annotations

from fsm.effects import Effect
from fsm.events import Certainty, JwtFacts, Verb
from fsm.policy import Policy
from fsm.states import State
from tests.unit.fsm.scenes import GONE, NEW, OLD, Scene, reached, through


def no_way_back() -> Scene:
    """A provisioned node whose token lacks chpd."""
    return through(Effect.FETCH_JWT).done(JwtFacts("1b" * 32, "jti", provisions_by_default=False)).to(State.PROVISIONED)


def demanded(verb: Verb = Verb.REPROVISION) -> Scene:
    """An operator asked something of a provisioned node; nobody knows yet what came of it."""
    return reached(State.PROVISIONED).asks(verb, 1)


def doubted(verb: Verb = Verb.REPROVISION) -> Scene:
    """It may have been taken, and the look in the fleet is open."""
    return demanded(verb).fails(Certainty.UNKNOWN).due()


ON_DEMAND = {
    "asked-before": lambda: demanded().asks(Verb.REPROVISION, 1),
    "busy": lambda: demanded().asks(Verb.RESTART),
    "not-quiet": lambda: (
        demanded().fails(Certainty.UNKNOWN).asks(Verb.QUARANTINE).asks(Verb.RELEASE).asks(Verb.RESTART)
    ),
    "stays-away": lambda: no_way_back().asks(Verb.REPROVISION),
    "may-stay-away": lambda: Scene(Policy(features=frozenset())).to(State.PROVISIONED).asks(Verb.REPROVISION),
    "send-reprovision": demanded,
    "send-restart": lambda: demanded(Verb.RESTART),
    "send-shutdown": lambda: demanded(Verb.SHUTDOWN),
    "reprovision-sent": lambda: demanded().done(),
    "restart-sent": lambda: demanded(Verb.RESTART).done(),
    "fleet-shutdown-sent": lambda: demanded(Verb.SHUTDOWN).done(),
    "demand-failed": lambda: demanded().fails(Certainty.REFUSED),
    "demand-unknown": lambda: demanded().fails(Certainty.UNKNOWN),
    "look-in-fleet": doubted,
    "look-for-it-later": lambda: doubted().fails(Certainty.NOT_SENT),
    "found-by-nobody": lambda: doubted().fails(Certainty.UNKNOWN),
    "left-at-its-shutdown": lambda: doubted(Verb.SHUTDOWN).done(GONE),
    "left-the-fleet": lambda: doubted().done(GONE),
    "restarted-in-fleet": lambda: doubted(Verb.RESTART).done(NEW),
    "there-not-yet": lambda: doubted().done(OLD),
    "no-effect": lambda: doubted().done(OLD).due().done(OLD),
    "returned-as-asked": lambda: doubted().done(GONE).done(OLD),
    "looked-for-in-vain": lambda: doubted().done(GONE).done(GONE),
}
