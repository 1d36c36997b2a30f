"""A Choria client configuration that is fine, and what tests make of it."""

from __future__ import annotations

from usher.config.client import ClientConfig
from usher.config.problems import Problem

GOOD = """\
plugin.security.provider = choria
plugin.security.choria.token_file = /etc/t.jwt
plugin.security.choria.seed_file = /etc/s.seed
plugin.choria.middleware_hosts = broker:4222
identity = me.example.net
"""


def usable(read_result: tuple[ClientConfig | None, tuple[Problem, ...]]) -> ClientConfig:
    """The client configuration of a file that can be used."""
    client, problems = read_result
    assert client is not None, problems
    return client


def without(line: str) -> str:
    """The file without the line that begins so."""
    return "".join(kept for kept in GOOD.splitlines(keepends=True) if not kept.startswith(line))
