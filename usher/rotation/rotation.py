"""Rotation: what has changed is noticed, written down durably, and put to use, in this order.

Rules:
1. Every POLL seconds, and at once on SIGHUP, each file is looked at; only one that changed is read.
2. What cannot be used is refused in one line and counted; what is in use stays, until the file changes again.
3. A change is an entry of the fleet's journal, and another signer a policy, before it is used (law 4): whoever reads
   the history finds who signed what.
4. No content is ever said: names, public keys and digests are.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, Self

from fsm.errors import StoreError, StoreFullError, UsherError
from fsm.policy import Policy
from fsm.ports import Clock
from security.problems import CredentialError
from store.entries import FleetEntry
from transport.credentials import CertificateFileError
from usher import logs
from usher.config.problems import ConfigErrors, Severity
from usher.effects.tokens import Tokens
from usher.metrics.families import Family, labels
from usher.rotation.change import Change, Subject
from usher.rotation.expiry import Expiry, Judged
from usher.rotation.known import Known
from usher.rotation.subjects import SiteSubject
from usher.rotation.tokens import tokens_entry
from usher.rotation.watching import Stamp, stamps

POLL: Final = 2.0
RELOAD: Final = "reload"
_DAY: Final = 24 * 3600 * 1000
_logger = logging.getLogger("usher")


@dataclass(frozen=True, slots=True)
class Live:
    """Everything that can change while usher runs, as it was made from the configuration."""

    subjects: tuple[Subject, ...]
    site: SiteSubject
    tokens: Tokens
    secrets: Known
    judged: Judged
    signer: Callable[[], str]


class Durable(Protocol):
    """What is needed of the journal."""

    def fleet(self, entry: FleetEntry) -> Awaitable[None]:
        """Append to the journal of the fleet."""
        ...

    def remember_policy(self, hashed: str, document: bytes, at: int) -> Awaitable[None]:
        """Keep a policy's document."""
        ...


