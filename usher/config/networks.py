"""Networks: the optional list of the YAML file, each entry made into a site of its own by what the top level says.

Rules:
1. An entry says what is its own (PER_NETWORK); whatever it does not say is the top level's. `features` is replaced as a
   whole.
2. Each entry together with the top level is read and checked as a file with one network is: there is one reader.
3. A problem names the network and the setting where the entry says it, or nobody does; what is wrong at the top level
   is said once.
4. An election is not held with a list of networks, whatever their number: it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from usher.config.document import load_yaml
from usher.config.keys import KEYS, PER_NETWORK
from usher.config.problems import ConfigErrors, Problem, fatal
from usher.config.site import Site, make_site
from usher.config.values import Reader

SETTING: Final = "networks"
LONGEST: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_CLIENT: Final = "choria_config"
_ELECTION: Final = (
    "an election with several networks is not supported yet",
    f"remove it, or remove {SETTING}: a usher with one network stands for election (docs/high-availability.md)",
)
Read = tuple[tuple[Site | None, ...], tuple[Problem, ...]]


def read_sites(path: Path, environ: Mapping[str, str]) -> Read:
    """The sites of the listed networks that can be used, and all that was found.

    Where none is listed, the one of the file, None if it cannot be used.
    """
    try:
        written, strange = load_yaml(path)
    except ConfigErrors as error:
        return (None,), error.problems
    reader = Reader(path)
    reader.problems.extend(strange)
    setting = next((key for key in written if key.lower() == SETTING), SETTING)
    listed = written.pop(setting, None)
    if listed is None:
        site, problems = make_site(reader, written, environ)
        return (site,), problems
    entries = tuple(_entries(reader, listed))
    found = [_read(path, name, entry, written, environ) for name, entry in entries]
    if any(site is not None and site.leader_election for site, _ in found):
        reader.error("leader_election", *_ELECTION)
    problems = (*reader.problems, *(problem for _, said in found for problem in said))
    return tuple(site for site, _ in found if site is not None), tuple(dict.fromkeys(problems))


def read_site(path: Path, environ: Mapping[str, str], network: str = "") -> tuple[Site | None, tuple[Problem, ...]]:
    """The site of one network as the file has it; None if it cannot be used, or is not in it."""
    sites, problems = read_sites(path, environ)
    site = next((site for site in sites if site is not None and site.network == network), None)
    if site is None and not fatal(problems):
        what = f"there is no network {network} in it any more" if network else "it has several networks by now"
        problems += (Problem(f"{path}: {SETTING}", what, "restart usher to use the file as it is"),)
    return site, problems


def load_site(path: Path, environ: Mapping[str, str]) -> Site:
    """The site of a file with one network; raises ConfigErrors with everything that is wrong."""
    site, problems = read_site(path, environ)
    if site is None:
        raise ConfigErrors(problems)
    return site


def _entries(reader: Reader, listed: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each entry that has a name of its own, with the settings that it says."""
    if not isinstance(listed, list):
        reader.error(SETTING, "it must be a list of networks", "begin each with `- name: NAME`, or remove it")
        return
    if not listed:
        reader.error(SETTING, "it is an empty list", "list the networks, or remove it: the file is one network then")
    seen: set[str] = set()
    for position, entry in enumerate(listed):
        where = f"{SETTING}[{position}]"
        if not isinstance(entry, dict):
            reader.error(where, "it is no group of settings", "write `- name: NAME`, and its settings below that")
            continue
        said = {str(key).lower(): value for key, value in entry.items() if value is not None}
        name = said.pop("name", None)
        if _named(reader, f"{where}.name", name, seen):
            yield name, said
        seen.add(name if isinstance(name, str) else "")


def _named(reader: Reader, where: str, name: object, seen: set[str]) -> bool:
    if name is None:
        reader.error(where, "it is missing", "give each network a name: letters, digits, '_' and '-'")
    elif not isinstance(name, str):
        reader.error(where, "it must be text", "put it in quotes")
    elif len(name) > LONGEST or not _NAME.fullmatch(name):
        what = f"{name[:80]!r} is no name of a network"
        reader.error(where, what, f"use at most {LONGEST} letters, digits, '_' and '-'")
    elif name in seen:
        reader.error(where, f"there are two networks {name}", "give each a name of its own: nodes are recorded by it")
    else:
        return True
    return False


def _read(
    path: Path, name: str, said: Mapping[str, Any], written: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[Site | None, tuple[Problem, ...]]:
    """An entry and the top level as one site."""
    top = {key: value for key, value in written.items() if key.lower() not in said}
    reader = Reader(path, partial(_place, name, frozenset(key.lower() for key in top)))
    client = said.get(_CLIENT)
    if client is None:
        reader.error(_CLIENT, "it is missing", "name the Choria client configuration of this network")
    elif not isinstance(client, str) or not client.strip():
        reader.error(_CLIENT, "it must be the name of a file", "name the Choria client configuration of this network")
    own = {key: value for key, value in said.items() if key != _CLIENT}
    for key in [key for key in own if key in KEYS and key not in PER_NETWORK]:
        reader.error(
            key, "it is the same for all networks", f"move it to the top level; their own are {', '.join(PER_NETWORK)}"
        )
        del own[key]
    site, problems = make_site(reader, top | own, environ)
    return None if site is None else replace(site, network=name, choria_config=str(client)), problems


def _place(name: str, top: frozenset[str], key: str) -> str:
    root = re.split(r"[.\[]", key, maxsplit=1)[0]
    return key if root.lower() in top else f"{SETTING}.{name}.{key}"
