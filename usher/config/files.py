"""The files that a configuration names: are they there, may they be used, and does their content fit.

Rules:
1. What would fail for every node is found before the first node.
2. The content of keys and tokens is judged in the room that knows them; here it becomes findings like all others.
3. What only `strictness: strict` refuses says so, with the check's name.
"""

from __future__ import annotations

import os
import shutil
import ssl
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from fsm.effects import Feature
from security.auditkey import read_audit_keys
from security.client import TOKEN_SETTING as CLIENT_SETTING
from security.client import inspect_client
from security.client_certificate import Paths, inspect_certificate
from security.expiry import certificate_end, certificate_warning, expiring
from security.keyfiles import verify_key
from security.problems import CredentialError
from security.problems import Problem as Finding
from security.signer import TOKEN_SETTING as SIGNER_SETTING
from security.signer import inspect_signer
from security.vaultfile import read_ring
from usher.audit.keys import SETTING as AUDIT_SETTING
from usher.config.appearance import CA_FILE, CA_MISSING, CertificateFiles, TokenFiles, Unsecured
from usher.config.client import ClientConfig
from usher.config.problems import Problem, Severity
from usher.config.site import Site
from usher.vault import SETTING

_RENEW_CA: Final = "put the new one beside it: docs/rotation.md"


def network_files(site: Site, environ: Mapping[str, str], now: int) -> tuple[Problem, ...]:
    """What is wrong at `now` (milliseconds) with the files of the YAML file that each network may have for itself."""
    return (
        *_helper(site, environ),
        *_verify_key(site),
        *_judged(site.strict, lambda strict: _signer(site, now, strict=strict)),
    )


def shared_files(site: Site, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """What is wrong with the files that all networks share."""
    return (
        *_judged(site.strict, lambda strict: _vault_key(site, strict=strict)),
        *_audit(site, environ),
        *_state(site),
    )


def client_files(client: ClientConfig, now: int, *, strict: bool) -> tuple[Problem, ...]:
    """What is wrong with the files of the client configuration at `now` (milliseconds)."""
    match client.appearance:
        case TokenFiles() as files:
            token = _judged(strict, lambda strict: _client_token(files, now, strict=strict))
            return (*token, *_ca(client, files.ca, now, strict=strict))
        case CertificateFiles(paths=paths):
            certificate = _judged(strict, lambda strict: inspect_certificate(paths, now, strict=strict))
            return (*certificate, *_authority(paths, now))
        case Unsecured():
            return ()


def _client_token(files: TokenFiles, now: int, *, strict: bool) -> tuple[Finding, ...]:
    return inspect_client(files.token, files.seed, now, strict=strict) or expiring(files.token, CLIENT_SETTING, now)


def _authority(paths: Paths, now: int) -> Iterator[Problem]:
    if warning := certificate_warning(certificate_end(paths.ca), now / 1000):
        yield Problem(paths.places[2], warning, _RENEW_CA, Severity.WARNING)


def _signer(site: Site, now: int, *, strict: bool) -> tuple[Finding, ...]:
    if Feature.ED25519 not in site.features:
        return ()
    found = inspect_signer(site.jwt_signing_key, site.jwt_signing_token or None, now, strict=strict)
    if not site.jwt_signing_token or found:
        return found
    return found + expiring(Path(site.jwt_signing_token), SIGNER_SETTING, now, site.server_jwt_validity)


def _vault_key(site: Site, *, strict: bool) -> tuple[Finding, ...]:
    if not site.vault_key_file:
        return ()
    try:
        return read_ring(Path(site.vault_key_file), SETTING, strict=strict)[1]
    except CredentialError as error:
        return (error.problem,)


def _audit(site: Site, environ: Mapping[str, str]) -> Iterator[Problem]:
    """The audit key, where it was named, and the command that gets checkpoints."""
    if site.audit.key_file:
        try:
            read_audit_keys(Path(site.audit.key_file), AUDIT_SETTING)
        except CredentialError as error:
            yield Problem(error.problem.place, error.problem.what, error.problem.next, check=error.problem.check)
    program = site.audit.command[0] if site.audit.command else ""
    if program and not shutil.which(program, path=environ.get("PATH", os.defpath)):
        what = f"{program} is not there, or not executable for this user: nobody would get checkpoints"
        yield Problem(f"{site.file}: audit.checkpoint_command", what, "correct the path", Severity.WARNING)


def _judged(strict: bool, inspect: Callable[[bool], tuple[Finding, ...]]) -> Iterator[Problem]:
    refused = {(finding.check, finding.place) for finding in inspect(True) if finding.fatal}
    for finding in inspect(strict):
        what, check = finding.what, finding.check
        if not finding.fatal:
            depends = (finding.check, finding.place) in refused
            check = finding.check if depends else ""
            what += f" (refused with strictness: strict, check {check})" if depends else ""
        severity = Severity.ERROR if finding.fatal else Severity.WARNING
        yield Problem(finding.place, what, finding.next, severity, check)


def _helper(site: Site, environ: Mapping[str, str]) -> Iterator[Problem]:
    program = site.command[0]
    where = f"{site.file}: helper"
    if shutil.which(program, path=environ.get("PATH", os.defpath)):
        return
    path = Path(program)
    if "/" in program and path.is_file():
        yield Problem(where, f"{program} is not executable for this user", f"chmod 0755 {program}")
    elif "/" in program:
        yield Problem(where, f"there is no file {program}", "correct the path, or put the helper there")
    else:
        yield Problem(where, f"there is no {program} in PATH", "write the whole path")


def _verify_key(site: Site) -> Iterator[Problem]:
    for value in site.jwt_verify_cert:
        try:
            verify_key(value)
        except CredentialError as error:
            finding = error.problem
            yield Problem(finding.place, finding.what, finding.next, Severity.ERROR, finding.check)


def _state(site: Site) -> Iterator[Problem]:
    directory = site.state_directory
    where = f"{site.file}: state_directory"
    try:
        mode = directory.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        yield Problem(where, f"{directory}: {error.strerror}", "choose a directory that this user can reach")
        return
    if not stat.S_ISDIR(mode):
        yield Problem(where, f"{directory} is not a directory", "choose another, or remove the file")
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield Problem(where, f"{directory} is not writable for this user", "give it to the user that usher runs as")
    elif mode & stat.S_IRWXO:
        what = f"{directory} is open to everybody (mode {stat.S_IMODE(mode):04o}), and it holds secrets"
        yield Problem(where, what, f"chmod 0700 {directory}", Severity.WARNING)


def _ca(client: ClientConfig, ca: Path | None, now: int, *, strict: bool) -> Iterator[Problem]:
    where = f"{client.file}: {CA_FILE}"
    if ca is None:
        missing = any(problem.check == CA_MISSING for problem in client.problems)
        if missing and strict:
            yield Problem(
                where, "its file is not there, and strictness is strict", "correct the path", check=CA_MISSING
            )
        if not missing:
            what = "it is not set, so the broker's certificate is not verified"
            yield Problem(where, what, "set it to the file of the broker's certificate authority", Severity.WARNING)
        return
    try:
        ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError:
        yield Problem(where, f"{ca} holds no certificate", "name the PEM file of the authority")
    except OSError as error:
        yield Problem(where, f"{ca} cannot be read: {error.strerror}", "look at its owner and mode")
    else:
        if warning := certificate_warning(certificate_end(ca), now / 1000):
            yield Problem(where, f"{ca}: {warning}", _RENEW_CA, Severity.WARNING)
