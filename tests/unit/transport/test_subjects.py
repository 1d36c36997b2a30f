"""Subjects are made of safe parts, as captured, and of nothing else."""

from __future__ import annotations

import pytest

from fsm.errors import UsherError
from transport import subjects


def test_the_subjects_of_the_wire():
    assert subjects.node("srv1.example.net") == "provisioning.node.srv1.example.net"
    assert subjects.node("srv1.example.net", "choria") == "choria.node.srv1.example.net"
    assert subjects.broadcast("discovery") == "provisioning.broadcast.agent.discovery"
    assert subjects.lifecycle("startup", "provisioner") == "choria.lifecycle.event.startup.provisioner"


def test_a_reply_subject_hashes_the_caller_exactly_as_it_is():
    subject = subjects.reply("choria=provisioner.mcollective", "293e13a61c6e4d928bf34de508575dbc")
    assert subject == "provisioning.reply.344aa967e9f3339639bf1c959876175b.293e13a61c6e4d928bf34de508575dbc"
    assert subjects.replies("provisioner_signer") == "provisioning.reply.22ec67b1822edddbee1f71725ee3827c.*"


def test_the_replies_of_discovery_are_not_those_of_requests():
    prefix = subjects.discovery_prefix("up=usher", "discovery-1")
    assert prefix.startswith(subjects.reply_prefix("up=usher"))
    assert prefix.count(".") == subjects.replies("up=usher").count(".") + 1


BAD = ["", "*", ">", "a b", "a\tb", "a\r\nPUB x 0", "a\x0bb", "a..b", ".a", "a.", "ä", "a/b", "x" * 254]


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_safe_makes_no_subject(name):
    for make in (
        lambda: subjects.node(name),
        lambda: subjects.node("a", name),
        lambda: subjects.broadcast(name),
        lambda: subjects.reply("caller", name),
        lambda: subjects.lifecycle(name, "server"),
        lambda: subjects.lifecycle("startup", name),
        lambda: subjects.discovery_prefix("caller", name),
    ):
        with pytest.raises(subjects.UnsafeSubjectError) as caught:
            make()
        assert isinstance(caught.value, UsherError)
        assert "\n" not in str(caught.value)


def test_an_empty_caller_has_no_replies():
    with pytest.raises(subjects.UnsafeSubjectError):
        subjects.replies("")
