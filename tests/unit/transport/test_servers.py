"""Addresses of brokers, as sites write them."""

from __future__ import annotations

import pytest

from tests.fakes.link import connection
from transport.connection import BadServerError
from transport.rounds import Address


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("broker", "nats://broker:4222"),
        ("broker:4333", "nats://broker:4333"),
        ("nats://broker:4333", "nats://broker:4333"),
        ("tls://broker/", "nats://broker:4222"),
        (" [::1]:4222 ", "nats://[::1]:4222"),
    ],
)
async def test_what_sites_write(written, used):
    assert await connection("rpc", written, "u", "p")._rounds.next() == Address(used)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "nats://",
        "http://broker:80",
        "broker:port",
        "nats://broker:99999",
        "nats://u:secret@broker",
        "a/b",
        "[broker]:1",
    ],
)
async def test_what_is_no_broker_is_refused_by_name(written):
    with pytest.raises(BadServerError) as caught:
        connection("rpc", written, "u", "p")
    assert "secret" not in str(caught.value)
    assert "nats://HOST:PORT" in str(caught.value)
