"""One broker, from its name to the last permission: every step of a login with a verdict of its own.

Rules:
1. It is reached with usher's own credentials and TLS, exactly as `usher run` would.
2. Nothing is published but a question to a node that does not exist: the broker itself says that nobody is there.
3. A refusal is looked into once, with the token alone, and then explained (usher.preflight.refusal).
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from security.certificate import CertificateFacts, certificate_facts
from security.expiry import certificate_warning
from transport.credentials import Asked, Credentials, Demanded, tls_context
from transport.lifecycle import SERVER
from transport.subjects import COLLECTIVE, discovery_prefix, lifecycle, node, replies
from transport.wire.caller import Asks
from usher.config.servers import Server
from usher.preflight.clocks import USER_INFO, Reading, broker_time, reading
from usher.preflight.line import ENDED, Line, LineError, UntrustedError, UnwantedError
from usher.preflight.refusal import (
    VIOLATION,
    Alone,
    Shown,
    Tried,
    certified_refused,
    client_refused,
    unsecured_refused,
)
from usher.preflight.tokens import moment
from usher.preflight.verdicts import Check, doubtful, fine, wrong

NOBODY: Final = "503"
_UNWANTED: Final = (
    "have the certificate made by an authority of the broker's plugin.security.file.ca, for clients (clientAuth), and"
    " compare both clocks; the broker's log has the reason"
)


@dataclass(frozen=True, slots=True)
class TokenAlone:
    """transport.credentials.Credentials: a client token without user and password."""

    token: str = field(repr=False)
    sign_nonce: Callable[[bytes], bytes] = field(repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Asker:
    """As whom usher appears.

    `credentials` log in, `asks` asks, `shown` is what of a client token a refusal is judged by, None without one.
    `tls` is what is asked of TLS, `verified_with` the authority's file, `setting` what names it, `within` seconds.
    """

    credentials: Credentials
    asks: Asks
    name: str
    version: str
    component: str
    shown: Shown | None
    tls: Asked
    verified_with: Path | None
    setting: str
    within: float


class BrokerProbe:
    """One broker: `tcp`, `tls`, `login` and `rights`, in this order; `line` is the connection afterwards."""

    def __init__(self, server: Server, asker: Asker) -> None:
        """Name the broker; nothing is connected yet."""
        self.server, self._asker = server, asker
        self.line = self._new_line()
        self.place = server.url.removeprefix("nats://")
        self.clock: Reading | None = None
        self.inbox = discovery_prefix(asker.asks.caller, f"check-{secrets.token_hex(8)}")

    @property
    def password(self) -> str:
        """That with which usher logs in; empty without one."""
        return self._asker.credentials.password

    def name(self, step: str) -> str:
        """What a step at this broker is called."""
        return f"{step} {self.place}"

    async def tcp(self) -> Iterable[Check]:
        """A connection, and the broker's first words."""
        name = self.name("tcp")
        try:
            address = await self.line.reach()
        except LineError as error:
            return (wrong(name, error.why, "check the name, the port, the firewall, and that the broker runs"),)
        try:
            about = await self.line.greet()
        except LineError as error:
            step = "it should be the client port of a Choria broker (plugin.choria.network.client_port, usually 4222)"
            return (wrong(name, f"connected to {address}, but {error.why}", step),)
        what = f"connected to {address}: {_text(about.get('server_name'))}, nats-server {_text(about.get('version'))}"
        return (fine(name, what),)

    async def tls(self) -> Iterable[Check]:
        """The upgrade to TLS, and what is verified of the certificate."""
        name, about, asked = self.name("tls"), self.line.about, self._asker.tls
        offered = about.get("tls_required") or about.get("tls_available")
        if isinstance(asked, Demanded) and not about.get("tls_required"):
            what = "TLS is neither demanded nor asked for (choria_insecure): all goes over the network as it is"
            return (doubtful(name, what, "turn choria_insecure off, and name a certificate, for TLS"),)
        if not offered or asked is None:
            step = "give the broker its certificate: a Choria broker without TLS lets nobody in, and no node comes"
            return (wrong(name, "the broker offers no TLS", step),)
        try:
            session = await self.line.secure(asked.context if isinstance(asked, Demanded) else asked)
        except UntrustedError as error:
            return (wrong(name, f"the certificate does not verify: {error.why}{await self._seen()}", self._trust()),)
        except UnwantedError as error:
            return (wrong(name, error.why, _UNWANTED),)
        except LineError as error:
            return (wrong(name, error.why, "look at the broker's log, and whether it takes TLS 1.2 or later"),)
        return tuple(self._certified(name, session))

    def _certified(self, name: str, session: ssl.SSLObject) -> Iterator[Check]:
        facts, verified = certificate_facts(session.getpeercert(binary_form=True) or b""), self._verified()
        what = f"{session.version()}, the certificate{_described(facts)}"
        if not verified:
            step = f"set {self._asker.setting} to the file of the broker's certificate authority"
            yield doubtful(name, f"{what}; not verified, since no authority is configured", step)
            return
        what = f"{what}; chain and name verified with {verified}"
        warning = certificate_warning(facts.ends, time.time(), facts.begins) if facts else ""
        yield doubtful(name, f"{what}; {warning}", "have the broker's renewed") if warning else fine(name, what)

    def _verified(self) -> str:
        """What the broker's certificate was verified with; empty if it was not."""
        file = self._asker.verified_with
        return "the system's authorities" if isinstance(self._asker.tls, Demanded) else str(file) if file else ""

    def _trust(self) -> str:
        if isinstance(self._asker.tls, Demanded):
            return "choria_insecure takes only a certificate that this system verifies (SSL_CERT_FILE): turn it off"
        step = f"name the authority that made it in {self._asker.setting} (now {self._asker.verified_with})"
        return f"{step}, and use a name of the certificate in plugin.choria.middleware_hosts"

    async def _seen(self) -> str:
        """What the certificate that was refused says."""
        line = self._new_line()
        try:
            await line.reach()
            await line.greet()
            session = await line.secure(tls_context())
            return f"; it{_described(certificate_facts(session.getpeercert(binary_form=True) or b''))}"
        except LineError:
            return ""
        finally:
            await line.close()

    async def login(self) -> Iterable[Check]:
        """The login, and the account that it is in."""
        asker, name = self._asker, self.name("login")
        try:
            about = await self.line.enter(asker.credentials, name=asker.name, version=asker.version)
        except LineError as error:
            return (wrong(name, *await self._refused(error)),)
        account, user = _text(about.get("remote_account")), asker.credentials.user or "nobody"
        if not account:
            return (fine(name, f"let in as user {user}; the broker does not say into which account"),)
        if account != COLLECTIVE:
            what = f"let in as user {user}, into account {account}: unprovisioned nodes are in {COLLECTIVE}"
            return (wrong(name, what, "set broker_provisioning_password, so that the user provisioner logs in"),)
        return (fine(name, f"let in as user {user}, into account {account}"),)

    async def _refused(self, error: LineError) -> tuple[str, str]:
        """What a login that failed likely means, and the next step."""
        if isinstance(error, UnwantedError):
            return error.why, _UNWANTED
        if error.why == ENDED and self._certified_login:
            return f"{ENDED} after TLS: it may have refused the client certificate", _UNWANTED
        if VIOLATION not in error.why.lower():
            return error.why, "look at the broker's log"
        cause, step = await self._cause()
        return f"refused (Authorization Violation): {cause}", step

    @property
    def _certified_login(self) -> bool:
        return self._asker.shown is None and self._asker.asks.sign is not None

    async def _cause(self) -> tuple[str, str]:
        asker, user = self._asker, self._asker.credentials.user
        if asker.shown is not None:
            return client_refused(Tried(user, await self._alone(), asker.shown))
        return certified_refused(user) if self._certified_login else unsecured_refused(user)

    async def _alone(self) -> Alone:
        line = self._new_line()
        try:
            await line.reach()
            await line.greet()
            if not line.about.get("nonce"):
                return Alone.UNKNOWN
            await line.secure(tls_context())
            held = self._asker.credentials
            await line.enter(
                TokenAlone(held.token, held.sign_nonce), name=self._asker.name, version=self._asker.version
            )
        except LineError as error:
            return Alone.REFUSED if VIOLATION in error.why.lower() else Alone.UNKNOWN
        else:
            return Alone.ACCEPTED
        finally:
            await line.close()

    async def rights(self) -> Iterable[Check]:
        """Every subscription that usher makes, and a question to nobody; refusals come before the broker's PONG."""
        asker, name = self._asker, self.name("rights")
        wanted = {
            lifecycle("startup", asker.component),
            lifecycle("shutdown", asker.component),
            lifecycle("startup", SERVER),
            replies(asker.asks.caller),
        }
        for subject in sorted(wanted):
            self.line.listen(subject, lambda _headers, _payload: None)
        try:
            absent = await self.ask(node(f"usher-check-{secrets.token_hex(8)}.invalid"))
            answered = await self.ask(USER_INFO)
        except LineError as error:
            return (wrong(name, error.why, "look at the broker's log"),)
        self.clock = _clock(answered)
        complaints = [said for said in self.line.complaints if USER_INFO not in said]
        if complaints:
            step = "the user provisioner of a Choria broker may do everything in its account: is it that user?"
            return tuple(wrong(name, said, step) for said in complaints[:5])
        if absent is None or NOBODY.encode() not in absent[0][:16]:
            what = "a question to a node that does not exist was not answered with 503 (nobody is there)"
            step = "vanished nodes will be found by time-outs: is somebody subscribed to provisioning.node.> ?"
            return (doubtful(name, what, step),)
        return (fine(name, f"{len(wanted) + 1} subscriptions and a question to a node are permitted"),)

    async def ask(self, subject: str) -> tuple[bytes, float, float] | None:
        """Ask, and wait for the first answer: its headers or payload, when asked, when heard; None if there is none."""
        heard: asyncio.Future[tuple[bytes, bytes, float]] = asyncio.get_running_loop().create_future()

        def on_answer(headers: bytes, payload: bytes) -> None:
            if not heard.done():
                heard.set_result((headers, payload, time.time()))

        inbox = f"{self.inbox}{secrets.token_hex(8)}"
        self.line.listen(inbox, on_answer)
        await self.line.settle()
        asked = time.time()
        self.line.say(subject, b"", inbox)
        await self.line.settle()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(1.0, self._asker.within)):
                headers, payload, at = await heard
                return headers or payload, asked, at
        return None

    async def close(self) -> None:
        """End the connection."""
        await self.line.close()

    def _new_line(self) -> Line:
        return Line(self.server.host, self.server.port, self._asker.within)


def _clock(answered: tuple[bytes, float, float] | None) -> Reading | None:
    theirs = broker_time(answered[0]) if answered is not None else None
    return None if answered is None or theirs is None else reading(theirs, answered[1], answered[2])


def _described(facts: CertificateFacts | None) -> str:
    if facts is None:
        return " cannot be read"
    names = ", ".join(facts.names) or "nobody who is named"
    return f" is for {names}, made by {facts.issuer or 'nobody who is named'}, until {moment(facts.ends)}"


def _text(value: object) -> str:
    return value[:80] if isinstance(value, str) else ""
