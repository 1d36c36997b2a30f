"""The control socket: what it is asked, by whom, and what peers may do to it."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.events import Verb
from tests.fakes.control import FakeDaemon
from tests.fakes.runtime import names
from tests.patience import PATIENCE
from usher.control.client import NoDaemonError, RefusedError, ask, wish
from usher.control.protocol import LONGEST_LINE, LONGEST_REASON, MOST, Ask, AskError, Command, decode
from usher.control.server import ControlServer, SocketError
from usher.state import LONGEST_SOCKET, LockedError, StateDirectory, StateError, state_directory

NODE = "n1.example.net"


@asynccontextmanager
async def served(where: Path, daemon: FakeDaemon | None = None) -> AsyncIterator[tuple[StateDirectory, FakeDaemon]]:
    state, daemon = StateDirectory(where), daemon or FakeDaemon()
    server = ControlServer(state.socket, daemon, daemon)
    await server.start()
    try:
        yield state, daemon
    finally:
        await server.close()
    assert not state.socket.exists()


async def told(state: StateDirectory, line: bytes) -> bytes:
    """What the daemon answers to a line."""
    reader, writer = await asyncio.open_unix_connection(str(state.socket))
    writer.write(line)
    answer = await reader.read()
    writer.close()
    return answer


async def test_status_pause_and_resume_under_the_peers_own_name(tmp_path: Path):
    async with served(tmp_path) as (state, daemon):
        answer = await asyncio.to_thread(ask, state, Ask(Command.STATUS))
        assert answer["status"]["epoch"] == 3
        answer = await asyncio.to_thread(ask, state, Ask(Command.PAUSE, "the broker is moved"))
        assert answer["status"]["paused"]["by"] == getpass.getuser()
        await asyncio.to_thread(ask, state, Ask(Command.RESUME, "it was moved"))
    user = getpass.getuser()
    assert daemon.said == [("pause", user, "the broker is moved"), ("resume", user, "it was moved")]


async def test_names_are_denied_and_allowed_and_what_is_neither_a_name_nor_a_pattern_is_refused(tmp_path: Path):
    async with served(tmp_path) as (state, daemon):
        words = {"patterns": ["/^ci-/", "web1"]}
        await asyncio.to_thread(ask, state, Ask(Command.DENY, "too many", arguments=words))
        await asyncio.to_thread(ask, state, Ask(Command.ALLOW, "enough room", arguments={"patterns": ["web1"]}))
        for wrong in ({}, {"patterns": []}, {"patterns": [1]}, {"patterns": ["/^ci-/", "/(/"]}):
            with pytest.raises(RefusedError):
                await asyncio.to_thread(ask, state, Ask(Command.DENY, "why", arguments=wrong))
    said = [(what, why) for what, _, why in daemon.said]
    assert said == [("deny /^ci-/", "too many"), ("deny /^web1$/", "too many"), ("allow /^web1$/", "enough room")]


async def test_only_its_owner_may_speak_to_it(tmp_path: Path):
    async with served(tmp_path) as (state, _):
        assert state.socket.stat().st_mode & 0o777 == 0o600


async def test_a_peer_cannot_claim_another_name(tmp_path: Path):
    async with served(tmp_path) as (state, daemon):
        await told(state, b'{"command":"pause","reason":"mine","name":"root2","uid":0}\n')
    assert daemon.said == [("pause", getpass.getuser(), "mine")]


async def test_each_node_gets_its_own_answer(tmp_path: Path):
    async with served(tmp_path) as (state, daemon):
        answers = dict(await asyncio.to_thread(lambda: list(wish(state, Verb.QUARANTINE, [NODE, "n2"], "smoke"))))
        again = dict(await asyncio.to_thread(lambda: list(wish(state, Verb.QUARANTINE, [NODE], "smoke"))))
    assert answers[NODE]["state"] == "failed"
    assert (again[NODE]["changed"], again[NODE]["row"]) == (False, "held-already")
    assert {said[0] for said in daemon.said} == {"quarantine"}


async def test_many_nodes_go_in_pieces(tmp_path: Path):
    nodes = names(2 * MOST + 3, "a-rather-long-name-of-a-node-" * 6)
    async with served(tmp_path) as (state, _):
        answers = await asyncio.to_thread(lambda: list(wish(state, Verb.QUARANTINE, nodes, "all of them")))
    assert [node for node, _ in answers] == nodes
    assert all(answer["changed"] for _, answer in answers)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\n", "no JSON document"),
        (b"\xff\xfe\x00\n", "no JSON document"),
        (b"[]\n", "no JSON object"),
        (b"5\n", "no JSON object"),
        (b"{}\n", "there is no command"),
        (b'{"command":"explode"}\n', "there is no command 'explode'"),
        (b'{"command":["status"]}\n', "there is no command"),
        (b'{"command":{"a":1}}\n', "there is no command"),
        (b'{"command":"pause"}\n', "a reason is needed"),
        (b'{"command":"pause","reason":"  "}\n', "a reason is needed"),
        (b'{"command":"pause","reason":5}\n', "the reason must be text"),
        (b'{"command":"pause","reason":"' + b"x" * (LONGEST_REASON + 1) + b'"}\n', "the reason must be text"),
        (b'{"command":"nodes","reason":"r"}\n', "there is no verb"),
        (b'{"command":"nodes","reason":"r","verb":"burn","nodes":["a"]}\n', "there is no verb 'burn'"),
        (b'{"command":"nodes","reason":"r","verb":"retry"}\n', "nodes must be a list"),
        (b'{"command":"nodes","reason":"r","verb":"retry","nodes":"a"}\n', "nodes must be a list"),
        (b'{"command":"nodes","reason":"r","verb":"retry","nodes":[]}\n', "nodes must be a list"),
        (b'{"command":"nodes","reason":"r","verb":"retry","nodes":["a b"]}\n', "cannot be a node's name"),
        (b'{"command":"nodes","reason":"r","verb":"retry","nodes":[5]}\n', "cannot be a node's name"),
        (b'{"command":"nodes","reason":"r","verb":"retry","nodes":["*"]}\n', "cannot be a node's name"),
        (b'{"command":"heard"}\n', "nodes must be a list"),
        (b'{"command":"heard","nodes":["*"]}\n', "cannot be a node's name"),
    ],
)
async def test_what_cannot_be_used_is_answered_and_harms_nobody(tmp_path: Path, line: bytes, said: str):
    async with served(tmp_path) as (state, daemon):
        answer = orjson.loads(await told(state, line))
        assert answer["ok"] is False
        assert said in answer["error"]
        assert (await asyncio.to_thread(ask, state, Ask(Command.STATUS)))["ok"]
    assert daemon.said == []


@given(st.binary(max_size=200))
def test_no_line_is_more_than_refused(line: bytes):
    with suppress(AskError):
        decode(line)


WORDS = st.sampled_from(["command", "verb", "nodes", "reason", "pause", "retry"])
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | WORDS


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner)))
def test_no_document_is_more_than_refused(document: Any):
    with suppress(AskError):
        decode(orjson.dumps(document))


async def test_a_line_that_never_ends_costs_one_connection(tmp_path: Path):
    async with served(tmp_path) as (state, daemon):
        reader, writer = await asyncio.open_unix_connection(str(state.socket))
        try:
            for _ in range(2 * LONGEST_LINE // 65536 + 4):
                writer.write(b"x" * 65536)
                await writer.drain()
            assert await reader.read() == b""
        except ConnectionError:
            pass
        writer.close()
        assert (await asyncio.to_thread(ask, state, Ask(Command.STATUS)))["ok"]
    assert daemon.said == []


async def test_silent_and_slow_peers_hold_nobody_back(tmp_path: Path):
    async with served(tmp_path) as (state, _):
        silent = [await asyncio.open_unix_connection(str(state.socket)) for _ in range(50)]
        for _, writer in silent:
            writer.write(b'{"command":')
        answers = await asyncio.gather(*(asyncio.to_thread(ask, state, Ask(Command.STATUS)) for _ in range(5)))
        assert all(answer["ok"] for answer in answers)
        for _, writer in silent:
            writer.close()


async def test_a_peer_that_goes_away_harms_nobody(tmp_path: Path):
    async with served(tmp_path) as (state, _):
        for line in (b"", b"{", b'{"command":"status"}\n'):
            _, writer = await asyncio.open_unix_connection(str(state.socket))
            writer.write(line)
            writer.transport.abort()
        assert (await asyncio.to_thread(ask, state, Ask(Command.STATUS)))["ok"]


async def test_who_waits_when_it_ends_is_told(tmp_path: Path):
    asked = asyncio.Event()
    daemon = FakeDaemon(never=asked)
    async with served(tmp_path, daemon) as (state, _):
        reader, writer = await asyncio.open_unix_connection(str(state.socket))
        writer.write(Ask(Command.NODES, "why", Verb.RETRY, (NODE,)).encode())
        await asyncio.wait_for(asked.wait(), PATIENCE)
    assert b"usher is ending" in await reader.read()
    writer.close()


async def test_a_store_that_refuses_is_answered(tmp_path: Path):
    async with served(tmp_path, FakeDaemon(broken=True)) as (state, _):
        with pytest.raises(RefusedError, match="journal is closed"):
            await asyncio.to_thread(ask, state, Ask(Command.PAUSE, "why"))


async def test_what_an_earlier_process_left_is_no_obstacle(tmp_path: Path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "control.sock"))
    left.close()
    with pytest.raises(NoDaemonError, match="usher run"):
        ask(StateDirectory(tmp_path), Ask(Command.STATUS))
    async with served(tmp_path) as (state, _):
        assert (await asyncio.to_thread(ask, state, Ask(Command.STATUS)))["ok"]


async def test_a_socket_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "control.sock").mkdir()
    daemon = FakeDaemon()
    with pytest.raises(SocketError, match=r"control\.sock"):
        await ControlServer(tmp_path / "control.sock", daemon, daemon).start()


@pytest.mark.parametrize("answer", [b"", b"garbage\n", b"[]\n", b"\xff\n", b"5", b'{"ok":false}\n'])
async def test_an_answer_that_is_none_is_one_error(tmp_path: Path, answer: bytes):
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(reply, str(tmp_path / "control.sock"))
    with pytest.raises(NoDaemonError if b"ok" not in answer else RefusedError) as caught:
        await asyncio.to_thread(ask, StateDirectory(tmp_path), Ask(Command.STATUS))
    assert "\n" not in str(caught.value)
    server.close()


def test_nobody_there_says_what_to_do(tmp_path: Path):
    with pytest.raises(NoDaemonError, match="start it with usher run") as caught:
        ask(StateDirectory(tmp_path / "none"), Ask(Command.STATUS))
    assert str(tmp_path / "none") in str(caught.value)


# -- the state directory ----------------------------------------------------------------------------------------------


def test_a_directory_is_made_for_its_owner_alone(tmp_path: Path):
    state = StateDirectory(tmp_path / "a" / "b")
    state.prepare()
    state.prepare()
    assert state.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path, mode: int):
    tmp_path.chmod(mode)
    with pytest.raises(StateError, match="others may write"):
        StateDirectory(tmp_path).prepare()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="--state DIR"):
        StateDirectory(tmp_path / "file" / "x").prepare()


def test_a_path_too_long_for_a_socket_is_found_at_start(tmp_path: Path):
    room = LONGEST_SOCKET - len(os.fsencode(tmp_path)) - len("/control.sock") - 1
    StateDirectory(tmp_path / ("x" * room)).prepare()
    with pytest.raises(StateError, match="longer than the 107 bytes"):
        StateDirectory(tmp_path / ("x" * (room + 1))).prepare()


async def test_the_longest_path_works(tmp_path: Path):
    room = LONGEST_SOCKET - len(os.fsencode(tmp_path)) - len("/control.sock") - 1
    state = StateDirectory(tmp_path / ("x" * room))
    state.prepare()
    async with served(state.path) as (served_state, _):
        assert (await asyncio.to_thread(ask, served_state, Ask(Command.STATUS)))["ok"]


def test_the_second_lock_names_the_first(tmp_path: Path):
    first, second = StateDirectory(tmp_path), StateDirectory(tmp_path)
    first.lock()
    with pytest.raises(LockedError, match=f"process {os.getpid()} holds its lock"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()
    second.unlock()


def test_which_directory():
    assert state_directory("/x", {"STATE_DIRECTORY": "/y"}).path == Path("/x")
    assert state_directory(None, {"STATE_DIRECTORY": "/y:/z"}).path == Path("/y")
    assert state_directory(None, {}).path == Path("/var/lib/usher")
