"""One suite for everything that implements `fsm.ports.Helper`."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fsm.errors import HelperError
from fsm.ports import Helper, HelperCall, HelperReply, NodeKey
from fsm.reasons import Reason
from helpers.runners.exec import ExecHelper, ExecSettings
from helpers.runners.inline import InlineHelper

PROGRAM = """
import json, os, sys
asked = json.load(sys.stdin)
wish = asked["identity"].split(".")[0]
if wish == "broken":
    sys.exit(3)
if wish == "told":
    asked["effect"] = os.environ.get("USHER_EFFECT_ID")
    print(json.dumps({"configuration": {"told": json.dumps(asked, sort_keys=True)}}))
else:
    print(json.dumps({wish: True, "msg": asked["identity"]}))
"""


def answer(call: HelperCall) -> HelperReply:
    """The same site logic as PROGRAM."""
    wish = call.identity.split(".")[0]
    if wish == "broken":
        raise RuntimeError("exit 3")
    if wish == "told":
        key = call.key and {"public_key": call.key.public_key, "directory": call.key.directory}
        asked = {
            "identity": call.identity,
            "csr": None,
            "ed25519_pubkey": None if key is None or call.key is None else key | {"signature": call.key.signature},
            "inventory": call.inventory,
            "jwt": call.claims,
            "effect": call.environment.get("USHER_EFFECT_ID"),
        }
        return HelperReply(configuration={"told": json.dumps(asked, sort_keys=True)})
    return HelperReply(defer=wish == "defer", shutdown=wish == "shutdown", msg=call.identity)


def program(directory: Path) -> Helper:
    path = directory / "a helper.py"
    path.write_text(PROGRAM)
    return ExecHelper(shlex.join([sys.executable, "-S", str(path)]), ExecSettings(workers=3))


def function(_: Path) -> Helper:
    return InlineHelper(answer)


@pytest.fixture(params=[program, function], ids=["exec", "inline"])
def helper(request: pytest.FixtureRequest, tmp_path: Path) -> Helper:
    make: Callable[[Path], Helper] = request.param
    return make(tmp_path)


def ask(identity: str) -> HelperCall:
    return HelperCall(identity, "{}", None, None)


@pytest.mark.parametrize("wish", ["defer", "shutdown"])
async def test_it_answers_what_the_site_wishes(helper: Helper, wish: str):
    reply = await helper.run(ask(f"{wish}.example.net"))
    assert (reply.defer, reply.shutdown) == (wish == "defer", wish == "shutdown")
    assert reply.msg == f"{wish}.example.net"


async def test_it_is_told_everything(helper: Helper):
    claims = {"cht": "t", "chs": False, "chpd": True, "extensions": {"a": [1]}, "purpose": "p", "exp": 5}
    key = NodeKey("ab" * 32, "/etc/choria", "cd" * 64)
    reply = await helper.run(HelperCall("told.n", '{"facts":{}}', key, claims, {"USHER_EFFECT_ID": "e1"}))
    assert json.loads(reply.configuration["told"]) == {
        "identity": "told.n",
        "csr": None,
        "ed25519_pubkey": {"public_key": "ab" * 32, "directory": "/etc/choria", "signature": "cd" * 64},
        "inventory": '{"facts":{}}',
        "jwt": claims,
        "effect": "e1",
    }


async def test_what_is_not_there_is_null(helper: Helper):
    told = json.loads((await helper.run(ask("told"))).configuration["told"])
    assert (told["ed25519_pubkey"], told["jwt"], told["effect"]) == (None, None, None)


async def test_its_failure_is_a_named_error_and_the_next_question_is_answered(helper: Helper):
    with pytest.raises(HelperError) as caught:
        await helper.run(ask("broken"))
    assert caught.value.reason is Reason.HELPER_FAILED
    assert "3" in caught.value.detail + caught.value.stderr
    assert (await helper.run(ask("defer"))).defer


async def test_many_questions_at_once_get_their_own_answers(helper: Helper):
    names = [f"defer.n{number}" for number in range(12)]
    replies = await asyncio.gather(*(helper.run(ask(name)) for name in names))
    assert [reply.msg for reply in replies] == names
