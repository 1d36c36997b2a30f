"""The one table: every transition of every node, in the order in which the rows of a cell are asked.

Rules (design law 1):
1. Every cell of states x triggers ends with a row that has no guard; what changes nothing says why.
2. A target never depends on the configuration; guards may.
3. Whatever usher does to a node, some row here says so. If it cannot, the table is extended, never the interpreter.
4. VERSION grows with every change of meaning; history rows name the version that decided them.
"""

from __future__ import annotations

from typing import Final

from fsm import actions as do
from fsm import demands as asked
from fsm import elsewhere, observing, returning
from fsm import guards as when
from fsm import partings as parted
from fsm import transports as carry
from fsm import waits as wait
from fsm.effects import Effect
from fsm.events import Trigger as On
from fsm.reasons import Reason
from fsm.rows import Opens, Row, ignore, row
from fsm.states import ALL, ENDS, READING, WAITING, WORKING
from fsm.states import State as S

VERSION: Final = 4
"""3: `asked-to-reprovision` is send-reprovision where the node is provisioned (or said why not); `look-failed` and
`still-provisioned` are look-for-it-later and looked-for-in-vain after a demand, `back-in-provisioning` is
returned-as-asked then; `no-look-due` is look-in-fleet where a provisioned node awaits a look.
4: `inventoried` is observed for who only observes; `back-in-provisioning` is looping-soon or came-back-soon for who is
back within returns_within, and token-ended where its server token has expired; `gone` and `silence` keep the returns
that were counted, which a later return or a demand forgets; `release-provisioned` is release for who loops."""

_SIGHTINGS: Final = (On.HINT_STARTUP, On.HINT_LISTED, On.HINT_REGISTRATION)
_FAREWELLS: Final = (On.HINT_SHUTDOWN, On.HINT_SERVER_STARTUP)
_OUTCOMES: Final = (On.DONE, On.FAILED)
_ANEW: Final = (do.abandon, do.begin_anew)
_PARTING: Final = frozenset({S.INVENTORIED, S.CONFIGURED})
_LOOKING: Final = _PARTING | {S.RESTARTED}
_DEMANDS: Final = (On.OPERATOR_REPROVISION, On.OPERATOR_RESTART, On.OPERATOR_SHUTDOWN)
_SENDING: Final = READING | {S.CONFIGURED}
_RESTING: Final = WAITING | (ENDS - {S.PROVISIONED})


def _each(name: str, sources: object, triggers: tuple[On, ...], why: str, **rest: object) -> tuple[Row, ...]:
    return tuple(row(name, sources, trigger, why, **rest) for trigger in triggers)  # type: ignore[arg-type]


_SEEN: Final = (
    *_each("first-seen", S.UNSEEN, _SIGHTINGS, "a node that nobody knows joins the waiting room", to=S.DISCOVERED,
           do=(do.seen, do.begin_anew)),
    *_each("back-elsewhere", {S.GONE, S.RETIRED}, _SIGHTINGS, "a node that had left is there again, in another network: it joins the waiting room there",
           when=elsewhere.in_another_network, to=S.DISCOVERED, do=_ANEW),
    *_each("back-again", {S.GONE, S.RETIRED}, _SIGHTINGS, "a node that had left is there again: it joins the waiting room",
           to=S.DISCOVERED, do=_ANEW),
    *ignore("looked-lately", S.PROVISIONED, _SIGHTINGS, "a hint can be forged, so it makes us look once in look_interval",
            when=when.looked_lately),
    *_each("seen-again", S.PROVISIONED, _SIGHTINGS, "a provisioned node seems to be in provisioning mode: look",
           do=(wait.looked,), opens=Effect.LOOK),
    *_each("missed-and-seen", S.FAILED, _SIGHTINGS, "nobody answered, and now there is a sign of life: try soon",
           when=when.missed_and_later, do=(wait.retry_soon,)),
    *ignore("known", WORKING | WAITING, _SIGHTINGS, "it is known already; a hint can be forged and changes no due time"),
    *ignore("farewell", ALL, _FAREWELLS, "what a node says of itself proves nothing; looks find out"),
    row("two-machines", WORKING | {S.DEFERRED, S.REPROVISION}, On.HINT_SECOND_ANSWER,
        "one request got two different answers: two machines have this name, and neither is configured", to=S.FAILED,
        do=(do.abandon, do.because(Reason.DUPLICATE_IDENTITY), do.hold)),
    *ignore("two-machines-held", S.FAILED, (On.HINT_SECOND_ANSWER,), "it is held already", when=when.held),
    row("two-machines-late", S.FAILED, On.HINT_SECOND_ANSWER, "the second answer came after the failure: two machines have this name",
        do=(do.abandon, do.because(Reason.DUPLICATE_IDENTITY), do.hold)),
    *ignore("two-machines-over", ENDS | {S.UNSEEN}, (On.HINT_SECOND_ANSWER,), "nothing is being done to it that a second machine could disturb"),
)  # fmt: skip

