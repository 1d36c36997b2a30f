"""A site in a directory: all that a broker, a fleet and usher need to work together, made in one go.

Rules:
1. The layout is always the same: `broker/`, `site/` (what an administrator would write) and `state/` (usher's own).
2. Nothing is written into a directory that holds something else: it is new, or empty.
3. Directories are for their owner alone, and so is every file; only the helper may be executed.
4. Nothing of it is a sample: these are the files that `usher run` reads, with the keys that sites have.
"""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from fsm.errors import UsherError
from security.issuing import make_broker_certificate, make_issuer, make_provisioning_token, make_signer
from usher.simulator.broker import HOST, EmbeddedBroker, Passwords

CALLER: Final = "usher_demo"
"""The identity of the demo's provisioner, and the caller id of its token."""
OPERATOR: Final = "up=operator"
"""The caller id of the token that manages the fleet."""
YEAR: Final = 365 * 24 * 3600
_SHEBANG: Final = 120
_BLANK_ISSUER: Final = 'ISSUER = ""'
_CHECKED: Final = "# mypy: allow-any-generics\n\n"


class DirectoryTakenError(UsherError):
    """The directory is not empty: name another one with --dir, or remove it"""

    def __init__(self, directory: Path) -> None:
        """Hold which one."""
        super().__init__()
        self.directory = directory


@dataclass(frozen=True, slots=True)
class DemoSite:
    """Where everything of a site lies; `url` is its broker's, the others are paths in the directory."""

    directory: Path
    url: str
    helper_at: str = "site/helper.py"
    ca_at: str = "broker/tls.pem"
    operator_at: tuple[str, str] = ("site/operator.jwt", "site/operator.seed")

    @property
    def site(self) -> Path:
        """What an administrator would write."""
        return self.directory / "site"

    @property
    def state(self) -> Path:
        """Usher's state directory: `--state` of every command."""
        return self.directory / "state"

    @property
    def config(self) -> Path:
        """The YAML for `usher run --config`."""
        return self.site / "usher.yaml"

    @property
    def choria_config(self) -> Path:
        """The Choria client configuration for `usher run --choria-config`."""
        return self.site / "choria.cfg"

    @property
    def helper(self) -> Path:
        """The helper: an executable script to look at, change and copy."""
        return self.directory / self.helper_at

    @property
    def provisioning_token(self) -> Path:
        """The token that every node of the fleet holds; it carries the node user's name and password."""
        return self.site / "provisioning.jwt"

    @property
    def operator(self) -> tuple[Path, Path]:
        """What an operator shows the fleet, a client token or a certificate, and what signs: its seed or key."""
        shown, signs = self.operator_at
        return self.directory / shown, self.directory / signs

    @property
    def fleet_password(self) -> Path:
        """The password of the broker's user `fleet`, for the simulated servers once they are provisioned."""
        return self.site / "fleet.password"

    @property
    def ca(self) -> Path:
        """The authority of the broker's certificate: that certificate itself, unless the site has an authority."""
        return self.directory / self.ca_at

    def fleet(self, nodes: int) -> list[str]:
        """The words after `usher` that start a fleet of so many nodes."""
        words = ["simulate", "--nodes", str(nodes), "--token", str(self.provisioning_token), "--ca", str(self.ca)]
        return [*words, "--fleet-user", "fleet", "--fleet-password-file", str(self.fleet_password)]

    def daemon(self) -> list[str]:
        """The words after `usher` that start the daemon."""
        return ["run", "--config", str(self.config), "--choria-config", str(self.choria_config)]


def make_broker(directory: Path, port: int = 0) -> EmbeddedBroker:
    """The broker of a site in `directory`, with a fresh certificate, not started; raises DirectoryTakenError."""
    take(directory)
    return EmbeddedBroker(directory / "broker", make_broker_certificate([HOST, "localhost"]), port=port)


