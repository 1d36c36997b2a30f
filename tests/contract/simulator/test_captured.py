"""The simulator against the captures: the same requests in the same situation get the same answers and events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from security import tokens
from security.keys import SigningKey, signed_by
from tests.fakes.shapes import LATER, LAYERS, shape
from tests.fakes.simulated import Bench, setup
from transport.wire.mcorpc import decode_answer, decode_call, encode_call
from transport.wire.messages import Filter
from transport.wire.v2 import decode_reply, decode_request
from transport.wire.versions import Version, WireRequest
from usher.simulator.model import SECOND, Announce, Answer, Attach, Mode, Node, Setup
from usher.simulator.node import elapse, receive, start
from usher.simulator.startup import claims, subjects

ENTROPY = bytes(range(48))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def request(entry: dict[str, Any], at: int) -> WireRequest:
    call = entry["request"]
    return WireRequest(
        version=Version.V2,
        header_sender=entry["caller"],
        request_id="r",
        sender=entry["caller"],
        caller=entry["caller"],
        credential="t",
        signature=b"s",
        signed=b"r",
        collective="provisioning",
        agent=call["agent"],
        ttl=60,
        time_ns=at,
        filter=Filter(agent=(call["agent"],)),
        payload=encode_call(call["agent"], call["action"], call["data"]),
        reply_to="provisioning.reply.x.r",
    )


def run_until(node: Node, setup: Setup, at: int, said: list[Any]) -> Node:
    while node.due is not None and node.due <= at:
        step = elapse(node, setup, node.due, ENTROPY)
        node = step.node
        said.extend(out for out in step.outputs if isinstance(out, Announce))
    return node


@pytest.fixture
def rare(shared: Path) -> list[dict[str, Any]]:
    found = lines(shared / "wire" / "v2-rare.jsonl")
    # each event was captured by two subscriptions
    return [entry for n, entry in enumerate(found) if n == 0 or "event" not in entry or entry != found[n - 1]]


def setup_of(entries: list[dict[str, Any]]) -> Setup:
    token = next(e["reply"]["data"]["jwt"] for e in entries if "jwt" in e.get("reply", {}).get("data", {}))
    told = claims(token)
    return Setup(token=token, secret=told["cht"], by_default=told["chpd"], updates=told.get("update", False))


def test_rare_paths(rare: list[dict[str, Any]]) -> None:
    """Every request of v2-rare.jsonl, in order, at its time: status, text, data's names and order, absence, events."""
    setup = setup_of(rare)
    said: list[Any] = []
    began = next(e["time"] for e in rare if "time" in e)
    base = began - int(rare[1]["at"] * SECOND)
    first = next(e["reply"]["data"] for e in rare if e.get("request", {}).get("action") == "daemon_stats")
    node = start("rare.example.net", setup, first["starttime"] * SECOND, ENTROPY).node
    node = node._replace(pid=first["pid"], process=node.process._replace(alive_at=0))
    events = iter([e for e in rare if "event" in e])
    compared = 0
    for entry in rare:
        if "event" in entry or ("sender" not in entry and compared == 0):
            continue
        at = base + int(entry["at"] * SECOND)
        node = run_until(node, setup, at, said)
        node = node._replace(process=node.process._replace(alive_at=0))
        # the draw of the captured shutdown was 8 s
        entropy = (8).to_bytes(8, "big") + ENTROPY[8:]
        step = receive(node, setup, request(entry, at), at, entropy)
        node = step.node
        said.extend(out for out in step.outputs if isinstance(out, Announce))
        answers = [out for out in step.outputs if isinstance(out, Answer)]
        if "sender" not in entry:
            assert node.process.mode is Mode.STOPPED
            assert not answers
            continue
        compare(answers[0].payload, entry["reply"])
        compared += 1
    assert compared == sum("reply" in entry for entry in rare)
    assert [(e.subject, shape(orjson.loads(e.payload))) for e in said] == [
        (e["event"], shape(e["payload"])) for e in events
    ]


