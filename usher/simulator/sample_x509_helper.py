"""A helper to copy for networks with certificates: it signs what a node asks for, and says what it shall be.

Usher starts it once for each node, as it does the helper for networks with tokens; the contract is the same
(wire/provisioning.md §4). What is new is `csr`: the request that the node has made, which usher has checked.

Rules:
1. Certify the node's key under the node's name: usher refuses a certificate for another key.
2. Answer `certificate` and `ca` together: a node takes both or none. The directory is the node's own, `csr.ssldir`.
3. The same node may ask again, after a crash or with another key: sign again, and keep no key.
4. The authority here is a small one in two files. A site has one of its own: call that in `certify`.
"""

# mypy: allow-any-generics

import json
import sys
import time
from pathlib import Path

from security.ca import SmallCa

# The authority's certificate and its key, and the brokers of the site.
CA = ""
CA_KEY = ""
BROKERS = ""
YEAR = 365 * 24 * 3600


def certify(request: str, identity: str) -> str:
    """The certificate for a node's request, both PEM; here a site asks its own authority."""
    authority = SmallCa.of(Path(CA).read_text(), Path(CA_KEY).read_text())
    return authority.certify(request, identity, int(time.time()), YEAR)


def decide(node: dict) -> dict:
    """The answer for one node, as usher expects it. `node` has identity, csr, inventory, jwt, ed25519_pubkey."""
    facts = json.loads(node["inventory"]).get("facts") or {}
    if facts.get("maintenance"):
        return {"defer": True, "msg": "the fact 'maintenance' is set"}
    return {
        "msg": "certified as a server of the site",
        "certificate": certify(node["csr"]["csr"], node["identity"]),
        "ca": Path(CA).read_text(),
        "configuration": configuration(node, facts),
    }


def configuration(node: dict, facts: dict) -> dict:
    """The lines of the node's server.conf; all values are strings."""
    directory = node["csr"]["ssldir"]  # where the node writes what it is sent, and has its key
    return {
        "plugin.choria.server.provision": "false",
        "identity": node["identity"],
        "loglevel": "debug" if facts.get("environment") == "development" else "info",
        "plugin.choria.middleware_hosts": BROKERS,
        "plugin.security.provider": "file",
        "plugin.security.file.certificate": f"{directory}/certificate.pem",
        "plugin.security.file.key": f"{directory}/private.pem",
        "plugin.security.file.ca": f"{directory}/ca.pem",
    }


def main() -> None:
    """Read the node, print the answer."""
    json.dump(decide(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
