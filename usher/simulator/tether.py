"""A tether: how a child process is made to end with the process that started it, whatever ends that one.

Rules:
1. The kernel keeps the promise (PR_SET_PDEATHSIG), so that it holds after a SIGKILL too.
2. The child sets it for itself and then becomes the program: no code of ours runs between fork and exec.
3. The kernel watches the thread that started the child: start children from a thread that stays.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

# The parent may have died before the wish was registered: then its number has changed, and the child ends by itself.
_BECOME: Final = """
import ctypes, os, signal, sys
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl is not None:
    prctl(1, int(signal.SIGKILL), 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(127)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"cannot start {sys.argv[2]}: {error.strerror}")
"""


def tethered(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` (its first word is an absolute path) as a child that ends with us."""
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *command]
