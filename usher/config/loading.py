"""Both configurations and the files that they name, in one go: what `usher run` starts with.

Rules:
1. All mistakes of all files are found before anything is said.
2. The surroundings (environment, working directory, time) are given, not looked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from usher.config.client import ClientConfig, read_client
from usher.config.document import switched_on
from usher.config.files import client_files, network_files, shared_files
from usher.config.fleet import fleet_files
from usher.config.identity import Names
from usher.config.networks import SETTING, read_sites
from usher.config.options import is_there
from usher.config.problems import ConfigErrors, Problem, Severity, fatal
from usher.config.site import Site


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a configuration is read in: environment, working directory, `now` in milliseconds since 1970.

    `state` is a state directory that was chosen over that of the file (--state DIR).
    """

    environ: Mapping[str, str]
    directory: Path
    now: int
    names: Names | None = None
    state: Path | None = None


@dataclass(frozen=True, slots=True)
class Configured:
    """One network: its site, which is the whole file where there is but one, and its client configuration."""

    site: Site
    client: ClientConfig

    @property
    def name(self) -> str:
        """What it is called; empty where there is but one."""
        return self.site.network


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every network, at least one; `problems` are everything that was found and does not stop a start."""

    networks: tuple[Configured, ...]
    problems: tuple[Problem, ...]

    @property
    def site(self) -> Site:
        """What all networks share is in each of their sites."""
        return self.networks[0].site


@dataclass(frozen=True, slots=True)
class Findings:
    """What could be read, and everything that was found; of several networks each has its own in `networks`."""

    site: Site | None
    client: ClientConfig | None
    problems: tuple[Problem, ...]
    networks: tuple[Findings, ...] = ()

    @property
    def each(self) -> tuple[Findings, ...]:
        """A network each."""
        return self.networks or (self,)


def surroundings(now: int, state: Path | None = None) -> Surroundings:
    """The surroundings of this process."""
    environ = dict(os.environ)
    return Surroundings(environ, working_directory(environ), now, state=state)


def working_directory(environ: Mapping[str, str]) -> Path:
    """Where we are, by the name that the shell has for it, as Go says it; `/` if it is gone."""
    named = environ.get("PWD", "")
    with suppress(OSError, ValueError):
        if named.startswith("/") and Path(named).samefile("."):
            return Path(named)
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def inspect(config: Path, choria_config: Path | None, around: Surroundings) -> Findings:
    """Read and check everything; raises nothing."""
    sites, problems = read_sites(config, around.environ)
    sites = tuple(site and replace(site, state_directory=around.state or site.state_directory) for site in sites)
    if site := next((site for site in sites if site is not None), None):
        problems += shared_files(site, around.environ)
    if len(sites) == 1 and (sites[0] is None or not sites[0].network):
        return _alone(config, sites[0], choria_config, problems, around)
    if choria_config is not None:
        what = f"it is one client configuration, and {config} lists several networks"
        problems += (Problem("--choria-config", what, "leave it out: each of them names its own choria_config"),)
    listed = [site for site in sites if site is not None]
    problems += tuple(_absent(listed))
    found = tuple(
        _one(each, Path(each.choria_config), around, insecure=each.choria_insecure)
        for each in listed
        if is_there(Path(each.choria_config))
    )
    problems += (*_shared_brokers(listed), *(problem for each in found for problem in each.problems))
    return Findings(site, None, problems, found)


def _alone(
    config: Path,
    site: Site | None,
    client_file: Path | None,
    problems: tuple[Problem, ...],
    around: Surroundings,
) -> Findings:
    insecure = switched_on(config, "choria_insecure")  # also of a file that is wrong elsewhere: it says who usher is
    found = _one(site, client_file, around, insecure=insecure)
    return Findings(found.site, found.client, problems + found.problems)


def _one(site: Site | None, client_file: Path | None, around: Surroundings, *, insecure: bool) -> Findings:
    """One network: its site with the files that it names, and its client configuration."""
    client, problems = read_client(client_file, around.environ, around.directory, around.names, insecure=insecure)
    if site is not None:
        problems += network_files(site, around.environ, around.now)
    if client is not None:
        problems += client_files(client, around.now, strict=site is not None and site.strict)
    if site is not None:
        problems += tuple(fleet_files(site, client, around.now))
    network = site.network if site is not None else ""
    if network:
        problems = tuple(replace(each, where=f"{SETTING}.{network}: {each.where}") for each in problems)
    return Findings(site, client, problems)


def _absent(sites: Iterable[Site]) -> Iterator[Problem]:
    """Client configurations that are not there."""
    for site in sites:
        if not is_there(Path(site.choria_config)):
            where = f"{site.file}: {SETTING}.{site.network}.choria_config"
            yield Problem(where, f"there is no file {site.choria_config}", "correct the path, or put the file there")


def _shared_brokers(sites: Iterable[Site]) -> Iterator[Problem]:
    """Two networks of one client configuration would see the same nodes."""
    seen: dict[str, Site] = {}
    for site in sites:
        other = seen.setdefault(site.choria_config, site)
        if other is not site:
            where = f"{site.file}: {SETTING}.{site.network}.choria_config"
            what = (
                f"it is that of {other.network} too, so both see the same nodes, and each node belongs to one of them"
            )
            yield Problem(where, what, "name another file, or remove one of the networks", Severity.MISTAKE)


def load(config: Path, choria_config: Path | None, around: Surroundings) -> Configuration:
    """Everything that a start needs; raises ConfigErrors with everything that is wrong."""
    found = inspect(config, choria_config, around)
    usable = [Configured(each.site, each.client) for each in found.each if each.site and each.client]
    if len(usable) < len(found.each) or not usable or fatal(found.problems):
        raise ConfigErrors(found.problems)
    return Configuration(tuple(usable), found.problems)
