"""The control socket's client, for the commands of operators.

Rules:
1. No daemon, no answer, a broken answer: each is one error that says what to do.
2. Wishes for many nodes go in pieces, in order; what was answered is answered even if a later piece fails.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson

from fsm.errors import ProblemError, UsherError
from fsm.events import Verb
from usher.control.protocol import MOST, Ask, Command
from usher.state import StateDirectory

PATIENCE: Final = 30.0
"""Seconds to wait for a line: a wish is answered when it is durable, a job says every few seconds that it goes on."""


class NoDaemonError(UsherError):
    """No usher answers on this state directory"""

    def __init__(self, directory: str, problem: str, advice: str = "start it with usher run") -> None:
        """Hold which directory, what was found, and the likely next step."""
        super().__init__()
        self.directory = directory
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        """One sentence and the next step."""
        return (
            f"no usher answers for {self.directory}: {self.problem}; "
            f"{self.advice}, or name its state directory with --state DIR"
        )


class RefusedError(ProblemError):
    """The daemon did not take the request"""


def ask(
    state: StateDirectory,
    request: Ask,
    working: Callable[[str], None] = lambda _: None,
    patience: float = PATIENCE,
) -> dict[str, Any]:
    """Ask the daemon of this state directory; raises NoDaemonError or RefusedError.

    `working` hears how a job goes; `patience` is the seconds to wait for a line.
    """
    directory = str(state.path)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(patience)
            peer.connect(str(state.socket))
            peer.sendall(request.encode())
            answer = _conversation(peer, working)
    except FileNotFoundError:
        raise NoDaemonError(directory, "it has no control socket") from None
    except PermissionError as error:
        advice = "run this as the user that runs usher"
        raise NoDaemonError(directory, error.strerror or str(error), advice) from None
    except TimeoutError:
        raise NoDaemonError(directory, f"no answer within {patience:.0f} s") from None
    except OSError as error:
        raise NoDaemonError(directory, error.strerror or str(error)) from None
    if answer == {}:
        raise NoDaemonError(directory, "it ended the conversation without an answer")
    if answer is None:
        raise NoDaemonError(directory, "its answer cannot be read: is it the same version of usher?")
    if not answer.get("ok"):
        raise RefusedError(str(answer.get("error", "no reason given")))
    return answer


def wish(
    state: StateDirectory,
    verb: Verb,
    nodes: Sequence[str],
    reason: str,
    asked: Callable[[StateDirectory, Ask], dict[str, Any]] = ask,
    plan: int = 0,
    *,
    force: bool = False,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask something for each node; yields each node with what became of it."""
    for start in range(0, len(nodes), MOST):
        piece = tuple(nodes[start : start + MOST])
        answer = asked(state, Ask(Command.NODES, reason, verb, piece, plan=plan, force=force))
        yield from answer["nodes"].items()


def _document(line: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _conversation(peer: socket.socket, working: Callable[[str], None]) -> dict[str, Any] | None:
    """The answer: empty if none came, None if it cannot be read."""
    received = bytearray()
    while more := peer.recv(65536):
        received += more
        while b"\n" in received:
            line, _, received = received.partition(b"\n")
            answer = _document(bytes(line))
            if answer is None or "working" not in answer:
                return answer
            working(str(answer["working"]))
    return _document(bytes(received)) if received else {}
