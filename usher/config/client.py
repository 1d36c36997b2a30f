"""The Choria client configuration, as far as a network with an organization issuer needs it (wire/protocol.md §4.2).

Rules:
1. What go-choria reads and usher needs has go-choria's meaning and defaults.
2. What go-choria reads, would change what usher does, and is not supported, is refused by name.
3. Everything that is wrong is found at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fsm.identity import is_safe
from usher.config.durations import parse_duration
from usher.config.identity import Names, SystemNames, machine_identity
from usher.config.options import Option, read_options, user_file, user_files
from usher.config.problems import ConfigErrors, Problem, Severity, fatal
from usher.config.servers import FALLBACK, Server, parse_server

PROVIDER: Final = "plugin.security.provider"
TOKEN_FILE: Final = "plugin.security.choria.token_file"  # noqa: S105 a setting's name
SEED_FILE: Final = "plugin.security.choria.seed_file"
CA_FILE: Final = "plugin.security.choria.ca"
HOSTS: Final = "plugin.choria.middleware_hosts"
USE_SRV: Final = "plugin.choria.use_srv"
CONNECT_TIMEOUT: Final = "plugin.choria.network.connect_timeout"
CA_MISSING: Final = "ca_missing"
"""The check that `strict` makes an error of: go-choria verifies nothing when the file is not there."""
_LONGEST_TIMEOUT: Final = 120.0
_X509: Final = ("puppet", "file", "pkcs11", "certmanager")
_REFUSED: Final = {
    "plugin.choria.federation.collectives": "federation is not supported",
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
_UNUSED: Final = ("plugin.security.choria.certificate", "plugin.security.choria.key")


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """How usher appears on the network; `connect_timeout` is seconds.

    `ca` is None if the broker's certificate is not verified, as go-choria does without one. `user` and `password` are
    those of the file, for sites that set no `broker_provisioning_password`. `problems` do not stop a start.
    """

    file: Path
    identity: str
    token_file: Path
    seed_file: Path
    ca: Path | None
    servers: tuple[Server, ...]
    connect_timeout: float
    user: str
    password: str
    problems: tuple[Problem, ...] = ()


def load_client(
    path: Path | None, environ: Mapping[str, str], directory: Path, names: Names | None = None
) -> ClientConfig:
    """Read the file, or the one that go-choria would find; raises ConfigErrors with everything that is wrong.

    `directory` is the working directory: a `choria.conf` in it or above it counts too.
    """
    client, problems = read_client(path, environ, directory, names)
    if client is None:
        raise ConfigErrors(problems)
    return client


def read_client(
    path: Path | None, environ: Mapping[str, str], directory: Path, names: Names | None = None
) -> tuple[ClientConfig | None, tuple[Problem, ...]]:
    """The client configuration, None if it cannot be used, and everything that was found."""
    file = path or user_file(environ)
    if path is None and not file.exists():
        return None, (_not_found(environ),)
    try:
        options, strange = read_options(file, environ, directory)
    except ConfigErrors as error:
        return None, error.problems
    return _Reading(file, options, strange, environ).client(names or SystemNames())


def _not_found(environ: Mapping[str, str]) -> Problem:
    looked = ", ".join(str(place) for place in user_files(environ))
    return Problem(
        "Choria client configuration", f"there is none; looked for {looked}", "name one with --choria-config"
    )


class _Reading:
    """One configuration while it is read; problems gather."""

    def __init__(
        self, file: Path, options: Mapping[str, Option], strange: list[Problem], environ: Mapping[str, str]
    ) -> None:
        self._file, self._options, self._environ = file, options, environ
        self._problems = strange

    def client(self, names: Names) -> tuple[ClientConfig | None, tuple[Problem, ...]]:
        self._check_provider()
        self._check_unsupported()
        token, seed = self._needed_path(TOKEN_FILE), self._needed_path(SEED_FILE)
        identity, servers, timeout, ca = self._identity(names), self._servers(), self._timeout(), self._ca()
        problems = tuple(self._problems)
        if fatal(problems):
            return None, problems
        user, password = self._text("plugin.nats.user"), self._text("plugin.nats.pass")
        return ClientConfig(self._file, identity, token, seed, ca, servers, timeout, user, password, problems), problems

    def _say(self, key: str, what: str, next_step: str, severity: Severity = Severity.ERROR, check: str = "") -> None:
        option = self._options.get(key)
        where = f"{option.file if option else self._file}: {key}"
        self._problems.append(Problem(where, what, next_step, severity, check))

    def _text(self, key: str) -> str:
        option = self._options.get(key)
        return option.value if option else ""

    def _path(self, key: str) -> Path | None:
        text = self._text(key).strip()
        if text.startswith("~"):
            text = self._environ.get("HOME", "") + text[1:]
        return Path(text) if text else None

    def _needed_path(self, key: str) -> Path:
        path = self._path(key)
        if path is None and self._text(PROVIDER) == "choria":  # another provider is refused, and needs other files
            self._say(key, "it is missing", f"add the line `{key} = /path/to/the/file`")
        return path or Path()

    def _check_provider(self) -> None:
        provider = self._text(PROVIDER) or "puppet"
        if provider == "choria":
            return
        written = "" if PROVIDER in self._options else ", go-choria's default,"
        if provider in _X509:
            what = f"the security provider {provider}{written} is not supported yet: only choria (protocol v2) is"
        else:
            what = f"there is no security provider {provider[:80]!r}"
        self._say(PROVIDER, what, f"set `{PROVIDER} = choria`, with its token_file and seed_file")

    def _check_unsupported(self) -> None:
        for key, what in _REFUSED.items():
            if key in self._options:
                self._say(key, what, "remove it")
        for key, what in _REFUSED_ON.items():
            if key in self._options and self._options[key].switch:
                self._say(key, what, "remove it")
        for key in _UNUSED:
            if key in self._options:
                what = "it is not used: an issuer broker asks a provisioner for its token, not for a certificate"
                self._say(key, what, "nothing has to be done", Severity.WARNING)

    def _identity(self, names: Names) -> str:
        written = self._text("identity").strip()
        identity = written or machine_identity(names)
        if not is_safe(identity):
            what = f"{identity[:80]!r} is not a safe name: letters, digits, '_' and '-' in labels joined by single dots"
            self._say("identity", what, "add the line `identity = name`")
        return identity

    def _servers(self) -> tuple[Server, ...]:
        if HOSTS not in self._options:
            return self._fallback()
        servers = []
        for text in self._options[HOSTS].words:
            try:
                servers.append(parse_server(text))
            except ValueError as error:
                self._say(HOSTS, f"{text[:80]!r}: {error}", f"write `{HOSTS} = broker1.example.net:4222`")
        return tuple(servers)

    def _fallback(self) -> tuple[Server, ...]:
        option = self._options.get(USE_SRV)
        looks_up = option is None or bool(option.switch)
        what = f"it is not set, so the broker is {FALLBACK.host}:{FALLBACK.port}, go-choria's last resort"
        if looks_up:
            what = f"{what}: looking for SRV records is not supported yet"
        next_step = f"add the line `{HOSTS} = broker.example.net:4222`"
        self._say(HOSTS, what, next_step, Severity.WARNING)
        return (FALLBACK,)

    def _ca(self) -> Path | None:
        path = self._path(CA_FILE)
        if path is None or path.exists():
            return path
        what = f"there is no file {path}, so the broker's certificate is not verified"
        self._say(CA_FILE, what, "correct the path", Severity.WARNING, CA_MISSING)
        return None

    def _timeout(self) -> float:
        text = self._text(CONNECT_TIMEOUT).strip() or "2s"
        try:
            seconds = float(text) if text.isascii() and text.isdigit() else parse_duration(text)
        except ValueError as error:
            self._say(CONNECT_TIMEOUT, f"{text[:80]!r} cannot be used: {error}", "write it as `2s`")
            return 2.0
        if not 0 < seconds <= _LONGEST_TIMEOUT:
            self._say(CONNECT_TIMEOUT, "it must be longer than nothing and at most 120s", "write it as `2s`")
        return seconds
