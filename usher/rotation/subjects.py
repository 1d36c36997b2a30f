"""What may change while usher runs: which files it is made of, how they are read, and what a change would do.

Rules:
1. Reading changes nothing. What was read is a Change; only its `take`, which awaits nothing, puts it to use.
2. What cannot be used raises; the one that is in use goes on.
3. A change says what it is in words and fingerprints: public keys, ids and digests, never a content.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

from security.client import TOKEN_SETTING, ClientCredentials
from security.expiry import certificate_end
from security.keyfiles import verify_key
from security.problems import CredentialError, Problem
from security.signer import FileSigner
from security.verifier import TokenVerifier
from transport.credentials import tls_context
from usher.config.client import CA_FILE, ClientConfig
from usher.config.problems import ConfigErrors
from usher.config.site import Site, read_site
from usher.effects.tokens import Tokens
from usher.intake import SETTINGS, Intake, words
from usher.rotation.client import Client

FINGERPRINT: Final = 16
"""Characters of a public key or a digest that stand for it."""
AT_RUN_TIME: Final = ("tokens", "broker_provisioning_password", "jwt_verify_cert", *SETTINGS)
"""The settings of the YAML file that are used as soon as they change."""
_NOT_COMPARED: Final = frozenset({"file", "command", "problems", "state_directory"})


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was read and differs from what is in use.

    `said` is for people, `prints` are the fingerprints of what is new; `signer` the id of another signer, which is a
    new policy; `secrets` must be hidden before anything is said; `tokens` says that the list of tokens is another.
    """

    said: str
    take: Callable[[], None] = field(repr=False)
    prints: Mapping[str, Any] = field(default_factory=dict)
    signer: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] | None = field(default=None, repr=False)


class Subject(Protocol):
    """One thing that may change; `name` is what logs, metrics and the journal call it."""

    @property
    def name(self) -> str:
        """The setting that names its files."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """What to watch."""
        ...

    def read(self) -> Change | None:
        """What is there now, None if it is what is in use; raises CredentialError, ConfigErrors, or TLS' own."""
        ...


class ClientSubject:
    """The client token and its seed."""

    name = TOKEN_SETTING

    def __init__(self, client: Client) -> None:
        """Change this client."""
        self._client = client

    @property
    def files(self) -> tuple[Path, ...]:
        """Token and seed."""
        return self._client.credentials.files

    def read(self) -> Change | None:
        """The two as they are; a token for another caller is refused."""
        client, found = self._client, self._client.credentials.reload()
        if (found.token, found.public_hex) == (client.credentials.token, client.credentials.public_hex):
            return None
        if found.caller != client.caller:
            what = "its callerid is another one, and what nodes under way were asked is bound to it"
            step = "give it the same callerid, or restart usher to change it"
            raise CredentialError(Problem("token_callerid", f"{TOKEN_SETTING} ({self.files[0]})", what, step))
        prints = {"key": found.public_hex[:FINGERPRINT], "id": _id(found)}
        said = f"the client token is {prints['id']} with the key {prints['key']}; it is shown from the next login on"
        return Change(said, lambda: client.take(found), prints, secrets=texts(self.files[1:]))


class SignerSubject:
    """The key that signs server tokens, and its token."""

    name = "jwt_signing_key"

    def __init__(self, signer: FileSigner) -> None:
        """Change this signer."""
        self._signer = signer

    @property
    def files(self) -> tuple[Path, ...]:
        """Key and token."""
        return self._signer.files

    def read(self) -> Change | None:
        """The two as they are."""
        found = self._signer.renewed()
        if found.id == self._signer.id:
            return None
        said = f"server tokens are signed by {found.id} from now on, which was {self._signer.id}"
        prints = {"signer": found.id, "before": self._signer.id}
        return Change(said, lambda: self._signer.take(found), prints, found.id, texts(self.files[:1]))


