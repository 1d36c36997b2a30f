"""How a server process comes up: what its files make of it.

Rules:
1. The mode follows from the files and the provisioning token alone (wire/provisioning.md §6.1, go-choria's server_run).
2. A seed and a server token that do not belong together, or an expired token, are deleted: back to provisioning.
3. A server token for another identity is not deleted: such a server runs and is let in nowhere.
4. A server of an x509 network whose certificate does not fit its key ends at its start: nothing brings it back but
   somebody who goes there (§6.8). With a certificate out of its time it runs and is let in nowhere.
5. Coming up is: subscribe, then say `startup`, then, up to 29 minutes later and each 30, `alive`.
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
from security.node_tls import in_its_time, tls_misfit
from transport.wire.versions import Version
from usher.simulator.lifecycle import Kind, event
from usher.simulator.model import (
    COLLECTIVE,
    MILLISECOND,
    MINUTE,
    SECOND,
    Attach,
    Counters,
    Mode,
    Node,
    Process,
    Setup,
    Step,
)

PROVISION_AGENTS: Final = ("choria_provision", "choria_util", "discovery", "rpcutil")
SERVER_AGENTS: Final = (*PROVISION_AGENTS, "scout")
_SUBSCRIBED: Final = {  # in the captured order
    Mode.PROVISIONING: ("discovery", "rpcutil", "choria_util", "choria_provision"),
    Mode.SERVER: ("discovery", "rpcutil", "choria_util", "scout", "choria_provision"),
}
_PROVISION: Final = "plugin.choria.server.provision"
_PROVIDER: Final = "plugin.security.provider"
_ANONYMOUS: Final = "plugin.security.server_anon_tls"
_FILES: Final = {  # seed and token, by whether TLS is anonymous on an x509 network
    False: ("plugin.security.choria.seed_file", "plugin.security.choria.token_file"),
    True: ("plugin.choria.security.server.seed_file", "plugin.choria.security.server.token_file"),
}
_TLS: Final = ("certificate", "key", "ca")
_TRUE: Final = frozenset({"1", "yes", "true", "y", "t"})


def boot(node: Node, setup: Setup, now: int, entropy: bytes) -> Step:
    """Start a new process on the node's files; `entropy` is ENTROPY bytes."""
    mode, files, collectives, identity = _decide(node, setup, now)
    minutes = entropy[16] % 30
    process = Process(mode, now, counters=Counters(events=1), alive_id=entropy[:16], alive_at=now + minutes * MINUTE)
    if mode in (Mode.STRANDED, Mode.DEAD):
        process = process._replace(counters=Counters(), alive_at=0)
        return Step(node._replace(files=files, process=process))
    process = process._replace(options=parse(files.get(setup.config_file, "")))
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
    return _says(options, _PROVISION)


def shows_token(options: Mapping[str, str]) -> bool:
    """Whether a server of protocol v1 shows a token in place of a certificate, and verifies nobody's (§2.8)."""
    return _says(options, _ANONYMOUS)


def hears(options: Mapping[str, str]) -> Version:
    """The protocol of a provisioned server."""
    return Version.V2 if options.get(_PROVIDER) == "choria" else Version.V1


def _says(options: Mapping[str, str], name: str) -> bool:
    return options.get(name, "").strip().lower() in _TRUE


def _decide(node: Node, setup: Setup, now: int) -> tuple[Mode, Mapping[str, str], tuple[str, ...], str]:
    here = (COLLECTIVE,)
    text = node.files.get(setup.config_file)
    if text is None:  # a token and no configuration file
        return _by_default(setup), node.files, here, node.host
    options = parse(text)
    anonymous = shows_token(options)
    names = _FILES[anonymous]
    seed, token = options.get(names[0], setup.seed_file), options.get(names[1], setup.token_file)
    secured = anonymous or options.get(_PROVIDER) == "choria"
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
    mode = Mode.SERVER if secured else _certified(options, node.files, now)
    if mode is not Mode.SERVER:
        return mode, node.files, here, node.host
    usual = "choria" if hears(options) is Version.V2 else "mcollective"
    collectives = tuple(name.strip() for name in options.get("collectives", usual).split(",") if name.strip())
    return Mode.SERVER, node.files, collectives, identity


def _certified(options: Mapping[str, str], files: Mapping[str, str], now: int) -> Mode:
    """What the files of an x509 network make of a server."""
    if options.get(_PROVIDER) != "file":  # others, and an ordinary server without what it needs, are not played
        return Mode.STRANDED
    certificate, key, ca = (files.get(options.get(f"plugin.security.file.{name}", "")) for name in _TLS)
    if tls_misfit(certificate, key, ca) is not None:
        return Mode.DEAD
    return Mode.SERVER if certificate and in_its_time(certificate, now // SECOND) else Mode.STRANDED


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
