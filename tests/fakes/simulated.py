"""A simulated server on a bench: asked directly, at times that a test chooses, with the entropy that it chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from security import tokens
from security.issuing import make_issuer, make_provisioning_token
from security.keys import SigningKey
from transport.wire.mcorpc import Answer as RpcAnswer
from transport.wire.mcorpc import decode_answer, encode_call
from transport.wire.messages import Filter
from transport.wire.versions import Version, WireRequest, decode_reply
from usher.simulator.model import SECOND, Announce, Answer, Attach, Detach, Mode, Node, Output, Setup, Step
from usher.simulator.node import elapse, receive, start

NOW_S = 1_795_200_000
NOW = NOW_S * SECOND
ENTROPY = bytes(range(1, 49))
IDENTITY = "n1.example.net"
SECRET = "s3cret"
TOKEN = make_provisioning_token(
    make_issuer(bytes(32)), NOW_S, 86_400, token=SECRET, urls=["nats://127.0.0.1:4222"], user="node", password="p"
)
CONFIGURATION: Mapping[str, str] = {
    "identity": IDENTITY,
    "plugin.choria.server.provision": "false",
    "plugin.security.provider": "choria",
    "plugin.security.choria.seed_file": "/etc/choria/server.seed",
    "plugin.security.choria.token_file": "/etc/choria/server.jwt",
}


def setup(**changes: Any) -> Setup:
    """What the nodes of a test share."""
    return Setup(**{"token": TOKEN, "secret": SECRET, **changes})


def wire_request(payload: bytes, **changes: Any) -> WireRequest:
    """A request as it was decoded, a millisecond old at NOW."""
    given: dict[str, Any] = {
        "version": Version.V2,
        "header_sender": "usher",
        "request_id": "r1",
        "sender": "usher",
        "caller": "usher",
        "credential": "t",
        "signature": b"s",
        "signed": b"r",
        "collective": "provisioning",
        "agent": "choria_provision",
        "ttl": 60,
        "time_ns": NOW,
        "filter": Filter(agent=(changes.get("agent", "choria_provision"),)),
        "payload": payload,
        "reply_to": "provisioning.reply.x.r1",
    }
    return WireRequest(**{**given, **changes})


def server_token(key: str, /, **changes: Any) -> str:
    """A server token as `configure` brings it, good for an hour from NOW."""
    claims = {
        "identity": IDENTITY,
        "collectives": ["choria"],
        "purpose": "choria_server",
        "public_key": key,
        "exp": NOW_S + 3600,
    }
    return tokens.sign({**claims, **changes}, SigningKey.from_seed(bytes(32)))


@dataclass
class Bench:
    """One node, its clock, and everything that it has said."""

    setup: Setup = field(default_factory=setup)
    now: int = NOW
    identity: str = IDENTITY
    said: list[Output] = field(default_factory=list)
    node: Node = field(init=False)

    def __post_init__(self) -> None:
        self.take(start(self.identity, self.setup, self.now, ENTROPY))

    def take(self, step: Step) -> tuple[Output, ...]:
        """Go on with what a step made."""
        self.node = step.node
        self.said.extend(step.outputs)
        return step.outputs

    def hear(self, request: WireRequest | None, entropy: bytes = ENTROPY) -> tuple[Output, ...]:
        """What the node says to a request."""
        return self.take(receive(self.node, self.setup, request, self.now, entropy))

    def ask(
        self,
        action: str,
        data: object = ...,
        *,
        agent: str = "choria_provision",
        entropy: bytes = ENTROPY,
        **changes: Any,
    ) -> RpcAnswer | None:
        """The answer to a call, None for silence; without data the right token is sent."""
        given = {"token": SECRET} if data is ... else data
        payload = orjson.dumps({"agent": agent, "action": action, "data": given})
        request = wire_request(
            payload, **{"agent": agent, "time_ns": self.now, "version": self.setup.version, **changes}
        )
        answers = [out for out in self.hear(request, entropy) if isinstance(out, Answer)]
        return decode_answer(decode_reply(answers[0].payload).payload) if answers else None

    def told(self, action: str, **data: Any) -> RpcAnswer:
        """The answer to a call with the right token, which there has to be."""
        answer = self.ask(action, {"token": SECRET, **data})
        assert answer is not None
        return answer

    def wait(self, seconds: float) -> None:
        """Let time pass, and what comes due with it."""
        until = self.now + int(seconds * SECOND)
        while self.node.due is not None and self.node.due <= until:
            self.now = self.node.due
            self.take(elapse(self.node, self.setup, self.now, ENTROPY))
        self.now = until

    def enrol(self, **claims: Any) -> None:
        """A key, and a configuration with a token for it."""
        key = self.told("gen25519", nonce="abc").data["public_key"]
        token = server_token(key, **{"identity": self.identity, "exp": self.now // SECOND + 3600, **claims})
        config = orjson.dumps({**CONFIGURATION, "identity": self.identity}).decode()
        assert self.told("configure", config=config, server_jwt=token).code == 0

    @property
    def mode(self) -> Mode:
        """What the process is."""
        return self.node.process.mode

    def story(self) -> list[str]:
        """What crossed the network, in order, in a word each."""
        return [_word(output) for output in self.said]


def _word(output: Output) -> str:
    match output:
        case Announce():
            return output.subject.removeprefix("choria.lifecycle.event.")
        case Answer():
            return "answer"
        case Attach():
            return "attach"
        case Detach():
            return "detach"


__all__ = [
    "CONFIGURATION", "ENTROPY", "IDENTITY", "NOW", "NOW_S", "SECRET", "TOKEN", "Bench", "encode_call", "server_token",
    "setup", "wire_request",
]  # fmt: skip
