"""The performer: which coroutine carries out which effect.

Rules:
1. Every effect has one, and the match is exhaustive: a new effect without one does not type-check.
2. Facts that an earlier step kept and that are not held any more are an outcome, not an exception.
3. No outcome leaves with a secret in a node's words (usher.effects.discretion).
"""

from __future__ import annotations

from fsm.effects import Effect, Intent
from fsm.events import Certainty
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from usher.effects import answers, carrying, demanding, enrolling, parting, reading
from usher.effects.discretion import discreet
from usher.effects.hand import FactsLostError
from usher.effects.site import Ports, SiteFacts


class Effects:
    """fsm.ports.Performer over the ports."""

    def __init__(self, ports: Ports, site: SiteFacts) -> None:
        """Hold the ports and the site's facts."""
        self._ports, self._site = ports, site

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        """Carry an intent out once."""
        try:
            outcome = await self._perform(intent, snapshot)
        except FactsLostError as lost:
            return answers.failed(intent, Certainty.NOT_SENT, Reason.FACTS_LOST, f"{lost} is not held any more")
        return discreet(outcome, self._site, self._ports.hand, snapshot)

    async def _perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:  # noqa: C901, PLR0911, PLR0912 one answer an effect
        ports, site = self._ports, self._site
        match intent.effect:
            case Effect.FETCH_JWT:
                return await reading.fetch_jwt(ports, site, intent, snapshot)
            case Effect.FETCH_INVENTORY:
                return await reading.fetch_inventory(ports, intent)
            case Effect.NEW_KEY:
                return await enrolling.new_key(ports, site, intent, snapshot)
            case Effect.NEW_CSR:
                return await enrolling.new_csr(ports, site, intent, snapshot)
            case Effect.RUN_HELPER:
                return await enrolling.run_helper(ports, site, intent, snapshot)
            case Effect.SIGN_TOKEN:
                return enrolling.sign_token(ports, intent, snapshot)
            case Effect.EXCHANGE_KEY:
                return await carrying.exchange_key(ports, site, intent, snapshot)
            case Effect.WRAP_KEY:
                return carrying.wrap_key(ports, intent, snapshot)
            case Effect.CONFIGURE:
                return await enrolling.configure(ports, site, intent, snapshot)
            case Effect.RESTART:
                return await parting.restart(ports, site, intent, snapshot)
            case Effect.SHUTDOWN:
                return await parting.shutdown(ports, site, intent, snapshot)
            case Effect.LOOK:
                return await reading.look(ports, intent)
            case Effect.SEND_REPROVISION:
                return await demanding.send(ports, site, intent, snapshot, "reprovision")
            case Effect.SEND_RESTART:
                return await demanding.send(ports, site, intent, snapshot, "restart")
            case Effect.SEND_SHUTDOWN:
                return await demanding.send(ports, site, intent, snapshot, "shutdown")
            case Effect.LOOK_IN_FLEET:
                return await demanding.look(ports, intent)
