"""What a configuration would do to its node, found out before it is sent."""

from __future__ import annotations

import pytest

from helpers.configuration import PROVISION, inject_provision_false, keeps_provisioning, unsafe_configuration


@pytest.mark.parametrize("value", ["0", "no", "false", "n", "f", "FALSE", "No", " f "])
@pytest.mark.parametrize("by_default", [True, False])
def test_any_word_for_off_lets_the_node_leave(value: str, by_default: bool):
    assert not keeps_provisioning({PROVISION: value}, by_default)


@pytest.mark.parametrize("value", ["1", "yes", "true", "Y", "T", " TRUE "])
@pytest.mark.parametrize("by_default", [True, False])
def test_any_word_for_on_keeps_it_whatever_its_token_says(value: str, by_default: bool):
    assert keeps_provisioning({PROVISION: value}, by_default)


@pytest.mark.parametrize("configuration", [{}, {PROVISION: ""}, {PROVISION: "  "}, {PROVISION.upper(): "false"}])
def test_without_a_word_its_token_decides(configuration: dict[str, str]):
    assert keeps_provisioning(configuration, provisions_by_default=True)
    assert not keeps_provisioning(configuration, provisions_by_default=False)


def test_a_word_that_is_neither_does_not_turn_it_off():
    assert keeps_provisioning({PROVISION: "never"}, provisions_by_default=True)
    assert not keeps_provisioning({PROVISION: "never"}, provisions_by_default=False)


def test_off_is_injected_only_where_the_helper_said_nothing():
    assert inject_provision_false({"a": "1"}) == {"a": "1", PROVISION: "false"}
    assert inject_provision_false({PROVISION: " "}) == {PROVISION: "false"}
    assert inject_provision_false({PROVISION: "true"}) == {PROVISION: "true"}


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"plugin.security.provider": "choria", "identity": "node1.example.net", "collectives": "one, two"},
        {"plugin.choria.security.certname_whitelist": r".*\.example$, a=b\tc"},
        {"tab": "a\tb", "empty": "", "identity": ""},
    ],
)
def test_ordinary_configurations_are_safe(configuration: dict[str, str]):
    assert unsafe_configuration(configuration) is None


@pytest.mark.parametrize(
    ("configuration", "names"),
    [
        ({"a": "1\nplugin.choria.server.provision=true"}, "the value of 'a'"),
        ({"a": "1\r"}, "the value of 'a'"),
        ({"a": "1\0"}, "the value of 'a'"),
        ({"a": "1\u2028"}, "the value of 'a'"),
        ({"": "1"}, "the name ''"),
        ({"a=b": "1"}, "the name 'a=b'"),
        ({"a b": "1"}, "the name 'a b'"),
        ({"a\nb": "1"}, "the name 'a\\nb'"),
        ({"a*": "1"}, "the name 'a*'"),
        ({"x" * 500 + ">": "1"}, "..."),
        ({"a": "1" * (64 * 1024)}, "longer than 64 KiB"),
        ({"collectives": "one,*"}, "'collectives' names a collective"),
        ({"main_collective": ">"}, "'main_collective' names a collective"),
        ({"identity": "node.>"}, "identity is not a safe name"),
    ],
)
def test_unsafe_configurations_are_named(configuration: dict[str, str], names: str):
    said = unsafe_configuration(configuration)
    assert said is not None
    assert names in said
    assert len(said) < 400
