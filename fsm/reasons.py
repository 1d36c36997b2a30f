"""Reason codes: why a step did not succeed, or why a node is where it is.

Rules:
1. A code is a name that an operator can search for; it never changes its meaning.
2. One sentence says what happened, in terms of the node and of the site.
3. Whatever an adapter reports crosses its port as one of these, never as a library's error.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """A stable code; its sentence is in WHAT."""

    # the way to the node
    ABSENT = "absent"
    NO_ANSWER = "no_answer"
    DISCONNECTED = "disconnected"
    PAUSED = "paused"
    STANDBY = "standby"
    STOPPING = "stopping"
    FLEET_CLOSED = "fleet_closed"
    DISK_FULL = "disk_full"
    RESTORED = "restored"
    RESTARTED_US = "restarted_us"
    BREAKER_OPEN = "breaker_open"
    # what the node said
    LOCK_HELD = "lock_held"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 a reason, not a secret
    NOT_IN_PROVISIONING = "not_in_provisioning"
    REFUSED = "refused"
    BAD_REPLY = "bad_reply"
    REPLY_TOO_LARGE = "reply_too_large"
    # its token, inventory and key
    TOKEN_MISSING = "token_missing"  # noqa: S105
    TOKEN_INVALID = "token_invalid"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105
    TOKEN_PURPOSE = "token_purpose"  # noqa: S105
    INVENTORY_INVALID = "inventory_invalid"
    KEY_INVALID = "key_invalid"
    PROOF_INVALID = "proof_invalid"
    CSR_INVALID = "csr_invalid"
    CSR_DENIED = "csr_denied"
    EXCHANGE_INVALID = "exchange_invalid"
    KEY_NOT_DECRYPTED = "key_not_decrypted"
    # the helper
    HELPER_NOT_RUNNABLE = "helper_not_runnable"
    HELPER_FAILED = "helper_failed"
    HELPER_TIMEOUT = "helper_timeout"
    HELPER_NO_OUTPUT = "helper_no_output"
    HELPER_BAD_OUTPUT = "helper_bad_output"
    HELPER_UNSUPPORTED = "helper_unsupported"
    EMPTY_CONFIGURATION = "empty_configuration"
    UNSAFE_CONFIGURATION = "unsafe_configuration"
    CONFIG_KEEPS_PROVISIONING = "config_keeps_provisioning"
    # the certificate and the key that the helper supplied
    CERTIFICATE_INVALID = "certificate_invalid"
    CERTIFICATE_KEY = "certificate_key"
    CERTIFICATE_ORDER = "certificate_order"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_AUTHORITY = "certificate_authority"
    CERTIFICATE_DENIED = "certificate_denied"
    CERTIFICATE_NAME = "certificate_name"
    CERTIFICATE_CHAIN = "certificate_chain"
    HELPER_KEY_INVALID = "helper_key_invalid"
    HELPER_KEY_REFUSED = "helper_key_refused"
    # what usher makes itself
    SIGNER_UNUSABLE = "signer_unusable"
    FACTS_LOST = "facts_lost"
    FACTS_TOO_OLD = "facts_too_old"
    # how a life went
    RESTART_WITHOUT_EFFECT = "restart_without_effect"
    SHUTDOWN_WITHOUT_EFFECT = "shutdown_without_effect"
    CAME_BACK = "came_back"
    SEEN_AGAIN = "seen_again"
    SERVER_TOKEN_EXPIRED = "server_token_expired"  # noqa: S105
    ASKED = "asked"
    DEFERRED = "deferred"
    OBSERVED = "observed"
    DUPLICATE_IDENTITY = "duplicate_identity"
    QUARANTINED = "quarantined"
    LOOPING = "looping"
    BUG = "bug"


WHAT: Final[dict[Reason, str]] = {
    Reason.ABSENT: "nobody was subscribed under this name: it left, or it never was there",
    Reason.NO_ANSWER: "the request was delivered or lost, and no answer came in time",
    Reason.DISCONNECTED: "the broker was away, or the way to it broke meanwhile; this costs no try",
    Reason.PAUSED: "usher is paused, nothing was sent; this costs no try",
    Reason.STANDBY: "another usher leads, or none does yet, and this one stands by; this costs no try",
    Reason.STOPPING: "usher was stopping, nothing was sent; this costs no try",
    Reason.FLEET_CLOSED: "usher has no credentials that open the fleet to it, nothing was sent",
    Reason.DISK_FULL: "the disk of the state directory is full, nothing was sent; this costs no try",
    Reason.RESTORED: "requests from before a restore may be alive for a minute, nothing was sent; this costs no try",
    Reason.RESTARTED_US: "usher ended while this was under way; this costs no try",
    Reason.BREAKER_OPEN: "what this step needs fails for all nodes, nothing was sent; this costs no try",
    Reason.LOCK_HELD: "another provisioner holds the node's provisioning lock",
    Reason.WRONG_TOKEN: "the node refused the token that usher is configured with",
    Reason.NOT_IN_PROVISIONING: "the node says that it is not in provisioning mode",
    Reason.REFUSED: "the node refused the request",
    Reason.BAD_REPLY: "the node answered something that cannot be decoded or has the wrong shape",
    Reason.REPLY_TOO_LARGE: "the node's answer is larger than usher takes",
    Reason.TOKEN_MISSING: "the node holds no provisioning token",
    Reason.TOKEN_INVALID: "the node's provisioning token does not verify with the configured key",
    Reason.TOKEN_EXPIRED: "the node's provisioning token has expired",
    Reason.TOKEN_NOT_YET_VALID: "the node's provisioning token is not valid yet",
    Reason.TOKEN_PURPOSE: "the node's token is not a provisioning token",
    Reason.INVENTORY_INVALID: "the node's inventory has the wrong shape",
    Reason.KEY_INVALID: "the node's public key is not an ed25519 key of 32 bytes",
    Reason.PROOF_INVALID: "the node did not prove that it holds the key: the signature over the nonce is wrong",
    Reason.CSR_INVALID: "the node's certificate request is not one that a certificate may be made for",
    Reason.CSR_DENIED: "a name in the node's certificate request is one that cert_deny_list denies",
    Reason.EXCHANGE_INVALID: "the node's half of the shared secret (ecdh_public) is missing or cannot be used",
    Reason.KEY_NOT_DECRYPTED: "the node could not decrypt the private key that it was sent",
    Reason.HELPER_NOT_RUNNABLE: "the helper could not be started",
    Reason.HELPER_FAILED: "the helper ended with an error",
    Reason.HELPER_TIMEOUT: "the helper took longer than helper_timeout and was ended",
    Reason.HELPER_NO_OUTPUT: "the helper printed nothing",
    Reason.HELPER_BAD_OUTPUT: "the helper's answer cannot be decoded or has a wrong field",
    Reason.HELPER_UNSUPPORTED: "the helper asked for something that needs a feature which is off",
    Reason.EMPTY_CONFIGURATION: "the helper sent no configuration",
    Reason.UNSAFE_CONFIGURATION: "the helper's configuration has a newline or an unsafe name in it",
    Reason.CONFIG_KEEPS_PROVISIONING: "the configuration would keep the node in provisioning mode",
    Reason.CERTIFICATE_INVALID: "the helper's certificate is none that a node could use",
    Reason.CERTIFICATE_KEY: "the helper's certificate is for another key: with it the node would be dead",
    Reason.CERTIFICATE_ORDER: "the node's certificate is not the first of the helper's bundle, where it is looked for",
    Reason.CERTIFICATE_EXPIRED: "the helper's certificate has expired",
    Reason.CERTIFICATE_NOT_YET_VALID: "the helper's certificate is not valid yet",
    Reason.CERTIFICATE_AUTHORITY: "the helper's certificate may sign others: nodes are given none that can",
    Reason.CERTIFICATE_DENIED: "a name in the helper's certificate is one that cert_deny_list denies",
    Reason.CERTIFICATE_NAME: "the helper's certificate is not for the node's identity",
    Reason.CERTIFICATE_CHAIN: "the helper's certificate does not chain to the `ca` that came with it",
    Reason.HELPER_KEY_INVALID: "the private key that the helper supplied cannot be used",
    Reason.HELPER_KEY_REFUSED: "the helper supplied a private key, which strictness: strict refuses",
    Reason.SIGNER_UNUSABLE: "the server token could not be signed",
    Reason.FACTS_LOST: "what was known of this generation is not held any more: it begins anew",
    Reason.FACTS_TOO_OLD: "what was known of this generation is older than facts_max_age: it begins anew",
    Reason.RESTART_WITHOUT_EFFECT: "the node acknowledged its restart and did not restart",
    Reason.SHUTDOWN_WITHOUT_EFFECT: "the node acknowledged its shutdown and is still there",
    Reason.CAME_BACK: "it restarted and came back to provisioning without what it was given",
    Reason.SEEN_AGAIN: "a node that was provisioned is in provisioning mode again",
    Reason.SERVER_TOKEN_EXPIRED: "a node whose server token has expired is in provisioning mode again",
    Reason.ASKED: "an operator asked for it",
    Reason.DEFERRED: "the helper said later",
    Reason.OBSERVED: "usher only observes: it would be provisioned now, and was not touched",
    Reason.DUPLICATE_IDENTITY: "two machines answer to this name",
    Reason.QUARANTINED: "an operator put it into quarantine",
    Reason.LOOPING: "it comes back to provisioning again and again",
    Reason.BUG: "usher could not handle this node: please report it with the node's history",
}
"""What each code means, a sentence each; `usher explain` and the documents print it."""
