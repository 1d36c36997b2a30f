"""The Choria client configuration, as far as a network with an organization issuer needs it (wire/protocol.md §4.2).

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
from usher.config.identity import Names, SystemNames, machine_identity
from usher.config.options import Options, is_there, read_options, user_file, user_files
from usher.config.problems import ConfigErrors, Problem, Severity, fatal
from usher.config.servers import FALLBACK, Lookup, Server, parse_server, shown
from usher.config.source import Source, default_of, source_of
from usher.config.timeout import connect_timeout

PROVIDER: Final = "plugin.security.provider"
TOKEN_FILE: Final = "plugin.security.choria.token_file"  # noqa: S105 a setting's name
SEED_FILE: Final = "plugin.security.choria.seed_file"
CA_FILE: Final = "plugin.security.choria.ca"
HOSTS: Final = "plugin.choria.middleware_hosts"
USE_SRV: Final = "plugin.choria.use_srv"
SRV_DOMAIN: Final = "plugin.choria.srv_domain"
USER: Final = "plugin.nats.user"
PASSWORD: Final = "plugin.nats.pass"  # noqa: S105 a setting's name
FEDERATED: Final = "CHORIA_FED_COLLECTIVE"
CA_MISSING: Final = "ca_missing"
"""The check that `strict` makes an error of: go-choria verifies nothing when the file is not there."""
_SPACE: Final = ord(" ")
_FACTER: Final = "facter's networking.domain"
_X509: Final = ("puppet", "file", "pkcs11", "certmanager")
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
_UNUSED: Final = ("plugin.security.choria.certificate", "plugin.security.choria.key")


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """How usher appears on the network; `connect_timeout` is seconds.

    `servers` are those that are written; if none are, `lookup` says how to find some, and FALLBACK is the last resort.
    `ca` is None if the broker's certificate is not verified, as go-choria does without one. `user` and `password` are
    those of the file, for sites that set no `broker_provisioning_password`. `problems` do not stop a start; `sources`
    says where each value is from, and `files` which files were read.
    """

    file: Path
    identity: str
    token_file: Path
    seed_file: Path
    ca: Path | None
    servers: tuple[Server, ...]
    lookup: Lookup | None
    connect_timeout: float
    user: str
    password: str = field(repr=False)
    problems: tuple[Problem, ...] = ()
    sources: tuple[Source, ...] = ()
    files: tuple[Path, ...] = ()


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
    if path is None and not is_there(file):
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
    """One configuration while it is read; problems and sources gather."""

    def __init__(self, file: Path, options: Options, strange: list[Problem], environ: Mapping[str, str]) -> None:
        self._file, self._options, self._environ = file, options, environ
        self._problems = strange
        self._sources: list[Source] = []

    def client(self, names: Names) -> tuple[ClientConfig | None, tuple[Problem, ...]]:
        self._check_provider()
        self._check_unsupported()
        token, seed = self._needed_path("token_file", TOKEN_FILE), self._needed_path("seed_file", SEED_FILE)
        identity, servers, lookup = self._identity(names), self._servers(), self._lookup()
        ca, (user, password) = self._ca(), self._nats_user()
        timeout, source = connect_timeout(self._options, self._problems)
        self._sources.append(source)
        problems = tuple(self._problems)
        if fatal(problems):
            return None, problems
        return ClientConfig(
            self._file, identity, token, seed, ca, servers, None if servers else lookup, timeout, user, password,
            problems, tuple(self._sources), self._options.files,
        ), problems  # fmt: skip

    def _say(self, key: str, what: str, next_step: str, severity: Severity = Severity.ERROR, check: str = "") -> None:
        option = self._options.get(key)
        where = f"{option.where if option else self._file}: {key}"
        self._problems.append(Problem(where, what, next_step, severity, check))

    def _mistake(self, key: str, what: str, next_step: str) -> None:
        self._say(key, what, next_step, Severity.MISTAKE)

    def _from(self, name: str, key: str, instead: str = "") -> None:
        """Note where a value is from: the setting, or what counts `instead` of one that is not there."""
        values = self._options.every.get(key, ())
        self._sources.append(source_of(name, key, values) if values and not instead else default_of(name, key, instead))

    def _text(self, key: str) -> str:
        option = self._options.get(key)
        return option.value if option else ""

    def _switch(self, key: str, *, usual: bool) -> bool:
        option = self._options.get(key)
        if option is None:
            return usual
        if option.switch is None:
            said = f"{option.value[:80]!r} is neither yes nor no, which go-choria takes for no"
            self._mistake(key, said, f"write `{key} = {'true' if usual else 'false'}`, or the other")
        return bool(option.switch)

    def _path(self, key: str) -> Path | None:
        text = self._text(key).strip()
        if any(ord(letter) < _SPACE for letter in text):
            self._say(key, f"{text[:80]!r} is not the name of a file", "write it without control characters")
            return None
        if text.startswith("~"):
            text = self._environ.get("HOME", "") + text[1:]
        return Path(text) if text else None

    def _needed_path(self, name: str, key: str) -> Path:
        path = self._path(key)
        if path is None and not self._text(key) and self._text(PROVIDER) == "choria":  # another one needs other files
            self._say(key, "it is missing", f"add the line `{key} = /path/to/the/file`")
        self._from(name, key)
        return path or Path()

    def _check_provider(self) -> None:
        provider = self._text(PROVIDER) or "puppet"
        self._from("provider", PROVIDER)
        if provider == "choria":
            return
        written = "" if self._options.get(PROVIDER) else ", go-choria's default,"
        if provider in _X509:
            what = f"the security provider {provider}{written} is not supported yet: only choria (protocol v2) is"
        else:
            what = f"there is no security provider {provider[:80]!r}"
        self._say(PROVIDER, what, f"set `{PROVIDER} = choria`, with its token_file and seed_file")

    def _check_unsupported(self) -> None:
        for key, what in _REFUSED.items():
            if self._options.get(key):
                self._say(key, what, "remove it")
        for key, what in _REFUSED_ON.items():
            if self._switch(key, usual=False):
                self._say(key, what, "remove it")
        if self._environ.get(FEDERATED):
            where = f"the environment variable {FEDERATED}"
            self._problems.append(Problem(where, _FEDERATION, f"unset {FEDERATED}"))
        for key in _UNUSED:
            if self._options.get(key):
                what = "it is not used: an issuer broker asks a provisioner for its token, not for a certificate"
                self._say(key, what, "nothing has to be done", Severity.WARNING)

    def _identity(self, names: Names) -> str:
        written = self._text("identity").strip()
        identity, where = (written, "") if written else machine_identity(names)
        self._from("identity", "identity", where)
        if not is_safe(identity):
            what = f"{identity[:80]!r} is not a safe name: letters, digits, '_' and '-' in labels joined by single dots"
            self._say("identity", what, "add the line `identity = name`")
        return identity

    def _servers(self) -> tuple[Server, ...]:
        option = self._options.get(HOSTS)
        servers = [server for text in (option.words if option else ()) if (server := self._server(text))]
        if option:
            self._from("servers", HOSTS)
        return tuple(servers)

    def _server(self, text: str) -> Server | None:
        try:
            server = parse_server(text)
        except ValueError as error:
            self._say(HOSTS, f"{shown(text)!r}: {error}", f"write `{HOSTS} = broker1.example.net:4222`")
            return None
        if server.dropped:
            self._mistake(HOSTS, f"{server.url} has {server.dropped}: it does not count", f"write {server.url}")
        return server

    def _lookup(self) -> Lookup | None:
        """Where to ask for brokers when none are written; go-choria asks, unless it is told not to."""
        asks = self._switch(USE_SRV, usual=True)
        if self._options.get(HOSTS):
            return None
        last = f"{FALLBACK.host}:{FALLBACK.port}"
        if not asks:
            what = f"it is not set, and {USE_SRV} is off, so the broker is {last}, go-choria's last resort"
            self._say(HOSTS, what, f"add the line `{HOSTS} = broker.example.net:4222`", Severity.WARNING)
            self._from("servers", USE_SRV)
            return None
        option = self._options.get(SRV_DOMAIN)
        domain = option.value.strip() if option else ""
        if domain and not is_safe(domain.removesuffix(".")):
            self._say(SRV_DOMAIN, f"{domain[:80]!r} is not a domain", "write it as `example.net`")
        if not domain:
            what = f"it is not set: DNS is asked for brokers in {_FACTER}; without facter the broker is {last}"
            next_step = f"add the line `{HOSTS} = broker.example.net:4222`, or set {SRV_DOMAIN}"
            self._say(HOSTS, what, next_step, Severity.WARNING)
        self._from("servers", SRV_DOMAIN, "" if domain else _FACTER)
        return Lookup(domain, option.where if option and domain else _FACTER)

    def _ca(self) -> Path | None:
        path = self._path(CA_FILE)
        self._from("ca", CA_FILE)
        if path is None or is_there(path):
            return path
        what = f"there is no file {path}, so the broker's certificate is not verified"
        self._say(CA_FILE, what, "correct the path", Severity.WARNING, CA_MISSING)
        return None

    def _nats_user(self) -> tuple[str, str]:
        user, password = self._text(USER), self._text(PASSWORD)
        if bool(user) != bool(password):
            key, other = (USER, PASSWORD) if user else (PASSWORD, USER)
            self._mistake(key, f"it does not count without {other}", f"set {other}, or remove it")
            return "", ""
        self._from("user", USER)
        self._from("password", PASSWORD)
        return user, password
