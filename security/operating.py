"""The operator's certificate: under which name its holder asks servers of protocol v1 (wire/protocol.md §2.7, §2.8).

Rules:
1. The caller is a name of the certificate itself, since servers compare the two: one that they obey as they come, if
   there is one, else the first.
2. A login may be older than the certificate that is shown, and then no broker has judged it: what servers would meet
   with silence is refused here, strict or not. Sites may have them obey other names, so that is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from fsm.identity import is_safe
from security.client_certificate import ClientCertificate, Paths, inspect_certificate
from security.holder import raise_fatal
from security.obeying import OBEYED
from security.problems import CredentialError, Problem

CERTIFICATE_SETTING: Final = "fleet_certificate_file"
KEY_SETTING: Final = "fleet_key_file"
_SILENT: Final = frozenset({"certificate_chain", "certificate_purpose"})
"""What servers look at as brokers do (§2.8)."""
_MAKE: Final = "have the authority make one for a name such as operator.mcollective"


def certname_of(certificate: ClientCertificate) -> str:
    """The name in the caller id; raises CredentialError if there is none."""
    names = [name for name in certificate.names if is_safe(name)]
    if not names:
        what = "it has no name (common name, DNS name) that a caller id could be made of"
        raise CredentialError(Problem("certificate_name", certificate.paths.places[0], what, _MAKE))
    return next((name for name in names if OBEYED.search(name)), names[0])


def refuse_silence(certificate: ClientCertificate, now: int) -> None:
    """Raise CredentialError for what would only meet silence, or a refusal, at `now` (milliseconds)."""
    raise_fatal(tuple(_judged(certificate.problems(now))))


def inspect_operating(paths: Paths, now: int, *, strict: bool) -> tuple[Problem, ...]:
    """Everything that is wrong with an operator's certificate and its key at `now` (milliseconds)."""
    found = tuple(_judged(inspect_certificate(paths, now, strict=strict)))
    try:
        certificate = ClientCertificate(paths, strict=strict)
        name = certname_of(certificate)
    except CredentialError as error:
        return found if error.problem in found else (*found, error.problem)
    if OBEYED.search(name):
        return found
    what = (
        f"it is for {name}, and servers obey names that end in .mcollective or .choria, unless their "
        "plugin.choria.security.certname_whitelist says otherwise"
    )
    return (*found, Problem("certificate_name", paths.places[0], what, _MAKE, fatal=False))


def _judged(problems: Iterable[Problem]) -> Iterator[Problem]:
    return (replace(each, fatal=True) if each.check in _SILENT else each for each in problems)