_DUE: Final = (
    row("admit", S.DISCOVERED, On.DUE_ADMIT, "its turn has come", when=when.in_the_room, opens=Opens.FIRST),
    *ignore("not-in-the-room", ALL, (On.DUE_ADMIT,), "it does not wait for admission"),
    row("look-first", _PARTING, On.DUE_STEP, "it was told to leave, and that is long ago: find out whether it has",
        when=parted.parted_long_ago, do=(wait.stop_waiting,), opens=Effect.LOOK),
    row("step-too-late", _SENDING, On.DUE_STEP, "what was learnt is too old to act on: begin anew", when=when.facts_too_old,
        to=S.DISCOVERED, do=_ANEW),
    row("step-not-yet", _SENDING, On.DUE_STEP, "an earlier request that changes the node may still be alive",
        when=when.must_wait, do=(wait.wait_until_quiet,)),
    row("exchange-later", S.INVENTORIED, On.DUE_STEP, "an earlier request for a half of the secret may still be alive",
        when=carry.exchange_must_wait, do=(wait.wait_until_alone,)),
    row("sign-anew", S.INVENTORIED, On.DUE_STEP, "the token was ordered of another key, or long ago: a new order replaces it",
        when=when.another_signer, do=(wait.stop_waiting,), opens=Opens.ANEW),
    row("step-again", _SENDING, On.DUE_STEP, "the wait is over", do=(wait.stop_waiting,), opens=Opens.AGAIN),
    *ignore("no-step-due", ALL - _SENDING, (On.DUE_STEP,), "no step waits in this state"),
    row("look", _LOOKING, On.DUE_LOOK, "it is time to find out where the node is", do=(wait.stop_waiting,), opens=Effect.LOOK),
    row("look-in-fleet", S.PROVISIONED, On.DUE_LOOK, "what became of the request is to be found out, in the fleet first",
        do=(wait.stop_waiting,), opens=Effect.LOOK_IN_FLEET),
    *ignore("no-look-due", ALL - _LOOKING - {S.PROVISIONED}, (On.DUE_LOOK,), "no look waits in this state"),
    row("begin-anew", WAITING, On.DUE_RETRY, "the wait is over: a new generation joins the waiting room", to=S.DISCOVERED,
        do=_ANEW),
    row("join-the-room", S.DISCOVERED, On.DUE_RETRY, "the node's lock has run out: it joins the waiting room",
        do=(wait.stop_waiting,)),
    *ignore("no-retry-due", ALL - WAITING - {S.DISCOVERED}, (On.DUE_RETRY,), "no new generation waits in this state"),
)  # fmt: skip

