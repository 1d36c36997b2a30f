"""Invariant 10 over a whole run: canaries in every secret, the daemon killed in the middle, all of it searched."""

from __future__ import annotations

import os
import signal
from base64 import b64encode
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.whole import fetched
from tests.integration.secrets.canaries import Canaries, files, forms, found
from tests.integration.secrets.daemon import QUOTES, RAISES
from tests.integration.secrets.stage import Stage, staged
from usher.cli import BUG

pytestmark = pytest.mark.network
NODES = 12
SETTLED = {State.FAILED: 8, State.PROVISIONED: 2, State.DEFERRED: 1}


def settled(stage: Stage) -> bool:
    counts = stage.made.counts()
    return all(counts.get(state, 0) >= least for state, least in SETTLED.items())


async def scraped(stage: Stage) -> list[tuple[str, bytes]]:
    pages = [(page, await fetched(stage.port, page)) for page in ("/metrics", "/readyz", "/healthz")]
    return [(page, text.encode()) for page, (_, text) in pages]


async def test_no_canary_is_found_anywhere(tmp_path: Path):
    async with staged(tmp_path) as stage:
        # a crash of the whole: its trace, and what it says on the way
        assert await stage.daemon("--crash").ended == BUG
        (trace,) = (tmp_path / "tmp").glob("usher-*.trace")
        assert "ValueError" in trace.read_text()
        assert "KeyError" in trace.read_text()
        assert found(stage.canaries, stage.left_behind()) == []

        # killed in the middle
        daemon = stage.daemon()
        stage.made.fleet(NODES, "--facts", str(tmp_path / "facts.json"))
        await stage.made.until(3, State.FAILED, State.PROVISIONED, State.RESTARTED)
        os.kill(daemon.pid, signal.SIGKILL)
        assert await daemon.ended == -signal.SIGKILL
        names = {name for name, _ in stage.left_behind()}
        assert {"usher.db", "usher.db-wal", "vault.key", "usher.log", "output.log"} <= names
        assert found(stage.canaries, stage.left_behind()) == []

        # to the end, seen from all sides
        daemon = stage.daemon()
        await stage.made.until_so(lambda: settled(stage))
        seen = [*await stage.views(NODES), *await scraped(stage)]
        assert (await stage.made.ask("audit", "export", "--out", str(tmp_path / "tmp" / "bundle"))).code == 0
        assert (await stage.made.ask("db", "backup")).code == 0
        assert found(stage.canaries, seen) == []
        assert all("unrecognized" not in text.decode() for _, text in seen)
        passed_through(stage)
        os.kill(daemon.pid, signal.SIGTERM)
        assert await daemon.ended == 0
        assert found(stage.canaries, [*stage.left_behind(), *await stage.views(NODES)]) == []
        assert "backups" in {path.name for path in stage.state.iterdir()}
        outside = list(files(stage.folder / "logs", stage.folder / "tmp"))
        assert {"history.jsonl", "checkpoints.jsonl", "SHA256SUMS.sig"} <= {name for name, _ in outside}
        seed = (stage.state / "audit.key").read_text().splitlines()[-1]
        assert found([("audit_seed", seed)], outside) == []


def passed_through(stage: Stage) -> None:
    """The positive control: every canary has really been where it could have leaked."""
    witnessed, canaries = stage.witnessed(), stage.planted
    for place in ("site_token", "claims", "facts", "configuration", "policy", "environment"):
        assert all(text in witnessed for text in canaries.pairs[place] if place != "site_token"), place
    assert canaries.word("site_token") in witnessed
    for number, *places in ((2, "stderr", "ca_stderr"), (3, "ca_stdout"), (5, "msg"), (7, "msg")):
        code, said = stage.told("nodes", "output", f"node-{number:04d}.example.net", "--reason", "control")
        assert code == 0, said
        for place in places:
            assert number == 7 or all(text in said for text in canaries.pairs[place]), (number, said)
    log = (stage.folder / "logs" / "usher.log").read_text()
    assert '"level":"debug"' in log
    assert "a bug beside the handling of nodes: ValueError" in log
    assert "a bug: ExceptionGroup in usher/effects/enrolling.py:" in stage.told("nodes", "show", RAISES)[1]
    quoted = stage.told("history", QUOTES)[1]
    assert "no room for" in quoted
    assert "[redacted] [redacted] of [redacted]" in quoted
    for number, reason in ((4, "helper_key_invalid"), (6, "helper_bad_output"), (8, "unsafe_configuration")):
        assert reason in stage.told("history", f"node-{number:04d}.example.net")[1]


async def test_an_unsealed_vault_and_a_careless_log_are_found(tmp_path: Path):
    async with staged(tmp_path) as stage:
        daemon = stage.daemon("--unsealed")
        stage.made.fleet(NODES, "--facts", str(tmp_path / "facts.json"))
        await stage.made.until_so(lambda: stage.made.counts().get(State.FAILED, 0) >= 8)
        os.kill(daemon.pid, signal.SIGKILL)
        assert await daemon.ended == -signal.SIGKILL
        assert ("usher.log", "callback") in found(stage.canaries, files(stage.folder / "logs"))
        leaks = {place for _, place in found(stage.canaries, files(stage.state))}
        assert {"claims", "facts", "configuration", "policy", "server_claims", "msg", "stderr", "ca_stdout"} <= leaks


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
def test_a_canary_is_found_however_it_is_written(before: bytes):
    text = Canaries().word("msg")
    data = before + text.encode() + b" and more"
    for hidden in (data, data.hex().encode(), b64encode(data)):
        assert found([("msg", text)], [("it", hidden)]) == [("it", "msg")]
    assert found([("msg", text)], [("it", text[:-1].encode())]) == []
    assert all(len(form) >= 8 for form in forms(text))
