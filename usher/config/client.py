"""The Choria client configuration, as far as usher needs it (wire/protocol.md §4.2).

Rules:
1. What go-choria reads and usher needs has go-choria's meaning and defaults.
2. What go-choria reads, would change what usher does, and is not supported, is refused by name.
3. What go-choria drops without a word is a MISTAKE: a start goes on as it would there.
4. Everything that is wrong is found at once, with its file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fsm.identity import is_safe
from usher.config.appearance import Appearance, read_appearance
from usher.config.hosts import read_lookup, read_servers
from usher.config.identity import Names, SystemNames, machine_identity
from usher.config.options import is_there, read_options, user_file, user_files
from usher.config.problems import ConfigErrors, Problem, fatal
from usher.config.reading import Reading
from usher.config.servers import Lookup, Server
from usher.config.source import Source
from usher.config.timeout import connect_timeout

USER: Final = "plugin.nats.user"
PASSWORD: Final = "plugin.nats.pass"  # noqa: S105 a setting's name
FEDERATED: Final = "CHORIA_FED_COLLECTIVE"
_FEDERATION: Final = "federation is not supported"
_REFUSED: Final = {
    "plugin.choria.federation.collectives": _FEDERATION,
    "plugin.choria.security.request_signer.url": "signing requests through a remote service is not supported",
    "plugin.nats.credentials": "logging in with NATS credentials is not supported",
    "plugin.security.cipher_suites": "choosing cipher suites is not supported",
    "plugin.security.ecc_curves": "choosing curves is not supported",
}
"""Refused when they are set: without them usher would do something else than the file says."""
_REFUSED_ON: Final = {
    "plugin.choria.security.request_signer.service": "signing requests through a service is not supported",
    "plugin.security.client_anon_tls": "anonymous TLS with a remote signer is not supported",
}


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """How usher appears on the network; `connect_timeout` is seconds.

    `servers` are those that are written; if none are, `lookup` says how to find some, and FALLBACK is the last resort.
    `user` and `password` are those of the file, for sites that set no `broker_provisioning_password`. `problems` do not
    stop a start; `sources` says where each value is from, and `files` which files were read.
    """

    file: Path
    identity: str
    appearance: Appearance
    servers: tuple[Server, ...]
    lookup: Lookup | None
    connect_timeout: float
    user: str
    password: str = field(repr=False)
    problems: tuple[Problem, ...] = ()
    sources: tuple[Source, ...] = ()
    files: tuple[Path, ...] = ()


def load_client(
    path: Path | None,
    environ: Mapping[str, str],
    directory: Path,
    names: Names | None = None,
    *,
    insecure: bool = False,
) -> ClientConfig:
    """Read the file, or the one that go-choria would find; raises ConfigErrors with everything that is wrong.

    `directory` is the working directory: a `choria.conf` in it or above it counts too. `insecure` is the site's
    `choria_insecure`.
    """
    client, problems = read_client(path, environ, directory, names, insecure=insecure)
    if client is None:
        raise ConfigErrors(problems)
    return client


def read_client(
    path: Path | None,
    environ: Mapping[str, str],
    directory: Path,
    names: Names | None = None,
    *,
    insecure: bool = False,
) -> tuple[ClientConfig | None, tuple[Problem, ...]]:
    """The client configuration, None if it cannot be used, and everything that was found."""
    file = path or user_file(environ)
    if path is None and not is_there(file):
        return None, (_not_found(environ),)
    try:
        options, strange = read_options(file, environ, directory)
    except ConfigErrors as error:
        return None, error.problems
    return _client(Reading(file, options, strange, environ, names or SystemNames()), insecure=insecure)


def _not_found(environ: Mapping[str, str]) -> Problem:
    looked = ", ".join(str(place) for place in user_files(environ))
    return Problem(
        "Choria client configuration", f"there is none; looked for {looked}", "name one with --choria-config"
    )


def _client(reading: Reading, *, insecure: bool) -> tuple[ClientConfig | None, tuple[Problem, ...]]:
    _check_unsupported(reading)
    identity = _identity(reading)
    appearance = read_appearance(reading, identity, insecure=insecure)
    servers, lookup, (user, password) = read_servers(reading), read_lookup(reading), _nats_user(reading)
    timeout, source = connect_timeout(reading.options, reading.problems)
    reading.sources.append(source)
    problems = tuple(reading.problems)
    if appearance is None or fatal(problems):
        return None, problems
    return ClientConfig(
        reading.file, identity, appearance, servers, None if servers else lookup, timeout, user, password,
        problems, tuple(reading.sources), reading.options.files,
    ), problems  # fmt: skip


def _check_unsupported(reading: Reading) -> None:
    for key, what in _REFUSED.items():
        if reading.get(key):
            reading.say(key, what, "remove it")
    for key, what in _REFUSED_ON.items():
        if reading.switch(key, usual=False):
            reading.say(key, what, "remove it")
    if reading.environ.get(FEDERATED):
        where = f"the environment variable {FEDERATED}"
        reading.problems.append(Problem(where, _FEDERATION, f"unset {FEDERATED}"))


def _identity(reading: Reading) -> str:
    written = reading.text("identity").strip()
    identity, where = (written, "") if written else machine_identity(reading.names)
    reading.note("identity", "identity", where)
    if not is_safe(identity):
        what = f"{identity[:80]!r} is not a safe name: letters, digits, '_' and '-' in labels joined by single dots"
        reading.say("identity", what, "add the line `identity = name`")
    return identity


def _nats_user(reading: Reading) -> tuple[str, str]:
    user, password = reading.text(USER), reading.text(PASSWORD)
    if bool(user) != bool(password):
        key, other = (USER, PASSWORD) if user else (PASSWORD, USER)
        reading.mistake(key, f"it does not count without {other}", f"set {other}, or remove it")
        return "", ""
    reading.note("user", USER)
    reading.note("password", PASSWORD)
    return user, password
