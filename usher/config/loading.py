"""Both configurations and the files that they name, in one go: what `usher run` starts with.

Rules:
1. All mistakes of all files are found before anything is said.
2. The surroundings (environment, working directory, time) are given, not looked for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from usher.config.client import ClientConfig, read_client
from usher.config.files import client_files, site_files
from usher.config.identity import Names
from usher.config.problems import ConfigErrors, Problem, fatal
from usher.config.site import Site, read_site


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
class Configuration:
    """Both configurations; `problems` are everything that was found and does not stop a start."""

    site: Site
    client: ClientConfig
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What could be read, and everything that was found."""

    site: Site | None
    client: ClientConfig | None
    problems: tuple[Problem, ...]


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
    site, problems = read_site(config, around.environ)
    insecure = site is not None and site.choria_insecure
    client, more = read_client(choria_config, around.environ, around.directory, around.names, insecure=insecure)
    problems += more
    if site is not None:
        site = replace(site, state_directory=around.state or site.state_directory)
        problems += site_files(site, around.environ, around.now)
    if client is not None:
        problems += client_files(client, around.now, strict=site is not None and site.strict)
    return Findings(site, client, problems)


def load(config: Path, choria_config: Path | None, around: Surroundings) -> Configuration:
    """Everything that a start needs; raises ConfigErrors with everything that is wrong."""
    found = inspect(config, choria_config, around)
    if found.site is None or found.client is None or fatal(found.problems):
        raise ConfigErrors(found.problems)
    return Configuration(found.site, found.client, found.problems)
