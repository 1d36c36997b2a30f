"""The control socket's server: within the daemon, one short conversation a connection.

Rules:
1. The peer's uid is the operator's name (design §5): the kernel says it, nobody can claim another.
2. Every change goes through the engine as an operator's event, and is answered once it is durable.
3. A peer that is slow, silent or sends garbage costs one connection and nothing else.
"""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from fsm.errors import UsherError
from fsm.events import Operator, Verb
from fsm.machine import Decision, Rejected
from transport.startups import Startup
from transport.wire.decisions import Kind
from usher.control.protocol import LONGEST_LINE, Ask, AskError, Command, decode
from usher.denied import MOST as MOST_PATTERNS
from usher.denied import subject
from usher.networks.owners import Elsewhere
from usher.peers import part

PATIENCE: Final = 10.0
"""Seconds in which a peer must have asked, and in which it must take its answer."""
MOST: Final = 256
"""Talks at once: each waits for a commit, and on a full disk that takes as long as the disk is full."""
KEEP_ALIVE: Final = 5.0
"""Seconds between two lines that say that a job goes on."""
UNKNOWN_HELD: Final = "no such node is known; its name is held from now on, until an operator releases it"
_ENDING: Final = orjson.dumps({"ok": False, "error": "usher is ending: ask again when it runs"}) + b"\n"
_CREDENTIALS: Final = struct.Struct("3i")


class SocketError(UsherError):
    """The control socket cannot be made"""

    def __init__(self, path: Path, problem: str) -> None:
        """Hold where, and what the system said."""
        super().__init__()
        self.path = path
        self.problem = problem


