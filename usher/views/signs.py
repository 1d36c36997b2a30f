"""Signs: what is known of a node, read as somebody would who has seen many of them.

Rules:
1. A sign is a pure function of what is known; it suggests and proves nothing, and its sentence says what it rests on.
2. Each has the command that finds out more or mends it; the strongest stands first.
3. What a startup event said may be forged: it is told as what an event said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fsm.effects import SPECS, Effect, Port
from fsm.events import Certainty
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import State
from store.views import Group
from usher.views.past import Past
from usher.views.text import span, visible, when

UNHEARD: Final = 30_000
"""Milliseconds of skew from which requests are thrown away unheard (ttl 30 s, in both directions, §2.5)."""
MANY: Final = 3
"""Nodes that fail with one reason from which it is hardly the node's own affair."""
_HELPER: Final = frozenset(
    {reason for reason in Reason if reason.value.startswith(("helper_", "certificate_"))}
    | {Reason.EMPTY_CONFIGURATION, Reason.UNSAFE_CONFIGURATION, Reason.CONFIG_KEEPS_PROVISIONING}
)
_TOKEN: Final = frozenset({Reason.WRONG_TOKEN, Reason.TOKEN_INVALID, Reason.TOKEN_EXPIRED, Reason.TOKEN_PURPOSE})
_UNKNOWN_ACTION: Final = "Unknown action"
"""How a server answers that has no such action (wire/protocol.md §7.3)."""
_NOBODY: Final = frozenset({Reason.ABSENT, Reason.NO_ANSWER})
_AS_NODE: Final = "usher check-config --connect --as-node provisioning.jwt --config FILE"


@dataclass(frozen=True, slots=True)
class Heard:
    """Its newest startup event: when it came, how far its clock is ahead of ours (milliseconds), its version."""

    at: int
    ahead: int
    version: str


@dataclass(frozen=True, slots=True)
class Sighted:
    """Its newest sighting in a network that does not have it: when, in which, and which has it."""

    at: int
    seen: str
    owner: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that signs are read from: `past` holds the newest lines of its own, `groups` the failures of the fleet.

    `refused` says which setting of the daemon that runs refuses its name.
    """

    snapshot: Snapshot
    past: Sequence[Past] = ()
    now: int = 0
    heard: Heard | None = None
    groups: Sequence[Group] = ()
    elsewhere: Sighted | None = None
    refused: str = ""

    @property
    def events(self) -> frozenset[str]:
        """The kinds of event of its past."""
        return frozenset(line.event for line in self.past)

    @property
    def alike(self) -> int:
        """How many nodes failed, or were deferred, with its reason; itself among them."""
        return sum(group.nodes for group in self.groups if group.reason is self.snapshot.reason)


@dataclass(frozen=True, slots=True)
class Sign:
    """What is suggested, a sentence, and what to type or to look at next; `name` is for programs."""

    name: str
    sentence: str
    command: str

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {"sign": self.name, "sentence": self.sentence, "command": self.command}


def refused(known: Known) -> Sign | None:
    """The site's lists refuse its name."""
    if not known.refused:
        return None
    said = f"{visible(known.refused)}: it is not taken in, and asked nothing once it has ended what is under way"
    return Sign(refused.__name__, f"{said}.", "usher status (which lists are in use)")


def clock_skew(known: Known) -> Sign | None:
    """Its clock is so far away that it does not hear us."""
    heard = known.heard
    if heard is None or abs(heard.ahead) < UNHEARD or known.snapshot.state in {State.PROVISIONED, State.RETIRED}:
        return None
    if any(_heard_us(line) and line.at > heard.at for line in known.past):
        return None  # it heard us since then: its clock was set, or somebody else sent the event
    side = "ahead of" if heard.ahead > 0 else "behind"
    said = f"a startup event under its name ({when(heard.at, known.now)}) has a clock that is {span(abs(heard.ahead))}"
    unheard = "a server throws away unanswered what seems to be from 30 seconds ago, or from then on"
    return Sign(clock_skew.__name__, f"{said} {side} this one: {unheard}.", "timedatectl (on the node, and here)")


