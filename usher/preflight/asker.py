"""As whom the preflight asks: exactly as usher would appear, made by the same functions.

Rules:
1. Nothing is kept open, and nothing that changes later is followed: a check is one moment.
2. What cannot be used is one check that names the file, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from security.problems import CredentialError
from transport.credentials import CertificateFileError, asked_of
from usher.appearing import Appears, appear
from usher.config.appearance import CA_FILE, CertificateFiles, TokenFiles, Unsecured
from usher.config.client import ClientConfig
from usher.config.site import Site
from usher.outside import VERSION
from usher.preflight.broker import Asker
from usher.preflight.refusal import Shown
from usher.preflight.verdicts import Check, refused, wrong
from usher.rotation.client import TokenClient


def make_asker(name: str, site: Site, config: ClientConfig, now: Callable[[], int]) -> Asker | Check:
    """Whoever asks the brokers; a check of that name says why not. `now` is in milliseconds."""
    try:
        appears = appear(site, config, now)
    except CertificateFileError as error:
        return wrong(name, f"{error.file}: {error.detail}", "correct the file, or the setting that names it")
    except CredentialError as error:
        return refused(name, error)
    file, setting = _authority(config)
    return Asker(
        credentials=appears.client,
        asks=appears.client,
        name=f"{config.identity}-check",
        version=VERSION,
        component=site.lifecycle_component,
        shown=_shown(appears),
        tls=asked_of(appears.tls),
        verified_with=file,
        setting=setting,
        within=config.connect_timeout,
    )


def _authority(config: ClientConfig) -> tuple[Path | None, str]:
    match config.appearance:
        case TokenFiles(ca=ca):
            return ca, CA_FILE
        case CertificateFiles(paths=paths):
            return paths.ca, paths.settings[2]
        case Unsecured():
            return None, ""


def _shown(appears: Appears) -> Shown | None:
    if not isinstance(appears.client, TokenClient):
        return None
    claims = appears.client.credentials.claims
    given = claims.get("permissions")
    provisioner = isinstance(given, dict) and given.get("provisioner") is True
    return Shown(provisioner, str(claims.get("ou") or "")[:80])
