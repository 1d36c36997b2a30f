"""The contract's bytes and fields, held against the captures and against Go's rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.errors import HelperError
from fsm.ports import HelperCall, HelperReply, NodeCsr, NodeKey
from fsm.reasons import Reason
from helpers.protocol import decode_reply, encode_call, inventory_text

INVENTORY = '{"agents":["rpcutil"],"version":"0.99.0"}'


def refusal(output: bytes) -> str:
    with pytest.raises(HelperError) as caught:
        decode_reply(output, "its words")
    assert caught.value.reason is Reason.HELPER_BAD_OUTPUT
    assert caught.value.stderr == "its words"
    return caught.value.detail


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_captured_call_is_encoded_byte_for_byte(shared: Path, number: int):
    captured = (shared / "wire" / f"helper-stdin-ed25519-{number}.json").read_bytes()
    told = json.loads(captured)
    shuffled = dict(sorted(told["jwt"].items(), reverse=True))
    inventory = inventory_text(json.loads(told["inventory"]))
    call = HelperCall(told["identity"], inventory, NodeKey(**told["ed25519_pubkey"]), shuffled)
    assert encode_call(call) == captured


def test_the_captured_x509_call_is_encoded_byte_for_byte(shared: Path):
    captured = (shared / "wire" / "helper-stdin-pki.json").read_bytes()
    told = json.loads(captured)
    call = HelperCall(told["identity"], told["inventory"], None, told["jwt"], csr=NodeCsr(**told["csr"]))
    assert encode_call(call) == captured


def test_unused_parts_are_null():
    assert encode_call(HelperCall("n1", INVENTORY, None, None)) == (
        b'{"identity":"n1","csr":null,"ed25519_pubkey":null,'
        b'"inventory":"{\\"agents\\":[\\"rpcutil\\"],\\"version\\":\\"0.99.0\\"}","jwt":null}'
    )


def test_html_is_escaped_as_go_escapes_it_within_the_inventory_too():
    inventory = inventory_text({"b": "<a&b>", "a": "\u2028é\x01\t\x7f"})
    assert inventory == '{"a":"\\u2028é\\u0001\\t\x7f","b":"\\u003ca\\u0026b\\u003e"}'
    assert b'"inventory":"{\\"a\\":\\"\\\\u2028' in encode_call(HelperCall("n1", inventory, None, None))


def test_claims_are_written_in_the_order_of_the_older_program_and_unknown_ones_are_not():
    claims = {"jti": "1", "aud": "x", "other": 1, "update": False, "chsrv": "", "ou": "choria", "cht": "s", "exp": 5}
    claims["extensions"] = {"b": {"d": 1, "c": [{"f": 1, "e": 2}]}, "a": None}
    written = encode_call(HelperCall("n1", "{}", None, claims)).decode().partition('"jwt":')[2]
    assert written == (
        '{"cht":"s","chs":false,"chpd":false,"extensions":{"a":null,"b":{"c":[{"e":2,"f":1}],"d":1}},'
        '"ou":"choria","purpose":"","aud":["x"],"exp":5,"jti":"1"}}'
    )


def test_a_full_reply_is_decoded():
    reply = decode_reply(
        b'{"defer":true,"shutdown":true,"msg":"m","key":"k","certificate":"c","ca":"a","ssldir":"/s",'
        b'"configuration":{"x":"1"},"action_policies":{"a.policy":"p"},"opa_policies":{"a.rego":"r"},'
        b'"server_claims":{"exp":157680000,"permissions":{"streams":true},"collectives":["one"],"other":[1]},'
        b'"upgrade":"1.2","unknown":{"deep":[1]}}\n',
        "words",
    )
    claims = {"exp": 157680000, "permissions": {"streams": True}, "collectives": ["one"]}
    assert reply == HelperReply(
        True, True, "m", "k", "c", "a", "/s", {"x": "1"}, {"a.policy": "p"}, {"a.rego": "r"}, claims, "1.2", "words"
    )


@pytest.mark.parametrize(
    ("output", "reply"),
    [
        (b"null", HelperReply()),
        (b" {} ", HelperReply()),
        (b'{"defer":null,"msg":null,"configuration":null,"server_claims":null}', HelperReply()),
        (b'{"DEFER":true,"Msg":"x"}', HelperReply(defer=True, msg="x")),
        (b'{"m\xc5\xbfg":"long s"}', HelperReply(msg="long s")),
        (b'{"msg":"a","MSG":"b"}', HelperReply(msg="b")),
        (b'{"msg":"a","msg":null}', HelperReply(msg="a")),
        (b'{"configuration":{"a":"1","b":null,"a":"2"}}', HelperReply(configuration={"a": "2", "b": ""})),
        (b'{"configuration":{"a":"1"},"Configuration":{"b":"2"}}', HelperReply(configuration={"a": "1", "b": "2"})),
        (b'{"configuration":{"A":"1","a":"2"}}', HelperReply(configuration={"A": "1", "a": "2"})),
        (b'{"configuration":{"a":"1"},"configuration":null}', HelperReply()),
        (b'{"server_claims":{"Exp":"12"}}', HelperReply(server_claims={"exp": 12.0})),
        (b'{"server_claims":{"aud":"x","exp":null}}', HelperReply(server_claims={"aud": "x"})),
        (b'{"msg":"\xff\\ud800"}', HelperReply(msg="\ufffd\ufffd")),
        (b'{"unknown":123456789012345678901234567890}', HelperReply()),
    ],
)
def test_a_reply_is_read_as_leniently_as_go_reads_it(output: bytes, reply: HelperReply):
    assert decode_reply(output) == reply


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (b'{"defer":"yes"}', "defer is a string, it must be true or false"),
        (b'{"defer":1}', "defer is a number, it must be true or false"),
        (b'{"msg":true}', "msg is true or false, it must be a string"),
        (b'{"configuration":[]}', "configuration is a list, it must be an object whose values are strings"),
        (b'{"configuration":{"a":1}}', "configuration['a'] is a number, it must be a string"),
        (b'{"Configuration":{"a":{}}}', "configuration['a'] is an object, it must be a string"),
        (b'{"action_policies":{"a.policy":null,"b":false}}', "action_policies['b'] is true or false"),
        (b'{"server_claims":{"exp":"soon"}}', "server_claims.exp is a string, it must be a number of seconds"),
        (b'{"server_claims":{"exp":true}}', "server_claims.exp is true or false"),
        (b'{"server_claims":{"permissions":{"streams":1}}}', "server_claims.permissions.streams is a number"),
        (b'{"server_claims":{"collectives":["a",1]}}', "server_claims.collectives[1] is a number"),
        (b'{"server_claims":3}', "server_claims is a number, it must be an object"),
        (b"[]", "the document is a list, it must be an object"),
        (b'"x"', "the document is a string"),
        (b" \n", "it is empty"),
        (b"{} {}", "line 1 column 4: something follows the JSON document"),
        (b'{"msg":NaN}', "NaN is not a JSON value"),
        (b'{"msg":"a\nb"}', "line 1 column 10"),
        (b"hello", "line 1 column 1"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"unknown":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
    ],
)
def test_what_go_refuses_is_refused_with_the_field_named(output: bytes, names: str):
    assert names in refusal(output)


def test_a_refusal_shows_no_value_and_no_control_character():
    detail = refusal(b'{"configuration":{"\\u001b[2J":5},"key":"s3cret"}')
    assert "s3cret" not in detail
    assert "\x1b" not in detail