def event_but_no_answer(known: Known) -> Sign | None:
    """It was seen by what it says by itself alone, and has never answered."""
    snapshot, events = known.snapshot, known.events
    registers = "hint_registration" in events
    by_event = known.heard is not None or "hint_startup" in events or registers
    if snapshot.answered or snapshot.reason not in _NOBODY or not by_event or "hint_listed" in events:
        return None
    version = f" (Choria {visible(known.heard.version)})" if known.heard and known.heard.version else ""
    by = "its registration data, which only servers of protocol v1 send," if registers else "its startup event"
    seen = f"it was seen by {by} alone{version}, discovery never listed it, and it has never answered"
    likely = (
        "nobody is subscribed under its name: it is in another collective than `provisioning`, it has left, or the "
        "event was forged"
        if snapshot.reason is Reason.ABSENT
        else "it speaks the other version of the protocol (x509 networks speak v1, issuer networks v2, and a server as "
        "the claim `v2` of its provisioning token says), its clock is off, or it is in another collective"
    )
    return Sign(event_but_no_answer.__name__, f"{seen}: {likely}.", _AS_NODE)


def listed_but_no_answer(known: Known) -> Sign | None:
    """It answers discovery and nothing else."""
    snapshot = known.snapshot
    silent = snapshot.reason is Reason.NO_ANSWER and not snapshot.answered
    if not silent or "hint_listed" not in known.events:
        return None
    sentence = (
        "it answered a discovery and never a request, so its clock and its collective are right: its "
        "choria_provision agent is missing or stuck, or something else answers discoveries in its name."
    )
    return Sign(listed_but_no_answer.__name__, sentence, "journalctl -u choria-server (on the node)")


def left_without_our_restart(known: Known) -> Sign | None:
    """It was configured, its restart was never acknowledged, and then it was gone."""
    snapshot = known.snapshot
    lost = snapshot.state is State.GONE or snapshot.reason is Reason.ABSENT
    if not lost or snapshot.state is State.PROVISIONED:
        return None
    after = False
    for line in known.past:
        ended = line.ended
        if ended is not None and ended.effect is Effect.CONFIGURE and ended.certainty is None:
            after = True
        elif _answered(line):
            after = False
    if not after:
        return None
    sentence = (
        "it acknowledged its configuration, never acknowledged a restart, and then was gone: it was restarted by "
        "somebody else, or its answer was lost, and may well be provisioned."
    )
    return Sign(left_without_our_restart.__name__, sentence, f"choria ping -I {visible(snapshot.node)} (as a user)")


def _answered(line: Past) -> bool:
    """Whether it is proof that the node was there, in provisioning mode, or took its restart."""
    if line.source is State.UNSEEN or line.target is State.PROVISIONED:
        return True
    return _heard_us(line)


def _heard_us(line: Past) -> bool:
    """Whether it answered a request; a look's answer may be that nobody is there."""
    ended = line.ended
    if ended is None or ended.effect is Effect.LOOK or SPECS[ended.effect].port is not Port.RPC:
        return False
    return ended.certainty in {None, Certainty.REFUSED, Certainty.INVALID}


def two_machines(known: Known) -> Sign | None:
    """Two machines have its name."""
    snapshot = known.snapshot
    node = visible(snapshot.node)
    release = f"usher nodes release {node} --reason WHY (once one of the two has another name)"
    if snapshot.reason is Reason.DUPLICATE_IDENTITY:
        sentence = "two different answers came to one request: two machines have this name."
        return Sign(two_machines.__name__, sentence, release)
    back = sum(line.row == "back-in-provisioning" for line in known.past)
    proofs = sum(line.ended is not None and line.ended.reason is Reason.PROOF_INVALID for line in known.past)
    if "hint_second_answer" not in known.events and back < 2 and not proofs:
        return None
    if back >= 2:
        rests = f"it was provisioned and then in provisioning mode again, {back} times"
    elif proofs:
        rests = "it signed with another key than the one that it had told us"
    else:
        rests = "two different answers came to one request lately"
    sentence = f"{rests}: two machines may have this name (a cloned image), or one is installed again and again."
    return Sign(two_machines.__name__, sentence, f"usher history {node}")


