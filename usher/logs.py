"""Logs: one line a committed transition, JSON for files and collectors, plain words for a terminal.

Rules:
1. The keys `level`, `msg`, `time` and `component` are those of the older program; ours stand beside them.
2. A line tells what is durable: the observer is called after the commit.
3. Nothing that a node said reaches a line unmade: control characters are made visible by the encoder.
4. No secret is ever given to a logger, and no words of an exception: they may quote one (fsm.traces). The secrets that
   are known at the start are replaced all the same, whoever logs them (usher.blackening).
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TextIO

import orjson

from fsm.effects import Intent
from fsm.errors import UsherError
from fsm.events import Event, Failed, Operator
from fsm.machine import Rejected
from fsm.ports import Outcome
from fsm.runtime.observer import Transition
from fsm.states import State
from fsm.traces import told as told_of
from fsm.traces import trace
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from usher.blackening import Blackening

CHECKPOINTS: Final = "checkpoints"
"""Who writes the lines of signed checkpoints."""
LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_NAMES: Final = {level: name for name, level in LEVELS.items()}
_FIELDS: Final = "fields"
_HEAD: Final = frozenset({"level", "msg", "time", "component", "trace"})
_TROUBLE: Final = frozenset({State.FAILED, State.REPROVISION})


class LogFileError(UsherError):
    """The log file cannot be written"""

    def __init__(self, file: str, problem: str) -> None:
        """Hold the file and what the system said."""
        super().__init__()
        self.file = file
        self.problem = problem


class Lines:
    """Where lines go: written at the end of the loop's turn, together; at once where no loop runs."""

    def __init__(self, stream: TextIO, *, plain: bool, close: bool) -> None:
        """Write there, for a person (`plain`) or as JSON; `close` says whose the stream is."""
        self._stream, self._render, self._close = stream, _plain if plain else _json, close
        self._waiting: list[str] = []
        self.blackening = Blackening()

    def write(self, document: Mapping[str, Any]) -> None:
        """One line, and `trace` below it if there is one."""
        text = self._render(document)
        if self.blackening.strikes(text):
            text = self._render({name: self.blackening.value(value) for name, value in document.items()})
        self._waiting.append(text)
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Hand over what waits; a disk that is full or a reader that is gone must not stop usher."""
        waiting, self._waiting = self._waiting, []
        with suppress(OSError, ValueError):
            self._stream.write("".join(waiting))
            self._stream.flush()

    def close(self) -> None:
        """Write no more."""
        self.flush()
        if self._close:
            with suppress(OSError):
                self._stream.close()


class Bridge(logging.Handler):
    """Carries the records of `logging` to the lines."""

    def __init__(self, lines: Lines) -> None:
        """Write there."""
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """One record as one line."""
        first = head(_NAMES.get(record.levelno, record.levelname.lower()), record.getMessage(), record.name)
        document = {**first, **getattr(record, _FIELDS, {}), **first}
        if record.exc_info:
            document["trace"] = trace(record.exc_info[1]) if record.exc_info[1] is not None else ""
        self.lines.write(document)

    def close(self) -> None:
        """Write no more."""
        self.lines.close()
        super().close()


def head(level: str, message: str, component: str) -> dict[str, Any]:
    """The four keys of the older program."""
    return {"level": level, "msg": message, "time": _now(), "component": component}


def _now() -> str:
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    clock, zone = _to_the_second(seconds)
    return f"{clock}.{milliseconds:03d}{zone}"


@lru_cache(maxsize=4)
def _to_the_second(seconds: int) -> tuple[str, str]:
    said = datetime.fromtimestamp(seconds).astimezone().isoformat()
    return said[:19], said[19:]


def _json(document: Mapping[str, Any]) -> str:
    try:
        text = orjson.dumps(document, default=str).decode()
    except TypeError:  # half a surrogate pair, a number beyond 64 bits: such words must not end a line's writer
        text = ""
    if text and (
        (text.isascii() and "\x7f" not in text) or text.isprintable()
    ):  # the encoder escapes what is below 0x20
        return f"{text}\n"
    return json.dumps(document, default=str).replace("\x7f", "\\u007f") + "\n"


def _plain(document: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in document.items() if name not in _HEAD and value not in (None, "")}
    fields = " ".join(f"{name}={value}" for name, value in rest.items())
    line = f"{document['time']} {document['level']:5} {document['component']}: {document['msg']} {fields}".rstrip()
    trace = document.get("trace", "").split("\n") if "trace" in document else []
    return "".join(f"{_visible(text)}\n" for text in (line, *trace))


def _visible(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in line)


def set_up(logfile: str, level: str) -> None:
    """Send all logs there: `stdout`, `stderr`, `discard`, or a file; raises LogFileError."""
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    lines = _lines(logfile)
    root.addHandler(Bridge(lines) if lines else logging.NullHandler())
    root.setLevel(LEVELS.get(level, logging.WARNING))
    logging.getLogger(CHECKPOINTS).setLevel(logging.INFO)  # whatever the level: a log that leaves the machine binds
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it quotes exceptions: see `unhandled`


def _lines(logfile: str) -> Lines | None:
    match logfile:
        case "discard":
            return None
        case "stdout" | "stderr" | "" | "/dev/stdout" | "/dev/stderr":  # the journal's is a socket: it cannot be opened
            stream = sys.stdout if logfile.endswith("stdout") else sys.stderr
            return Lines(stream, plain=stream.isatty() and not logfile.startswith("/"), close=False)
        case _:
            try:
                return Lines(Path(logfile).open("a", encoding="utf-8"), plain=False, close=True)
            except OSError as error:
                raise LogFileError(logfile, error.strerror or str(error)) from None


def hide(secrets: Iterable[str]) -> None:
    """Replace these in every line from now on."""
    known = tuple(secrets)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Bridge):
            handler.lines.blackening.add(known)


def unhandled(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """The loop's exception handler: a line that says what happened where, and no words of anybody."""
    error = context.get("exception")
    what = f": {told_of(error)}" if isinstance(error, BaseException) else ""
    logging.getLogger("usher").error("a bug beside the handling of nodes%s", what, exc_info=error)


