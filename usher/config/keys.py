"""Every setting of the YAML file: what it holds, what it is when it is not there, and what it is for.

Rules:
1. The settings of the older program keep their names, types and defaults, its defects excepted
   (wire/provisioning.md §3.2).
2. A setting of a feature that does not exist yet is known here, so that it is refused by name and never ignored.
3. Few settings are our own: only what an operator would want to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a setting holds; the value is how messages call it."""

    WHOLE = "a whole number"
    TEXT = "text"
    SWITCH = "true or false"
    TEXTS = "a list of texts"
    GROUPS = "a list of groups of settings"
    ONE_OR_MORE = "text, or a list of texts"
    DURATION = "a duration such as 30s, 10m or 1h"
    GROUP = "a group of settings"


@dataclass(frozen=True, slots=True)
class Key:
    """A setting; for DURATION the default is text, read like any other."""

    kind: Kind
    default: object
    what: str


DENIED: Final = (r"\.privileged.mcollective$", r"\.privileged.choria$", r"\.mcollective$", r"\.choria$")

KEYS: Final[dict[str, Key]] = {
    "workers": Key(Kind.WHOLE, 0, "how many helpers run at once; 0 is the number of processors"),
    "interval": Key(Kind.DURATION, "1m", "how often the network is asked who is there; at least 1m"),
    "logfile": Key(Kind.TEXT, "stderr", "a file, or stdout, stderr, discard"),
    "loglevel": Key(Kind.TEXT, "warn", "debug, info, warn, error or fatal"),
    "helper": Key(Kind.TEXT, "", "the command that says what a node's configuration shall be"),
    "token": Key(
        Kind.ONE_OR_MORE, (), "the secret that nodes ask for, `cht` of their provisioning token; or several, in order"
    ),
    "lifecycle_component": Key(Kind.TEXT, "provision_mode_server", "whose startup events are listened to"),
    "choria_insecure": Key(
        Kind.SWITCH,
        False,
        "neither TLS nor signatures, protocol v1: for plain NATS servers; TLS only if one demands it",
    ),
    "site": Key(Kind.TEXT, "", "the label `site` of all metrics"),
    "monitor_port": Key(Kind.WHOLE, 0, "where metrics and health are served; 0 is off"),
    "broker_provisioning_password": Key(Kind.TEXT, "", "the password of the broker's user `provisioner`"),
    "cert_deny_list": Key(
        Kind.TEXTS,
        DENIED,
        "patterns that no name in a certificate request or certificate may match; slashes around them are stripped",
    ),
    "jwt_verify_cert": Key(
        Kind.ONE_OR_MORE,
        (),
        "the key of provisioning tokens: a file (hexadecimal ed25519, or an RSA certificate or public key in PEM), or "
        "64 hexadecimal characters; or several, tried in order",
    ),
    "jwt_signing_key": Key(
        Kind.TEXT, "", "what signs server tokens: a file with an ed25519 seed, or with an RSA key in PEM"
    ),
    "jwt_signing_token": Key(
        Kind.TEXT,
        "",
        "the token of that key, which makes a chain of trust; only for a seed. Without it no chain is made",
    ),
    "server_jwt_validity": Key(Kind.DURATION, "1y", "how long server tokens are valid"),
    "leader_election": Key(Kind.SWITCH, False, "several daemons, of which one works"),
    "upgrades_repository": Key(Kind.TEXT, "", "where nodes get new versions"),
    "upgrades_optional": Key(Kind.SWITCH, False, "go on when an upgrade fails"),
    "features": Key(Kind.GROUP, None, "what is done for a node"),
    # our own
    "networks": Key(Kind.GROUPS, (), "several networks, each with a client configuration of its own: docs/networks.md"),
    "election_name": Key(Kind.TEXT, "", "what this usher is called in the election; default the name of the host"),
    "sender_identity": Key(
        Kind.TEXT, "", "who usher is to the nodes, the same in a whole cluster; default the Choria identity"
    ),
    "state_directory": Key(Kind.TEXT, "", "where the database is; default $STATE_DIRECTORY, else /var/lib/usher"),
    "vault_key_file": Key(
        Kind.TEXT, "", "the keys that seal secrets; default $CREDENTIALS_DIRECTORY/usher-vault-key, else its own"
    ),
    "redact_keys": Key(Kind.TEXTS, (), "names or patterns whose values are never shown, of those that would be"),
    "monitor_address": Key(Kind.TEXT, "", "the address of monitor_port; default all"),
    "helper_timeout": Key(Kind.DURATION, "10s", "how long a helper may take, with all that it starts"),
    "helper_max_output": Key(Kind.WHOLE, 1 << 20, "how many bytes a helper may print"),
    "inject_provision_false": Key(Kind.SWITCH, False, "turn provisioning off where the helper did not say"),
    "strictness": Key(Kind.TEXT, "compatible", "compatible, or strict: refuse what the older program let pass"),
    "facts_max_age": Key(Kind.DURATION, "15m", "how old what is known of a node may be before it is asked anew"),
    "keep_nodes": Key(
        Kind.DURATION,
        "30d",
        "how long a node is kept that is at rest; then its record is closed, its history stays; 0 is for ever",
    ),
    "fleet_token_file": Key(
        Kind.TEXT, "", "an operator's client token, for `usher reprovision`, `restart`, `shutdown`"
    ),
    "fleet_seed_file": Key(Kind.TEXT, "", "the seed of that token"),
    "fleet_certificate_file": Key(
        Kind.TEXT, "", "instead, where servers have certificates: an operator's certificate; not with fleet_token_file"
    ),
    "fleet_key_file": Key(Kind.TEXT, "", "the key of that certificate"),
    "fleet_collective": Key(
        Kind.TEXT, "", "where provisioned nodes are asked; default choria, with a certificate mcollective"
    ),
    "fleet_user": Key(Kind.TEXT, "", "the NATS user of the fleet's account, for a broker that wants one"),
    "fleet_password": Key(Kind.TEXT, "", "the password of that user"),
    "server_jwt_spread": Key(
        Kind.DURATION, "0s", "server tokens end up to so much earlier, each node's by a part of its own"
    ),
    "returns_within": Key(
        Kind.DURATION,
        "1m",
        "a provisioned node that is back so soon took nothing: it is damped, and held if it loops; 0s: never",
    ),
    "max_nodes_per_minute": Key(Kind.WHOLE, 0, "how many nodes are admitted a minute; 0 is no limit"),
    "identity_allow": Key(Kind.TEXTS, (), "patterns of names: if there are any, only such nodes are taken in"),
    "identity_deny": Key(Kind.TEXTS, (), "patterns of names: such nodes are never asked anything"),
    "retry_cap": Key(Kind.DURATION, "10m", "the longest wait before a node that failed is tried again"),
    "audit": Key(Kind.GROUP, None, "how checkpoints are taken of the history, and who gets them"),
}

