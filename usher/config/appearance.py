"""As whom usher appears on the network: with a client token, with a certificate, or without either.

Rules:
1. The security provider decides (wire/protocol.md §4.2): choria is a token and protocol v2; file and puppet are a
   certificate and v1. `choria_insecure` of the YAML forces file and asks for neither files nor signatures.
2. The certname is go-choria's, for file: `MCOLLECTIVE_CERTNAME`, else `$USER.mcollective` for who is not root, else the
   identity (providers/security/filesec/option.go). For puppet root is `$USER.mcollective` too (puppetsec/option.go).
3. A file that go-choria would not start without is an error here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fsm.identity import is_safe
from security.client_certificate import Paths
from usher.config.options import is_there
from usher.config.problems import Problem, Severity
from usher.config.reading import Reading

PROVIDER: Final = "plugin.security.provider"
TOKEN_FILE: Final = "plugin.security.choria.token_file"  # noqa: S105 a setting's name
SEED_FILE: Final = "plugin.security.choria.seed_file"
CA_FILE: Final = "plugin.security.choria.ca"
CERTIFICATE: Final = "plugin.security.file.certificate"
KEY: Final = "plugin.security.file.key"
AUTHORITY: Final = "plugin.security.file.ca"
SSL_DIRECTORY: Final = "plugin.choria.ssldir"
CERTNAME: Final = "MCOLLECTIVE_CERTNAME"
CA_MISSING: Final = "ca_missing"
"""The check that `strict` makes an error of: go-choria verifies nothing when the file is not there."""
PUPPETS_SETTING: Final = "ssldir"
_USUAL: Final = "puppet"
_SUFFIX: Final = "mcollective"
_NAME: Final = "certname"
_TOKENS: Final = (TOKEN_FILE, SEED_FILE, CA_FILE)
_FILES: Final = (CERTIFICATE, KEY, AUTHORITY)
_ISSUER_ASKS: Final = ("plugin.security.choria.certificate", "plugin.security.choria.key")
_REFUSED: Final = {
    "pkcs11": "the security provider pkcs11 (keys in hardware) is not supported",
    "certmanager": "the security provider certmanager (certificates fetched from Kubernetes) is not supported",
}


@dataclass(frozen=True, slots=True)
class TokenFiles:
    """A client token and its seed: protocol v2. `ca` is None if the broker's certificate is not verified."""

    token: Path
    seed: Path
    ca: Path | None


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate, its key and the authority: protocol v1 over mutual TLS."""

    certname: str
    paths: Paths


@dataclass(frozen=True, slots=True)
class Unsecured:
    """Neither certificate nor signature: protocol v1 as `choria_insecure` has it."""

    certname: str


Appearance = TokenFiles | CertificateFiles | Unsecured


def provider_of(appearance: Appearance) -> str:
    """What go-choria calls it."""
    match appearance:
        case TokenFiles():
            return "choria"
        case CertificateFiles():
            return "puppet" if SSL_DIRECTORY in appearance.paths.settings else "file"
        case Unsecured():
            return "none (choria_insecure)"


def read_appearance(reading: Reading, identity: str, *, insecure: bool) -> Appearance | None:
    """What the settings say; None if the provider is one that usher cannot be. `insecure` is `choria_insecure`."""
    provider = reading.text(PROVIDER) or _USUAL
    if insecure:
        reading.note("provider", PROVIDER, "choria_insecure of the YAML forces file, without TLS and signatures")
        _unused(reading, (*_TOKENS, *_FILES), "choria_insecure is on")
        return Unsecured(_file_certname(reading, identity))
    reading.note("provider", PROVIDER)
    match provider:
        case "choria":
            return _tokens(reading)
        case "file":
            _unused(reading, _TOKENS, "the provider is file")
            return _files(reading, identity)
        case "puppet":
            _unused(reading, (*_TOKENS, *_FILES), "the provider is puppet")
            return _puppet(reading)
        case _:
            what = _REFUSED.get(provider, f"there is no security provider {provider[:80]!r}")
            step = f"set `{PROVIDER} = file` with {CERTIFICATE}, {KEY} and {AUTHORITY}, or `{PROVIDER} = choria`"
            reading.say(PROVIDER, what, f"{step} with its token_file and seed_file")
            return None


def _unused(reading: Reading, keys: tuple[str, ...], because: str) -> None:
    for key in keys:
        if reading.get(key):
            reading.warn(key, f"it is not used, since {because}", "nothing has to be done")


def _tokens(reading: Reading) -> TokenFiles:
    for key in _ISSUER_ASKS:
        if reading.get(key):
            what = "it is not used: an issuer broker asks a provisioner for its token, not for a certificate"
            reading.warn(key, what, "nothing has to be done")
    token, seed = reading.needed_path("token_file", TOKEN_FILE), reading.needed_path("seed_file", SEED_FILE)
    return TokenFiles(token, seed, _optional_ca(reading))


def _optional_ca(reading: Reading) -> Path | None:
    path = reading.path(CA_FILE)
    reading.note("ca", CA_FILE)
    if path is None or is_there(path):
        return path
    what = f"there is no file {path}, so the broker's certificate is not verified"
    reading.say(CA_FILE, what, "correct the path", Severity.WARNING, CA_MISSING)
    return None


def _files(reading: Reading, identity: str) -> CertificateFiles:
    certificate = reading.needed_path("certificate", CERTIFICATE)
    key, ca = reading.needed_path("key", KEY), reading.needed_path("ca", AUTHORITY)
    return CertificateFiles(_file_certname(reading, identity), Paths(certificate, key, ca, _FILES))


def _puppet(reading: Reading) -> CertificateFiles | None:
    certname = _certname(reading, _of_user(reading))
    if not certname:
        what = "the provider puppet takes its certname from the environment variable USER, which is not set"
        reading.say(PROVIDER, what, f"set {CERTNAME}, or `{PROVIDER} = file`")
    directory = _ssl_directory(reading)
    if not certname or directory is None:
        return None
    certificate, key = directory / "certs" / f"{certname}.pem", directory / "private_keys" / f"{certname}.pem"
    settings = (SSL_DIRECTORY, SSL_DIRECTORY, SSL_DIRECTORY)
    return CertificateFiles(certname, Paths(certificate, key, directory / "certs" / "ca.pem", settings))


def _ssl_directory(reading: Reading) -> Path | None:
    """Puppet's directory (go-choria: puppetsec/util.go): as written, as puppet says it to root, else of the user."""
    if reading.text(SSL_DIRECTORY).strip():
        reading.note("ssldir", SSL_DIRECTORY)
        return reading.path(SSL_DIRECTORY)
    if reading.names.root():
        reading.note("ssldir", SSL_DIRECTORY, f"puppet's own setting {PUPPETS_SETTING}")
        return _found(reading, reading.names.puppet(PUPPETS_SETTING), "puppet does not say it (is it installed?)")
    reading.note("ssldir", SSL_DIRECTORY, "the home directory")
    home = reading.environ.get("HOME", "")
    return _found(reading, home and f"{home}/.puppetlabs/etc/puppet/ssl", "HOME is not set, so there is no default")


def _found(reading: Reading, directory: str, why_not: str) -> Path | None:
    if directory.startswith("/"):
        return Path(directory)
    reading.say(SSL_DIRECTORY, f"it is not set, and {why_not}", f"add the line `{SSL_DIRECTORY} = /path/to/puppet/ssl`")
    return None


def _file_certname(reading: Reading, identity: str) -> str:
    of_user = "" if reading.names.root() else _of_user(reading)
    return _certname(reading, of_user, identity)


def _of_user(reading: Reading) -> str:
    user = reading.environ.get("USER", "")
    return f"{user}.{_SUFFIX}" if user else ""


def _certname(reading: Reading, of_user: str, identity: str = "") -> str:
    """The first of the three that there is; a name that is none is said, and where it is from."""
    override = reading.environ.get(CERTNAME, "")
    where = f"the environment variable {CERTNAME if override else 'USER'}" if override or of_user else "the identity"
    certname = override or of_user or identity
    reading.note(_NAME, _NAME, where)
    if certname and certname != identity and not is_safe(certname):
        what = f"the certname {certname[:80]!r} is not a safe name: letters, digits, '_' and '-' joined by single dots"
        reading.problems.append(Problem(where, what, f"set {CERTNAME}"))
    return certname
