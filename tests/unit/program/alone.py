"""State directories as a daemon that was killed leaves them, and commands that work on them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes.written import Live, write_database
from usher import cli

NOW = 1_795_200_000_000
UNDER_WAY = "web4.example.net"
"""Whose helper ran when the daemon was killed."""


def made(folder: Path, **lives: Live) -> Path:
    folder.mkdir(mode=0o700)
    asyncio.run(write_database(folder, NOW, lives=lives) if lives else write_database(folder, NOW))
    return folder


def usher(where: Path, *words: str) -> int:
    """The exit code of a command on this state directory."""
    return cli.main([*words, "--reason", "smoke", "--state", str(where)])