def take(directory: Path) -> None:
    """Make the directory unless it is there; raises DirectoryTakenError if it holds something."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise DirectoryTakenError(directory)


def make_site(directory: Path, broker: EmbeddedBroker, now_s: int, more: Mapping[str, Any] | None = None) -> DemoSite:
    """Write the site of a broker that was started; `now_s` dates its tokens, `more` adds to the YAML."""
    made = DemoSite(directory.resolve(), broker.url)
    for folder in (made.site, made.state):
        folder.mkdir(mode=0o700)
    issuer = make_issuer()
    signer = make_signer(issuer, CALLER, now_s, 2 * YEAR)  # longer than the server tokens that it signs
    token = secrets.token_hex(16)
    private(made.site / "issuer.seed", issuer.seed_hex)
    private(made.site / "signer.seed", signer.seed_hex)
    private(made.site / "signer.jwt", signer.token)
    private(
        made.provisioning_token,
        make_provisioning_token(
            issuer, now_s, YEAR, token=token, urls=[broker.url], user="node", password=broker.passwords.node
        ),
    )
    operator = make_signer(issuer, OPERATOR, now_s, YEAR, permissions={"fleet_management": True})
    for path, text in zip(made.operator, (operator.token, operator.seed_hex), strict=True):
        private(path, text)
    private(made.fleet_password, broker.passwords.fleet)
    private(made.helper, helper_script(issuer.public_hex), mode=0o700)
    private(made.choria_config, choria_configuration(made))
    settings = configuration(made, token, broker.passwords, issuer.public_hex) | dict(more or {})
    private(made.config, yaml.safe_dump(settings, sort_keys=False))
    return made


def configuration(site: DemoSite, token: str, passwords: Passwords, issuer: str) -> dict[str, Any]:
    """The keys of the YAML, those that a site with an organization issuer has (reference/issuer-network.yaml)."""
    return common_settings(site, helper_command(site.helper), token, passwords.provisioner) | {
        "jwt_verify_cert": issuer,
        "jwt_signing_key": str(site.site / "signer.seed"),
        "jwt_signing_token": str(site.site / "signer.jwt"),
        "fleet_token_file": str(site.operator[0]),
        "fleet_seed_file": str(site.operator[1]),
        "fleet_user": "fleet",
        "fleet_password": passwords.fleet,
        "features": {"jwt": True, "ed25519": True},
    }


def common_settings(site: DemoSite, helper: str, token: str, password: str) -> dict[str, Any]:
    """The keys that every site has, whatever its network."""
    return {
        "site": "demo",
        "interval": "1m",
        "logfile": "stderr",
        "loglevel": "info",
        "helper": helper,
        "token": token,
        "broker_provisioning_password": password,
        "state_directory": str(site.state),
    }


def choria_configuration(site: DemoSite) -> str:
    """The Choria client configuration of the provisioner (reference/issuer-network.cfg), broker and authority added."""
    return client_lines(
        site.url,
        {
            "plugin.security.provider": "choria",
            "plugin.security.choria.token_file": site.site / "signer.jwt",
            "plugin.security.choria.seed_file": site.site / "signer.seed",
            "plugin.security.choria.ca": site.ca,
        },
    )


def client_lines(broker: str, security: Mapping[str, object]) -> str:
    """The lines of a Choria client configuration for a broker, with its settings of security."""
    common = {"identity": CALLER, "plugin.choria.use_srv": "false", "plugin.choria.middleware_hosts": broker}
    return "".join(f"{key} = {value}\n" for key, value in (common | dict(security)).items())


def helper_script(issuer: str) -> str:
    """The sample helper for a site's issuer, run by the interpreter that runs us: it needs nothing but its library."""
    source = Path(__file__).with_name("sample_helper.py").read_text().replace(_CHECKED, "")
    if _BLANK_ISSUER not in source:
        raise ValueError("the sample helper has no issuer to fill in")
    return f"#!{sys.executable} -IS\n" + source.replace(_BLANK_ISSUER, f'ISSUER = "{issuer}"')


def helper_command(script: Path, flags: str = "-IS") -> str:
    """The `helper:` key: the script alone, or with its interpreter where the system could not read it from `#!`."""
    readable = len(sys.executable) < _SHEBANG and not any(character.isspace() for character in sys.executable)
    return shlex.join([str(script)] if readable else [sys.executable, flags, str(script)])


def private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file for its owner alone; no newline is added, since a seed must not have one."""
    path.touch(mode=mode)
    path.write_text(text)
