"""What the site's own tokens say, and what a provisioning token would be worth to a node of this site.

Rules:
1. Files and their fit are judged in the room that knows them; here is what can be seen besides.
2. A token, a password or a shared secret is compared, and never shown.
3. A provisioning token is verified exactly as usher verifies the one of a node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fsm.errors import TokenError
from security import tokens
from security.chain import expiry, verify_holder
from security.client import ClientCredentials
from security.keyfiles import verify_keys
from security.keys import Ed25519Key
from security.problems import CredentialError
from security.verifier import TokenVerifier
from transport.wire.versions import Version
from usher.config.appearance import TokenFiles
from usher.config.site import Site
from usher.preflight.verdicts import Check, doubtful, fine, wrong

CLIENT: Final = "client token"
NODE: Final = "node token"
_DAY: Final = 86_400
SOON: Final = 14 * _DAY
"""Seconds before its end from which on a token is a warning."""
_LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class NodeToken:
    """A provisioning token as a node has it: the text, and its claims, verified or not."""

    text: str = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def urls(self) -> tuple[str, ...]:
        """The brokers that it names (`chu`)."""
        return tuple(url.strip() for url in str(self.claims.get("chu") or "").split(",") if url.strip())

    def words(self, name: str) -> str:
        """A claim that is text."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""


def client_token(site: Site, files: TokenFiles, now: int) -> Iterator[Check]:
    """What the client token lets us be, at `now` (milliseconds); its files were found to be in order."""
    try:
        held = ClientCredentials(files.token, files.seed, strict=site.strict)
    except CredentialError as error:
        yield wrong(CLIENT, str(error.problem.what), error.problem.next)
        return
    claims = held.claims
    given = claims.get("permissions")
    permissions = sorted(name for name, on in given.items() if on is True) if isinstance(given, dict) else []
    said = [
        f"the caller is {_short(claims.get('callerid'))}",
        f"organization {_short(claims.get('ou')) or 'not named'}",
        f"issued by {_issuer(claims)}",
        f"permissions {', '.join(permissions)[:200] or 'none'}",
    ]
    yield timed(CLIENT, ", ".join(said), expiry(claims), now)
    yield from _same_issuer(site, held, now)


def _same_issuer(site: Site, held: ClientCredentials, now: int) -> Iterator[Check]:
    """Whether the key that provisioning tokens are verified with vouches for us too, as it does at most sites."""
    if not site.jwt_verify_cert:
        return
    try:
        keys = [key for key in verify_keys(site.jwt_verify_cert) if isinstance(key, Ed25519Key)]
    except CredentialError:
        return
    if keys and not any(_vouches(key, held, now) for key in keys):
        what = "the issuer of jwt_verify_cert did not issue it: most sites have one issuer for both"
        step = "compare jwt_verify_cert with the broker's plugin.security.issuer.<ou>.public"
        yield doubtful(CLIENT, what, step)
    elif keys:
        yield fine(CLIENT, "its chain leads to the issuer of jwt_verify_cert")


def _vouches(key: Ed25519Key, held: ClientCredentials, now: int) -> bool:
    try:
        verify_holder(held.token, key, now)
    except TokenError:
        return False
    return True


def read_node_token(file: Path) -> tuple[NodeToken | None, tuple[Check, ...]]:
    """The provisioning token of a file, as a node reads it."""
    step = "name the provisioning.jwt that nodes are installed with"
    try:
        text = file.read_text(encoding="utf-8")[:_LARGEST].strip()
        return NodeToken(text, tokens.decode(text).claims), ()
    except OSError as error:
        return None, (wrong(NODE, f"{file}: {(error.strerror or 'it cannot be read').lower()}", step),)
    except UnicodeDecodeError:
        return None, (wrong(NODE, f"{file} is no text", step),)
    except TokenError as error:
        return None, (wrong(NODE, f"{file} holds no token: {error.detail}", step),)


def node_token(site: Site, token: NodeToken, version: Version, now: int) -> Iterator[Check]:
    """Whether usher would accept a node with this token at `now` (milliseconds); `version` is usher's own.

    Without jwt it looks at none.
    """
    if not site.jwt_verify_cert:
        return
    try:
        TokenVerifier(*verify_keys(site.jwt_verify_cert)).provisioning_token(token.text, now)
    except CredentialError as error:
        yield wrong(NODE, str(error.problem.what), error.problem.next)
        return
    except TokenError as error:
        step = "set jwt_verify_cert to the key of who signs provisioning tokens, or have the issuer make a new one"
        yield wrong(NODE, f"usher would refuse it: {error.reason}: {error.detail}", step)
        return
    organization = _short(token.claims.get("ou")) or "not named"
    yield timed(NODE, f"it verifies with jwt_verify_cert, organization {organization}", expiry(token.claims), now)
    yield from _secret(site, token)
    yield from _mode(token, version)


def _secret(site: Site, token: NodeToken) -> Iterator[Check]:
    said = token.words("cht")
    if said in site.tokens or not (said or site.tokens):
        yield fine(NODE, "its cht is the setting token" if said else "it has no cht, and token is not set")
        return
    what = "its cht differs from it" if said else "it has no cht"
    step = "set token to the --token that the provisioning token was made with: nodes refuse any other"
    yield wrong(NODE, f"the setting token does not fit: {what}", step)


def _mode(token: NodeToken, version: Version) -> Iterator[Check]:
    theirs = Version.V2 if token.claims.get("v2") is True else Version.V1
    if theirs is not version:
        how = "make it with --protocol-v2" if version is Version.V2 else "make it without --protocol-v2"
        what = f"nodes with it speak protocol {theirs}, usher as it is configured {version}: neither hears the other"
        yield wrong(NODE, what, f"{how}, or change plugin.security.provider")
    if bool(token.words("chusr")) != bool(token.words("chpwd")):
        step = "make it with --username and --password, or with neither"
        yield doubtful(NODE, "it has only one of user and password, and nodes then send none", step)


def timed(name: str, said: str, end: float | None, now: int, renew: str = "have the issuer make a new one") -> Check:
    """What is to be thought of something that ends (Unix seconds; None: never) at `now` (milliseconds)."""
    if end is None:
        return fine(name, f"{said}, no end")
    left = end - now / 1000
    if left <= 0:
        return wrong(name, f"{said}, expired {moment(end)}", renew)
    what = f"{said}, until {moment(end)} ({span(left)} left)"
    return doubtful(name, what, f"{renew} soon") if left < SOON else fine(name, what)


def moment(unix: float) -> str:
    """A Unix time in words; what no calendar holds stays a number."""
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, OSError, ValueError):
        return f"{unix:.0f}"


def span(seconds: float) -> str:
    """A span in days, else in hours."""
    return f"{seconds // _DAY:.0f} days" if seconds >= 2 * _DAY else f"{seconds / 3600:.1f} hours"


def _issuer(claims: Mapping[str, Any]) -> str:
    text = _short(claims.get("iss"))
    return f"{text[:18]}…" if text.startswith(("I-", "C-")) else text or "nobody who is named"


def _short(value: object) -> str:
    return value[:80] if isinstance(value, str) else ""