class Trust:
    """The authority of the broker's certificate, as the TLS context of the next login."""

    name = CA_FILE

    def __init__(self, ca: Path | None) -> None:
        """Read it; None verifies nothing. Raises CertificateFileError."""
        self._ca = ca
        self.context: ssl.SSLContext = tls_context(ca)
        self._digest = self._digested()
        self._end = self._ended()

    def end(self) -> float | None:
        """When the last authority of the file that is in use ends (Unix seconds); None if nothing is verified."""
        return self._end

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, if there is one."""
        return (self._ca,) if self._ca else ()

    def read(self) -> Change | None:
        """The file as it is."""
        digest = self._digested()
        if digest == self._digest:
            return None
        context, end = tls_context(self._ca), self._ended()

        def take() -> None:
            self.context, self._digest, self._end = context, digest, end

        return Change(f"the broker's authority is the file with the digest {digest}", take, {"digest": digest})

    def _ended(self) -> float | None:
        return certificate_end(self._ca) if self._ca else None

    def _digested(self) -> str:
        try:
            return sha256(self._ca.read_bytes()).hexdigest()[:FINGERPRINT] if self._ca else ""
        except OSError:
            return ""  # reading it for TLS says what is wrong


class VerifySubject:
    """The key that provisioning tokens are verified with."""

    name = "jwt_verify_cert"

    def __init__(self, value: str, verifier: TokenVerifier) -> None:
        """Change this verifier; `value` is what the setting says."""
        self.value, self._verifier = value, verifier
        self._print = key_print(value)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, if it is no key itself."""
        with suppress(OSError, ValueError):
            if Path(self.value).is_file():
                return (Path(self.value),)
        return ()

    def read(self) -> Change | None:
        """The key as the setting has it now."""
        return self.change(self.value)

    def change(self, value: str) -> Change | None:
        """What another value of the setting would be."""
        key, now = verify_key(value), key_print(value)
        if (value, now) == (self.value, self._print):
            return None

        def take() -> None:
            self.value, self._print = value, now
            self._verifier.use(key)

        return Change(f"provisioning tokens are verified with the key {now} from now on", take, {"key": now})


class SiteSubject:
    """The YAML file: what can change at run time does, everything else is named."""

    name = "config"

    def __init__(
        self, site: Site, client: ClientConfig, users: Callable[[Site, ClientConfig], tuple[str, str]], parts: Parts
    ) -> None:
        """Change these; `users` says who logs in. `needs_restart` names settings that differ and wait for a restart."""
        self._site, self._client, self._users, self._parts = site, client, users, parts
        self.needs_restart: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self._site.file,)

    def read(self) -> Change | None:
        """The file as it is."""
        found, problems = read_site(self._site.file, os.environ)
        if found is None:
            raise ConfigErrors(problems)
        differ = [name for name in Site.__dataclass_fields__ if getattr(found, name) != getattr(self._site, name)]
        self.needs_restart = tuple(name for name in differ if name not in _NOT_COMPARED and name not in AT_RUN_TIME)
        changed = {name: getattr(found, name) for name in differ if name in AT_RUN_TIME}
        if not changed:
            return None
        verify = self._parts.verify.change(found.jwt_verify_cert) if "jwt_verify_cert" in changed else None
        tokens = found.tokens if "tokens" in changed else None
        taken = replace(self._site, **changed)

        def take() -> None:
            self._site = taken
            if verify is not None:
                verify.take()
            if tokens is not None:
                self._parts.tokens.use(tokens)
            self._parts.client.log_in_as(*self._users(taken, self._client))
            self._parts.intake.use(taken)

        return Change("; ".join(self._words(changed)), take, self._prints(changed), "", found.secrets(), tokens)

    def _words(self, changed: Mapping[str, Any]) -> Iterable[str]:
        if "tokens" in changed:
            listed = ", ".join(self._marks(changed["tokens"])) or "none"
            yield f"token: nodes are offered {len(changed['tokens'])}, in this order: {listed}"
        if "broker_provisioning_password" in changed:
            yield "broker_provisioning_password: another one from the next login on"
        if "jwt_verify_cert" in changed:
            yield f"jwt_verify_cert: the key {key_print(changed['jwt_verify_cert'])} from now on"
        yield from words(changed)

    def _prints(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        prints: dict[str, Any] = {"settings": ["token" if name == "tokens" else name for name in changed]}
        if "tokens" in changed:
            prints["tokens"] = self._marks(changed["tokens"])
        if "jwt_verify_cert" in changed:
            prints["key"] = key_print(changed["jwt_verify_cert"])
        return prints

    def _marks(self, tokens: Iterable[str]) -> list[str]:
        return [self._parts.tokens.mark(token) for token in tokens]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the YAML file's settings are used by."""

    tokens: Tokens
    client: Client
    verify: VerifySubject
    intake: Intake


def key_print(value: str) -> str:
    """The fingerprint of the key that `jwt_verify_cert` names: the beginning of the key, or of its file's digest."""
    with suppress(OSError, ValueError):
        if Path(value).is_file():
            return sha256(Path(value).read_bytes()).hexdigest()[:FINGERPRINT]
    return value[:FINGERPRINT]


def texts(files: Iterable[Path]) -> tuple[str, ...]:
    """The texts of small files that can be read."""
    found = []
    for file in files:
        with suppress(OSError, ValueError):
            found.append(file.read_text(encoding="ascii").strip())
    return tuple(found)


def _id(credentials: ClientCredentials) -> str:
    return str(credentials.claims.get("jti", ""))[:32]
