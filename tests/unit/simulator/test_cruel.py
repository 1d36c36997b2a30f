"""Cruel nodes on a bench: each transformation beside the honest machine, by times that the test chooses."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
import pytest

from security.keys import SigningKey
from tests.fakes.simulated import ENTROPY, IDENTITY, SECRET, Bench, server_token, wire_request
from transport.subjects import broadcast
from transport.wire.mcorpc import DISCOVERY_PING, decode_answer
from transport.wire.messages import Filter
from transport.wire.v2 import decode_reply
from transport.wire.versions import WireRequest
from usher.simulator import cruel
from usher.simulator.crowds import CROWDS, gust
from usher.simulator.cruelty import CRASHES, WILDCARDS, Cruelty, Part
from usher.simulator.lies import LIES
from usher.simulator.model import SECOND, Announce, Answer, Attach, Detach, Mode, Output, Step
from usher.simulator.node import elapse

OTHER = "n2.example.net"


@dataclass
class Stage(Bench):
    """A bench whose node plays a part."""

    part: Part = field(default_factory=lambda: Part(Cruelty.TWIN))
    struck: int = 0

    def hear(self, request: WireRequest | None, entropy: bytes = ENTROPY, to: str = IDENTITY) -> tuple[Output, ...]:
        step, self.struck = cruel.hear(self.part, self.struck, self.node, self.setup, request, to, self.now, entropy)
        return self.take(step)

    def wait(self, seconds: float) -> None:
        until = self.now + int(seconds * SECOND)
        while self.node.due is not None and self.node.due <= until:
            self.now = self.node.due
            honest = elapse(self.node, self.setup, self.now, ENTROPY)
            step, self.struck = cruel.live(self.part, self.struck, self.node, self.setup, honest, self.now)
            self.take(step)
        self.now = until


def stage(cruelty: Cruelty, **parameters: float) -> Stage:
    return Stage(part=Part(cruelty, **parameters))  # type: ignore[arg-type]


def request(stage_: Stage, action: str, agent: str = "choria_provision", **data: str) -> WireRequest:
    payload = orjson.dumps({"agent": agent, "action": action, "data": {"token": SECRET, **data}})
    return wire_request(payload, agent=agent, time_ns=stage_.now)


def ping(stage_: Stage) -> WireRequest:
    return wire_request(
        DISCOVERY_PING, agent="discovery", time_ns=stage_.now, filter=Filter(agent=("choria_provision",))
    )


def test_each_has_one_entry() -> None:
    entries = [*cruel.DEEDS, *CROWDS, *LIES]
    assert sorted(entry.value for entry in entries) == sorted(cruelty.value for cruelty in Cruelty)


@pytest.mark.parametrize("cruelty", CRASHES, ids=lambda each: each.value)
def test_a_crash_leaves_what_was_done_and_says_nothing(cruelty: Cruelty) -> None:
    on = stage(cruelty, away=3.0)
    key = SigningKey.from_seed(ENTROPY[:32])
    config = orjson.dumps({"plugin.choria.server.provision": "false"}).decode()
    data = {"jwt": {}, "gen25519": {"nonce": "n"}, "configure": {"config": config}, "restart": {}}
    for action, given in data.items():
        said = on.hear(request(on, action, **given))
        if action in CRASHES[cruelty]:
            break
        assert any(isinstance(output, Answer) for output in said)
    assert said == (Detach(),)
    assert on.mode is Mode.AWAY
    held = on.node.files.get("/etc/choria/server.seed")
    assert (held == key.seed_hex) is (action != "jwt")
    on.wait(2.9)
    assert on.mode is Mode.AWAY
    on.wait(0.2)
    assert on.mode is not Mode.AWAY
    assert on.struck == 1


def test_a_crash_strikes_no_more_often_than_it_says() -> None:
    on = stage(Cruelty.CRASH_AFTER_JWT, times=2, away=1.0)
    for _ in range(2):
        assert on.hear(request(on, "jwt")) == (Detach(),)
        on.wait(1.5)
    assert on.told("jwt").code == 0


def test_a_refused_action_is_no_reason_to_crash() -> None:
    on = stage(Cruelty.CRASH_AFTER_JWT)
    answer = on.ask("jwt", {"token": "wrong"})
    assert answer is not None
    assert answer.code == 1


def test_exec_that_is_ignored_and_exec_that_dies() -> None:
    on = stage(Cruelty.EXEC_IGNORED)
    on.enrol()
    started = on.node.process.started
    assert on.told("restart", splay=1).code == 0
    on.wait(60)
    assert (on.mode, on.node.process.started) == (Mode.PROVISIONING, started)
    on = stage(Cruelty.EXEC_DIES)
    on.enrol()
    assert on.told("restart", splay=1).code == 0
    on.wait(600)
    assert on.mode is Mode.STOPPED


def test_the_wrong_key_comes_back_unprovisioned() -> None:
    on = stage(Cruelty.WRONG_KEY)
    on.enrol()
    on.told("restart", splay=1)
    on.wait(10)
    assert (on.mode, on.node.files.get("/etc/choria/server.seed")) == (Mode.PROVISIONING, None)


@pytest.mark.parametrize(("cruelty", "said"), [(Cruelty.NEW_DISK_AFTER_KEY, 1), (Cruelty.NEW_DISK_LATER, 0)])
def test_a_new_disk_is_empty(cruelty: Cruelty, said: int) -> None:
    on = stage(cruelty, away=5.0)
    if said:
        outputs = on.hear(request(on, "gen25519", nonce="n"))
        assert [type(output) for output in outputs] == [Answer, Detach]
    else:
        on.enrol()
        on.told("restart", splay=1)
        on.wait(3)
    assert (on.mode, on.node.files) == (Mode.AWAY, {})
    on.wait(6)
    assert on.mode is Mode.PROVISIONING
    on.enrol()
    on.told("restart", splay=1)
    on.wait(20)
    assert on.mode is Mode.SERVER


def test_a_lock_is_said_to_be_held_where_there_is_one() -> None:
    on = stage(Cruelty.HOLDS_LOCK)
    assert on.told("jwt").message == "Could not obtain provisioning lock"
    answer = on.ask("daemon_stats", {}, agent="rpcutil")
    assert answer is not None
    assert answer.code == 0


@pytest.mark.parametrize("cruelty", [Cruelty.LIES_SENDER, Cruelty.LIES_REQUEST])
def test_a_foreign_answer(cruelty: Cruelty) -> None:
    on = stage(cruelty)
    (answer,) = [output for output in on.hear(ping(on)) if isinstance(output, Answer)]
    reply = decode_reply(answer.payload)
    assert (reply.sender == IDENTITY) is (cruelty is Cruelty.LIES_REQUEST)
    assert (reply.request_id == "r1") is (cruelty is Cruelty.LIES_SENDER)


def test_lies_about_keys_tokens_and_ages() -> None:
    honest = stage(Cruelty.TWIN)
    truth = {action: honest.told(action, nonce="n").data for action in ("gen25519", "jwt")}
    assert len(stage(Cruelty.LIES_KEY).told("gen25519", nonce="n").data["public_key"]) == 62
    assert stage(Cruelty.LIES_SIGNATURE).told("gen25519", nonce="n").data["signature"] != truth["gen25519"]["signature"]
    assert stage(Cruelty.LIES_TOKEN).told("jwt").data["jwt"] != truth["jwt"]["jwt"]
    ages = {}
    for cruelty in (Cruelty.AGE_FUTURE, Cruelty.AGE_PAST, Cruelty.AGE_NEGATIVE, Cruelty.AGE_WORD):
        on = stage(cruelty)
        answer = on.ask("daemon_stats", {}, agent="rpcutil")
        assert answer is not None
        ages[cruelty] = answer.data["starttime"]
    now = honest.now // SECOND
    assert ages == {
        Cruelty.AGE_FUTURE: now + 86_400, Cruelty.AGE_PAST: 0, Cruelty.AGE_NEGATIVE: -(1 << 62),
        Cruelty.AGE_WORD: "a while ago",
    }  # fmt: skip


def test_a_listener_to_everything_hears_each_message_once() -> None:
    for cruelty in WILDCARDS:
        on = stage(cruelty)
        step, _ = cruel.live(on.part, 0, on.node, on.setup, _booted(), on.now)
        (attach,) = [output for output in step.outputs if isinstance(output, Attach)]
        assert "provisioning.node.>" in attach.subjects
        assert f"provisioning.node.{IDENTITY}" not in attach.subjects
        assert broadcast("discovery") in attach.subjects


def _booted() -> Step:
    on = Bench()
    return elapse(on.node._replace(process=on.node.process._replace(mode=Mode.AWAY, ends=1)), on.setup, on.now, ENTROPY)


def test_what_was_for_another_happens_to_nobody_here() -> None:
    for cruelty, sender in ((Cruelty.WILDCARD_ANSWERS, IDENTITY), (Cruelty.WILDCARD_FORGES, OTHER)):
        on = stage(cruelty)
        before = on.node
        (said,) = on.hear(request(on, "gen25519", nonce="n"), to=OTHER)
        assert isinstance(said, Answer)
        assert decode_reply(said.payload).sender == sender
        assert on.node == before
    on = stage(Cruelty.WILDCARD_SILENT)
    assert on.hear(request(on, "gen25519", nonce="n"), to=OTHER) == ()
    assert on.hear(ping(on), to="") == ()


def test_floods_add_names_that_nobody_has_and_answers_that_nobody_asked_for() -> None:
    on = stage(Cruelty.FLOOD_DISCOVERY, many=5)
    names = [decode_reply(output.payload).sender for output in on.hear(ping(on)) if isinstance(output, Answer)]
    again = [decode_reply(output.payload).sender for output in on.hear(ping(on)) if isinstance(output, Answer)]
    assert names[0] == again[0] == IDENTITY
    assert len({*names, *again}) == 11
    on = stage(Cruelty.FLOOD_REPLIES, many=6)
    subjects = [output.subject for output in on.hear(request(on, "jwt")) if isinstance(output, Answer)]
    assert len(subjects) == 7
    assert subjects.count("provisioning.reply.x.r1") == 4
    gusts = gust(Part(Cruelty.FLOOD_EVENTS, many=3), 1, on.node, on.now)
    assert [type(output) for output in gusts] == [Announce] * 3
    assert len({output.payload for output in gusts}) == 3


@pytest.mark.parametrize("cruelty", Cruelty, ids=lambda each: each.value)
def test_it_is_pure(cruelty: Cruelty) -> None:
    """The same messages to the same node at the same times make the same node, which says the same."""
    assert _story(cruelty) == _story(cruelty)


def _story(cruelty: Cruelty) -> tuple[object, ...]:
    on = stage(cruelty)
    config = orjson.dumps({"plugin.choria.server.provision": "false", "plugin.security.provider": "choria"}).decode()
    on.hear(ping(on), to="")
    on.hear(None)
    on.hear(request(on, "jwt"))
    on.hear(request(on, "inventory", agent="rpcutil"))
    on.hear(request(on, "gen25519", nonce="n"))
    key = SigningKey.from_seed(ENTROPY[:32]).public_hex
    on.hear(request(on, "configure", config=config, server_jwt=server_token(key)))
    on.hear(request(on, "restart"))
    on.wait(30)
    on.hear(request(on, "daemon_stats", agent="rpcutil"))
    on.hear(request(on, "jwt"), to=OTHER)
    return on.node, tuple(on.said), on.struck


def test_what_agents_say_may_be_anything() -> None:
    on = stage(Cruelty.INVENTORY_MISSHAPEN)
    (answer,) = [out for out in on.hear(request(on, "inventory", agent="rpcutil")) if isinstance(out, Answer)]
    assert isinstance(orjson.loads(decode_reply(answer.payload).payload)["data"], list)
    on = stage(Cruelty.INVENTORY_CONTROLS)
    (answer,) = [out for out in on.hear(request(on, "inventory", agent="rpcutil")) if isinstance(out, Answer)]
    assert "\x1b" in decode_answer(decode_reply(answer.payload).payload).data["version"]
