"""Work in a process of its own, beside a daemon: deciding a whole history again would slow the loop down.

Rules:
1. The child is given paths and the ids of keys, never a key; it says how far it is in lines of JSON.
2. It ends with whoever asked for it: when usher ends, or nobody reads its lines any more.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import orjson

from fsm.errors import UsherError
from fsm.traces import told
from usher.database.jobs import Document, JobError


def run_apart(module: str, asked: Document, say: Callable[[str], None]) -> Document:
    """What the module's `main` answers in another process; raises JobError, and whatever `say` raises."""
    command = [sys.executable, "-P", "-m", module, orjson.dumps(asked).decode()]
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


def serve(work: Callable[[Document, Callable[[str], None]], Document]) -> int:
    """In the child: do what is asked for, and say so."""
    try:
        _tell("result", work(orjson.loads(sys.argv[1]), lambda how_far: _tell("working", how_far)))
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
