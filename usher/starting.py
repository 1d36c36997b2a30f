"""A start: from the settings to a daemon at work, with everything beside it that listens, measures and answers.

Rules:
1. What is made here is handed to the stack, which undoes it in order whatever happens.
2. Every network gets what is its own: its listeners, its rotation, its part of the metrics; nothing is decided here.
3. Nothing is sent before the database is open, the epoch is raised, and what a restore left is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fsm.events import HintKind
from fsm.policy import Policy
from fsm.ports import Clock
from fsm.reasons import Reason
from fsm.runtime.observer import Observer
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
from usher.cluster.kept import decided, denied
from usher.compat import Compat
from usher.config.problems import Problem
from usher.config.site import Site
from usher.control.server import ControlServer
from usher.daemon import Daemon
from usher.database.desk import Jobs
from usher.database.start import Aftermath, open_database, say_full
from usher.ends import Ends
from usher.keyplace import KeyPlace
from usher.logs import TransitionLog, log_report
from usher.metrics.exporter import Exporter
from usher.metrics.families import labels
from usher.metrics.gauges import read_gauges
from usher.metrics.lag import LoopLag
from usher.metrics.links import Links
from usher.metrics.recorder import Recorder
from usher.metrics.recovery import TakeUp
from usher.metrics.within import within
from usher.network import Told
from usher.networks.member import Given, Outside
from usher.observe import observing
from usher.outages import telling
from usher.outside import VERSION
from usher.rotation.expiry import Expiry
from usher.rotation.known import Known
from usher.rotation.rotation import Rotation
from usher.rotation.tokens import marks_with, name_tokens
from usher.rotation.use import TokenUse
from usher.standing import trouble
from usher.state import StateDirectory
from usher.status import Status
from usher.tally import Tally
from usher.terms import KINDS, led
from usher.timekeeping import timekeeping_of
from usher.vault import Sealing, take_up


@dataclass(frozen=True, slots=True)
class Opened:
    """A network with everything open that its files name, and by what its nodes are decided."""

    outside: Outside
    policy: Policy

    def observing(self) -> Opened:
        """The same for a usher that only looks on: nothing is touched, and it stands in no election."""
        way = replace(self.outside.way, election_name="")
        return Opened(replace(self.outside, way=way), observing(self.policy))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a start needs, read and checked; `problems` do not stop it.

    `site` has what all networks share, `secrets` are those of all of them.

    `keys` is where the vault's keys are, `ring` reads them and `open` the database, once the state directory is locked.
    """

    site: Site
    problems: tuple[Problem, ...]
    networks: tuple[Opened, ...]
    clock: Clock
    secrets: Known = field(repr=False)
    state: StateDirectory
    keys: KeyPlace
    ring: Callable[[], KeyRing]
    open: Callable[[Path, Callable[[bool], None]], Journal] = open_store