class Serving(Protocol):
    """What is needed of the daemon."""

    @property
    def journal(self) -> Durable:
        """Where changes are written down."""
        ...

    @property
    def policy(self) -> Policy:
        """What is decided by now."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    def follow(self, policy: Policy) -> None:
        """Decide by another policy from now on; it is durable."""
        ...


class Rotation:
    """Looks for changes while it is entered."""

    def __init__(
        self,
        live: Live,
        daemon: Serving,
        families: Mapping[str, Family],
        wake: asyncio.Event,
        issued: Callable[[int], Expiry] | None = None,
        offered: Callable[[Tokens, Sequence[str]], Sequence[str]] = lambda _, marks: marks,
    ) -> None:
        """Compose; `wake` has it look at once. What the files are now counts as seen.

        `issued` says at a time (milliseconds) when what usher has issued ends, `offered` which marks nodes are offered
        anywhere when those of these tokens are others.
        """
        self._issued = issued
        self._live, self._daemon, self._families, self._wake = live, daemon, families, wake
        self._offered = offered
        self._seen: dict[str, tuple[tuple[Path, Stamp], ...]] = {}
        self._task: asyncio.Task[None] | None = None
        now = daemon.clock.wall()
        self._said = {expiry.credential: now for expiry in live.judged.at(now) if expiry.warning}  # said at the start
        for subject in live.subjects:
            for result in ("taken", "refused"):
                families["usher_reloads_total"].add(0, labels(setting=subject.name, result=result))

    async def __aenter__(self) -> Self:
        """Look from now on; the first look reads everything, since files may have changed during the start."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="rotation")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def expiries(self) -> tuple[Expiry, ...]:
        """What expires when."""
        return self._at(self._daemon.clock.wall())

    def _at(self, now: int) -> tuple[Expiry, ...]:
        found = self._live.judged.at(now)
        return found if self._issued is None else (*found, self._issued(now))

    async def _run(self) -> None:
        asked = False
        while True:
            try:
                await self.look(asked=asked)
            except (StoreError, StoreFullError):  # it ends the process, by whoever has work for the store
                return
            except Exception:  # a bug of one look must not be the last of them
                _logger.exception("a bug in looking for changed files; the next look follows")
            asked = await self._moment()

    async def _moment(self) -> bool:
        """Until it is time to look; answers whether somebody asked."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._wake.wait()
        asked = self._wake.is_set()
        self._wake.clear()
        return asked

    async def look(self, *, asked: bool = False) -> None:
        """Look at everything once; `asked` reads all of it, and says so."""
        taken = 0
        for subject in self._live.subjects:
            found = stamps(subject.files)
            if asked or found != self._seen.get(subject.name):
                taken += await self._read(subject)
                self._seen[subject.name] = found  # as it was before it was read: what changed meanwhile is read again
        if asked:
            logs.say(_logger, logging.INFO, "the configuration was read again, as SIGHUP asks", changes=taken)
        self._measure()

    async def _read(self, subject: Subject) -> bool:
        try:
            change = subject.read()
        except (CredentialError, CertificateFileError, ConfigErrors) as error:
            self._refuse(subject, error)
            return False
        if subject is self._live.site and self._live.site.needs_restart:
            names = ", ".join(self._live.site.needs_restart)
            said = f"{subject.files[0]} has changed: {names} needs a restart"
            logs.say(_logger, logging.WARNING, said, settings=list(self._live.site.needs_restart), **self._of)
        if change is None:
            return False
        await self._take(subject, change)
        return True

    async def _take(self, subject: Subject, change: Change) -> None:
        daemon = self._daemon
        self._live.secrets.add(change.secrets)
        logs.hide(change.secrets)
        at, policy = daemon.clock.now(), daemon.policy
        if change.signer:
            policy = replace(policy, signer=change.signer)
            await daemon.journal.remember_policy(policy.hash, policy.document(), at)
        said = {"setting": subject.name, **self._of, "files": [str(file) for file in subject.files], **change.prints}
        await daemon.journal.fleet(FleetEntry(at, RELOAD, "usher", change.said, json.dumps(said).encode()))
        if change.tokens is not None:
            marks = [self._live.tokens.mark(text) for text in change.tokens]
            await daemon.journal.fleet(tokens_entry(self._offered(self._live.tokens, marks), at))
        change.take()
        self._said.clear()
        if change.signer:
            daemon.follow(policy)
        self._families["usher_reloads_total"].add(1, labels(setting=subject.name, result="taken"))
        logs.say(_logger, logging.INFO, f"{subject.name} has changed: {change.said}", **said)

    @property
    def _of(self) -> dict[str, str]:
        """The field that names the network in a line of the log, where there are several."""
        network = self._daemon.policy.network
        return {"network": network} if network else {}

    def _refuse(self, subject: Subject, error: UsherError) -> None:
        self._families["usher_reloads_total"].add(1, labels(setting=subject.name, result="refused"))
        said = f"{subject.name} has changed and cannot be used; what was read before stays in use: {words(error)}"
        logs.say(_logger, logging.ERROR, said, setting=subject.name, **self._of)

    def _measure(self) -> None:
        """Set the gauges, and say once a day what should be renewed."""
        now = self._daemon.clock.wall()
        for expiry in self._at(now):
            where = labels(credential=expiry.credential)
            if expiry.ends is not None:
                self._families["usher_credential_expiry_seconds"].set(round(expiry.ends - now / 1000), where)
            self._families["usher_credential_warning"].set(bool(expiry.warning), where)
            if expiry.warning and now - self._said.get(expiry.credential, 0) >= _DAY:
                self._said[expiry.credential] = now
                logs.say(_logger, logging.WARNING, f"{expiry.setting}: {expiry.warning}", **self._of)


def words(error: UsherError) -> str:
    """What is wrong, in our own words."""
    match error:
        case CredentialError(problem=problem):
            return str(problem)
        case CertificateFileError(file=file, detail=detail):
            return f"{file}: {detail}"
        case ConfigErrors(problems=problems):
            fatal = [problem for problem in problems if problem.severity is Severity.ERROR]
            more = f" (and {len(fatal) - 1} more: usher check-config)" if len(fatal) > 1 else ""
            return f"{fatal[0] if fatal else error.__doc__}{more}"
        case _:
            return str(error.__doc__)