def say(logger: logging.Logger, level: int, message: str, **fields: object) -> None:
    """A log line with fields of its own."""
    if logger.isEnabledFor(level):
        logger.log(level, message, extra={_FIELDS: fields})


class TransitionLog:
    """fsm.runtime.observer.Observer that writes a line a transition."""

    def __init__(self) -> None:
        """Write as component `machine`, to where all logs go when this is made."""
        self._logger = logging.getLogger("machine")
        self._lines = [handler.lines for handler in logging.getLogger().handlers if isinstance(handler, Bridge)]

    def moved(self, transition: Transition) -> None:
        """One line: what happened, to whom, and where it is now; past `logging`, which costs more than a decision."""
        before, after = transition.before.state, transition.decision.snapshot.state
        trouble = after in _TROUBLE and after is not before
        if not self._logger.isEnabledFor(logging.WARNING if trouble else logging.INFO):
            return
        document = head("warn" if trouble else "info", transition.decision.row.why, "machine")
        document.update(told(transition))
        for lines in self._lines:
            lines.write(document)

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Debug only: duplicates, stale replies and late timers are ordinary (law 7)."""
        if self._logger.isEnabledFor(logging.DEBUG):
            say(self._logger, logging.DEBUG, rejected.why, node=node, event=event.body.trigger.value)

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Debug only: the transition that follows says it."""
        if self._logger.isEnabledFor(logging.DEBUG):
            say(
                self._logger,
                logging.DEBUG,
                "effect ended",
                node=intent.id.node,
                effect=intent.effect.value,
                took=round(seconds, 4),
            )

    def crashed(self, node: str, error: Exception) -> None:
        """A bug: with its trace."""
        self._logger.error("a bug in the handling of %s: %s", node, told_of(error), exc_info=error)


def told(transition: Transition) -> dict[str, Any]:
    """The fields of a transition's line; what is not so is left out."""
    after, row, body = transition.decision.snapshot, transition.decision.row, transition.event.body
    fields: dict[str, Any] = {
        "node": after.node,
        "generation": after.generation,
        "seq": after.seq,
        "epoch": transition.event.epoch,
        "row": row.name,
        "source": transition.before.state,
        "target": after.state,
    }
    if after.network:
        fields["network"] = after.network
    if transition.decision.opens is not None:
        fields["effect"] = transition.decision.opens.effect
    if isinstance(body, Failed):
        fields |= {"failed": body.effect, "certainty": body.certainty, "reason": body.reason, "detail": body.detail}
    elif after.reason is not None and after.state in _TROUBLE:
        fields |= {"reason": after.reason, "detail": after.detail}
    if isinstance(body, Operator):
        fields |= {"operator": body.name, "why": body.reason}
    return fields


def log_report(report: Report, network: str = "") -> None:
    """A line for what a connection reports; `network` is the one of several that it is of."""
    logger, of = logging.getLogger("broker"), {"network": network} if network else {}
    match report:
        case Connected():
            say(logger, logging.INFO, "connected", connection=report.purpose, server=report.server, **of)
        case Disconnected():
            say(
                logger,
                logging.WARNING,
                f"disconnected: {report.reason}",
                connection=report.purpose,
                server=report.server,
                **of,
            )
        case Refused():
            detail = {"connection": report.purpose, "server": report.server, "again_in": round(report.again, 1), **of}
            say(logger, logging.WARNING, f"not connected: {report.reason}", **detail)
        case Complaint():
            say(logger, logging.WARNING, f"the broker says: {report.reason}", connection=report.purpose, **of)