def two_networks(known: Known) -> Sign | None:
    """It was seen in another network while it was under way."""
    found, snapshot = known.elsewhere, known.snapshot
    if found is None:
        return None
    node = visible(snapshot.node)
    seen = f"it was seen in the network {visible(found.seen)} ({when(found.at, known.now)})"
    sentence = (
        f"{seen} while it was under way or held in {visible(found.owner) or 'another'}: the same name is in two "
        "networks, or the node has moved; what was seen there was not acted on."
    )
    command = f"usher nodes forget {node} --reason WHY (if it has moved: the next sighting takes it in there)"
    return Sign(two_networks.__name__, sentence, command)


def helper(known: Known) -> Sign | None:
    """The helper fails: for all, or for this node."""
    snapshot = known.snapshot
    if snapshot.reason not in _HELPER or snapshot.state is State.PROVISIONED:
        return None
    output = f"usher nodes output {visible(snapshot.node)} --reason WHY"
    if known.alike >= MANY:
        said = f"{known.alike} nodes fail with {snapshot.reason.value}: it is the helper, or what it asks, and no node"
        return Sign(helper.__name__, f"{said}.", f"usher explain {snapshot.reason.value}; {output}")
    few = "only this node fails" if known.alike <= 1 else "only this node and one more fail"
    said = f"{few} with {snapshot.reason.value}: it is what the helper knows of it, or its facts"
    return Sign(helper.__name__, f"{said}.", output)


def token(known: Known) -> Sign | None:
    """Its token, or ours, is refused."""
    snapshot = known.snapshot
    if snapshot.reason not in _TOKEN or snapshot.state is State.PROVISIONED:
        return None
    if known.alike >= MANY:
        said = f"{known.alike} nodes fail with {snapshot.reason.value}: it is this site's setting, and no node"
        return Sign(token.__name__, f"{said}.", _AS_NODE)
    if snapshot.let_in:
        said = "it has let us in before, so it was installed anew, with another provisioning token"
    else:
        said = "others are not refused, and it never let us in: it was installed with another provisioning token"
    return Sign(token.__name__, f"{said}.", _AS_NODE)


def too_old(known: Known) -> Sign | None:
    """Its server does not know what it is asked for."""
    snapshot = known.snapshot
    if snapshot.reason is not Reason.REFUSED or not snapshot.detail.startswith(_UNKNOWN_ACTION):
        return None
    what = (
        "its server is too old for what this site's `features` ask of it, and says so: upgrade its package, or let "
        "usher provision the old ones from a site of their own, without that feature."
    )
    return Sign(too_old.__name__, what, f"usher nodes show {visible(snapshot.node)} (its version)")


def another_provisioner(known: Known) -> Sign | None:
    """Somebody else provisions it."""
    snapshot = known.snapshot
    locked = snapshot.reason is Reason.LOCK_HELD and snapshot.state is not State.PROVISIONED
    left = snapshot.reason is Reason.NOT_IN_PROVISIONING and snapshot.state is not State.PROVISIONED
    if not locked and not left:
        return None
    rests = "its lock is held by somebody else" if locked else "it says that it is not in provisioning mode"
    sentence = (
        f"{rests}: a second provisioner is at work on the same broker (the older program, another usher): stop it."
    )
    return Sign(another_provisioner.__name__, sentence, f"usher history {visible(snapshot.node)}")


SIGNS: Final[tuple[Callable[[Known], Sign | None], ...]] = (
    refused,
    two_machines,
    two_networks,
    left_without_our_restart,
    clock_skew,
    event_but_no_answer,
    listed_but_no_answer,
    another_provisioner,
    too_old,
    token,
    helper,
)
"""Every sign, the strongest first."""


def signs(known: Known) -> Iterator[Sign]:
    """Those that this node shows."""
    return (sign for read in SIGNS if (sign := read(known)) is not None)
