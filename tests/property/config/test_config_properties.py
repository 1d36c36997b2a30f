"""Whatever stands in a configuration file, it is usable or its problems are named: nothing else is raised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.names import FixedNames
from transport.servers import server_url
from usher.config.client import read_client
from usher.config.durations import parse_duration
from usher.config.keys import FEATURES, KEYS
from usher.config.networks import read_site
from usher.config.problems import fatal
from usher.config.servers import Server, parse_server

VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=4,
)
FEATURE_GROUP = st.dictionaries(st.sampled_from(sorted(FEATURES)), VALUE, max_size=4)
SITE = st.dictionaries(st.sampled_from(sorted(KEYS)) | st.text(), VALUE | FEATURE_GROUP, max_size=6)
LINES = st.lists(
    st.tuples(st.sampled_from(["identity", "plugin.choria.middleware_hosts", "plugin.security.provider"]), st.text())
)
in_a_directory = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_site(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    site, problems = read_site(path, {})
    assert (site is None) == fatal(problems)
    assert all(problem.what and problem.next_step and str(path) in problem.where for problem in problems)


@in_a_directory
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_a_site_or_named_problems(tmp_path: Path, content: bytes):
    check_site(tmp_path / "usher.yaml", content)


@in_a_directory
@given(SITE)
def test_any_settings_are_a_site_or_named_problems(tmp_path: Path, settings_: dict[str, Any]):
    check_site(tmp_path / "usher.yaml", yaml.safe_dump(settings_).encode())


@in_a_directory
@given(LINES, st.binary())
def test_any_client_configuration_is_usable_or_has_named_problems(tmp_path: Path, lines: list[Any], rest: bytes):
    path = tmp_path / "client.conf"
    text = "".join(f"{key} = {value}\n" for key, value in lines)
    path.write_bytes(text.encode() + rest)
    client, problems = read_client(path, {}, tmp_path, FixedNames("host"))
    assert (client is None) == fatal(problems)


@given(st.text() | st.from_regex(r"[0-9.]{1,5}(ms|[smhdwMy])", fullmatch=True))
def test_any_text_is_a_duration_or_says_that_it_is_none(text: str):
    assert outcome(text)


def outcome(text: str) -> str:
    try:
        return f"{parse_duration(text):g} seconds"
    except ValueError as error:
        return str(error)


@given(st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True) | st.ip_addresses().map(str), st.integers(1, 65535))
def test_a_server_reads_back_from_its_url(host: str, port: int):
    server = Server(host, port)
    assert parse_server(server.url) == server


HOST = st.text(max_size=8) | st.ip_addresses().map(str) | st.ip_addresses(v=6).map("[{}%eth0]".format)


@given(
    st.builds("{}{}{}:{}{}".format, st.sampled_from(["", "nats://", "TLS://", "x://", "ws://"]),
              st.sampled_from(["", "u@", "u:s3cret@"]), HOST | st.ip_addresses(v=6).map("[{}]".format),
              st.integers(-1, 70_000), st.sampled_from(["", "/", "/x?y#z", "@", " "]))
)  # fmt: skip
def test_a_server_that_a_configuration_may_name_is_one_that_can_be_tried(text: str):
    assert "s3cret" not in tried(text)


def tried(text: str) -> str:
    try:
        server = parse_server(text)
    except ValueError as error:
        return str(error)
    return server_url(server.url) + server.dropped
