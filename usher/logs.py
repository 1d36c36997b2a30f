"""Logs: one line a committed transition, JSON for files and collectors, plain words for a terminal.

Rules:
1. The keys `level`, `msg`, `time` and `component` are those of the older program; ours stand beside them.
2. A line tells what is durable: the observer is called after the commit.
3. Nothing that a node said reaches a line unmade: control characters are made visible by the encoder.
4. No secret is ever given to a logger; what failed says why in reason codes and cut words.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

from fsm.effects import Intent
from fsm.errors import UsherError
from fsm.events import Event, Failed, Operator
from fsm.machine import Rejected
from fsm.ports import Outcome
from fsm.runtime.observer import Transition
from fsm.states import State
from transport.reports import Complaint, Connected, Disconnected, Refused, Report

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_NAMES: Final = {level: name for name, level in LEVELS.items()}
_FIELDS: Final = "fields"
_TROUBLE: Final = frozenset({State.FAILED, State.REPROVISION})


class LogFileError(UsherError):
    """The log file cannot be written"""

    def __init__(self, file: str, problem: str) -> None:
        """Hold the file and what the system said."""
        super().__init__()
        self.file = file
        self.problem = problem


class JsonLines(logging.Formatter):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        document: dict[str, Any] = {
            "level": _NAMES.get(record.levelno, record.levelname.lower()),
            "msg": record.getMessage(),
            "time": _time(record),
            "component": record.name,
        }
        document.update(getattr(record, _FIELDS, {}))
        if record.exc_info:
            document["trace"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=True, default=str)


class PlainLines(logging.Formatter):
    """A record for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a trace follows it."""
        fields = " ".join(
            f"{name}={value}" for name, value in getattr(record, _FIELDS, {}).items() if value not in (None, "")
        )
        line = f"{_time(record)} {_NAMES.get(record.levelno, '?'):5} {record.name}: {record.getMessage()} {fields}"
        line = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in line.rstrip())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


def set_up(logfile: str, level: str) -> None:
    """Send all logs there: `stdout`, `stderr`, `discard`, or a file; raises LogFileError."""
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(_handler(logfile))
    root.setLevel(LEVELS.get(level, logging.WARNING))
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def _handler(logfile: str) -> logging.Handler:
    match logfile:
        case "discard":
            return logging.NullHandler()
        case "stdout" | "stderr" | "":
            return _stream(sys.stdout if logfile == "stdout" else sys.stderr)
        case _:
            try:
                handler = logging.FileHandler(Path(logfile))
            except OSError as error:
                raise LogFileError(logfile, error.strerror or str(error)) from None
            handler.setFormatter(JsonLines())
            return handler


def _stream(stream: TextIO) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainLines() if stream.isatty() else JsonLines())
    return handler


def say(logger: logging.Logger, level: int, message: str, **fields: object) -> None:
    """A log line with fields of its own."""
    if logger.isEnabledFor(level):
        logger.log(level, message, extra={_FIELDS: fields})


class TransitionLog:
    """fsm.runtime.observer.Observer that writes a line a transition."""

    def __init__(self) -> None:
        """Write as component `machine`."""
        self._logger = logging.getLogger("machine")

    def moved(self, transition: Transition) -> None:
        """One line: what happened, to whom, and where it is now."""
        before, after, row = transition.before, transition.decision.snapshot, transition.decision.row
        level = logging.WARNING if after.state in _TROUBLE and after.state is not before.state else logging.INFO
        if not self._logger.isEnabledFor(level):
            return
        body = transition.event.body
        say(
            self._logger,
            level,
            row.why,
            node=after.node,
            generation=after.generation,
            seq=after.seq,
            epoch=transition.event.epoch,
            row=row.name,
            source=before.state.value,
            target=after.state.value,
            effect=transition.decision.opens.effect.value if transition.decision.opens else None,
            reason=body.reason.value if isinstance(body, Failed) else (after.reason.value if after.reason else None),
            detail=body.detail if isinstance(body, Failed) else None,
            operator=f"{body.name}: {body.reason}" if isinstance(body, Operator) else None,
        )

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
        self._logger.error("a bug in the handling of %s: %s", node, error, exc_info=error)


def log_report(report: Report) -> None:
    """A line for what a connection reports."""
    logger = logging.getLogger("broker")
    match report:
        case Connected():
            say(logger, logging.INFO, "connected", connection=report.purpose, server=report.server)
        case Disconnected():
            say(
                logger,
                logging.WARNING,
                f"disconnected: {report.reason}",
                connection=report.purpose,
                server=report.server,
            )
        case Refused():
            detail = {"connection": report.purpose, "server": report.server, "again_in": round(report.again, 1)}
            say(logger, logging.WARNING, f"not connected: {report.reason}", **detail)
        case Complaint():
            say(logger, logging.WARNING, f"the broker says: {report.reason}", connection=report.purpose)