def compare(payload: bytes, captured: dict[str, Any]) -> None:
    answer = orjson.loads(decode_reply(payload).payload)
    assert list(answer) == list(captured)
    assert {name: answer[name] for name in ("action", "statuscode", "statusmsg")} == {
        name: captured[name] for name in ("action", "statuscode", "statusmsg")
    }
    assert shape(answer["data"]) == shape(captured["data"])
    changing = {"public_key", "signature", "ecdh_public", "pong", "threads", "starttime"}
    for name, value in captured["data"].items():
        if name not in changing:
            assert answer["data"][name] == value, name
        elif isinstance(value, str):
            assert len(answer["data"][name]) == len(value)
    if captured["action"] == "daemon_stats":
        assert abs(answer["data"]["starttime"] - captured["data"]["starttime"]) <= 1


@pytest.fixture
def session(shared: Path) -> list[dict[str, Any]]:
    return lines(shared / "wire" / "v2-ed25519.jsonl")


def served(session: list[dict[str, Any]], identity: str) -> Iterator[tuple[bytes, list[dict[str, Any]]]]:
    """The requests that one node heard, as bytes, each with what it published then; its startup event comes first."""
    connections = {
        entry["connection"]
        for entry in session
        if entry["from"] == "server" and entry["op"] == "connect" and entry["options"]["name"] == identity
    }
    subjects = (f"provisioning.node.{identity}", "provisioning.broadcast.agent.discovery")
    asked: bytes = b""
    published: list[dict[str, Any]] = []
    for entry in session:
        if entry["op"] != "pub":
            continue
        if entry["from"] == "server" and entry["connection"] in connections:
            published.append(entry)
        if published and entry["from"] == "provisioner" and entry["subject"] in subjects:
            yield asked, published
            asked, published = entry["payload"].encode(), []
    yield asked, published


@pytest.mark.parametrize("identity", ["v2a.example.net", "v2b.example.net"])
def test_session(session: list[dict[str, Any]], identity: str) -> None:
    """The captured provisioning of a node, byte for byte on the way in: the same publications in the same order."""
    exchanges = served(session, identity)
    _, published = next(exchanges)
    node, setup = first_start(session, identity, published)
    answered = []
    for asked, published in exchanges:
        decoded = decode_request(asked)
        step = receive(node, setup, decoded, decoded.time_ns + 1000, ENTROPY)
        said = [out for out in step.outputs if isinstance(out, Announce | Answer)]
        node = rekeyed(step.node, setup)
        if node.process.ending is not None:
            node = run_until(node, setup, decoded.time_ns + 4 * SECOND, said)
        wanted = [entry for entry in published if entry["subject"] not in LATER]
        assert [out.subject for out in said] == [entry["subject"] for entry in wanted]
        for out, entry in zip(said, wanted, strict=True):
            match_publication(out, entry["payload"].encode(), asked)
        answered.append(decoded.agent)
    assert node.process.mode is Mode.SERVER
    read = ["choria_provision", "choria_provision", "rpcutil"]
    deferred = read if identity.startswith("v2b") else []
    assert [agent for agent in answered if agent != "discovery"] == [*deferred, *read, *["choria_provision"] * 2]
    assert subjects(node) == subscribed(session, identity, last=True)


def rekeyed(node: Node, setup: Setup) -> Node:
    """The captured server token, made out to the key that the simulated node holds."""
    token = node.files.get("/etc/choria/server.jwt")
    if token is None:
        return node
    key = SigningKey.from_hex(node.files["/etc/choria/server.seed"])
    made = tokens.sign(claims(token) | {"public_key": key.public_hex}, key)
    assert setup.config_file in node.files
    return node._replace(files={**node.files, "/etc/choria/server.jwt": made})


def subscribed(session: list[dict[str, Any]], identity: str, *, last: bool) -> tuple[str, ...]:
    """What the captured server subscribed to, in order, on its first or on its last connection."""
    connections = [
        entry["connection"]
        for entry in session
        if entry["from"] == "server" and entry["op"] == "connect" and entry["options"]["name"] == identity
    ]
    connection = connections[-1 if last else 0]
    return tuple(
        entry["subject"]
        for entry in session
        if entry["from"] == "server" and entry["op"] == "sub" and entry["connection"] == connection
    )


