"""What a configuration says, for a person and for a program, without its secrets.

Rules:
1. A secret is `set` or `not set`.
2. The words for a person are made from the same values as the document for a program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from usher.config.appearance import Appearance, CertificateFiles, TokenFiles, Unsecured, provider_of
from usher.config.client import ClientConfig
from usher.config.keys import PER_NETWORK
from usher.config.loading import Findings
from usher.config.problems import Problem, Severity
from usher.config.servers import FALLBACK, SERVICES
from usher.config.site import Site
from usher.config.source import Source

_SECRETS: Final = ("tokens", "broker_provisioning_password", "fleet_password")
_OWN: Final = frozenset({"strict" if name == "strictness" else name for name in PER_NETWORK})
_LEFT_OUT: Final = ("file", "problems", "command", "network", "choria_config")


def ok(problems: Iterable[Problem]) -> bool:
    """Whether `usher check-config` is content: nothing but warnings."""
    return all(problem.severity is Severity.WARNING for problem in problems)


def document(found: Findings) -> dict[str, object]:
    """The findings as plain JSON values."""
    return {
        "ok": ok(found.problems),
        "site": None if found.site is None else site_values(found.site),
        "client": None if found.client is None else client_values(found.client),
        **({"networks": [_network(each) for each in found.networks]} if found.networks else {}),
        "problems": [
            {
                "severity": str(problem.severity),
                "where": problem.where,
                "what": problem.what,
                "next": problem.next_step,
                "check": problem.check,
            }
            for problem in found.problems
        ],
    }


def lines(found: Findings) -> list[str]:
    """The findings as lines: what is wrong, the worst first, then what is fine."""
    order = tuple(Severity)
    said = [
        f"{problem.severity:8} {problem}"
        for problem in sorted(found.problems, key=lambda problem: order.index(problem.severity))
    ]
    if found.networks:
        return said + [line for each in found.networks for line in _network_lines(each)]
    if found.site is not None:
        said.append(f"{'read':8} {found.site.file}: {_listed(site_values(found.site))}")
    if found.client is not None:
        said.append(f"{'read':8} {found.client.file}: {_listed(client_values(found.client))}")
    return said


def _network(found: Findings) -> dict[str, object]:
    """One of several networks: its name, the settings that it may have for itself, and its client."""
    site, client = found.site, found.client
    return {
        "name": site.network if site is not None else "",
        "site": None if site is None else _own(site),
        "client": None if client is None else client_values(client),
    }


def _own(site: Site) -> dict[str, object]:
    return {name: value for name, value in site_values(site).items() if name in _OWN}


def _network_lines(found: Findings) -> Iterator[str]:
    """A line for what is its own, and one for its client."""
    site, client = found.site, found.client
    if site is not None:
        yield f"{'read':8} {site.file}: networks.{site.network}: {_listed(_own(site))}"
    if client is not None:
        yield f"{'read':8} {client.file}: {_listed(client_values(client))}"


def site_values(site: Site) -> dict[str, object]:
    """The site's settings."""
    values: dict[str, object] = {}
    for name in Site.__dataclass_fields__:
        value = getattr(site, name)
        if name in _SECRETS:
            several = f"{len(value)} are set" if isinstance(value, tuple) and len(value) > 1 else "set"
            value = several if value else "not set"
        if name not in _LEFT_OUT:
            values["token" if name == "tokens" else name] = _plain(value)
    return {"file": str(site.file), **values}


def client_values(client: ClientConfig) -> dict[str, object]:
    """The client's settings."""
    return {
        "file": str(client.file),
        "files": [str(file) for file in client.files],
        "identity": client.identity,
        "servers": [server.url for server in client.servers],
        "lookup": "" if client.servers else _lookup(client),
        **_appearance(client.appearance),
        "connect_timeout": client.connect_timeout,
        "user": client.user,
        "password": "set" if client.password else "not set",
    }


def _appearance(appearance: Appearance) -> dict[str, object]:
    """As whom it appears."""
    values: dict[str, object] = {"provider": provider_of(appearance)}
    match appearance:
        case TokenFiles(token=token, seed=seed, ca=ca):
            return values | {"token_file": str(token), "seed_file": str(seed), "ca": "" if ca is None else str(ca)}
        case CertificateFiles(certname=certname, paths=paths):
            files = {"certificate": str(paths.certificate), "key": str(paths.key), "ca": str(paths.ca)}
            return values | {"certname": certname} | files
        case Unsecured(certname=certname):
            return values | {"certname": certname}


def _lookup(client: ClientConfig) -> str:
    """Where brokers are looked for, in order."""
    asked = [f"SRV {service}.{client.lookup.domain or 'DOMAIN'}" for service in SERVICES] if client.lookup else []
    return ", ".join([*asked, FALLBACK.url])


def source_lines(sources: Iterable[Source]) -> list[str]:
    """A line for where each value is from."""
    return [
        f"{'from':8} {source.key}: {source.where}"
        + (f" (not {', '.join(source.instead_of)})" if source.instead_of else "")
        for source in sources
    ]


def source_values(sources: Iterable[Source]) -> dict[str, dict[str, object]]:
    """The same for a program: each key's place, and the places that it overrides."""
    return {source.key: {"from": source.where, "instead_of": list(source.instead_of)} for source in sources}


def _plain(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, frozenset | tuple):
        return sorted(str(item) for item in value) if isinstance(value, frozenset) else [str(item) for item in value]
    return str(value)


def _listed(values: dict[str, object]) -> str:
    return ", ".join(
        f"{name} {_words(value)}" for name, value in values.items() if name != "file" and value not in ("", [])
    )


def _words(value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}s"
        case list():
            return " ".join(str(item) for item in value)
        case _:
            return str(value)
