"""Numbers and texts as Go's encoding/json writes them; the expected texts are Go's own."""

from __future__ import annotations

import math

import pytest

from helpers.gojson import GoJsonError, dumps, loads, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (1.5, "1.5"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e22, "1.25e+22"),
        (1e-6, "0.000001"),
        (1.5e-5, "0.000015"),
        (1e-7, "1e-7"),
        (-1.2e-9, "-1.2e-9"),
        (1e300, "1e+300"),
        (12345678901234567890, "12345678901234567000"),
        (True, "true"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
        ({"b": [1, "x"], "a": {}}, '{"b":[1,"x"],"a":{}}'),
        ('"\\/\b\f\n\r\t', '"\\"\\\\/\\b\\f\\n\\r\\t"'),
        ("\ud800", '"\ufffd"'),
    ],
)
def test_values_are_written_as_go_writes_them(value: object, text: str):
    assert dumps(value) == text


def test_keys_are_sorted_at_every_depth_on_request():
    assert dumps({"b": {"d": 1, "c": 2}, "a": [{"z": 1, "y": 2}]}, sort_keys=True) == (
        '{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}'
    )


def deep() -> list[object]:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize("value", [math.inf, math.nan, 10**400, object(), {"a": {1}}])
def test_what_has_no_json_form_is_refused(value: object):
    with pytest.raises(GoJsonError):
        dumps(value)


def test_a_value_nested_too_deeply_is_refused():
    with pytest.raises(GoJsonError, match="nested too deeply"):
        dumps(deep())


def test_repeated_keys_are_kept_until_somebody_decides():
    read = loads(b'{"a":1,"a":{"b":2,"b":3}}')
    assert [key for key, _ in read] == ["a", "a"]
    assert plain(read) == {"a": {"b": 3}}
    assert plain([read]) == [{"a": {"b": 3}}]


def test_halves_of_surrogate_pairs_are_replaced_wherever_they_are():
    assert plain(loads(b'[{"\\ud83d":["\\udc00", 1]}, "\\ud83d\\ude00"]')) == [{"\ufffd": ["\ufffd", 1]}, "\U0001f600"]


@pytest.mark.parametrize("depth", range(100, 1300, 100))
def test_no_depth_escapes_as_another_error(depth: int):
    document = b"[" * depth + b'"\\ud800"' + b"]" * depth
    assert outcome(document) in {"read", "it is nested too deeply"}


def outcome(document: bytes) -> str:
    try:
        loads(document)
    except GoJsonError as error:
        return error.detail
    return "read"
