"""`usher nodes contents NODE`: the names of what is held of a node, with values only where they are harmless.

Rules:
1. Names are told, and values only of names that usher.harmless lists and `redact_keys` leaves there.
2. Without a daemon `redact_keys` is not known, so no value is told.
3. Nothing is told of the bytes of a key, a token or a policy, not even their length.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from helpers.redact import visible
from usher.database.desk import Desk
from usher.database.held import Held, held, sealing_arguments, sealing_options
from usher.database.jobs import Document, Job
from usher.harmless import Section

HIDDEN: Final = "(hidden)"
_POLICIES: Final = ("action_policies", "opa_policies")


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Open what is held and answer its names."""
    found = held(desk, arguments)
    return {
        "node": found.node,
        "state": found.snapshot.state.value,
        "generation": found.snapshot.generation,
        "held": {section: dict(sorted(names.items())) for section, names in _sections(found) if names},
    }


def _sections(found: Held) -> Iterator[tuple[str, dict[str, Any]]]:
    inventory = found.inventory()
    yield Section.INVENTORY.value, _shown(found, Section.INVENTORY, inventory)
    facts = inventory.get("facts")
    yield "facts", dict.fromkeys(facts) if isinstance(facts, Mapping) else {}
    yield Section.CLAIMS.value, _shown(found, Section.CLAIMS, found.document("claims"))
    reply = found.document("reply")
    yield Section.CONFIGURATION.value, _shown(found, Section.CONFIGURATION, reply.get("configuration", {}))
    yield Section.SERVER_CLAIMS.value, _shown(found, Section.SERVER_CLAIMS, reply.get("server_claims", {}))
    for policies in _POLICIES:
        yield policies, dict.fromkeys(reply.get(policies, {}))


def _shown(found: Held, section: Section, document: Mapping[str, Any]) -> dict[str, Any]:
    """The names; the value where it may be told, else None."""
    harmless = found.harmless
    if harmless is None:
        return dict.fromkeys(document)
    return {name: harmless.shown(section, name, value) for name, value in document.items()}


def lines(document: Document) -> Iterator[str]:
    """For a person."""
    yield f"{document['node']}: {document['state']}, generation {document['generation']}"
    if not document["held"]:
        yield "nothing is held beside its snapshot and its history"
    for section, names in document["held"].items():
        yield f"{section}:"
        width = max(len(visible(name)) for name in names)
        yield from (f"  {visible(name):<{width}}  {_value(value)}" for name, value in names.items())


def _value(value: Any) -> str:
    if value is None:
        return HIDDEN
    return visible(value) if isinstance(value, str) else json.dumps(value)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE", help="the node's name")
    sealing_options(parser)


JOB = Job(
    "list the names of what is held of a node: inventory, claims, configuration; values only where they are harmless",
    run,
    lines,
    options=_options,
    arguments=sealing_arguments,
    examples=("usher nodes contents web4.example.net",),
)