_THROUGH: Final = (
    row("done-too-late", READING, On.DONE, "what was learnt before is too old to act on: begin anew", when=when.too_old_to_go_on,
        to=S.DISCOVERED, do=(do.settle, do.begin_anew)),
    row("read-on", S.DISCOVERED, On.DONE, "one more thing is to be read", when=when.more_steps, do=(do.settle, do.learn),
        opens=Opens.NEXT),
    row("observed", S.DISCOVERED, On.DONE, "usher only observes: it has been read, and nothing is done to it", when=observing.only_observes,
        to=S.DEFERRED, do=(do.settle, do.learn, do.because(Reason.OBSERVED), wait.wait_as_observed)),
    row("inventoried-not-yet", S.DISCOVERED, On.DONE, "its inventory is held; it makes its key once no earlier request can be alive",
        when=when.next_phase_must_wait, to=S.INVENTORIED, do=(do.settle, do.learn, wait.await_csr, wait.wait_until_quiet)),
    row("inventoried", S.DISCOVERED, On.DONE, "its token is verified, its inventory is held", to=S.INVENTORIED,
        do=(do.settle, do.learn), opens=Opens.NEXT),
    row("defer", S.INVENTORIED, On.DONE, "the helper said later", when=when.helper_defers, to=S.DEFERRED,
        do=(do.settle, do.because(Reason.DEFERRED), wait.wait_as_deferred)),
    row("shutdown-not-yet", S.INVENTORIED, On.DONE, "the helper wants it shut down, once no earlier request can be alive",
        when=when.shutdown_must_wait, do=(do.settle, do.learn, wait.await_shutdown, wait.wait_until_quiet)),
    row("shut-down", S.INVENTORIED, On.DONE, "the helper wants it shut down", when=when.helper_shuts_down,
        do=(do.settle, do.learn), opens=Effect.SHUTDOWN),
    row("keeps-provisioning", S.INVENTORIED, On.DONE, "this configuration would bring the node back for ever: it is not sent",
        when=when.keeps_provisioning, to=S.FAILED,
        do=(do.settle, do.because(Reason.CONFIG_KEEPS_PROVISIONING), do.fail)),
    row("shutdown-sent", S.INVENTORIED, On.DONE, "it says that it shuts down: look", when=when.was_shutdown,
        do=(do.settle, wait.parted, wait.wait_for_shutdown)),
    row("retired", S.INVENTORIED, On.DONE, "it was told to shut down and is gone", when=when.found_gone, to=S.RETIRED,
        do=(do.settle,)),
    row("shutdown-returned", S.INVENTORIED, On.DONE, "it was shut down and started anew: the helper is asked again",
        when=when.found_new_process, to=S.REPROVISION,
        do=(do.settle, do.because(Reason.CAME_BACK), wait.wait_after_return)),
    row("still-there", _PARTING, On.DONE, "it has not left, and what was learnt is too old to act on: begin anew",
        when=parted.there_long_after, to=S.DISCOVERED, do=(do.settle, do.begin_anew)),
    row("shutdown-again", S.INVENTORIED, On.DONE, "it is still there: tell it again when quiet", when=when.found_same_process,
        do=(do.settle, wait.await_shutdown, wait.wait_until_quiet)),
    row("shutdown-in-vain", S.INVENTORIED, On.DONE, "it does not shut down", when=when.was_look, to=S.FAILED,
        do=(do.settle, do.because(Reason.SHUTDOWN_WITHOUT_EFFECT), do.fail)),
    row("exchange-not-yet", S.INVENTORIED, On.DONE, "its key is exchanged once no earlier request for a half can be alive",
        when=carry.exchange_is_next_and_must_wait, do=(do.settle, do.learn, wait.await_exchange, wait.wait_until_alone)),
    row("enrol-on", S.INVENTORIED, On.DONE, "one more thing is needed before it can be configured", when=when.more_steps,
        do=(do.settle, do.learn), opens=Opens.NEXT),
    row("enrolled-not-yet", S.INVENTORIED, On.DONE, "all is made for its configuration, once no earlier request can be alive",
        when=when.next_phase_must_wait, to=S.ENROLLED, do=(do.settle, do.learn, wait.await_configure, wait.wait_until_quiet)),
    row("enrolled", S.INVENTORIED, On.DONE, "all is made for its configuration", to=S.ENROLLED, do=(do.settle, do.learn),
        opens=Opens.NEXT),
    row("configured-not-yet", S.ENROLLED, On.DONE, "it has its configuration; it restarts once no earlier request can be alive",
        when=when.next_phase_must_wait, to=S.CONFIGURED, do=(do.settle, do.learn, wait.await_restart, wait.wait_until_quiet)),
    row("configured", S.ENROLLED, On.DONE, "it has acknowledged its configuration", to=S.CONFIGURED,
        do=(do.settle, do.learn), opens=Opens.NEXT),
    row("restarted", S.CONFIGURED, On.DONE, "it has acknowledged the restart: look when the old process has left",
        when=when.was_restart, to=S.RESTARTED, do=(do.settle, wait.parted, wait.wait_to_look)),
    row("found-gone", S.CONFIGURED, On.DONE, "the restart was sent, and now it is gone", when=when.found_gone, to=S.RESTARTED,
        do=(do.settle, wait.count_gone, wait.wait_to_look)),
    row("gone", S.RESTARTED, On.DONE, "it left provisioning: two looks over one connection found nobody",
        when=when.found_gone_twice, to=S.PROVISIONED, do=(do.settle, do.finish, do.by_leaving)),
    row("gone-once", S.RESTARTED, On.DONE, "it is gone, perhaps for the moment of its restart: look once more",
        when=when.found_gone, do=(do.settle, wait.count_gone, wait.wait_to_look)),
    row("looping", {S.CONFIGURED, S.RESTARTED}, On.DONE, "it came back from its restart too often in a row",
        when=when.found_looping, to=S.FAILED,
        do=(do.settle, wait.count_return, do.because(Reason.LOOPING), do.hold)),
    row("came-back", {S.CONFIGURED, S.RESTARTED}, On.DONE, "it restarted and came back without what we gave it",
        when=when.found_new_process, to=S.REPROVISION,
        do=(do.settle, do.because(Reason.CAME_BACK), wait.wait_after_return)),
    row("restart-again", {S.CONFIGURED, S.RESTARTED}, On.DONE, "it did not restart: tell it again when quiet",
        when=when.found_same_process, to=S.CONFIGURED, do=(do.settle, wait.await_restart, wait.wait_until_quiet)),
    row("restart-in-vain", {S.CONFIGURED, S.RESTARTED}, On.DONE, "it says that it restarts and does not", to=S.FAILED,
        do=(do.settle, do.because(Reason.RESTART_WITHOUT_EFFECT), do.fail)),
    row("reprovision-sent", S.PROVISIONED, On.DONE, "it says that it goes back into provisioning", when=asked.was_reprovision,
        to=S.REPROVISION, do=(do.settle, asked.carried_out, do.well_meanwhile, asked.return_later)),
    row("restart-sent", S.PROVISIONED, On.DONE, "it says that it restarts", when=asked.was_restart_on_demand,
        do=(do.settle, asked.carried_out)),
    row("fleet-shutdown-sent", S.PROVISIONED, On.DONE, "it says that it shuts down", when=asked.was_shutdown_on_demand,
        to=S.RETIRED, do=(do.settle, asked.carried_out)),
    row("left-at-its-shutdown", S.PROVISIONED, On.DONE, "it was told to shut down and is gone",
        when=asked.left_at_its_shutdown, to=S.RETIRED, do=(do.settle, asked.carried_out)),
    row("left-the-fleet", S.PROVISIONED, On.DONE, "it has left the fleet: it may be in provisioning mode",
        when=asked.left_the_fleet, do=(do.settle,), opens=Effect.LOOK),
    row("restarted-in-fleet", S.PROVISIONED, On.DONE, "it has restarted since, and is in the fleet",
        when=asked.restarted_in_the_fleet, do=(do.settle, asked.carried_out)),
    row("there-not-yet", S.PROVISIONED, On.DONE, "it is in the fleet, but the request may yet arrive: look again later",
        when=asked.there_and_not_quiet, do=(do.settle, asked.look_when_quiet)),
    row("no-effect", S.PROVISIONED, On.DONE, "it is in the fleet as before, and the request cannot arrive any more",
        when=asked.there_in_the_fleet, do=(do.settle, asked.had_no_effect)),
    row("returned-as-asked", S.PROVISIONED, On.DONE, "it is in provisioning mode, as it was asked", when=asked.returned_as_asked,
        to=S.REPROVISION, do=(do.settle, asked.carried_out, do.well_meanwhile, wait.retry_at_once)),
    row("looked-for-in-vain", S.PROVISIONED, On.DONE, "it is neither in the fleet nor in provisioning mode",
        when=asked.looked_for_in_vain, do=(do.settle, asked.not_known)),
    row("found-elsewhere", S.PROVISIONED, On.DONE, "it is in provisioning mode in another network: it moves there", when=elsewhere.found_in_another_network,
        to=S.REPROVISION, do=(do.settle, do.move, do.because(Reason.SEEN_AGAIN), wait.retry_at_once)),
    row("looping-soon", S.PROVISIONED, On.DONE, "it was provisioned and came back at once, too often in a row", when=returning.loops,
        to=S.FAILED, do=(do.settle, wait.count_return, do.because(Reason.LOOPING), do.hold)),
    row("came-back-soon", S.PROVISIONED, On.DONE, "it was provisioned a moment ago, and is back without what we gave it",
        when=returning.came_back_soon, to=S.REPROVISION,
        do=(do.settle, do.because(Reason.CAME_BACK), wait.wait_after_return)),
    row("token-ended", S.PROVISIONED, On.DONE, "its server token has expired, and it is in provisioning mode again",
        when=returning.token_ended, to=S.REPROVISION,
        do=(do.settle, do.because(Reason.SERVER_TOKEN_EXPIRED), do.well_meanwhile, wait.retry_at_once)),
    row("back-in-provisioning", S.PROVISIONED, On.DONE, "it is in provisioning mode again", when=when.found_somebody,
        to=S.REPROVISION, do=(do.settle, do.because(Reason.SEEN_AGAIN), do.well_meanwhile, wait.retry_at_once)),
    row("still-provisioned", S.PROVISIONED, On.DONE, "nobody is in provisioning mode under this name", do=(do.settle,)),
)  # fmt: skip

