"""What transport/login.py knows of the inside of nats-py: when one of these changes, read login.py and it again."""

from __future__ import annotations

import hashlib
import inspect
from importlib import metadata

import pytest
from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from tests.fakes.link import Discarded, Heard, Known
from transport.login import Login

READ = {
    Client.connect: "a333807745c3c9fb",
    Client._connect_command: "1999c01f55c91ecc",
    Client._connect_to_server: "1356d992325fde9f",
    Client._process_connect_init: "e1ed2da075c82ab0",
    Client._process_op_err: "d4257cb1203cdbcb",
    Client._close: "9a92d3aca1b2c1fd",
    Client._select_next_server: "c278559f8a14659c",
    Client._process_info: "ecca7bb931308fff",
    Client._read_loop: "b44b9401f436dd0e",
    Client._flusher: "43957ffb357d6d94",
    Client._flush_pending: "317c8d7ef54b90b7",
    Client._ping_interval: "e681a6d18db6add9",
    Client._send_ping: "d57b2f820443afb4",
    TcpTransport.connect: "96c97f9bad0501da",
    TcpTransport.connect_tls: "6688ffffefa25d6b",
}
OVERRIDDEN = {
    "__init__", "_connect_command", "_select_next_server", "_process_info", "_process_op_err", "_close", "_flusher",
}  # fmt: skip


def digest(function: object) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]  # type: ignore[arg-type]


def test_the_minor_version_is_the_one_that_was_read():
    assert metadata.version("nats-py").split(".")[:2] == ["2", "16"]


@pytest.mark.parametrize(("function", "expected"), READ.items(), ids=lambda item: getattr(item, "__qualname__", ""))
def test_the_code_is_the_one_that_was_read(function, expected):
    assert digest(function) == expected, f"nats-py changed {function.__qualname__}: does transport/login.py still hold?"


def test_nothing_else_of_nats_py_is_overridden():
    instance_names = set(Client.__init__.__code__.co_names)
    ours = {name for name in vars(Login) if not (name.startswith("__") and name.endswith("__"))} | {"__init__"}
    assert ours & (set(dir(Client)) | instance_names) == OVERRIDDEN


async def test_our_attributes_are_not_theirs():
    login = Login(Known("u", "p"), Discarded(), name="test", complained=Heard(), informed=Heard())
    ours = {
        "ended",
        "unsent",
        "_credentials",
        "_discards",
        "_label",
        "_complained",
        "_informed",
        "_handlers",
        "_tls_wanted",
        "_done",
        "_reading",
    }
    assert vars(login).keys() - vars(Client()).keys() == ours


@pytest.mark.parametrize("name", sorted(OVERRIDDEN - {"__init__"}))
def test_what_is_overridden_has_the_same_parameters(name):
    theirs = inspect.signature(getattr(Client, name)).parameters
    ours = inspect.signature(getattr(Login, name)).parameters
    assert list(ours) == list(theirs)


async def test_the_attributes_that_are_used_exist():
    fresh = Client()
    for name in (
        "_pending", "_pending_data_size", "_flush_queue", "_pongs", "_pings_outstanding", "_status", "_reading_task",
        "_flusher_task", "_ping_interval_task", "_transport", "_server_info", "_server_pool", "_current_server", "_ps",
        "_sid",
    ):  # fmt: skip
        assert hasattr(fresh, name)
    assert hasattr(TcpTransport(), "_io_writer")
