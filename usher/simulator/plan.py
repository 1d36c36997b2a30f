"""From the options of `usher simulate` to a fleet's plan: every mistake at once, each with its option.

Rules:
1. All mistakes are collected before anything is opened towards the network.
2. The token is the nodes' only credential: user, password, secret and broker come from it unless options say else.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson

from fsm.errors import UsherError
from fsm.identity import is_safe
from security.issuing import Issuer, make_provisioning_token
from security.keys import SigningKey
from transport.credentials import CertificateFileError, tls_context
from transport.wire.versions import Version
from usher.simulator.fleet import Plan
from usher.simulator.kinds import keys_wanted, made_keys, setups, sized_facts
from usher.simulator.model import Setup
from usher.simulator.profile import LARGEST_FACTS, MOST, Profile, ProfileError, cast, excess, read_profile
from usher.simulator.startup import claims
from usher.simulator.unkind import Fault, Rule, RuleError, Unkindness, parse_rule
from usher.simulator.wire_client import Broker, Login

NODES: Final = 50
"""How many there are unless something says else."""
_YEAR: Final = 365 * 24 * 3600
_SPARE_FILES: Final = 64
_DEFAULT_BROKER: Final = "nats://127.0.0.1:4222"


class ArgumentsError(UsherError):
    """The options of usher simulate do not describe a fleet"""

    def __init__(self, mistakes: list[str]) -> None:
        """Hold a sentence for each mistake."""
        super().__init__()
        self.mistakes = mistakes


def make_plan(args: argparse.Namespace) -> Plan:
    """The plan that the options describe; raises ArgumentsError with all mistakes."""
    mistakes: list[str] = []
    profile = _profile(args, mistakes)
    nodes = args.nodes if args.nodes is not None else profile.nodes or NODES
    seed = args.seed if args.seed is not None else profile.seed
    names = _names(args, nodes, mistakes)
    rules = [*profile.rules, *_rules(args, mistakes)]
    mistakes += [f"--profile: {args.profile}: {mistake}" for mistake in excess(profile, nodes)]
    facts = _facts(args, mistakes)
    tokens = _tokens(args, mistakes)
    told = claims(next(iter(tokens.values()), ""))
    if told:
        _useful(told, mistakes)
    broker = _broker(args, told, mistakes)
    context = _context(args, mistakes)
    _connections(args, nodes, mistakes)
    if not 0 < args.every < math.inf:  # nan is neither
        mistakes.append("--every: must be a number of seconds above 0")
    if args.rsa_keys is not None and (args.rsa_keys < 0 or args.rsa_keys == 1):
        mistakes.append("--rsa-keys: 0, or at least 2, since a node that makes another key needs another one")
    if mistakes or broker is None or context is None:
        raise ArgumentsError(mistakes)
    version = Version(args.protocol or (Version.V2 if told.get("v2") else Version.V1))
    setup = Setup(
        token=tokens[version],
        secret=told["cht"],
        by_default=True,
        updates=bool(told.get("update")) or args.upgradable,
        facts=facts,
        broker=str(broker),
        version=version,
        lacks=frozenset(args.without),
    )
    keys = keys_wanted(setup, profile, args.rsa_keys)
    setup = replace(setup, keys=made_keys(keys))
    login = Login(setup.token, str(told.get("chusr", "")), str(told.get("chpwd", "")))
    unkindness, fleet = Unkindness(tuple(rules), seed), _fleet(args, mistakes)
    if mistakes:
        raise ArgumentsError(mistakes)
    chosen = cast(seed, "cruelties", [amount for _, amount in profile.parts], names)
    return Plan(
        broker=broker,
        login=login,
        setup=setup,
        names=names,
        context=context,
        connections=args.connections,
        unkindness=unkindness,
        together=args.together,
        server_events=args.server_events,
        parts={name: part for (part, _), group in zip(profile.parts, chosen, strict=True) for name in group},
        setups=setups(setup, tokens, seed, profile, names),
        churn=profile.churn,
        domain=args.domain,
        told=tuple(_told(args, seed, profile, len(names), keys)),
        fleet=fleet,
    )


def _fleet(args: argparse.Namespace, mistakes: list[str]) -> Login | None:
    """Who logs in where provisioned nodes listen; None if nobody does."""
    if not args.fleet_user:
        return None
    try:
        password = Path(args.fleet_password_file or os.devnull).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"--fleet-password-file: {getattr(error, 'strerror', None) or 'it is not text'}")
        return None
    return Login("", args.fleet_user, password)


def _told(args: argparse.Namespace, seed: int, profile: Profile, nodes: int, keys: int) -> Iterator[str]:
    if args.profile:
        yield f"{nodes:,} nodes, seed {seed}, as {args.profile} says"
        yield from profile.told(nodes)
    if keys:
        yield f"gencsr     draws from {keys} RSA keys that were made once: nodes may have the same one"


def _profile(args: argparse.Namespace, mistakes: list[str]) -> Profile:
    try:
        return read_profile(Path(args.profile)) if args.profile else Profile()
    except ProfileError as error:
        mistakes += [f"--profile: {mistake}" for mistake in error.mistakes]
        return Profile()


def _names(args: argparse.Namespace, nodes: int, mistakes: list[str]) -> list[str]:
    if not 1 <= nodes <= MOST:
        mistakes.append(f"--nodes: at least 1, at most {MOST:,}")
        return []
    if args.first < 0:
        mistakes.append("--first: at least 0")
    domain = f".{args.domain}" if args.domain else ""
    try:
        names = [f"{args.names.format(number)}{domain}" for number in range(args.first, args.first + nodes)]
    except (ValueError, IndexError, KeyError, AttributeError):
        mistakes.append(f"--names: {args.names!r} is not a format for one number, such as node-{{:04d}}")
        return []
    unsafe = next((name for name in names if not is_safe(name)), None)
    if unsafe is not None:
        mistakes.append(f"--names, --domain: {unsafe!r} is no safe name (letters, digits, - and _ between single dots)")
    if len(set(names)) < len(names):
        mistakes.append(f"--names: {args.names!r} gives several nodes one name; it needs a {{}} for the number")
    return names


def _rules(args: argparse.Namespace, mistakes: list[str]) -> list[Rule]:
    rules = []
    for fault in Fault:
        for text in getattr(args, fault.value):
            try:
                rules.append(parse_rule(fault, text))
            except RuleError as error:
                mistakes.append(f"--{fault.value}: {error}")
    return rules


def _facts(args: argparse.Namespace, mistakes: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if not 0 <= args.facts_size <= LARGEST_FACTS:
        mistakes.append(f"--facts-size: at least 0, at most {LARGEST_FACTS:,} bytes")
        return facts
    if args.facts:
        try:
            loaded = orjson.loads(Path(args.facts).read_bytes())
        except (OSError, ValueError) as error:
            mistakes.append(f"--facts: {args.facts}: {_problem(error)}")
            return facts
        if not isinstance(loaded, dict):
            mistakes.append(f"--facts: {args.facts} holds no JSON object")
            return facts
        facts = loaded
    return sized_facts(facts, args.facts_size)


def _tokens(args: argparse.Namespace, mistakes: list[str]) -> dict[Version, str]:
    """The provisioning token for each protocol, the same one where it was given; nothing if there is none."""
    if bool(args.token) == bool(args.issuer_seed):
        mistakes.append("give one of --token (a provisioning.jwt) and --issuer-seed (to make one)")
        return {}
    option, path = ("--token", args.token) if args.token else ("--issuer-seed", args.issuer_seed)
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{option}: {path}: {_problem(error)}")
        return {}
    if args.token:
        if not claims(text):
            mistakes.append(f"--token: {path} holds no token")
            return {}
        return dict.fromkeys(Version, text)
    return _made_tokens(args, text, mistakes)


def _useful(told: dict[str, Any], mistakes: list[str]) -> None:
    """What a real server, or this one, could not use of a provisioning token (wire/provisioning.md §6.1)."""
    if told.get("purpose", told.get("sub")) != "choria_provisioning":
        mistakes.append("--token: this is not a provisioning token (its purpose is not choria_provisioning)")
    elif not isinstance(told.get("cht"), str) or not told["cht"]:
        mistakes.append("the provisioning token has no `cht`: real servers refuse such a token")
    elif not told.get("chpd"):
        mistakes.append("the provisioning token does not set `chpd` (--default): new servers would not use it")


def _made_tokens(args: argparse.Namespace, seed: str, mistakes: list[str]) -> dict[Version, str]:
    if not args.secret:
        mistakes.append("--issuer-seed: needs --secret, the token that usher's configuration has as `token`")
        return {}
    try:
        key = SigningKey.from_hex(seed)
    except ValueError as error:
        mistakes.append(f"--issuer-seed: {error}")
        return {}
    made = partial(
        make_provisioning_token,
        Issuer(key.seed_hex, key.public_hex),
        int(time.time()),
        _YEAR,
        token=args.secret,
        urls=[args.broker or _DEFAULT_BROKER],
        user=args.user,
        password=args.password,
    )
    return {Version.V2: made(), Version.V1: made(v2=False)}


def _broker(args: argparse.Namespace, told: dict[str, Any], mistakes: list[str]) -> Broker | None:
    url = args.broker or str(told.get("chu", "")).split(",")[0].strip()
    if not url:
        if told:
            mistakes.append("--broker: the token names no broker (`chu`), so give one")
        return None
    try:
        return Broker.parse(url, plain=args.plain)
    except ValueError as error:
        mistakes.append(f"--broker: {error}")
        return None


def _context(args: argparse.Namespace, mistakes: list[str]) -> ssl.SSLContext | None:
    try:
        return tls_context(Path(args.ca) if args.ca else None)
    except CertificateFileError as error:
        mistakes.append(f"--ca: {error}")
        return None


def _connections(args: argparse.Namespace, nodes: int, mistakes: list[str]) -> None:
    """Let this process have as many files as it needs connections."""
    if args.connections < 1:
        mistakes.append("--connections: at least 1")
        return
    needed = min(args.connections, max(2 * nodes, 1)) + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        mistakes.append(f"--connections: this process may open {hard} files; give at most {hard - _SPARE_FILES}")
    elif soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _problem(error: OSError | ValueError) -> str:
    """What the system or a decoder said, without the system's number."""
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
