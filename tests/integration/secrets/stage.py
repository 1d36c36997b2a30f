"""The stage: a broker, a site whose every secret is a canary, a fleet with canaries in its facts, and the daemon."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import yaml

from security.issuing import Issuer, make_provisioning_token
from security.keys import SigningKey
from tests.fakes.whole import Whole, free_port, whole
from tests.integration.secrets.canaries import Canaries, files
from usher.children import Child
from usher.cli import main

HELPER = Path(__file__).with_name("helper.py")
YEAR = 365 * 24 * 3600


@dataclass
class Stage:
    """What runs, and where everything that may be searched and everything that witnesses lies."""

    made: Whole
    planted: Canaries
    folder: Path
    port: int

    @property
    def state(self) -> Path:
        return self.made.site.state

    @property
    def left(self) -> tuple[Path, Path, Path]:
        """The directories that must hold no canary: the state, the logs, the temporary files."""
        return self.state, self.folder / "logs", self.folder / "tmp"

    @property
    def canaries(self) -> list[tuple[str, str]]:
        """Every secret of the run, by its place."""
        broker = self.made.broker.passwords
        seed = (self.made.site.site / "signer.seed").read_text()
        more = [("broker_password", broker.provisioner), ("node_password", broker.node), ("signer_seed", seed)]
        return [(place, text) for place, pair in self.planted.pairs.items() for text in pair] + more

    def daemon(self, *ours: str) -> Child:
        """The daemon, with canaries in its environment, its output among the logs."""
        place = self.planted.pairs["environment"]
        words = ["/usr/bin/env", f"CANARY_WORD={place[0]}", f"CANARY={place[1]}", f"TMPDIR={self.folder / 'tmp'}"]
        words += [sys.executable, "-m", "tests.integration.secrets.daemon"]
        words += [str(self.folder / "planted.json"), str(self.folder / "witness" / "sent.jsonl"), *ours, "--"]
        child = Child("daemon", [*words, *self.made.site.daemon()], self.folder / "logs" / "output.log")
        child.start()
        self.made.children.append(child)
        return child

    def told(self, *words: str) -> tuple[int, str]:
        """A command's answer on this state directory, with what it says beside it."""
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = main([*words, "--state", str(self.state)])
        return code, said.getvalue()

    async def views(self, nodes: int) -> list[tuple[str, bytes]]:
        """Every view of the fleet and of each node, with and without --json; some commands have a loop of their own."""
        return await asyncio.to_thread(lambda: list(self._views(nodes)))

    def _views(self, nodes: int) -> Iterator[tuple[str, bytes]]:
        words = [("status",), ("nodes", "list"), ("diagram", "--full"), ("diagram", "--counts")]
        words += [("audit", "verify"), ("audit", "key"), ("audit", "issued", "--between", "1d", "now")]
        for number in range(1, nodes + 1):
            node = f"node-{number:04d}.example.net"
            words += [("nodes", verb, node) for verb in ("show", "why", "contents")] + [
                ("history", node),
                ("diagram", "--node", node),
            ]
        for each in words:
            for more in ((), ("--json",)):
                yield " ".join((*each, *more)), self.told(*each, *more)[1].encode()

    def left_behind(self) -> list[tuple[str, bytes]]:
        return list(files(*self.left))

    def witnessed(self) -> str:
        """What the helper was asked and what the nodes were sent."""
        return "".join(path.read_text() for path in sorted((self.folder / "witness").iterdir()))


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """All but the daemon."""
    planted, port = Canaries(), await free_port()
    for name in ("logs", "tmp", "witness"):
        (folder / name).mkdir()
    (folder / "planted.json").write_text(json.dumps(planted.pairs))
    helper = f"{sys.executable} -IS {HELPER} {folder / 'planted.json'} {folder / 'witness' / 'asked.jsonl'}"
    settings = {
        "token": planted.word("site_token"), "helper": helper, "loglevel": "debug", "workers": 2,
        "logfile": str(folder / "logs" / "usher.log"), "monitor_port": port, "monitor_address": "127.0.0.1",
        "audit": {"checkpoint_command": f"/bin/sh -c 'cat >> {folder / 'logs' / 'checkpoints.jsonl'}'"},
    }  # fmt: skip
    async with whole(folder / "w", **settings) as made:
        key = SigningKey.from_hex((made.site.site / "issuer.seed").read_text())
        token = make_provisioning_token(
            Issuer(key.seed_hex, key.public_hex), int(time.time()), YEAR,
            token=planted.word("site_token"), urls=[made.broker.url], user="node", password=made.broker.passwords.node,
            extensions={"one": planted.word("claims"), "two": {"three": [planted.random("claims")]}},
        )  # fmt: skip
        made.site.provisioning_token.write_text(token)
        (folder / "facts.json").write_text(
            json.dumps({"one": planted.word("facts"), "two": {"three": [planted.random("facts")]}})
        )
        assert yaml.safe_load(made.site.config.read_text())["token"] == planted.word("site_token")
        yield Stage(made, planted, folder, port)
