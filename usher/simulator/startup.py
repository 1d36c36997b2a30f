"""How a server process comes up: what its files make of it.

Rules:
1. The mode follows from the files and the provisioning token alone (wire/provisioning.md §6.1, go-choria's server_run).
2. A seed and a server token that do not belong together, or an expired token, are deleted: back to provisioning.
3. A server token for another identity is not deleted: such a server runs and is let in nowhere.
4. Coming up is: subscribe, then say `startup`, then, up to 29 minutes later and each 30, `alive`.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import orjson

from security.keys import SigningKey
from security.node import server_token_misfit
from usher.simulator.lifecycle import Kind, event
from usher.simulator.model import COLLECTIVE, MILLISECOND, MINUTE, Attach, Counters, Mode, Node, Process, Setup, Step

PROVISION_AGENTS: Final = ("choria_provision", "choria_util", "discovery", "rpcutil")
SERVER_AGENTS: Final = (*PROVISION_AGENTS, "scout")
_SUBSCRIBED: Final = {  # in the captured order
    Mode.PROVISIONING: ("discovery", "rpcutil", "choria_util", "choria_provision"),
    Mode.SERVER: ("discovery", "rpcutil", "choria_util", "scout", "choria_provision"),
}
_PROVISION: Final = "plugin.choria.server.provision"
_SEED: Final = "plugin.security.choria.seed_file"
_TOKEN: Final = "plugin.security.choria.token_file"  # noqa: S105 the name of an option
_TRUE: Final = frozenset({"1", "yes", "true", "y", "t"})


def boot(node: Node, setup: Setup, now: int, entropy: bytes) -> Step:
    """Start a new process on the node's files; `entropy` is ENTROPY bytes."""
    mode, files, collectives, identity = _decide(node, setup, now)
    minutes = entropy[16] % 30
    process = Process(mode, now, counters=Counters(events=1), alive_id=entropy[:16], alive_at=now + minutes * MINUTE)
    if mode is Mode.STRANDED:
        process = process._replace(counters=Counters(), alive_at=0)
        return Step(node._replace(files=files, process=process))
    node = node._replace(files=files, process=process, collectives=collectives, identity=identity)
    return Step(node, (Attach(subjects(node)), event(node, Kind.STARTUP, now, entropy[32:48])))


def subjects(node: Node) -> tuple[str, ...]:
    """What a running process subscribes to, in order (wire/provisioning.md §6.3)."""
    return tuple(
        subject
        for collective in node.collectives
        for subject in (
            *(f"{collective}.broadcast.agent.{agent}" for agent in _SUBSCRIBED[node.process.mode]),
            f"{collective}.node.{node.identity}",
        )
    )


@lru_cache(maxsize=1024)  # a node's file is read three times within seconds
def parse(text: str) -> Mapping[str, str]:
    """A server's configuration file, read as leniently as a server reads it; the last of equal names counts."""
    found: dict[str, str] = {}
    for raw in text.split("\n"):
        line = raw.strip()
        name, sign, value = line.partition("=")
        if sign and name and value and not line.startswith("#"):
            found[name.rstrip()] = value.lstrip()
    return MappingProxyType(found)


def turns_provisioning_on(options: Mapping[str, str]) -> bool:
    """Whether a configuration says `plugin.choria.server.provision`, and says true."""
    return options.get(_PROVISION, "").strip().lower() in _TRUE


def _decide(node: Node, setup: Setup, now: int) -> tuple[Mode, Mapping[str, str], tuple[str, ...], str]:
    here = (COLLECTIVE,)
    text = node.files.get(setup.config_file)
    if text is None:  # a token and no configuration file
        return _by_default(setup), node.files, here, node.host
    options = parse(text)
    seed, token = options.get(_SEED, setup.seed_file), options.get(_TOKEN, setup.token_file)
    secured = options.get("plugin.security.provider") == "choria"
    said = _PROVISION in options
    if secured and _unfit(node.files.get(seed), node.files.get(token), now):
        kept = {path: content for path, content in node.files.items() if path not in (seed, token)}
        return _by_default(setup), kept, here, node.host
    if setup.by_default and (not said or turns_provisioning_on(options)):
        kept = {path: content for path, content in node.files.items() if path not in (seed, token)}
        return Mode.PROVISIONING, kept, here, node.host
    identity = options.get("identity", node.host)
    named = claims(node.files.get(token, "")).get("identity", identity) if secured else identity
    if named != identity:
        return (Mode.STRANDED if said else Mode.PROVISIONING), node.files, here, node.host
    if not secured:  # another security provider, or an ordinary server without what it needs: not played yet
        return Mode.STRANDED, node.files, here, node.host
    collectives = tuple(name.strip() for name in options.get("collectives", "choria").split(",") if name.strip())
    return Mode.SERVER, node.files, collectives, identity


def _by_default(setup: Setup) -> Mode:
    return Mode.PROVISIONING if setup.by_default else Mode.STRANDED


def _unfit(seed: str | None, token: str | None, now: int) -> bool:
    """The four checks of a server at its start: both there, readable, one key, not expired (§1.4)."""
    if seed is None or token is None:
        return True
    try:
        public = SigningKey.from_hex(seed).public_hex
    except ValueError:
        return True
    return server_token_misfit(token, public, str(claims(token).get("identity", "")), now // MILLISECOND) is not None


def claims(token: str) -> dict[str, Any]:
    """What a JWT says, unverified, as a server reads its own; nothing if it cannot be read."""
    parts = token.strip().split(".")
    if len(parts) != 3:
        return {}
    try:
        document = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
