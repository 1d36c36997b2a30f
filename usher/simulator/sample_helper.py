"""A helper to copy: it decides what one node's configuration shall be (wire/provisioning.md §4).

Usher starts it once for each node, writes one JSON document to its standard input, and reads one from its standard
output. It has ten seconds, exit code 0 means that the answer counts, and what it prints to standard error is kept
sealed, for `usher nodes output NODE`.

Rules:
1. Decide from what is given alone: the same node gets the same answer, since usher may ask again after a crash.
2. Facts are the node's own words; the claims of its token are verified. Trust decisions stand on the latter.
3. Turn provisioning off in the configuration, or the node comes back for ever.
4. When the answer is not known yet, defer: usher asks again in a minute, with a fresh inventory.
"""

# mypy: allow-any-generics

import json
import sys
import time

# The public key of the organization's issuer, 64 hexadecimal characters: what the node will trust.
ISSUER = ""
YEAR = 365 * 24 * 3600


def decide(node: dict) -> dict:
    """The answer for one node, as usher expects it. `node` has identity, ed25519_pubkey, inventory, jwt, csr."""
    inventory = json.loads(node["inventory"])  # JSON in a string, as it comes from the node
    facts = inventory.get("facts") or {}

    # A machine that says that it is being worked on is left alone until it says otherwise.
    if facts.get("maintenance"):
        return {"defer": True, "msg": "the fact 'maintenance' is set"}

    return {
        "msg": "configured as a server of the site",
        "configuration": configuration(node, facts),
        # What the node's own token will allow. `exp` is a point in time (Unix seconds), not a duration.
        "server_claims": {
            "collectives": ["choria"],
            "permissions": {"submission": True, "streams": True},
            "exp": int(time.time()) + YEAR,
        },
    }


def configuration(node: dict, facts: dict) -> dict:
    """The lines of the node's server.conf; all values are strings."""
    directory = node["ed25519_pubkey"]["directory"]  # where the node keeps its configuration and its new key
    return {
        "plugin.choria.server.provision": "false",
        "identity": node["identity"],
        "loglevel": "debug" if facts.get("environment") == "development" else "info",
        "plugin.choria.middleware_hosts": node["jwt"]["chu"],  # the brokers that its provisioning token names
        "plugin.security.provider": "choria",
        "plugin.security.choria.seed_file": f"{directory}/server.seed",
        "plugin.security.choria.token_file": f"{directory}/server.jwt",
        "plugin.security.issuer.names": "choria",
        "plugin.security.issuer.choria.public": ISSUER,
    }


def main() -> None:
    """Read the node, print the answer."""
    json.dump(decide(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
