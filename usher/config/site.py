"""The site's configuration: the YAML file of the older program, read, checked and made into one frozen value.

Rules:
1. Everything that is wrong is found at once; the older program found half of it per node, at run time.
2. A setting whose feature does not exist yet stops the start and is named: to ignore it would be dangerous.
3. Durations are seconds. Files are named here and looked at in usher.config.files.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fsm.effects import Feature
from fsm.identity import is_safe
from helpers.command import CommandError, split_command
from usher.config.audit import AuditSettings, read_audit
from usher.config.keys import FEATURES, KEYS, RETIRED
from usher.config.problems import Problem, Severity, fatal
from usher.config.values import Reader
from usher.state import DEFAULT

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_SMALLEST_OUTPUT: Final = 1024
_LEVELS: Final = ("debug", "info", "warn", "error", "fatal")
_STRICTNESS: Final = ("compatible", "strict")
_PATTERNS: Final = ("cert_deny_list", "identity_allow", "identity_deny")
_PAIRS: Final = (("fleet_token_file", "fleet_seed_file"), ("fleet_certificate_file", "fleet_key_file"))
_LATER: Final = ("it is not supported yet", "remove it, or keep this site on the older program until it is")
_INSECURE: Final = (
    "requests are not signed and TLS is not asked for: whoever is on the network can read everything, the broker's "
    "password too, and be usher; a Choria broker refuses that, only a plain NATS server takes it"
)
_SECURED: Final = (
    "remove it, and name a certificate in the Choria client configuration: plugin.security.provider = file"
)


@dataclass(frozen=True, slots=True)
class Site:
    """What a site has chosen (wire/provisioning.md §3.2); empty text means not set, durations are seconds.

    `command` is the helper's command line, split; `problems` are those that do not stop a start. `network` is the name
    of the entry of `networks` that was read, `choria_config` the client configuration that it names.
    """

    file: Path
    workers: int
    interval: float
    logfile: str
    loglevel: str
    helper: str
    command: tuple[str, ...]
    tokens: tuple[str, ...] = field(repr=False)
    lifecycle_component: str
    choria_insecure: bool
    site: str
    monitor_port: int
    monitor_address: str
    broker_provisioning_password: str = field(repr=False)
    cert_deny_list: tuple[str, ...]
    jwt_verify_cert: tuple[str, ...]
    jwt_signing_key: str
    jwt_signing_token: str
    server_jwt_validity: int
    leader_election: bool
    election_name: str
    sender_identity: str
    features: frozenset[Feature]
    state_directory: Path
    vault_key_file: str
    redact_keys: tuple[str, ...]
    helper_timeout: float
    helper_max_output: int
    inject_provision_false: bool
    strict: bool
    facts_max_age: float
    keep_nodes: float
    retry_cap: float
    fleet_token_file: str
    fleet_seed_file: str
    fleet_certificate_file: str
    fleet_key_file: str
    fleet_collective: str
    fleet_user: str
    fleet_password: str = field(repr=False)
    server_jwt_spread: int
    audit: AuditSettings
    returns_within: float
    max_nodes_per_minute: int
    identity_allow: tuple[str, ...]
    identity_deny: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    network: str = ""
    choria_config: str = ""

    def secrets(self) -> tuple[str, ...]:
        """The values that must appear in no log and no history."""
        return tuple(
            secret for secret in (*self.tokens, self.broker_provisioning_password, self.fleet_password) if secret
        )

    @property
    def token(self) -> str:
        """The first of the tokens; empty if there is none."""
        return self.tokens[0] if self.tokens else ""


def make_site(
    reader: Reader, written: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[Site | None, tuple[Problem, ...]]:
    """The site of these settings, None if it cannot be used, and everything that the reader has found."""
    values = reader.values(written, KEYS, RETIRED)
    features = reader.values(values.pop("features") or {}, FEATURES, {}, "features.")
    values["audit"] = read_audit(reader, values["audit"] or {})
    _check_unsupported(reader, values, features)
    _check_limits(reader, values)
    _check_missing(reader, values, features)
    _check_words(reader, values)
    _check_fleet(reader, values)
    for name in _PATTERNS:
        _check_patterns(reader, name, values[name])
    for name in ("token", "jwt_verify_cert"):
        _check_several(reader, name, values[name])
    _check_election(reader, values)
    command = _command(reader, values["helper"])
    state = _state_directory(reader, values["state_directory"], environ)
    problems = tuple(reader.problems)
    if fatal(problems):
        return None, problems
    return _site(reader.file, values, _features(features), command, state, problems), problems


def _check_unsupported(reader: Reader, values: Mapping[str, Any], features: Mapping[str, bool]) -> None:
    if values["choria_insecure"]:
        reader.warning("choria_insecure", _INSECURE, _SECURED)
    if features["upgrades"]:
        reader.error("features.upgrades", *_LATER)
    if features["pki"] and features["ed25519"]:
        reader.error("features", "pki and ed25519 exclude each other", "choose one")
    if not features["pki"] and not features["ed25519"]:
        what = "neither pki nor ed25519 is on, so nodes get what the helper supplies and nothing that they could prove"
        reader.warning("features", what, "set features.pki or features.ed25519, unless the helper supplies keys")


def _check_limits(reader: Reader, values: dict[str, Any]) -> None:
    def limit(name: str, least: float, said: str, most: float = float("inf")) -> None:
        if not least <= values[name] <= most:
            reader.error(name, f"it must be {said}", "correct it, or remove it for the default")

    limit("workers", 0, "a number of helpers that run at once, or 0 for the number of processors", 10_000)
    limit("interval", _MINUTE, "at least 1 minute: valid examples are 1m, 10m and 10h")
    limit("monitor_port", 0, "a port, or 0 to serve nothing", 65535)
    limit("server_jwt_validity", 1, "longer than nothing")
    limit("helper_timeout", 0.001, "longer than nothing and at most 10m", 10 * _MINUTE)
    limit("helper_max_output", _SMALLEST_OUTPUT, f"a number of bytes, at least {_SMALLEST_OUTPUT}", 1 << 27)
    limit("facts_max_age", _MINUTE, "at least 1m")
    limit("retry_cap", 5, "at least 5s")
    limit("returns_within", 0, "a time, or 0s for never")
    limit("max_nodes_per_minute", 0, "a number of nodes, or 0 for no limit", 1_000_000)
    if values["keep_nodes"]:
        limit("keep_nodes", _HOUR, "at least 1h, or 0s to keep nodes for ever")


def _check_missing(reader: Reader, values: Mapping[str, Any], features: Mapping[str, bool]) -> None:
    needed = {"helper": True, "jwt_verify_cert": features["jwt"] or features["ed25519"]}
    needed["jwt_signing_key"] = features["ed25519"]
    for name, is_needed in needed.items():
        written = values[name] if isinstance(values[name], str) else "".join(values[name])
        if is_needed and not written.strip():
            reader.error(name, "it is missing", f"set it: {KEYS[name].what}")
    if not values["token"]:
        reader.warning("token", "it is empty", "set it if the provisioning tokens of your nodes have a `cht`")
    if not values["broker_provisioning_password"]:
        what = "it is empty, and a Choria broker lets no provisioner in without it"
        reader.warning("broker_provisioning_password", what, "set it to the broker's client_password")


def _check_words(reader: Reader, values: dict[str, Any]) -> None:
    component = values["lifecycle_component"] = values["lifecycle_component"] or "provision_mode_server"
    if re.search(r"[.>*\s\x00-\x1f]", component):
        reader.error("lifecycle_component", f"{component[:80]!r} is not one token of a subject", "leave it out")
    level = values["loglevel"] = values["loglevel"].lower() or "warn"
    if level not in _LEVELS:
        reader.mistake("loglevel", f"{level[:80]!r} is no level, warn is used", f"use one of {', '.join(_LEVELS)}")
        values["loglevel"] = "warn"
    values["logfile"] = values["logfile"] or "stderr"
    if values["strictness"].lower() not in _STRICTNESS:
        reader.error("strictness", f"{values['strictness'][:80]!r} is neither compatible nor strict", "use one of them")
    address = values["monitor_address"]
    if address and address != "localhost" and not _is_address(address):
        reader.error("monitor_address", f"{address[:80]!r} is no IP address", "use an address of this machine")


def _check_election(reader: Reader, values: dict[str, Any]) -> None:
    for name in ("election_name", "sender_identity"):
        written = values[name] = values[name].strip()
        if written and not is_safe(written):
            what = f"{written[:80]!r} is not a safe name: letters, digits, '_' and '-' in labels joined by single dots"
            reader.error(name, what, "correct it, or remove it for the default")
    if values["election_name"] and not values["leader_election"]:
        reader.mistake("election_name", "it does not count without leader_election", "remove it, or turn that on")


def _check_several(reader: Reader, name: str, values: tuple[str, ...]) -> None:
    for position, value in enumerate(values):
        if not value:
            reader.error(f"{name}[{position}]", "it is empty", "remove it, or write there what belongs there")
        elif value in values[:position]:
            reader.mistake(f"{name}[{position}]", "it stands twice", "remove one")


def _check_fleet(reader: Reader, values: dict[str, Any]) -> None:
    for name, other in (*_PAIRS, *(pair[::-1] for pair in _PAIRS)):
        if values[name] and not values[other]:
            reader.error(other, f"it is missing, and {name} is set", "set both, or neither")
    if values["fleet_certificate_file"] and values["fleet_token_file"]:
        what = "fleet_token_file is set too, and usher is one operator in a network"
        reader.error("fleet_certificate_file", what, 'leave one of the two out, or write it as ""')
    usual = "mcollective" if values["fleet_certificate_file"] else "choria"  # wire/protocol.md §11, 14
    collective = values["fleet_collective"] = values["fleet_collective"] or usual
    if not re.fullmatch(r"[A-Za-z0-9_-]+", collective):
        reader.error("fleet_collective", "it is not one token of a subject", f"leave it out for {usual}")
    if not 0 <= values["server_jwt_spread"] < max(values["server_jwt_validity"], 1):
        reader.error("server_jwt_spread", "it must be shorter than server_jwt_validity", "shorten it, or remove it")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_patterns(reader: Reader, name: str, patterns: tuple[str, ...]) -> None:
    for position, pattern in enumerate(patterns):
        if not pattern.strip("/").strip() and name != "cert_deny_list":
            reader.error(f"{name}[{position}]", "it is empty: every name has it", "remove it, or write the pattern")
        try:
            re.compile(pattern.strip("/"))
        except (re.error, RecursionError, OverflowError) as error:
            what = f"{pattern[:80]!r} is no regular expression ({error}): it would never match"
            reader.error(f"{name}[{position}]", what, "correct it")


def _command(reader: Reader, helper: str) -> tuple[str, ...]:
    if not helper.strip():
        return ()
    try:
        return split_command(helper)
    except CommandError as error:
        reader.error("helper", f"the command cannot be split into words: {error.detail}", "correct the quotes")
        return ()


def _state_directory(reader: Reader, written: str, environ: Mapping[str, str]) -> Path:
    chosen = Path(written or environ.get("STATE_DIRECTORY", "").partition(":")[0] or DEFAULT)
    if not chosen.is_absolute():
        reader.error("state_directory", f"{str(chosen)[:80]!r} is not an absolute path", "begin it with /")
    return chosen


def _features(written: Mapping[str, bool]) -> frozenset[Feature]:
    """What is on; ed25519 turns jwt on, as in the older program (wire/provisioning.md §3.2)."""
    on = {feature for feature in Feature if written[feature]}
    return frozenset(on | {Feature.JWT} if Feature.ED25519 in on else on)


def _site(
    path: Path,
    values: dict[str, Any],
    chosen: frozenset[Feature],
    command: tuple[str, ...],
    state: Path,
    problems: tuple[Problem, ...],
) -> Site:
    same = {name: values[name] for name in Site.__dataclass_fields__ if name in values}
    same |= {
        "tokens": values["token"],
        "workers": values["workers"] or os.cpu_count() or 1,
        **{name: tuple(pattern.strip("/") for pattern in values[name]) for name in _PATTERNS},
        "server_jwt_validity": int(values["server_jwt_validity"]),
        "server_jwt_spread": int(values["server_jwt_spread"]),
        "features": chosen,
        "state_directory": state,
        "strict": values["strictness"].lower() == "strict",
        "problems": tuple(problem for problem in problems if problem.severity is not Severity.ERROR),
    }
    return Site(file=path, command=command, **same)
