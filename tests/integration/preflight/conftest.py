"""A broker that is started once, and a copy of its site for each test, to be damaged."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fsm.runtime.clock import SystemClock
from tests.fakes.names import FixedNames
from transport.srv import SrvResolver
from usher.config.loading import Surroundings, inspect
from usher.preflight.place import Machine, machine
from usher.preflight.verdicts import Check, Verdict
from usher.preflight.whole import Around, Wanted, preflight
from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import DemoSite, make_broker, make_site


@dataclass
class Trial:
    """A site that fits its broker; `await check()` is the preflight of whatever a test has made of it."""

    broker: EmbeddedBroker
    where: Path

    @property
    def yaml(self) -> Path:
        """The site's configuration."""
        return self.where / "usher.yaml"

    @property
    def cfg(self) -> Path:
        """The Choria client configuration."""
        return self.where / "choria.cfg"

    @property
    def token(self) -> Path:
        """The provisioning token."""
        return self.where / "provisioning.jwt"

    def set(self, **values: object) -> None:
        """Other settings in the YAML."""
        self.yaml.write_text(yaml.safe_dump(yaml.safe_load(self.yaml.read_text()) | values, sort_keys=False))

    def replace(self, old: str, new: str) -> None:
        """Another text in the client configuration."""
        text = self.cfg.read_text()
        assert old in text
        self.cfg.write_text(text.replace(old, new))

    async def check(
        self,
        *,
        node: bool = False,
        helper: bool = False,
        within: float = 60.0,
        sample: Path | None = None,
        seen: Callable[[Path], Machine] = machine,
    ) -> dict[str, list[Check]]:
        """Every check by its name, the broker's address left out of it."""
        clock = SystemClock()
        environ = {"PATH": "/usr/bin:/bin"}
        found = inspect(self.yaml, self.cfg, Surroundings(environ, self.where, clock.now(), FixedNames("host")))
        around = Around(environ, clock, SrvResolver(), FixedNames("host"), seen)
        wanted = Wanted(self.token if node else None, sample, helper, within)
        told: list[Check] = []
        checks = await preflight(found, wanted, around, told.append)
        assert list(checks) == told
        by_name: dict[str, list[Check]] = {}
        for check in checks:
            name, _, place = check.name.rpartition(" ")
            by_name.setdefault(name if ":" in place else check.name, []).append(check)
        return by_name


def verdicts(checks: dict[str, list[Check]], verdict: Verdict) -> set[str]:
    """The names of the checks with that verdict."""
    return {name for name, found in checks.items() for check in found if check.verdict is verdict}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedBroker, DemoSite]]:
    directory = tmp_path_factory.mktemp("preflight") / "demo"
    broker = make_broker(directory)
    broker.start()
    try:
        yield broker, make_site(directory, broker, int(time.time()), {"server_jwt_validity": "90d"})
    finally:
        broker.stop()


@pytest.fixture
def trial(made: tuple[EmbeddedBroker, DemoSite], tmp_path: Path) -> Trial:
    broker, site = made
    shutil.copytree(site.site, tmp_path / "site")
    trial = Trial(broker, tmp_path / "site")
    trial.set(
        state_directory=str(tmp_path / "state"),
        helper=str(tmp_path / "site" / "helper.py"),
        jwt_signing_key=str(tmp_path / "site" / "signer.seed"),
        jwt_signing_token=str(tmp_path / "site" / "signer.jwt"),
    )
    trial.replace(str(site.site), str(trial.where))
    return trial
