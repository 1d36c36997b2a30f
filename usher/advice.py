"""Advice: for each reason code, what is likely behind it and what to do next.

Rules:
1. Every code has a cause and a command; what it means is said in fsm.reasons and nowhere else.
2. A cause is what sites find when they look, the likeliest first; a command is one that can be pasted.
3. Codes that are no failure say so: nothing has to be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fsm.reasons import Reason


@dataclass(frozen=True, slots=True)
class Advice:
    """The likely cause, and the command that finds out more or mends it; NODE stands for the node's name."""

    cause: str
    command: str


_WHY: Final = "usher nodes why NODE"
_OUTPUT: Final = "usher nodes output NODE --reason WHY"
_CHECK: Final = "usher check-config --config FILE"
_AS_NODE: Final = "usher check-config --config FILE --connect --as-node provisioning.jwt"
_STATUS: Final = "usher status"
_HISTORY: Final = "usher history NODE"

ADVICE: Final[dict[Reason, Advice]] = {
    Reason.ABSENT: Advice("the machine is off, was provisioned by somebody else, or a name was forged", _HISTORY),
    Reason.NO_ANSWER: Advice("the node's clock is off by more than a minute, or it is stuck or overloaded", _WHY),
    Reason.DISCONNECTED: Advice("the broker restarts, or a firewall ends connections", _STATUS),
    Reason.PAUSED: Advice("somebody paused usher, and usher status says who and why", "usher resume --reason WHY"),
    Reason.STOPPING: Advice("usher was told to stop; it goes on when it runs again", _STATUS),
    Reason.STANDBY: Advice("this usher waits for its turn while another one leads", "usher leader"),
    Reason.RESTORED: Advice("the database was restored less than a minute ago; it goes on by itself", _STATUS),
    Reason.FLEET_CLOSED: Advice(
        "no operator's token or certificate is configured, it has expired, or it is not one that servers obey",
        "usher check-config",
    ),
    Reason.DISK_FULL: Advice("something fills the disk of the state directory", "df -h /var/lib/usher"),
    Reason.RESTARTED_US: Advice("usher was restarted or killed; the step is taken up by itself", _HISTORY),
    Reason.BREAKER_OPEN: Advice("the helper or the signer is away; usher status says which, and since when", _STATUS),
    Reason.LOCK_HELD: Advice(
        "a second provisioner works on the same nodes: the older program, or another usher", "choria req rpcutil ping"
    ),
    Reason.WRONG_TOKEN: Advice(
        "the site's `token` is not the `cht` of the provisioning token that the node was installed with", _AS_NODE
    ),
    Reason.NOT_IN_PROVISIONING: Advice("the node was configured in the meantime, perhaps by hand", _HISTORY),
    Reason.REFUSED: Advice("the node's own log says why; an action policy or an old version of its agent", _WHY),
    Reason.BAD_REPLY: Advice("a version of Choria that usher does not know, or something that plays a node", _WHY),
    Reason.REPLY_TOO_LARGE: Advice("facts of more than half a megabyte, or something that only plays a node", _WHY),
    Reason.TOKEN_MISSING: Advice("the node was installed without its provisioning token file", _WHY),
    Reason.TOKEN_INVALID: Advice(
        "jwt_verify_cert is another key than the one that signed the node's provisioning token", _AS_NODE
    ),
    Reason.TOKEN_EXPIRED: Advice("the node comes from an old image, or its token was made for too short a time", _WHY),
    Reason.TOKEN_NOT_YET_VALID: Advice("the clock here, or where the token was made, is off", "date -u"),
    Reason.TOKEN_PURPOSE: Advice("another kind of token was put into the node's provisioning token file", _WHY),
    Reason.INVENTORY_INVALID: Advice("a version of Choria that usher does not know", _WHY),
    Reason.KEY_INVALID: Advice("something that only plays a node, or a broken library on it", _WHY),
    Reason.PROOF_INVALID: Advice("something that only plays a node, or two machines with one name", _HISTORY),
    Reason.CSR_INVALID: Advice("a version of Choria that usher does not know, or something that plays a node", _WHY),
    Reason.CSR_DENIED: Advice("the node asks for a name that cert_deny_list keeps from nodes", _WHY),
    Reason.EXCHANGE_INVALID: Advice("a Choria that usher does not know, or something that plays a node", _WHY),
    Reason.KEY_NOT_DECRYPTED: Advice(
        "the node restarted meanwhile, or another provisioner asked it for its token; it begins by itself", _HISTORY
    ),
    Reason.HELPER_NOT_RUNNABLE: Advice("the path in `helper` is wrong, or its file is not executable", _CHECK),
    Reason.HELPER_FAILED: Advice("the helper's own words say why", _OUTPUT),
    Reason.HELPER_TIMEOUT: Advice("what the helper asks (a CA, an inventory) is slow or away", _OUTPUT),
    Reason.HELPER_NO_OUTPUT: Advice("the helper ended early without an error", _OUTPUT),
    Reason.HELPER_BAD_OUTPUT: Advice("the helper printed more than its JSON, or a member has the wrong type", _OUTPUT),
    Reason.HELPER_UNSUPPORTED: Advice("the helper was written for a network with other features", _CHECK),
    Reason.EMPTY_CONFIGURATION: Advice("the helper does not know this node", _OUTPUT),
    Reason.UNSAFE_CONFIGURATION: Advice("a value of the helper's configuration has a line break or a bad name", _WHY),
    Reason.CONFIG_KEEPS_PROVISIONING: Advice(
        'the helper does not set plugin.choria.server.provision to "false"', "grep inject_provision_false FILE"
    ),
    Reason.CERTIFICATE_INVALID: Advice("the helper puts something else where its certificate belongs", _OUTPUT),
    Reason.CERTIFICATE_KEY: Advice("the helper answered with an older certificate: it must sign anew", _OUTPUT),
    Reason.CERTIFICATE_ORDER: Advice("the helper puts its authority before the node's certificate", _OUTPUT),
    Reason.CERTIFICATE_EXPIRED: Advice("the helper answered with an older certificate, or a clock is off", "date -u"),
    Reason.CERTIFICATE_NOT_YET_VALID: Advice("the clock of the authority is ahead of this one", "date -u"),
    Reason.CERTIFICATE_AUTHORITY: Advice("the helper signs with a profile for authorities", _OUTPUT),
    Reason.CERTIFICATE_DENIED: Advice("the helper gives a node the name of a client", _OUTPUT),
    Reason.CERTIFICATE_NAME: Advice("the helper signs another name than the node's, and strictness is strict", _OUTPUT),
    Reason.CERTIFICATE_CHAIN: Advice(
        "the helper's `ca` is not the authority that signed, and strictness is strict", _OUTPUT
    ),
    Reason.HELPER_KEY_INVALID: Advice("`key` must be an RSA key in plain PEM, of 1024 to 8192 bits", _OUTPUT),
    Reason.HELPER_KEY_REFUSED: Advice("use features.pki, so that each node makes its own key", _CHECK),
    Reason.SIGNER_UNUSABLE: Advice("the signer's key or token expired, or does not fit what it shall sign", _CHECK),
    Reason.FACTS_LOST: Advice("the vault's key was lost or changed, or an old backup was restored", "usher db check"),
    Reason.FACTS_TOO_OLD: Advice("usher was away for long, or the node waited for long; it begins by itself", _HISTORY),
    Reason.RESTART_WITHOUT_EFFECT: Advice("the node's service manager, or its agent, does not restart it", _WHY),
    Reason.SHUTDOWN_WITHOUT_EFFECT: Advice("the node's service manager starts it again, or its agent is stuck", _WHY),
    Reason.CAME_BACK: Advice(
        "the node does not keep its files: a live image, a tool that puts its own, or a full disk", _HISTORY
    ),
    Reason.SEEN_AGAIN: Advice("the machine was installed anew; nothing has to be done", _HISTORY),
    Reason.SERVER_TOKEN_EXPIRED: Advice("its server_jwt_validity is over; it is given another by itself", _HISTORY),
    Reason.ASKED: Advice("an operator asked; nothing has to be done", _HISTORY),
    Reason.DEFERRED: Advice("the helper is not ready for this node; it is asked again by itself", _OUTPUT),
    Reason.OBSERVED: Advice("usher run --observe; whoever else provisions it is not disturbed", _STATUS),
    Reason.DUPLICATE_IDENTITY: Advice(
        "a cloned image kept its hostname: rename one of the two, then release it",
        "usher nodes release NODE --reason WHY",
    ),
    Reason.QUARANTINED: Advice("an operator holds it; its story says who", "usher nodes release NODE --reason WHY"),
    Reason.LOOPING: Advice(
        "its configuration does not take: look at the node's own log, mend it, then release it",
        "usher nodes release NODE --reason WHY",
    ),
    Reason.BUG: Advice("a defect of usher: report it with the node's history", "usher history NODE --json"),
}  # fmt: skip
"""Every code's advice; a test holds it complete."""
