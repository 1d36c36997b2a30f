"""Casting: what an earlier version stored, brought to today's shape, one version after the other.

Rules:
1. A document names its version under `v`; a caster leads from one version to the next, and knows those two only.
2. A field that is new and has a default needs no new version: a document without it means the default. Whatever else
   changes in a shape raises its version and gets a caster.
3. A version that is newer than today's, or from which no caster leads, is an error that says which: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fsm.shapes import MalformedError, NewerError

Document = dict[str, Any]
Caster = Callable[[Document], Document]


def cast(document: Document, newest: int, casters: Mapping[int, Caster]) -> Document:
    """The document in the shape of version `newest`, without its version; raises MalformedError, NewerError."""
    version = document.pop("v", None)
    if version == newest:
        return document
    said = f"has version {version!r:.20}, this usher reads {newest}"
    if type(version) is not int:
        raise MalformedError(said, "v")
    if version > newest:
        raise NewerError(said, "v")
    for step in range(version, newest):
        if step not in casters:
            raise MalformedError(said, "v")
        document = casters[step](document)
    return document
