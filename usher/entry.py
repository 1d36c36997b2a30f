"""The command's first step: are these our own packages? Only then is anything else of usher imported.

Rules:
1. Nothing but usher.house is imported before it has said yes: a foreign package of one of our names is never run.
2. Nothing else happens here.
"""

from __future__ import annotations

import os
import sys

from usher import house


def _complete() -> None:
    """Open whatever of the three streams is closed: a file of ours must not take its number."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode))


def main() -> int:
    """The command `usher`; answers the exit code."""
    house.check()
    _complete()
    from usher import cli, hooks  # noqa: PLC0415 rule 1

    hooks.install()
    return cli.main()


def choria_provisioner() -> int:
    """The command `choria-provisioner`: usher under the older program's name and flags; answers the exit code."""
    house.check()
    _complete()
    from usher import cli, hooks, older  # noqa: PLC0415 rule 1

    hooks.install()
    return cli.main(parse=older.parse)