class Controlled(Protocol):
    """What the socket can do to the daemon."""

    async def pause(self, name: str, reason: str) -> None:
        """Take no work until resumed."""
        ...

    async def resume(self, name: str, reason: str) -> None:
        """Go on."""
        ...

    async def deny(self, kind: Kind, patterns: Sequence[str], name: str, reason: str) -> None:
        """Deny the names that have one of these patterns, or allow them again. Raises UsherError."""
        ...

    async def plan(self, name: str, reason: str, arguments: Mapping[str, Any], nodes: Sequence[str]) -> int:
        """Note a plan, or more of it, durably; answers which (usher.demand.plan). Raises UsherError."""
        ...

    async def discover(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Who is in the fleet now (usher.demand.searching). Raises UsherError."""
        ...

    def ask(self, node: str, wish: Operator) -> asyncio.Future[Decision | Rejected]:
        """An operator's wish for a node."""
        ...


class Documented(Protocol):
    """What describes the daemon."""

    def document(self) -> dict[str, Any]:
        """Its status."""
        ...


class Working(Protocol):
    """What does the jobs of the database (usher.database.desk)."""

    def begin(self, job: str, arguments: Mapping[str, Any], name: str, reason: str) -> asyncio.Task[dict[str, Any]]:
        """Begin a job for the operator of that name; raises UsherError if it cannot begin."""
        ...

    @property
    def progress(self) -> str:
        """How far the job is that runs, in words."""
        ...

    def answered(self) -> None:
        """An answer has been given."""
        ...


class ControlServer:
    """Listens on the socket: `await start()`, `await close()`."""

    def __init__(
        self,
        path: Path,
        daemon: Controlled,
        status: Documented,
        jobs: Working | None = None,
        heard: Callable[[str], Startup | None] = lambda _: None,
        elsewhere: Callable[[str], Elsewhere | None] = lambda _: None,
        refused: Callable[[str], str] = lambda _: "",
    ) -> None:
        """Hold what is asked; nothing listens yet."""
        self._path, self._daemon, self._status, self._jobs, self._heard = path, daemon, status, jobs, heard
        self._elsewhere, self._refused = elsewhere, refused
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None] | None] = set()

    async def start(self) -> None:
        """Listen; what an earlier process left at the path is removed, since the lock is ours."""
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=LONGEST_LINE)
            self._path.chmod(0o600)
        except OSError as error:
            raise SocketError(self._path, error.strerror or str(error)) from None

    async def close(self) -> None:
        """Listen no more; whoever still waits for an answer is told that it will not come."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        talks = [talk for talk in self._talks if talk is not None]
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(asyncio.current_task())
        try:
            if len(self._talks) > MOST:
                await _send(writer, {"ok": False, "error": "too many commands wait for an answer: end some of them"})
                return
            async with asyncio.timeout(PATIENCE):
                line = await reader.readline()
            answer = await self._answer(line, operator(writer.get_extra_info("socket")), writer)
            await _send(writer, answer)
            if self._jobs is not None:
                self._jobs.answered()
        except (TimeoutError, OSError, ValueError, RecursionError):
            pass  # rule 3: the peer sees the connection end
        except asyncio.CancelledError:
            writer.write(_ENDING)  # the process ends, and the task with it: nobody else waits for it
        finally:
            self._talks.discard(asyncio.current_task())
            part(writer, PATIENCE)

    async def _answer(self, line: bytes, name: str, writer: asyncio.StreamWriter) -> dict[str, Any]:
        try:
            ask = decode(line)
            if ask.command is Command.HEARD:
                heard = {node: _startup(self._heard(node)) for node in ask.nodes}
                seen = {node: asdict(found) for node in ask.nodes if (found := self._elsewhere(node)) is not None}
                refused = {node: self._refused(node) for node in ask.nodes}
                return {"ok": True, "heard": heard, "elsewhere": seen, "refused": refused}
            if ask.command is Command.DATABASE:
                done = self._work(ask, name, writer)
            else:
                done = carried_out(ask, name, self._daemon, self._status)
            return {"ok": True, **await done}
        except UsherError as error:
            return {"ok": False, "error": str(error)}

    async def _work(self, ask: Ask, name: str, writer: asyncio.StreamWriter) -> dict[str, Any]:
        """A job of the database: it goes on to its end even if the peer does not wait for that."""
        if self._jobs is None:
            raise AskError("this usher does no jobs")
        task = self._jobs.begin(ask.job, ask.arguments, name, ask.reason)
        while not (await asyncio.wait({task}, timeout=KEEP_ALIVE))[0]:
            await _send(writer, {"working": self._jobs.progress})
        return {"result": task.result()}


async def carried_out(ask: Ask, name: str, daemon: Controlled, status: Documented) -> dict[str, Any]:
    """The answer to whatever is no job, once it is durable; `name` is who asks."""
    match ask.command:
        case Command.DATABASE | Command.HEARD:
            raise AskError("only the daemon's own socket answers this")
        case Command.STATUS:
            pass
        case Command.PAUSE:
            await daemon.pause(name, ask.reason)
        case Command.RESUME:
            await daemon.resume(name, ask.reason)
        case Command.DENY | Command.ALLOW:
            await daemon.deny(Kind(ask.command.value), _patterns(ask.arguments), name, ask.reason)
        case Command.PLAN:
            return {"plan": await daemon.plan(name, ask.reason, ask.arguments, ask.nodes)}
        case Command.DISCOVER:
            return await daemon.discover(ask.arguments)
        case Command.NODES:
            verb = ask.verb or Verb.RETRY
            answers = [daemon.ask(node, Operator(verb, name, ask.reason, ask.plan, ask.force)) for node in ask.nodes]
            decided = await asyncio.gather(*answers)
            return {"nodes": {node: told(answer) for node, answer in zip(ask.nodes, decided, strict=True)}}
    return {"status": status.document()}


def _patterns(arguments: Mapping[str, Any]) -> list[str]:
    words = arguments.get("patterns")
    if (
        not isinstance(words, list)
        or not 0 < len(words) <= MOST_PATTERNS
        or not all(type(word) is str for word in words)
    ):
        raise AskError(f"patterns must be a list of 1 to {MOST_PATTERNS} texts")
    return [subject(word) for word in words]


async def _send(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    writer.write(orjson.dumps(document) + b"\n")
    async with asyncio.timeout(PATIENCE):
        await writer.drain()


def _startup(heard: Startup | None) -> dict[str, Any] | None:
    return {"at": heard.at, "ahead": heard.ahead, "version": heard.version} if heard is not None else None


def told(answer: Decision | Rejected) -> dict[str, Any]:
    """What became of a wish: whether something changed, the row and its sentence, and the state now."""
    if isinstance(answer, Rejected):
        return {"changed": False, "row": answer.row.name if answer.row else "", "why": answer.why, "state": None}
    held = answer.snapshot.held and not answer.snapshot.first
    why = UNKNOWN_HELD if held else answer.row.why
    return {"changed": True, "row": answer.row.name, "why": why, "state": answer.snapshot.state.value}


def operator(peer: socket.socket) -> str:
    """The name of the peer's user, as the kernel knows it."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return user_name(_CREDENTIALS.unpack(raw)[1])


def user_name(uid: int) -> str:
    """The name of a user, as operators are called in the journal."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
