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
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from fsm.errors import UsherError
from fsm.events import HintKind
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.runtime.clock import SystemClock
from fsm.traces import told
from security.problems import CredentialError
from security.vault import KeyRing, SealedVault
from store.entries import FleetEntry
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from transport.reports import Report
from usher import logs
from usher.aging import aging_of
from usher.compat import Compat
from usher.config.loading import load, surroundings
from usher.config.problems import ConfigErrors, Problem, Severity
from usher.config.site import Site
from usher.control.server import ControlServer
from usher.daemon import Daemon, Outside
from usher.database.desk import Jobs
from usher.database.start import Aftermath, open_database, say_full
from usher.greeting import announce
from usher.logs import TransitionLog, log_report
from usher.metrics.exporter import Exporter, MonitorPortError
from usher.metrics.families import labels
from usher.metrics.gauges import read_gauges
from usher.metrics.lag import LoopLag
from usher.metrics.links import Links
from usher.metrics.recorder import Recorder
from usher.metrics.recovery import TakeUp
from usher.network import EVENTS, RPC, Told
from usher.observe import observing, refuse_used
from usher.outages import telling
from usher.outside import VERSION, make_outside
from usher.pidfile import PidFileError, pid_file
from usher.rotation.rotation import Rotation
from usher.rotation.tokens import name_tokens
from usher.rotation.use import TokenUse
from usher.standing import trouble
from usher.state import StateDirectory
from usher.status import Status
from usher.tally import Tally
from usher.timekeeping import timekeeping_of
from usher.vault import KeyPlace, Sealing, VaultKeyError, key_place, open_ring, take_up
from usher.views.common import directory