def match_publication(out: Announce | Answer, captured: bytes, asked: bytes) -> None:
    if isinstance(out, Announce):
        assert shape(orjson.loads(out.payload)) == shape(orjson.loads(captured))
        return
    ours, theirs, request_ = decode_reply(out.payload), decode_reply(captured), decode_request(asked)
    for layer in LAYERS:
        assert layer(out.payload) == layer(captured)
    assert (ours.sender, ours.header_sender) == (theirs.sender, theirs.header_sender)
    assert ours.agent == theirs.agent
    assert ours.request_id == theirs.request_id == request_.request_id
    if ours.payload == theirs.payload:
        return
    mine, captured_answer = decode_answer(ours.payload), decode_answer(theirs.payload)
    assert (mine.action, mine.code, mine.message) == (
        captured_answer.action,
        captured_answer.code,
        captured_answer.message,
    )
    assert shape(mine.data) == shape(captured_answer.data)
    if mine.action == "gen25519":
        nonce = decode_call(request_.payload).data["nonce"].encode()
        assert signed_by(bytes.fromhex(mine.data["public_key"]), nonce, bytes.fromhex(mine.data["signature"]))
        assert mine.data["directory"] == captured_answer.data["directory"]
    else:
        assert {name: value for name, value in mine.data.items() if name != "ecdh_public"} == {
            name: value for name, value in captured_answer.data.items() if name != "ecdh_public"
        }


def first_start(session: list[dict[str, Any]], identity: str, published: list[dict[str, Any]]) -> tuple[Node, Setup]:
    connect = next(
        e for e in session if e["from"] == "server" and e["op"] == "connect" and e["options"]["name"] == identity
    )
    token = connect["options"]["auth_token"]
    told = claims(token)
    setup = Setup(token=token, secret=told["cht"], by_default=told["chpd"], broker="nats://localhost:4333")
    event = orjson.loads(published[0]["payload"])
    step = start(identity, setup, event["data"]["timestamp"] * SECOND, ENTROPY)
    attach, said = step.outputs
    assert isinstance(attach, Attach)
    assert attach.subjects == subscribed(session, identity, last=False)
    assert isinstance(said, Announce)
    assert said.subject == published[0]["subject"]
    assert shape(orjson.loads(said.payload)) == shape(event)
    return step.node._replace(process=step.node.process._replace(alive_at=0)), setup


def test_the_fleet_side(shared: Path) -> None:
    """A provisioned server asked by an operator up to its reprovisioning: v2-fleet-side.jsonl, in order, in time."""
    entries = lines(shared / "wire" / "v2-fleet-side.jsonl")
    stats = next(e["reply"]["data"] for e in entries if e["request"]["action"] == "daemon_stats")
    began = stats["starttime"] * SECOND
    bench = Bench(setup(), now=began - 10 * SECOND, identity="fl.example.net")
    bench.enrol()
    bench.told("restart", splay=1)
    bench.wait(10)
    bench.node = bench.node._replace(pid=stats["pid"], process=bench.node.process._replace(started=began, alive_at=0))
    base = entries[0]["time"] - int(entries[0]["at"] * SECOND)
    compared = 0
    for entry in entries:
        at = base + int(entry["at"] * SECOND)
        if entry.get("sender") is None and compared < 5:
            continue  # the name that nobody has
        bench.wait((at - bench.now) / SECOND)
        asked = replace_collective(request(entry, at))
        answers = [out for out in bench.hear(asked, (9).to_bytes(8, "big") + ENTROPY[8:]) if isinstance(out, Answer)]
        if entry.get("sender") is None:
            assert not answers
            break
        compare(answers[0].payload, entry["reply"])
        compared += 1
    assert compared == 21
    bench.wait(1)
    assert bench.mode is Mode.PROVISIONING


def replace_collective(asked: WireRequest) -> WireRequest:
    return replace(asked, collective="choria")