_FAILURES: Final = (
    row("lock-held", _SENDING, On.FAILED, "another provisioner is at work: wait until its lock has run out", when=when.lock_refused,
        to=S.DISCOVERED, do=(do.settle, do.begin_anew, wait.wait_for_lock)),
    row("facts-lost", _SENDING, On.FAILED, "what was learnt is not held any more: begin anew", when=when.facts_lost,
        to=S.DISCOVERED, do=(do.settle, do.begin_anew)),
    row("look-interrupted", _LOOKING, On.FAILED, "the look was not made: look again", when=when.look_costs_nothing,
        do=(do.settle, wait.look_after_outage)),
    row("look-in-vain", _LOOKING, On.FAILED, "nobody answered the look: look again", when=when.looks_in_vain,
        do=(do.settle, wait.count_silence, wait.wait_to_look)),
    row("silence", S.RESTARTED, On.FAILED, "it acknowledged its restart and has been silent since", when=when.silence_will_do,
        to=S.PROVISIONED, do=(do.settle, do.finish, do.by_silence)),
    row("no-sign", S.RESTARTED, On.FAILED, "nobody can tell where it is", to=S.FAILED, do=(do.settle, do.fail)),
    row("shutdown-unknown", S.INVENTORIED, On.FAILED, "it may have left: look, never send blindly again",
        when=when.may_have_parted, do=(do.settle, wait.parted, wait.wait_for_shutdown)),
    row("restart-unknown", S.CONFIGURED, On.FAILED, "it may have restarted: look, never send blindly again",
        when=when.may_have_parted, do=(do.settle, wait.parted, wait.wait_to_look)),
    row("exchange-anew", S.ENROLLED, On.FAILED, "it could not decrypt its key: its half is another one by now, so both are made anew",
        when=carry.key_not_decrypted, to=S.INVENTORIED, do=(do.settle, wait.await_exchange, wait.wait_for_try)),
    row("interrupted", _SENDING, On.FAILED, "no fault of the node: the same step again, without a try", when=when.costs_nothing,
        do=(do.settle, wait.wait_out_outage)),
    row("retired-unseen", S.INVENTORIED, On.FAILED, "an earlier shutdown was sent, and now it is gone", when=when.parted_before,
        to=S.RETIRED, do=(do.settle,)),
    row("restarted-unseen", S.CONFIGURED, On.FAILED, "an earlier restart was sent, and now it is gone", when=when.parted_before,
        to=S.RESTARTED, do=(do.settle, wait.count_gone, wait.wait_to_look)),
    row("nobody", _SENDING, On.FAILED, "nobody is there under this name", when=when.nobody_for_good, to=S.GONE,
        do=(do.settle, do.missed)),
    row("absent", _SENDING, On.FAILED, "nobody is there now; it has answered before", when=when.nobody, to=S.FAILED,
        do=(do.settle, do.missed, do.fail)),
    row("try-again", _SENDING, On.FAILED, "another try may help", when=when.another_try, do=(do.settle, wait.wait_for_try)),
    row("fail", _SENDING, On.FAILED, "it cannot go on: begin anew after a wait", to=S.FAILED, do=(do.settle, do.fail)),
    row("demand-unknown", S.PROVISIONED, On.FAILED, "it may have been taken: look, never send blindly again",
        when=asked.may_have_happened, do=(do.settle, asked.look_for_it)),
    row("demand-failed", S.PROVISIONED, On.FAILED, "nothing came of what was asked: it stays provisioned",
        when=asked.came_to_nothing, do=(do.settle, asked.nothing_came_of_it)),
    row("look-for-it-later", S.PROVISIONED, On.FAILED, "the look was not made: look again", when=asked.look_for_it_later,
        do=(do.settle, wait.look_after_outage)),
    row("found-by-nobody", S.PROVISIONED, On.FAILED, "no look can tell what became of what was asked",
        when=asked.looked_for_in_vain, do=(do.settle, asked.not_known)),
    row("look-failed", S.PROVISIONED, On.FAILED, "the look said nothing: it stays provisioned", do=(do.settle,)),
    *ignore("nothing-open", WAITING | {S.RETIRED, S.GONE, S.UNSEEN}, _OUTCOMES, "nothing is under way in this state"),
)  # fmt: skip

