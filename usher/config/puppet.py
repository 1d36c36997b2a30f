"""Puppet's programs, which go-choria asks for what nothing else knows: this machine's names, and puppet's directory.

Rules:
1. One is run only when it is needed: it takes a second, and most sites have none.
2. It ends within LONGEST seconds; whatever goes wrong, the answer is empty.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

DOMAIN: Final = "networking.domain"
FQDN: Final = "networking.fqdn"
PUPPETS_OWN: Final = "/opt/puppetlabs/bin"
LONGEST: Final = 10.0
_LARGEST: Final = 1024


def fact(name: str) -> str:
    """A fact of this machine as text without line ends; empty if there is no facter, or it does not say."""
    return _said("facter", name)


def setting(name: str) -> str:
    """One of puppet's own settings, asked as go-choria asks (puppetwrapper.go); empty if puppet does not say."""
    return _said("puppet", "apply", "--environment", "production", "--configprint", name)


def _said(command: str, *words: str) -> str:
    theirs = f"{PUPPETS_OWN}/{command}"
    program = theirs if os.path.exists(theirs) else shutil.which(command)  # noqa: PTH110 never raises
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=LONGEST,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout[:_LARGEST].decode("utf-8", "replace").replace("\n", "").replace("\r", "")
