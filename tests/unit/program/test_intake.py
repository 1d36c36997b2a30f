"""The intake: whom the lists refuse, in which words, and what the status says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsm.events import Operator, Verb
from fsm.snapshot import Snapshot
from fsm.states import State
from usher.config.networks import load_site
from usher.config.problems import ConfigErrors
from usher.config.site import Site
from usher.denied import Denial
from usher.intake import DENIED, NOT_ALLOWED, Intake, lines, refusal, stranded, words

SITE = """\
helper: /bin/true
token: s3cret
broker_provisioning_password: pass
jwt_verify_cert: e72cba5268b34627b75c5ceae9449ad16d62f15f862c30d4e0e7d2588e2e6259
jwt_signing_key: /etc/signer.seed
features: {ed25519: true}
"""


@pytest.fixture
def site(tmp_path: Path):
    def site(text: str = "") -> Site:
        path = tmp_path / "usher.yaml"
        path.write_text(SITE + text)
        return load_site(path, {})

    return site


def test_slashes_around_a_pattern_are_no_part_of_it(site):
    read = site("max_nodes_per_minute: 30\nidentity_allow: ['/^web/']\nidentity_deny: ['^ci-', 'lab']\n")
    assert read.max_nodes_per_minute == 30
    assert (read.identity_allow, read.identity_deny) == (("^web",), ("^ci-", "lab"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_nodes_per_minute: -1", "max_nodes_per_minute: it must be a number of nodes, or 0 for no limit"),
        ("max_nodes_per_minute: many", "max_nodes_per_minute: it is text, it must be a whole number"),
        ("identity_allow: ['ok', '(']", "identity_allow[1]: '(' is no regular expression"),
        ("identity_deny: ['[']", "identity_deny[0]: '[' is no regular expression"),
        ("identity_deny: ['']", "identity_deny[0]: it is empty: every name has it"),
        ("identity_allow: ['//']", "identity_allow[0]: it is empty: every name has it"),
        ("identity_deny: web", "identity_deny: it is text, it must be a list of texts"),
    ],
)
def test_a_wrong_setting_is_named(site, text: str, said: str):
    with pytest.raises(ConfigErrors, match=re.escape(said)):
        site(text + "\n")


def test_an_operators_denial_refuses_like_the_file_and_says_who(site):
    intake, heard = Intake(site("identity_allow: ['^ci-', '^web']\n")), []
    intake.on_change = lambda: heard.append(intake.refuses("ci-1"))
    denial = Denial("/^ci-/", 1, "anna", "too many")
    intake.deny((denial,))
    assert heard == [DENIED]
    assert intake.why("ci-1") == "anna has denied /^ci-/, which its name has (too many)"
    assert intake.refuses("web1") == ""
    intake.use(site("identity_deny: ['^web']\n"))
    assert (intake.refuses("ci-1"), intake.refuses("web1")) == (DENIED, DENIED)
    intake.deny(())
    assert intake.refuses("ci-1") == ""


def test_without_lists_nobody_is_refused(site):
    intake = Intake(site())
    assert intake.refuses("ci-1.example.net") == ""
    assert intake.why("ci-1.example.net") == ""
    assert list(lines(intake.document(0))) == []


@pytest.mark.parametrize(
    ("node", "reason", "why"),
    [
        ("ci-1.example.net", DENIED, "identity_deny[0] is '^ci-', which its name has"),
        ("web1.lab.example.net", DENIED, r"identity_deny[1] is '\\.lab\\.', which its name has"),
        ("web1.example.org", NOT_ALLOWED, "identity_allow has no pattern that its name has"),
        ("web1.example.net", "", ""),
        ("not-ci-1.example.net", "", ""),
    ],
)
def test_a_denied_name_is_refused_before_an_allowed_one_is_taken(site, node: str, reason: str, why: str):
    intake = Intake(
        site(r"""
identity_allow: ['\.example\.net$']
identity_deny: ['^ci-', '/\.lab\./']
""")
    )
    assert (intake.refuses(node), intake.why(node)) == (reason, why)


def test_whoever_uses_it_hears_that_it_has_changed(site):
    intake = Intake(site("max_nodes_per_minute: 5\n"))
    heard = []
    intake.on_change = lambda: heard.append(intake.per_minute)
    intake.use(site("max_nodes_per_minute: 7\nidentity_deny: [^ci-]\n"))
    assert heard == [7]
    assert intake.refuses("ci-1") == DENIED
    assert list(lines(intake.document(3))) == [
        "intake     at most 7 a minute, identity_deny ^ci-, 3 in the waiting room are refused"
    ]
    assert list(lines(None)) == []


def test_of_several_networks_a_name_is_refused_where_each_of_them_refuses_it(site):
    east, west = Intake(site("identity_deny: [^ci-]\n")), Intake(site("identity_allow: [^ci-1]\n"))
    assert refusal({"east": east, "west": west}, "ci-1") == ""
    assert refusal({"east": east, "west": west}, "web1") == ""
    assert refusal({"east": east, "west": west}, "ci-2") == (
        "in east identity_deny[0] is '^ci-', which its name has; "
        "in west identity_allow has no pattern that its name has"
    )
    assert refusal({"": east}, "ci-2") == east.why("ci-2")


def test_a_change_is_told_in_words():
    changed = {"max_nodes_per_minute": 0, "identity_deny": ("^ci-",), "identity_allow": (), "tokens": ("x",)}
    assert list(words(changed)) == [
        "identity_allow: 0 patterns from now on",
        "identity_deny: 1 pattern from now on",
        "max_nodes_per_minute: no limit",
    ]


@pytest.mark.parametrize(
    ("why", "state", "wish", "refused"),
    [
        ("it is denied", State.PROVISIONED, Operator(Verb.REPROVISION, "anna", "x"), True),
        ("it is denied", State.PROVISIONED, Operator(Verb.REPROVISION, "anna", "x", force=True), False),
        ("it is denied", State.PROVISIONED, Operator(Verb.RESTART, "anna", "x"), False),
        ("it is denied", State.FAILED, Operator(Verb.REPROVISION, "anna", "x"), False),
        ("", State.PROVISIONED, Operator(Verb.REPROVISION, "anna", "x"), False),
    ],
)
def test_a_provisioned_node_is_not_sent_to_where_its_name_is_refused(
    why: str, state: State, wish: Operator, refused: bool
):
    said = stranded(why, Snapshot("web1.example.net", state), wish)
    assert (why in said and "--force" in said) if refused else said == ""
