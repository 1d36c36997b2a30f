"""`usher nodes output NODE`: what the helper said for people when it last ran for a node, which is sealed.

Rules:
1. Who reads it and why is in the journal of the fleet before anything is opened.
2. What is told is without the secrets that usher knows of and what looks like a token or a private key; what else it
   may hold nobody can tell, which is why it is sealed.
3. Control characters are written as escapes: a terminal that shows it is not driven by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

import orjson

from fsm.unit import OUTPUT
from helpers.redact import redact, visible
from usher.database.desk import Desk
from usher.database.held import Held, held, sealing_arguments, sealing_options
from usher.database.jobs import Document, Job
from usher.harmless import NOTHING_MORE, Section
from usher.views.text import local

READ: Final = "output-read"
"""The kind of entry in the journal of the fleet."""
STREAMS: Final = {"msg": "it said", "stderr": "on its standard error", "stdout": "in place of an answer"}
"""What a helper can say for people, and how it is headed."""
NOTHING: Final = 1


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Note who reads, open the newest entry, and answer what it says."""
    found = held(desk, arguments)
    entry = next((each for each in reversed(found.entries) if each[1] == OUTPUT), None)
    document: Document = {"node": found.node, "state": found.snapshot.state.value, "generation": None, "said": None}
    if entry is None:
        return document
    generation, name, sealed = entry
    if generation < found.snapshot.generation and found.snapshot.facts.helper is not None:
        return document | {"generation": found.snapshot.generation, "said": {}}  # it ran again, well and silently
    desk.note(READ, {"node": found.node, "generation": generation})
    data = found.open(generation, name, sealed)
    if data is None:
        return document | {"generation": generation}
    said = orjson.loads(data)
    secrets = tuple(_known(found))
    clean = {stream: visible(redact(said[stream], secrets)) for stream in STREAMS if said.get(stream)}
    return document | {"generation": generation, "at": said["at"], "said": clean}


def _known(found: Held) -> Iterator[str]:
    """The secrets of the site and of what is held of the node."""
    yield from found.secrets
    claims, reply = found.document("claims"), found.document("reply")
    yield from NOTHING_MORE.secrets(Section.CLAIMS, claims)
    yield from NOTHING_MORE.secrets(Section.CONFIGURATION, reply.get("configuration", {}))


def lines(document: Document) -> Iterator[str]:
    """For a person."""
    node, generation, said = document["node"], document["generation"], document["said"]
    if generation is None:
        yield f"{node}: nothing is held that the helper said for people (it is {document['state']})"
    elif said is None:
        yield f"{node}: what the helper said in generation {generation} can be opened with no key"
    elif not said:
        yield f"{node}: the helper said nothing for people when it last ran, in generation {generation}"
    else:
        yield f"{node}: what the helper said in generation {generation}, {local(document['at'])}"
        yield from chain.from_iterable(_stream(STREAMS[stream], text) for stream, text in said.items())


def _stream(head: str, text: str) -> Iterator[str]:
    yield f"{head}:"
    yield from (f"    {line}" for line in text.splitlines())


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE", help="the node's name")
    sealing_options(parser)


JOB = Job(
    "show what the helper said when it last ran for a node; who reads it and why is kept in the journal",
    run,
    lines,
    changes=True,
    options=_options,
    arguments=sealing_arguments,
    code=lambda document: 0 if document["said"] else NOTHING,
    codes="Exit code: 0 here it is, 1 nothing is held or it cannot be read, 2 wrong arguments.",
    examples=('usher nodes output web2.example.net --reason "why it failed"',),
)
