"""`usher run`: the daemon as a command.

Rules:
1. Wrong configuration is told completely, a line a mistake, and ends with 2 before anything is touched.
2. INT and TERM end it with 0; a failure of the store ends it with 1 and says what to do.
3. The lock on the state directory is taken before the database is opened, and given up last.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from fsm.errors import UsherError
from fsm.runtime.clock import SystemClock
from fsm.traces import told
from security.problems import CredentialError
from usher import logs
from usher.audit.keys import AuditKeyError
from usher.config.loading import load, surroundings
from usher.config.problems import ConfigErrors, Problem, Severity
from usher.daemon import Daemon
from usher.greeting import announce
from usher.metrics.exporter import MonitorPortError
from usher.observe import refuse_used
from usher.outside import make_outside
from usher.pidfile import PidFileError, pid_file
from usher.rotation.known import Known
from usher.starting import Opened, Settings, start
from usher.state import StateDirectory
from usher.vault import VaultKeyError, key_place, open_ring
from usher.views.common import directory, file

WRONG: Final = 2
FAILED: Final = 1
COLLECT: Final = (10_000, 10, 10)
"""When Python looks for garbage that refers to itself (gc.set_threshold), in objects and in looks.

There is little of it, and a look goes through what a burst has waiting: at every 700 objects, as Python comes, they
took a tenth of the CPU of a burst of 20,000, and more the more nodes waited.
"""
_logger = logging.getLogger("usher")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher run`, those of the older program."""
    parser.add_argument("--config", required=True, type=file, metavar="FILE", help="the site's YAML file")
    parser.add_argument(
        "--choria-config", type=file, metavar="FILE", help="Choria client configuration; default as choria"
    )
    parser.add_argument("--pid", type=file, metavar="FILE", help="write the process id there; removed at a clean exit")
    parser.add_argument(
        "--state", type=directory, metavar="DIR", help="the state directory (default: as the YAML says)"
    )
    parser.add_argument(
        "--observe", action="store_true", help="only look on: discover, read inventories, touch nothing; needs --state"
    )
    parser.add_argument("--debug", action="store_true", help="log everything, to standard error")


def run(args: argparse.Namespace) -> int:
    """Read, check, lock, serve; answers the exit code."""
    try:
        settings = read(args)
        logs.set_up(
            "stderr" if args.debug else settings.site.logfile, "debug" if args.debug else settings.site.loglevel
        )
        settings.state.prepare()
        settings.state.lock()
        if settings.networks[0].policy.observe:
            refuse_used(settings.state.database)
    except ConfigErrors as errors:
        _tell(errors.problems)
        return WRONG
    except UsherError as error:
        print(f"usher: {error}", file=sys.stderr)
        return WRONG
    try:
        with pid_file(args.pid):
            return asyncio.run(serve(settings))
    except (MonitorPortError, PidFileError, VaultKeyError, AuditKeyError, CredentialError) as error:
        print(f"usher: {error}", file=sys.stderr)
        return WRONG
    except UsherError as error:
        print(f"usher: {error}", file=sys.stderr)
        return FAILED
    finally:
        settings.state.unlock()


def read(args: argparse.Namespace) -> Settings:
    """Both configurations and all that they name; raises ConfigErrors with everything that is wrong."""
    clock = SystemClock()
    chosen = Path(args.state).absolute() if args.state else None
    client_file = Path(args.choria_config) if args.choria_config else None
    found = load(Path(args.config), client_file, surroundings(clock.now(), chosen))
    secrets = Known()
    networks = tuple(Opened(*make_outside(each.site, each.client, clock, secrets)) for each in found.networks)
    networks = tuple(each.observing() for each in networks) if args.observe else networks
    state = StateDirectory(found.site.state_directory)
    place = key_place(found.site.vault_key_file, os.environ, state)
    ring = partial(open_ring, place, strict=found.site.strict)
    return Settings(found.site, found.problems, networks, clock, secrets, state, place, ring)


async def serve(settings: Settings) -> int:
    """Run until a signal or a failure, starting anew when a job asks for that; answers the exit code."""
    gc.set_threshold(*COLLECT)
    wish = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.unhandled)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, wish.set)
    wake = tuple(asyncio.Event() for _ in settings.networks)
    loop.add_signal_handler(signal.SIGHUP, _waking, wake)
    while await _serve_once(settings, wish, wake):
        logs.say(_logger, logging.INFO, "usher starts anew, as a job of the database asked")
    return 0


def _waking(wake: Sequence[asyncio.Event]) -> None:
    for each in wake:
        each.set()


async def _serve_once(settings: Settings, wish: asyncio.Event, wake: Sequence[asyncio.Event]) -> bool:
    """Start, serve, stop; answers whether to start anew. Raises what made it end."""
    anew, over = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        starting = asyncio.ensure_future(start(settings, stack, anew.set, wake))
        wished: list[asyncio.Future[Any]] = [asyncio.ensure_future(each.wait()) for each in (wish, anew, over)]
        for each in wished:
            stack.callback(each.cancel)
        await asyncio.wait({starting, wished[0]}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():  # a start waits for room on a full disk, and a signal ends that wait
            starting.cancel()
            await asyncio.wait({starting})
        else:
            daemon = starting.result()
            announce(settings.site, settings.problems, daemon.epoch, [member.policy for member in daemon.members])
            gc.freeze()  # what lives as long as the process need not be looked through again
            daemon.ended.add_done_callback(lambda _: over.set())
            await asyncio.wait(wished, return_when=asyncio.FIRST_COMPLETED)
            await _stop(daemon)
    return anew.is_set() and not wish.is_set()


async def _stop(daemon: Daemon) -> None:
    """In order, if it has not ended by itself; raises what it ended with."""
    given_up = 0 if daemon.ended.done() else await daemon.stop()
    error = daemon.ended.exception() if daemon.ended.done() else None
    if error is not None:
        _logger.critical("usher ends: %s", _words(error), exc_info=None if isinstance(error, UsherError) else error)
        raise error if isinstance(error, UsherError) else RuntimeError(f"a bug: {told(error)}")
    logs.say(_logger, logging.WARNING if given_up else logging.INFO, "usher stopped", requests_given_up=given_up)


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, UsherError) else f"a bug: {told(error)}"


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems:
        word = "error" if problem.severity is Severity.ERROR else "warning"
        print(f"usher: {word}: {problem}", file=sys.stderr)
