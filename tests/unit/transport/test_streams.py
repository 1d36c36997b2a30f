"""What JetStream and other ushers say, from bytes: a value, or one error."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.wire.errors import WireError
from transport.wire.peers import Handover, Leads, decode_handover, decode_leads, encode_handover, encode_leads
from transport.wire.streams import Bucket, Refusal, Stored, WrongLast, expecting, read_info, read_stored

LEADS = Leads("ab" * 8, "usher1.example.net", "provisioner", 1_795_200_000_000, 42)


def test_the_header_of_a_write_is_the_captured_one():
    assert expecting(0) == b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b'{"stream":"KV_CHORIA_LEADER_ELECTION","seq":3}', Stored(3)),
        (
            b'{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 2"},"stream":"x","seq":0}',
            WrongLast(2),
        ),
        (b'{"error":{"code":503,"err_code":10008,"description":"whatever"}}', Refusal(503, 10008)),
        (b'{"error":{"code":503}}', Refusal(503, 0)),
    ],
)
def test_an_answer_to_a_write(data: bytes, read: object):
    assert read_stored(data) == read


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b'{"config":{"max_msgs_per_subject":1,"max_age":60000000000}}', Bucket(60.0)),
        (b'{"error":{"code":404,"err_code":10059,"description":"stream not found"}}', Refusal(404, 10059)),
    ],
)
def test_an_answer_to_the_question_what_the_bucket_is_like(data: bytes, read: object):
    assert read_info(data) == read


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{", b'{"seq":0}', b'{"seq":true}', b'{"error":5}', b'{"error":{"code":"x"}}', b"\xff" * 100,
        b'{"config":{"max_msgs_per_subject":0,"max_age":1}}',
        b'{"config":{"max_msgs_per_subject":1,"max_age":-1}}', b'{"config":[]}',
    ],
)  # fmt: skip
def test_whatever_else_it_is_is_an_error(data: bytes):
    for read in (read_info, read_stored, decode_handover, decode_leads):
        with pytest.raises(WireError):
            read(data)


@pytest.mark.parametrize("rest", ["", ',"description":"wrong last sequence: many"', ',"description":5'])
def test_a_wrong_last_sequence_that_is_not_named_is_an_error(rest: str):
    with pytest.raises(WireError):
        read_stored(f'{{"error":{{"code":400,"err_code":10071{rest}}}}}'.encode())


@given(st.binary(max_size=300))
def test_any_bytes_give_a_value_or_the_error(data: bytes):
    for read in (read_info, read_stored, decode_handover, decode_leads):
        try:
            read(data)
        except WireError:
            continue


def test_peers_read_what_peers_write():
    assert decode_leads(encode_leads(LEADS)) == LEADS
    said = Handover("cd" * 8, 7, 12_000)
    assert decode_handover(encode_handover(said)) == said


@pytest.mark.parametrize("change", [{"name": "x" * 254}, {"name": "a\x1b[31m"}, {"sequence": 0}, {"since": -1}])
def test_a_peers_words_are_short_and_printable(change: dict[str, object]):
    document = orjson.loads(encode_leads(LEADS)) | change
    with pytest.raises(WireError):
        decode_leads(orjson.dumps(document))
