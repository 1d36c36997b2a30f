"""What the client certificate lets us be, and what being unsecured means.

Rules:
1. Files and their fit are judged in the room that knows them; here is what can be seen besides.
2. What a broker may refuse later is a warning here: only the broker knows what it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from security.client_certificate import ClientCertificate
from security.problems import CredentialError
from usher.config.appearance import CertificateFiles, Unsecured
from usher.preflight.tokens import timed
from usher.preflight.verdicts import Check, doubtful, fine, refused
from usher.rotation.client import caller_of

NAME: Final = "client certificate"
UNSECURED: Final = "unsecured"


def client_certificate(files: CertificateFiles, now: int) -> Iterator[Check]:
    """What the certificate says at `now` (milliseconds); its files were found to be in order."""
    try:
        held = ClientCertificate(files.paths)
    except CredentialError as error:
        yield refused(NAME, error)
        return
    facts, renew = held.facts, "have the authority make a new one"
    names, issuer = ", ".join(facts.names) or "nobody who is named", facts.issuer or "nobody who is named"
    said = f"the caller is {caller_of(files.certname)}, the certificate is for {names}, made by {issuer}"
    yield timed(NAME, said, facts.ends, now, renew)
    checks = {problem.check for problem in held.warnings}
    if not checks & {"certificate_chain", "certificate_purpose"}:
        yield fine(NAME, f"it is for clients, and leads to an authority of {files.paths.ca}")
    yield timed(NAME, "the authority is good", held.authority_end, now, renew)


def unsecured(appearance: Unsecured) -> Iterator[Check]:
    """What `choria_insecure` means here."""
    what = f"requests say that {caller_of(appearance.certname)} asks, and nothing proves it (choria_insecure)"
    yield doubtful(UNSECURED, what, "turn choria_insecure off, and name a certificate: plugin.security.provider = file")
