"""A site's files and everything that is made of them, a journal that says when it was told what, and a rotation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from fsm.policy import Policy
from security.issuing import SignerMaterial, make_broker_certificate
from store.entries import FleetEntry
from tests.fakes.effects import FixedClock
from tests.fakes.names import FixedNames
from tests.fakes.site import ISSUER, SIGNER, written
from usher.config.client import ClientConfig, read_client
from usher.config.networks import load_site
from usher.metrics.catalogue import families
from usher.metrics.families import labels
from usher.outside import make_outside
from usher.rotation.rotation import Rotation

CALLER = "provisioner_signer"


@dataclass
class Written:
    """A journal that says in which order it was told what, and what was in use at that moment."""

    at: Any = None
    told: list[tuple[str, str]] = field(default_factory=list)
    entries: list[FleetEntry] = field(default_factory=list)

    async def fleet(self, entry: FleetEntry) -> None:
        self.told.append((entry.kind, self.at()))
        self.entries.append(entry)

    async def remember_policy(self, hashed: str, document: bytes, at: int) -> None:
        self.told.append((json.loads(document)["signer"], self.at()))


@dataclass
class Serving:
    """The daemon, as far as rotation knows it."""

    journal: Written
    policy: Policy
    clock: FixedClock = field(default_factory=FixedClock)

    def follow(self, policy: Policy) -> None:
        self.policy = policy


class Bench:
    """A site's files, everything made of them, and a rotation that looks when it is told to."""

    def __init__(self, where: Path, appears: str = "", environ: Mapping[str, str] = MappingProxyType({})) -> None:
        """`appears` are the lines of the client configuration that say as whom, instead of those of a client token."""
        self.where = where
        for name in ("signer", "client"):
            self.put(f"{name}.seed", SIGNER.seed_hex)
            self.put(f"{name}.jwt", SIGNER.token)
        self.put("ca.pem", make_broker_certificate(["localhost"])[0])
        self.put("helper", "", 0o700)
        self.values: dict[str, Any] = {
            "helper": str(where / "helper"),
            "token": "first",
            "broker_provisioning_password": "p4ssword",
            "jwt_verify_cert": ISSUER.public_hex,
            "jwt_signing_key": str(where / "signer.seed"),
            "jwt_signing_token": str(where / "signer.jwt"),
            "server_jwt_validity": "90d",
            "features": {"jwt": True, "ed25519": True},
        }
        self.configure()
        self.put(
            "choria.cfg",
            "identity = usher\nplugin.choria.use_srv = false\nplugin.choria.middleware_hosts = nats://localhost:4222\n"
            + (
                appears
                or "plugin.security.provider = choria\n"
                f"plugin.security.choria.token_file = {where / 'client.jwt'}\n"
                f"plugin.security.choria.seed_file = {where / 'client.seed'}\n"
                f"plugin.security.choria.ca = {where / 'ca.pem'}\n"
            ),
        )
        client, problems = read_client(where / "choria.cfg", environ, where, FixedNames("host"))
        assert isinstance(client, ClientConfig), problems
        self.clock = FixedClock()
        self.outside, policy = make_outside(load_site(where / "usher.yaml", {}), client, self.clock)
        self.journal = Written(self.outside.live.signer)
        self.serving = Serving(self.journal, policy, self.clock)
        self.families = families()
        self.wake = asyncio.Event()
        self.rotation = Rotation(self.outside.live, self.serving, self.families, self.wake)

    def put(self, name: str, text: str, mode: int = 0o600) -> None:
        """Another file under the same name."""
        written(self.where / f"{name}.new", text, mode).rename(self.where / name)

    def configure(self, **more: Any) -> None:
        self.values |= more
        self.put("usher.yaml", yaml.safe_dump(self.values))

    def signs_with(self, name: str, material: SignerMaterial) -> None:
        self.put(f"{name}.seed", material.seed_hex)
        self.put(f"{name}.jwt", material.token)

    def count(self, setting: str, result: str) -> float:
        return self.families["usher_reloads_total"].value(labels(setting=setting, result=result))