_OPERATOR: Final = (
    row("asked-to-hurry", WORKING, On.OPERATOR_RETRY, "what it waits for is due now", when=when.can_hurry, do=(wait.due_now,)),
    *ignore("under-way", WORKING, (On.OPERATOR_RETRY,), "it is under way, and a look keeps its time: there is nothing to hurry"),
    *ignore("held-retry", S.FAILED, (On.OPERATOR_RETRY, On.OPERATOR_REPROVISION), "it is held: release it first", when=when.held),
    row("asked-to-retry", _RESTING, On.OPERATOR_RETRY, "an operator asked: a new generation joins the waiting room",
        to=S.DISCOVERED, do=_ANEW),
    *ignore("provisioned-retry", S.PROVISIONED, (On.OPERATOR_RETRY,), "it is provisioned, there is nothing to retry"),
    *ignore("unknown-node", S.UNSEEN,
            (On.OPERATOR_RETRY, On.OPERATOR_FORGET, On.OPERATOR_RELEASE, *_DEMANDS), "no such node is known"),
    row("forget", ALL - {S.UNSEEN}, On.OPERATOR_FORGET, "an operator asked, or it has been at rest for keep_nodes: its record is closed, its history stays",
        to=S.UNSEEN, do=(do.abandon, do.forget)),
    *ignore("held-already", S.FAILED, (On.OPERATOR_QUARANTINE,), "it is held already", when=when.held),
    row("quarantine", ALL, On.OPERATOR_QUARANTINE, "it is held until an operator releases it", to=S.FAILED,
        do=(do.abandon, do.because(Reason.QUARANTINED), do.hold)),
    row("release-provisioned", S.FAILED, On.OPERATOR_RELEASE, "it was provisioned when it was held: it is again; hints tell if not",
        when=returning.held_when_provisioned, to=S.PROVISIONED, do=(do.restore,)),
    row("release", S.FAILED, On.OPERATOR_RELEASE, "an operator released it: a new generation joins the waiting room",
        when=when.held, to=S.DISCOVERED, do=(*_ANEW, do.forgive)),
    *ignore("not-held", ALL - {S.UNSEEN}, (On.OPERATOR_RELEASE,), "it is not held"),
    *ignore("asked-before", ALL - {S.UNSEEN}, _DEMANDS, "this plan has asked it before: nothing is sent twice",
            when=asked.asked_by_this_plan),
    *ignore("busy", S.PROVISIONED, _DEMANDS, "something is under way with it: ask again when that is over", when=asked.busy),
    *ignore("not-quiet", S.PROVISIONED, _DEMANDS, "an earlier request may still be alive, for a minute at most: ask again then",
            when=asked.may_be_alive),
    *ignore("stays-away", S.PROVISIONED, (On.OPERATOR_REPROVISION,),
            "its provisioning token lacks chpd: reprovision would end it for good, unless you --force it", when=asked.stays_away),
    *ignore("may-stay-away", S.PROVISIONED, (On.OPERATOR_REPROVISION,),
            "it is not known whether its provisioning token has chpd: without, reprovision would end it for good; --force it if you know",
            when=asked.may_stay_away),
    row("send-reprovision", S.PROVISIONED, On.OPERATOR_REPROVISION, "an operator asked: it is told to go back into provisioning",
        do=(do.because(Reason.ASKED), asked.demanded), opens=Effect.SEND_REPROVISION),
    row("send-restart", S.PROVISIONED, On.OPERATOR_RESTART, "an operator asked: it is told to restart",
        do=(do.because(Reason.ASKED), asked.demanded), opens=Effect.SEND_RESTART),
    row("send-shutdown", S.PROVISIONED, On.OPERATOR_SHUTDOWN, "an operator asked: it is told to shut down",
        do=(do.because(Reason.ASKED), asked.demanded), opens=Effect.SEND_SHUTDOWN),
    row("asked-to-reprovision", ALL - {S.UNSEEN, S.PROVISIONED}, On.OPERATOR_REPROVISION,
        "an operator asked: it is provisioned anew", to=S.REPROVISION,
        do=(do.abandon, do.because(Reason.ASKED), asked.demanded_here, wait.retry_at_once)),
    *ignore("not-in-the-fleet", ALL - {S.UNSEEN, S.PROVISIONED}, (On.OPERATOR_RESTART, On.OPERATOR_SHUTDOWN),
            "only a provisioned node listens in the fleet"),
)  # fmt: skip

_TAKEOVER: Final = (
    *ignore("told-to-leave", _PARTING, (On.OPERATOR_TAKEOVER,), "it was told to leave, whoever led since: looks find out",
            when=parted.was_told_to_leave),
    *ignore("restarts", S.RESTARTED, (On.OPERATOR_TAKEOVER,), "it has restarted, whoever led since: looks find out"),
    *ignore("nothing-begun", S.DISCOVERED, (On.OPERATOR_TAKEOVER,), "nothing was learnt of it that could have changed",
            when=parted.nothing_begun),
    row("taken-over", WORKING - {S.RESTARTED}, On.OPERATOR_TAKEOVER,
        "another led meanwhile and may have done anything to it: begin anew", to=S.DISCOVERED, do=_ANEW),
    *ignore("nothing-unfinished", ALL - WORKING, (On.OPERATOR_TAKEOVER,), "it is at rest, or begins anew in any case"),
)  # fmt: skip

ROWS: Final[tuple[Row, ...]] = (*_SEEN, *_DUE, *_THROUGH, *_FAILURES, *_OPERATOR, *_TAKEOVER)
