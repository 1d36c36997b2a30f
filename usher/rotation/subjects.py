"""What of the site may change while usher runs: who signs, who is believed, and what the YAML file says.

Rules:
1. Each is a usher.rotation.change.Subject, and keeps the rules there.
2. A setting of the YAML file is used as soon as it changes, or it is named as one that needs a restart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from security.keyfiles import verify_keys
from security.signer import FileSigner
from security.verifier import TokenVerifier
from usher.config.client import ClientConfig
from usher.config.networks import read_site
from usher.config.problems import ConfigErrors
from usher.config.site import Site
from usher.effects.tokens import Tokens
from usher.intake import SETTINGS, Intake, words
from usher.rotation.change import Change, texts
from usher.rotation.client import Client
from usher.rotation.fingerprints import is_file, key_prints, told_keys

AT_RUN_TIME: Final = ("tokens", "broker_provisioning_password", "jwt_verify_cert", *SETTINGS)
"""The settings of the YAML file that are used as soon as they change."""
_NOT_COMPARED: Final = frozenset({"file", "command", "problems", "state_directory"})


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


class VerifySubject:
    """The keys that provisioning tokens are verified with."""

    name = "jwt_verify_cert"

    def __init__(self, values: tuple[str, ...], verifier: TokenVerifier) -> None:
        """Change this verifier; `values` are what the setting says."""
        self.values, self._verifier = values, verifier
        self._prints = key_prints(values)

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that are no keys themselves."""
        return tuple(Path(value) for value in self.values if is_file(value))

    def read(self) -> Change | None:
        """The keys as the setting has them now."""
        return self.change(self.values)

    def change(self, values: tuple[str, ...]) -> Change | None:
        """What another value of the setting would be; a site that verifies no tokens has none."""
        if not values or (values, key_prints(values)) == (self.values, self._prints):
            return None
        keys, now = verify_keys(values), key_prints(values)

        def take() -> None:
            self.values, self._prints = values, now
            self._verifier.use(*keys)

        return Change(f"provisioning tokens are verified with {told_keys(now)} from now on", take, {"keys": now})


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
        found, problems = read_site(self._site.file, os.environ, self._site.network)
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
            yield f"jwt_verify_cert: {told_keys(key_prints(changed['jwt_verify_cert']))} from now on"
        yield from words(changed)

    def _prints(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        prints: dict[str, Any] = {"settings": ["token" if name == "tokens" else name for name in changed]}
        if "tokens" in changed:
            prints["tokens"] = self._marks(changed["tokens"])
        if "jwt_verify_cert" in changed:
            prints["keys"] = key_prints(changed["jwt_verify_cert"])
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
