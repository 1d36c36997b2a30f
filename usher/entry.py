"""The command's first step: are these our own packages? Only then is anything else of usher imported.

Rules:
1. Nothing but usher.house is imported before it has said yes: a foreign package of one of our names is never run.
2. Nothing else happens here.
"""

from __future__ import annotations

from usher import house


def main() -> int:
    """The command `usher`; answers the exit code."""
    house.check()
    from usher import cli  # noqa: PLC0415 rule 1

    return cli.main()
