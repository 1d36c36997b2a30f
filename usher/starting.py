"""A start: the database, the daemon and what serves beside it, composed in the order in which they depend.

Rules:
1. The lock on the state directory is held; what is opened here is closed by the stack, last first.
2. Nothing is sent before the database has told where each node is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from fsm.events import HintKind
from fsm.policy import Policy
from fsm.reasons import Reason
from security.vault import KeyRing, SealedVault
from store.entries import FleetEntry
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from store.views import FleetView
from transport.reports import Report
from usher import logs
from usher.aging import aging_of
from usher.audit.start import keeper_of
from usher.audit.table import remember
from usher.cluster.kept import decided
from usher.compat import Compat
from usher.config.problems import Problem
from usher.config.site import Site
from usher.control.server import ControlServer
from usher.daemon import Daemon, Outside
from usher.database.desk import Jobs
from usher.database.start import Aftermath, open_database, say_full
from usher.ends import Ends
from usher.logs import TransitionLog, log_report
from usher.metrics.exporter import Exporter
from usher.metrics.families import labels
from usher.metrics.gauges import read_gauges
from usher.metrics.lag import LoopLag
from usher.metrics.links import Links
from usher.metrics.recorder import Recorder
from usher.metrics.recovery import TakeUp
from usher.network import Told
from usher.outside import VERSION
from usher.rotation.rotation import Rotation
from usher.rotation.tokens import name_tokens
from usher.rotation.use import TokenUse
from usher.standing import trouble
from usher.state import StateDirectory
from usher.status import Status
from usher.tally import Tally
from usher.terms import KINDS, led
from usher.timekeeping import timekeeping_of
from usher.vault import KeyPlace, Sealing, take_up


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


async def start(settings: Settings, stack: AsyncExitStack, restart: Callable[[], None], wake: asyncio.Event) -> Daemon:
    """Open the database, raise the epoch, take up the fleet, begin to serve."""
    stack.enter_context(timekeeping_of(settings.state.path, settings.outside.clock))
    full: list[Callable[[bool], None]] = []

    def on_full(is_full: bool) -> None:
        (full[0] if full else say_full)(is_full)

    ring = settings.ring()
    logs.hide([*settings.outside.secrets, *(key.raw.hex() for key in ring.keys)])
    recorder = _recorder(settings)
    keeper = keeper_of(settings.site.audit, settings.state, settings.outside.clock, recorder.families)
    journal = await open_database(settings.state.database, settings.open, on_full)
    stack.push_async_callback(journal.close)
    epoch = await journal.begin_epoch()
    now = settings.outside.clock.now()
    policy = replace(settings.policy, signer=settings.outside.live.signer())  # it may have changed: usher starts anew
    await journal.remember_policy(policy.hash, policy.document(), now)
    await remember(journal, now)
    await take_up(journal, ring, now)
    with open_reader(settings.state.database) as reader:
        tally, ends = Tally(reader.counts(), dict(reader.reasons(len(Reason)))), Ends(reader.ends_by_day())
        fleet, last = reader.last("pause", "resume"), led(reader.last(*KINDS))
        known = decided(reader, settings.outside.way.election_name, journal.lineage)
    await name_tokens(settings.outside.tokens, settings.state, journal, now)
    links = Links(recorder.families, settings.outside.clock, settings.outside.way.purposes)
    took_up = TakeUp(settings.outside.clock, recorder.families)
    token_use = TokenUse(settings.outside.tokens, recorder.families["usher_tokens_accepted_total"])
    observers = (tally, ends, recorder, took_up, Compat(recorder.compat), TransitionLog(), token_use, keeper)

    vault = SealedVault(ring)
    daemon = Daemon(settings.outside, journal, vault, policy, epoch, observers, _told(recorder, links))
    full.append(daemon.full)
    daemon.closing = keeper.end
    await _serve_monitoring(settings, stack, daemon, tally, recorder)
    aging = stack.enter_context(aging_of(daemon, settings.site.keep_nodes, recorder.families))
    rotating = Rotation(settings.outside.live, daemon, recorder.families, wake, ends.expiry)
    rotation = await stack.enter_async_context(rotating)
    status = Status(daemon, tally, settings.site.site, took_up, aging, rotation.expiries)
    jobs = Jobs(
        settings.state,
        lambda: journal,
        settings.outside.clock.wall,
        restart,
        Sealing(settings.keys, vault, settings.outside.secrets, settings.outside.harmless),
        daemon.restoring,
        keeper,
    )
    stack.push_async_callback(jobs.close)
    control = ControlServer(settings.state.socket, daemon, status, jobs, daemon.heard)
    await control.start()
    stack.push_async_callback(control.close)
    aftermath = Aftermath(daemon, settings.state.database, settings.policy.request_life, stack)
    aftermath.hold()
    took_up.opened(len(journal.open_effects()))
    await daemon.start(_pause(fleet), last, known)
    aftermath.settle()
    await keeper.begin(journal)
    took_up.started(daemon.taken_up)
    return daemon


def _pause(view: FleetView | None) -> FleetEntry | None:
    if view is None or view.kind != "pause":
        return None
    return FleetEntry(view.at, view.kind, view.name, view.reason)


def _told(
    recorder: Recorder, links: Links
) -> Callable[[Callable[[str, HintKind], None], Callable[[bool], None]], Told]:
    """What the network tells, around the engine's two listeners."""

    def report(said: Report) -> None:
        log_report(said)
        links.report(said)

    return lambda hint, way_open: Told(hint, way_open, report, recorder.discovered, recorder)


def _recorder(settings: Settings) -> Recorder:
    recorder = Recorder(settings.site.site)
    recorder.families["usher_info"].set(1, labels(version=VERSION))
    for problem in settings.problems:
        if problem.check:
            recorder.compat(problem.check)
    return recorder


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
