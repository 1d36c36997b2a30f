"""`usher run --observe`: the policy that touches nothing, and the state directories that it may have.

Rules:
1. It never runs on what a usher that provisions has used: its nodes would be left where they are, for weeks.
2. Which usher has used a database, the policies say that it has kept: each start keeps its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from fsm.errors import UsherError
from fsm.policy import Policy
from fsm.states import State
from store.reader import open_reader


class UsedError(UsherError):
    """This state directory is one that nodes are provisioned from"""

    def __init__(self, directory: Path) -> None:
        """Hold which."""
        super().__init__()
        self.directory = directory

    def __str__(self) -> str:
        """The sentence, with the next step."""
        said = f"a usher that provisions has used {self.directory}, and its nodes would be left where they are"
        return f"{said}: observe with a directory of its own, --state DIR"


def observing(policy: Policy) -> Policy:
    """The same policy, but for touching anything."""
    return replace(policy, observe=True, features=frozenset())


def refuse_used(database: Path) -> None:
    """Raise UsedError if a usher that provisions has used this database; StoreError if it cannot be read."""
    if not database.exists():
        return
    with open_reader(database) as reader:
        for document in reader.policies():
            if orjson.loads(document).get("observe") is not True:
                raise UsedError(database.parent)


def line(document: Mapping[str, Any]) -> str:
    """What a status says of it."""
    count = document["states"].get(State.DEFERRED.value, 0)
    nodes = f"{count} node{'' if count == 1 else 's'}"
    return f"observes   it touches nothing; of those that it has seen, it would have provisioned {nodes}"