WRONG: Final = 2
FAILED: Final = 1
_logger = logging.getLogger("usher")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a start needs, read and checked; `problems` do not stop it.

    `keys` is where the vault's keys are, `ring` reads them and `open` the database, once the state directory is locked.
    """

    site: Site
    problems: tuple[Problem, ...]
    outside: Outside
    policy: Policy
    state: StateDirectory
    keys: KeyPlace
    ring: Callable[[], KeyRing]
    open: Callable[[Path, Callable[[bool], None]], Journal] = open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher run`, those of the older program."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the site's YAML file")
    parser.add_argument("--choria-config", metavar="FILE", help="the Choria client configuration (default: as choria)")
    parser.add_argument("--pid", metavar="FILE", help="write the process id there; removed at a clean exit")
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
        if settings.policy.observe:
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
    except (MonitorPortError, PidFileError, VaultKeyError, CredentialError) as error:
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
    outside, policy = make_outside(found.site, found.client, clock)
    policy = observing(policy) if args.observe else policy
    state = StateDirectory(found.site.state_directory)
    place = key_place(found.site.vault_key_file, os.environ, state)
    ring = partial(open_ring, place, strict=found.site.strict)
    return Settings(found.site, found.problems, outside, policy, state, place, ring)


async def serve(settings: Settings) -> int:
    """Run until a signal or a failure, starting anew when a job asks for that; answers the exit code."""
    wish = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.unhandled)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, wish.set)
    wake = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, wake.set)
    while await _serve_once(settings, wish, wake):
        logs.say(_logger, logging.INFO, "usher starts anew, as a job of the database asked")
    return 0


async def _serve_once(settings: Settings, wish: asyncio.Event, wake: asyncio.Event) -> bool:
    """Start, serve, stop; answers whether to start anew. Raises what made it end."""
    anew, over = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        starting = asyncio.ensure_future(_start(settings, stack, anew.set, wake))
        wished: list[asyncio.Future[Any]] = [asyncio.ensure_future(each.wait()) for each in (wish, anew, over)]
        for each in wished:
            stack.callback(each.cancel)
        await asyncio.wait({starting, wished[0]}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():  # a start waits for room on a full disk, and a signal ends that wait
            starting.cancel()
            await asyncio.wait({starting})
        else:
            daemon = starting.result()
            announce(settings.site, settings.problems, daemon.epoch, daemon.policy)
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


async def _start(settings: Settings, stack: AsyncExitStack, restart: Callable[[], None], wake: asyncio.Event) -> Daemon:
    """Open the database, raise the epoch, take up the fleet, begin to serve."""
    stack.enter_context(timekeeping_of(settings.state.path, settings.outside.clock))
    full: list[Callable[[bool], None]] = []

    def on_full(is_full: bool) -> None:
        (full[0] if full else say_full)(is_full)

    ring = settings.ring()
    logs.hide([*settings.outside.secrets, *(key.raw.hex() for key in ring.keys)])
    journal = await open_database(settings.state.database, settings.open, on_full)
    stack.push_async_callback(journal.close)
    epoch = await journal.begin_epoch()
    now = settings.outside.clock.now()
    policy = replace(settings.policy, signer=settings.outside.live.signer())  # it may have changed: usher starts anew
    await journal.remember_policy(policy.hash, policy.document(), now)
    await take_up(journal, ring, now)
    with open_reader(settings.state.database) as reader:
        tally = Tally(reader.counts(), dict(reader.reasons(len(Reason))))
        fleet = reader.last("pause", "resume")
    await name_tokens(settings.outside.tokens, settings.state, journal, now)
    recorder = Recorder(settings.site.site)
    recorder.families["usher_info"].set(1, labels(version=VERSION))
    links = Links(recorder.families, settings.outside.clock, (EVENTS, RPC))
    for problem in settings.problems:
        if problem.check:
            recorder.compat(problem.check)
    took_up = TakeUp(settings.outside.clock, recorder.families)
    token_use = TokenUse(settings.outside.tokens, recorder.families["usher_tokens_accepted_total"])
    observers = (tally, recorder, took_up, Compat(recorder.compat), TransitionLog(), token_use)

    def report(said: Report) -> None:
        log_report(said)
        links.report(said)

    def told(hint: Callable[[str, HintKind], None], way_open: Callable[[bool], None]) -> Told:
        return Told(hint, way_open, report, recorder.discovered, recorder)

    vault = SealedVault(ring)
    daemon = Daemon(settings.outside, journal, vault, policy, epoch, observers, told)
    full.append(daemon.full)
    daemon.engine.breakers.on_change = telling(recorder.families)
    await _serve_monitoring(settings, stack, daemon, tally, recorder)
    aging = stack.enter_context(aging_of(daemon, settings.site.keep_nodes, recorder.families))
    rotation = await stack.enter_async_context(Rotation(settings.outside.live, daemon, recorder.families, wake))
    status = Status(daemon, tally, settings.site.site, took_up, aging, rotation.expiries)
    jobs = Jobs(
        settings.state,
        lambda: journal,
        settings.outside.clock.wall,
        restart,
        Sealing(settings.keys, vault, settings.outside.secrets, settings.outside.harmless),
        daemon.restoring,
    )
    stack.push_async_callback(jobs.close)
    control = ControlServer(settings.state.socket, daemon, status, jobs, daemon.heard, daemon.intake.why)
    await control.start()
    stack.push_async_callback(control.close)
    paused = fleet is not None and fleet.kind == "pause"
    aftermath = Aftermath(daemon, settings.state.database, settings.policy.request_life, stack)
    aftermath.hold()
    took_up.opened(len(journal.open_effects()))
    await daemon.start(FleetEntry(fleet.at, fleet.kind, fleet.name, fleet.reason) if fleet and paused else None)
    aftermath.settle()
    took_up.started(daemon.taken_up)
    return daemon


async def _serve_monitoring(
    settings: Settings, stack: AsyncExitStack, daemon: Daemon, tally: Tally, recorder: Recorder
) -> None:
    site = settings.site

    def text() -> str:
        read_gauges(recorder, daemon, tally, settings.state.database)
        return recorder.text()

    def why_not() -> str:
        return trouble(Status(daemon, tally, site.site).document())

    exporter = Exporter(text, why_not, site.monitor_address, site.monitor_port)
    await exporter.start()
    stack.push_async_callback(exporter.close)
    lag = LoopLag(recorder.families["usher_loop_lag_seconds"].observe)
    lag.start()
    stack.callback(lag.stop)


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems:
        word = "error" if problem.severity is Severity.ERROR else "warning"
        print(f"usher: {word}: {problem}", file=sys.stderr)