PER_NETWORK: Final = (
    "features",
    "token",
    "helper",
    "jwt_verify_cert",
    "jwt_signing_key",
    "jwt_signing_token",
    "broker_provisioning_password",
    "cert_deny_list",
    "identity_allow",
    "identity_deny",
    "max_nodes_per_minute",
    "choria_insecure",
    "strictness",
    "lifecycle_component",
    "fleet_token_file",
    "fleet_seed_file",
    "fleet_certificate_file",
    "fleet_key_file",
    "fleet_collective",
    "fleet_user",
    "fleet_password",
)
"""The settings that each of several networks may have for itself; what it does not say is the top level's."""

NETWORK: Final[dict[str, Key]] = {
    "name": Key(Kind.TEXT, "", "what its nodes are recorded by: at most 32 letters, digits, `_` and `-`"),
    "choria_config": Key(Kind.TEXT, "", "its Choria client configuration"),
}
"""What an entry of `networks` must say."""

FEATURES: Final[dict[str, Key]] = {
    "pki": Key(
        Kind.SWITCH,
        False,
        "nodes make certificate requests, and the helper certificates for them (x509 networks); not with ed25519",
    ),
    "jwt": Key(Kind.SWITCH, False, "provisioning tokens are fetched and verified"),
    "ed25519": Key(Kind.SWITCH, False, "nodes prove keys and get server tokens; turns jwt on"),
    "upgrades": Key(Kind.SWITCH, False, "nodes are upgraded before they are configured"),
}

AUDIT: Final[dict[str, Key]] = {
    "key_file": Key(
        Kind.TEXT, "", "the seed that signs checkpoints; default $CREDENTIALS_DIRECTORY/usher-audit-key, else its own"
    ),
    "checkpoint_command": Key(Kind.TEXT, "", "a command that gets each checkpoint on its standard input, to keep it"),
    "checkpoint_timeout": Key(Kind.DURATION, "10s", "how long that command may take, with all that it starts"),
    "checkpoint_rows": Key(Kind.WHOLE, 10_000, "how many rows of history may stand after the last checkpoint"),
    "checkpoint_interval": Key(Kind.DURATION, "10m", "how long anything may stand after the last checkpoint"),
}

RETIRED: Final[dict[str, str]] = {
    "broker_port": "the older program read it and never used it",
    "rego_policy": "the older program read it and never used it",
    "management": "the older program dropped it in 2021",
}
