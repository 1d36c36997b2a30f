"""Whatever a helper prints, there is a reply or a named error; whatever a node says, a helper can read it."""

from __future__ import annotations

import json
import shlex
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsm.errors import HelperError
from fsm.ports import HelperCall, HelperReply
from fsm.reasons import Reason
from helpers.command import split_command
from helpers.configuration import PROVISION, inject_provision_false, keeps_provisioning, unsafe_configuration
from helpers.gojson import dumps
from helpers.protocol import decode_reply, encode_call, inventory_text
from helpers.redact import printed, visible

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=6,
)
NAMES = st.sampled_from(["defer", "shutdown", "msg", "configuration", "server_claims", "upgrade", "Exp", "other"])
REPLY = st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON, max_size=3), max_size=5)


def check(output: bytes) -> None:
    match outcome(output):
        case HelperReply() as reply:
            assert all(isinstance(value, str) for value in reply.configuration.values())
        case HelperError() as error:
            assert error.reason is Reason.HELPER_BAD_OUTPUT
            assert visible(error.detail) == error.detail != ""


def outcome(output: bytes) -> HelperReply | HelperError:
    try:
        return decode_reply(output)
    except HelperError as error:
        return error


@given(st.binary())
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_a_reply_or_a_named_error(output: bytes):
    check(output)


@settings(max_examples=40)
@given(REPLY)
def test_any_document_is_a_reply_or_a_named_error(document: dict[str, Any]):
    check(json.dumps(document).encode())


@settings(max_examples=40)
@given(JSON)
def test_what_is_written_reads_back_as_it_was(value: Any):
    assert json.loads(dumps(value), parse_int=float) == value


@settings(max_examples=40)
@given(TEXT, st.dictionaries(TEXT, JSON, max_size=4))
def test_a_helper_can_read_whatever_a_node_says(identity: str, inventory: dict[str, Any]):
    written = encode_call(HelperCall(identity, inventory_text(inventory), None, None))
    told = json.loads(written)
    assert told["identity"] == identity
    assert json.loads(told["inventory"], parse_int=float) == inventory
    assert b"<" not in written
    assert b"\n" not in written


@given(st.lists(TEXT.filter(lambda word: "\0" not in word), min_size=1).filter(lambda words: bool(words[0])))
def test_a_quoted_command_splits_into_its_words(words: list[str]):
    assert list(split_command(shlex.join(words))) == words


@given(st.dictionaries(TEXT, TEXT, max_size=3) | st.fixed_dictionaries({PROVISION: TEXT}), st.booleans())
def test_injecting_off_lets_a_node_leave_unless_the_helper_spoke(configuration: dict[str, str], by_default: bool):
    spoke = bool(configuration.get(PROVISION, "").strip())
    injected = inject_provision_false(configuration)
    assert keeps_provisioning(injected, by_default) == (spoke and keeps_provisioning(configuration, by_default))


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=3))
def test_a_safe_configuration_is_as_many_lines_as_it_has_settings(configuration: dict[str, str]):
    if unsafe_configuration(configuration) is None:
        lines = "\n".join(f"{key}={value}" for key, value in configuration.items()).splitlines()
        assert dict(line.split("=", 1) for line in lines) == configuration


@given(st.binary(max_size=300), st.sampled_from([b"s3cret", b"eyJhbGciOiJFZERTQSJ9.e30.c2ln"]), st.binary(max_size=300))
def test_a_secret_is_never_kept(before: bytes, secret: bytes, after: bytes):
    kept = printed(before + b" " + secret + b" " + after, ["s3cret"], 4096)
    assert secret.decode() not in kept
    assert visible(kept) == kept
