"""Shapes of captured documents: what is compared where the values differ from run to run."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import orjson


def shape(value: Any) -> Any:
    """A document without what differs from run to run: the types of its leaves, the order of its names."""
    if isinstance(value, dict):
        return [(name, shape(member)) for name, member in value.items()]
    if isinstance(value, list):
        return [shape(member) for member in value]
    return type(value).__name__


def transport_shape(payload: bytes) -> Any:
    return shape(orjson.loads(payload))


def secure_shape(payload: bytes) -> Any:
    return shape(orjson.loads(b64decode(orjson.loads(payload)["data"])))


def reply_shape(payload: bytes) -> Any:
    return shape(orjson.loads(b64decode(orjson.loads(b64decode(orjson.loads(payload)["data"]))["reply"])))


LAYERS = (transport_shape, secure_shape, reply_shape)
LATER = ("choria.lifecycle.event.alive.server", "choria.lifecycle.event.shutdown.server")
