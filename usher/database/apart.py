"""A check in a process of its own, beside a daemon: it decides a whole history again, which would slow the loop down.

Rules:
1. The child is given a path and the ids of keys, never a key; it reads, and says how far it is in lines of JSON.
2. It ends with whoever asked for it: when usher ends, or nobody reads its lines any more.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import orjson

from fsm.errors import UsherError
from fsm.traces import told
from usher.database.jobs import Document, JobError


def run_apart(path: Path, keys: Collection[str] | None, say: Callable[[str], None]) -> Document:
    """The document of a check that another process makes; raises JobError, and whatever `say` raises."""
    words = orjson.dumps({"path": str(path), "keys": None if keys is None else list(keys)}).decode()
    command = [sys.executable, "-P", "-m", "usher.database.apart", words]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        try:
            return _heard(child, say)
        finally:
            child.kill()


def _heard(child: subprocess.Popen[bytes], say: Callable[[str], None]) -> Document:
    for line in child.stdout or ():
        said: dict[str, Any] = orjson.loads(line)
        if "error" in said:
            raise JobError(said["error"])
        if "result" in said:
            result: Document = said["result"]
            return result
        say(said["working"])
    raise JobError(f"the process that checked ended with {child.wait()} and without an answer: ask again")


def main() -> int:
    """Check, and say so."""
    from usher.database.check import examined  # noqa: PLC0415 the parent has no need of it

    asked = orjson.loads(sys.argv[1])
    try:
        _tell("result", examined(Path(asked["path"]), asked["keys"], lambda how_far: _tell("working", how_far)))
    except UsherError as error:
        _tell("error", str(error))
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001 the parent tells it
        _tell("error", f"this is a bug: {told(error)}")
    return 0


def _tell(kind: str, what: object) -> None:
    sys.stdout.buffer.write(orjson.dumps({kind: what}) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