async def start(
    settings: Settings, stack: AsyncExitStack, restart: Callable[[], None], wake: Sequence[asyncio.Event]
) -> Daemon:
    """Open the database, raise the epoch, take up the fleet, begin to serve; `wake` has one event for each network."""
    stack.enter_context(timekeeping_of(settings.state.path, settings.clock))
    full: list[Callable[[bool], None]] = []

    def on_full(is_full: bool) -> None:
        (full[0] if full else say_full)(is_full)

    ring = settings.ring()
    logs.hide([*settings.secrets, *(key.raw.hex() for key in ring.keys)])
    recorder = _recorder(settings)
    keeper = keeper_of(settings.site.audit, settings.state, settings.clock, recorder.families)
    journal = await open_database(settings.state.database, settings.open, on_full)
    stack.push_async_callback(journal.close)
    epoch = await journal.begin_epoch()
    now = settings.clock.now()
    policies = [await _in_force(each, journal, now) for each in settings.networks]
    await remember(journal, now)
    await take_up(journal, ring, now)
    with open_reader(settings.state.database) as reader:
        fleet, last = reader.paused(), led(reader.last(*KINDS))
        ends = Ends(reader.ends_by_day(), policies[0].network)
        several = len(settings.networks) > 1 or reader.networked
        tally = Tally(reader.counts(), dict(reader.reasons(len(Reason))), reader.networks() if several else None)
        known = decided(reader, settings.networks[0].outside.way.election_name, journal.lineage)
        names = tuple(denied(reader, journal.lineage))
    tokens = [each.outside.tokens for each in settings.networks]
    await name_tokens(tokens, settings.state, journal, now)
    took_up = TakeUp(settings.clock, recorder.families)
    observers = (tally, ends, recorder, took_up, Compat(recorder.compat), TransitionLog(), keeper)
    vault = SealedVault(ring)
    given = [
        _given(each.outside, policy, observers, recorder)
        for each, policy in zip(settings.networks, policies, strict=True)
    ]
    daemon = Daemon(given, journal, vault, epoch, settings.clock, foreign=several)
    full.append(daemon.full)
    daemon.closing = keeper.end
    await _serve_monitoring(settings, stack, daemon, tally, recorder)
    aging = stack.enter_context(aging_of(daemon, settings.site.keep_nodes, recorder.families))
    offered = partial(marks_with, tokens)
    rotations = [
        await stack.enter_async_context(
            Rotation(
                each.outside.live, member, within(recorder.families, member.name), wakes,
                partial(ends.expiry, network=member.name), offered,
            )
        )
        for each, member, wakes in zip(settings.networks, daemon.members, wake, strict=True)
    ]  # fmt: skip
    expiries = partial(_expiries, daemon, rotations)
    status = Status(daemon, tally, settings.site.site, took_up, aging, expiries)
    jobs = Jobs(
        settings.state,
        lambda: journal,
        settings.clock.wall,
        restart,
        Sealing(settings.keys, vault, settings.secrets, settings.networks[0].outside.harmless),
        daemon.restoring,
        keeper,
    )
    stack.push_async_callback(jobs.close)
    control = ControlServer(settings.state.socket, daemon, status, jobs, daemon.heard, daemon.elsewhere, daemon.refused)
    await control.start()
    stack.push_async_callback(control.close)
    aftermath = Aftermath(daemon, settings.state.database, max(policy.request_life for policy in policies), stack)
    aftermath.hold()
    took_up.opened(daemon.left_open())
    await daemon.start(_pause(fleet), last, known, names)
    aftermath.settle()
    await keeper.begin(journal)
    took_up.started(daemon.taken_up)
    return daemon


def _pause(view: FleetView | None) -> FleetEntry | None:
    if view is None:
        return None
    return FleetEntry(view.at, view.kind, view.name, view.reason)


def _expiries(daemon: Daemon, rotations: Sequence[Rotation]) -> list[Expiry]:
    """What expires in each network, and what was issued there."""
    found = zip(daemon.members, rotations, strict=True)
    return [expiry.of(member.name) for member, rotation in found for expiry in rotation.expiries()]


async def _in_force(opened: Opened, journal: Journal, now: int) -> Policy:
    """What a network's nodes are decided by, durably; its signer may have changed since usher was started first."""
    policy = replace(opened.policy, signer=opened.outside.live.signer())
    await journal.remember_policy(policy.hash, policy.document(), now)
    return policy


def _given(outside: Outside, policy: Policy, observers: Sequence[Observer], recorder: Recorder) -> Given:
    """What a network begins with: everybody is told, each in the network's own part of the metrics."""
    network = policy.network
    families = within(recorder.families, network)
    links = Links(families, outside.clock, outside.way.purposes)
    token_use = TokenUse(outside.tokens, families["usher_tokens_accepted_total"])

    def report(said: Report) -> None:
        log_report(said, network)
        links.report(said)

    def told(hint: Callable[[str, HintKind], None], way_open: Callable[[bool], None]) -> Told:
        part = recorder.part(network)
        return Told(hint, way_open, report, part.discovered, part)

    return Given(outside, policy, (*observers, token_use), told)


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
    for member in daemon.members:
        member.engine.breakers.on_change = telling(within(recorder.families, member.name), member.name)

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
