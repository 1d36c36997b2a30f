"""The table of signs, one by one: what shows each, and what does not; and how `nodes why` tells them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.events import Ack, Certainty, Due, DueKind, HelperFacts, TokenFacts, Verdict
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import State
from store.views import Group
from tests.fakes.control import FakeDaemon, listening
from tests.fakes.written import DIGEST, HOSTILE, LIVES, Author, provisioned, write_database
from transport.startups import Startups
from usher.cli import main
from usher.views import common
from usher.views.book import open_book
from usher.views.nodes_why import Asked, asked
from usher.views.past import Ended, Past
from usher.views.signs import SIGNS, UNHEARD, Heard, Known, Sighted, signs

NOW = 1_795_200_000_000
NODE = "web1.example.net"
FAILED = Snapshot(NODE, State.FAILED, generation=2, seq=40)
EVENT = Heard(NOW - 5000, 0, "0.30.2")


def line(
    event: str = "done",
    effect: Effect | None = None,
    certainty: Certainty | None = None,
    reason: Reason | None = None,
    row: str = "read-on",
    target: State = State.FAILED,
) -> Past:
    ended = Ended(effect, 1, certainty, reason) if effect else None
    return Past(1, NOW - 9000, 1, 2, 1, event, row, State.CONFIGURED, target, ended)


def failures(reason: Reason, nodes: int) -> tuple[Group, ...]:
    return (Group(reason, State.FAILED, nodes, 0, NOW, NODE),)


def failed(reason: Reason | None, state: State = State.FAILED, **more: object) -> Snapshot:
    return replace(FAILED, reason=reason, state=state, **more)


CONFIGURED = line(effect=Effect.CONFIGURE)
LOST = line("failed", Effect.RESTART, Certainty.UNKNOWN, Reason.NO_ANSWER)
BACK = line(row="back-in-provisioning", target=State.REPROVISION)
BEHIND = replace(EVENT, ahead=-UNHEARD)
SHOWN = {
    "the lists refuse it": (Known(failed(None), refused="identity_deny[0] is '^web'"), "refused"),
    "its clock is behind": (Known(failed(Reason.NO_ANSWER, answered=True), now=NOW, heard=BEHIND), "clock_skew"),
    "it answered before the event came": (
        Known(failed(None), [line(effect=Effect.FETCH_JWT)], NOW, BEHIND),
        "clock_skew",
    ),
    "its clock is ahead": (Known(failed(None), now=NOW, heard=replace(EVENT, ahead=90_000)), "clock_skew"),
    "an event and nobody there": (Known(failed(Reason.ABSENT), now=NOW, heard=EVENT), "event_but_no_answer"),
    "an event of long ago": (Known(failed(Reason.NO_ANSWER), [line("hint_startup")]), "event_but_no_answer"),
    "registration data alone": (
        Known(failed(Reason.NO_ANSWER), [line("hint_registration")]),
        "event_but_no_answer",
    ),
    "it only answers discovery": (Known(failed(Reason.NO_ANSWER), [line("hint_listed")]), "listed_but_no_answer"),
    "gone after its configuration": (
        Known(failed(Reason.ABSENT, State.GONE, answered=True), [CONFIGURED, LOST]),
        "left_without_our_restart",
    ),
    "absent after its configuration": (Known(failed(Reason.ABSENT), [CONFIGURED, LOST]), "left_without_our_restart"),
    "under way in another network": (
        Known(failed(None), now=NOW, elsewhere=Sighted(NOW, "west", "east")),
        "two_networks",
    ),
    "two answers, and held": (Known(failed(Reason.DUPLICATE_IDENTITY, held=True)), "two_machines"),
    "two answers lately": (Known(failed(Reason.QUARANTINED), [line("hint_second_answer")]), "two_machines"),
    "back twice": (Known(failed(None, State.PROVISIONED), [BACK, BACK]), "two_machines"),
    "another key": (
        Known(failed(None), [line("failed", Effect.NEW_KEY, Certainty.INVALID, Reason.PROOF_INVALID)]),
        "two_machines",
    ),
    "another provisioner": (Known(failed(Reason.LOCK_HELD, State.DISCOVERED)), "another_provisioner"),
    "configured by another": (Known(failed(Reason.NOT_IN_PROVISIONING)), "another_provisioner"),
    "the helper fails here": (Known(failed(Reason.HELPER_FAILED), groups=failures(Reason.HELPER_FAILED, 1)), "helper"),
    "the helper's certificate is wrong": (
        Known(failed(Reason.CERTIFICATE_KEY), groups=failures(Reason.CERTIFICATE_KEY, 4)),
        "helper",
    ),
    "it does not know the action": (
        Known(failed(Reason.REFUSED, detail="Unknown action gencsr for agent choria_provision (2)")),
        "too_old",
    ),
    "a token of another site": (Known(failed(Reason.WRONG_TOKEN), groups=failures(Reason.WRONG_TOKEN, 1)), "token"),
}
UNSHOWN = {
    "nothing is known": Known(failed(None)),
    "refused for another reason": Known(failed(Reason.REFUSED, detail="not now (1)")),
    "its clock is a little off": Known(failed(None), heard=replace(EVENT, ahead=UNHEARD - 1)),
    "it is well, whatever an event says": Known(failed(None, State.PROVISIONED), heard=BEHIND),
    "it has answered since the event came": Known(
        failed(None), [replace(line(effect=Effect.FETCH_JWT), at=BEHIND.at + 1)], NOW, BEHIND
    ),
    "it has answered": Known(failed(Reason.NO_ANSWER, answered=True), [line("hint_startup"), line("hint_listed")]),
    "silent, and never seen by event": Known(failed(Reason.ABSENT)),
    "its restart was acknowledged": Known(
        failed(Reason.ABSENT, State.GONE, answered=True), [CONFIGURED, line(effect=Effect.RESTART)]
    ),
    "it answered after its configuration": Known(
        failed(Reason.ABSENT, State.GONE, answered=True), [CONFIGURED, LOST, line(effect=Effect.FETCH_JWT)]
    ),
    "it was never configured": Known(failed(Reason.ABSENT, State.GONE, answered=True), [LOST]),
    "it is provisioned": Known(failed(Reason.ABSENT, State.PROVISIONED, answered=True), [CONFIGURED]),
    "back once": Known(failed(None), [BACK]),
    "the helper failed, and it is provisioned": Known(failed(Reason.HELPER_FAILED, State.PROVISIONED)),
    "wrong token, and provisioned": Known(failed(Reason.WRONG_TOKEN, State.PROVISIONED)),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_shows_a_sign(name: str):
    known, expected = SHOWN[name]
    (sign,) = signs(known)
    assert sign.name == expected
    assert sign.sentence.endswith(".")
    assert sign.command


@pytest.mark.parametrize("name", UNSHOWN)
def test_what_shows_none(name: str):
    assert list(signs(UNSHOWN[name])) == []


def test_every_sign_is_tried():
    assert {sign.__name__ for sign in SIGNS} == {expected for _, expected in SHOWN.values()}


@pytest.mark.parametrize(("ahead", "said"), [(-3_600_000, "1h behind"), (90_000, "1m 30s ahead of")])
def test_skew_is_told_with_its_side_and_as_what_an_event_said(ahead: int, said: str):
    (sign,) = signs(Known(failed(None), now=NOW, heard=replace(EVENT, ahead=ahead)))
    assert sign.sentence.startswith("a startup event under its name (")
    assert f"(5s ago)) has a clock that is {said} this one" in sign.sentence


@pytest.mark.parametrize(
    ("reason", "nodes", "said"),
    [
        (Reason.HELPER_TIMEOUT, 1, "only this node fails with helper_timeout"),
        (Reason.HELPER_TIMEOUT, 2, "only this node and one more fail with helper_timeout"),
        (Reason.HELPER_TIMEOUT, 3, "3 nodes fail with helper_timeout: it is the helper"),
        (Reason.WRONG_TOKEN, 2, "it never let us in"),
        (Reason.WRONG_TOKEN, 90, "90 nodes fail with wrong_token: it is this site's setting"),
    ],
)
def test_one_node_and_many_are_told_apart(reason: Reason, nodes: int, said: str):
    (sign,) = signs(Known(failed(reason), groups=failures(reason, nodes)))
    assert said in sign.sentence


def test_a_node_that_let_us_in_before_was_installed_anew():
    (sign,) = signs(Known(failed(Reason.WRONG_TOKEN, let_in="0011aabb")))
    assert "it has let us in before" in sign.sentence


def test_an_absent_node_and_a_silent_one_are_told_apart():
    (absent,) = signs(Known(failed(Reason.ABSENT), heard=EVENT))
    (silent,) = signs(Known(failed(Reason.NO_ANSWER), heard=EVENT))
    assert "nobody is subscribed under its name" in absent.sentence
    assert "its clock is off" in silent.sentence
    assert "it speaks the other version of the protocol" in silent.sentence


def test_a_version_cannot_rule_the_terminal():
    (sign,) = signs(Known(failed(Reason.ABSENT), heard=replace(EVENT, version=HOSTILE)))
    assert "\\x1b[31mred\\x07" in sign.sentence
    assert sign.sentence.isprintable()


# -- the command ------------------------------------------------------------------------------------------------------


async def left(author: Author) -> None:
    """It takes its configuration, its restart gets no answer, and it is never there again."""
    await author.to_the_helper()
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""))
    await author.done(TokenFacts("2Qx", DIGEST, author.at // 1000 + 86_400, "ab12"))
    await author.done(Ack("Reconfigured", DIGEST))
    await author.failed(Certainty.UNKNOWN, Reason.NO_ANSWER)
    while author.snapshot.state is not State.GONE:
        if author.snapshot.open is None and author.snapshot.awaited is not None:
            await author.due()
        elif author.snapshot.open is None:
            await author.tell(Due(DueKind.ADMIT))
        else:
            await author.failed(Certainty.NOT_DELIVERED, Reason.ABSENT)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    return asyncio.run(write_database(folder, common.now(), lives={**LIVES, NODE: provisioned}))


def why(capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> str:
    assert main(["nodes", "why", *words, "--state", str(state)]) == 0
    return capsys.readouterr().out


def test_a_sign_stands_below_the_story_with_its_command(capsys: pytest.CaptureFixture[str], state: Path):
    story, sign, command = why(capsys, state, "web2.example.net").replace("\n\n", "\n").splitlines()
    assert story.startswith("web2.example.net is failed")
    assert sign.startswith("A sign: only this node fails with helper_failed")
    assert command == "  usher nodes output web2.example.net --reason WHY"


def test_programs_get_the_signs_by_name(capsys: pytest.CaptureFixture[str], state: Path):
    (sign,) = json.loads(why(capsys, state, "web2.example.net", "--json"))["signs"]
    assert sorted(sign) == ["command", "sentence", "sign"]
    assert sign["sign"] == "helper"
    assert json.loads(why(capsys, state, NODE, "--json"))["signs"] == []


def test_what_the_daemon_heard_is_asked_for(capsys: pytest.CaptureFixture[str], state: Path):
    at = common.now()
    daemon = FakeDaemon()
    daemon.startups.note("web2.example.net", at, at // 1000 - 3600, "0.30.2")
    with listening(state, daemon):
        assert asked(state, "web2.example.net") == Asked(Heard(at, -3_600_000, "0.30.2"))
        assert asked(state, "web9.example.net") == Asked()
        assert "has a clock that is 1h behind" in why(capsys, state, "web2.example.net")
    assert asked(state, "web2.example.net") == Asked()
    assert "clock" not in why(capsys, state, "web2.example.net")


def test_a_name_that_the_lists_refuse_is_told_so_whether_it_is_known_or_not(
    capsys: pytest.CaptureFixture[str], state: Path
):
    daemon = FakeDaemon()
    daemon.refused |= {"web2.example.net": "identity_deny[0] is 'web2', which its name has", "ci-7": "identity_deny"}
    with listening(state, daemon):
        known = why(capsys, state, "web2.example.net")
        assert "identity_deny[0] is 'web2', which its name has: it is not taken in" in known.replace("\n", " ")
        assert "ci-7 is no node of usher's: identity_deny" in why(capsys, state, "ci-7")
        assert json.loads(why(capsys, state, "ci-7", "--json"))["refused"] == "identity_deny"
        assert main(["nodes", "why", "ci-8", "--state", str(state)]) == 1


def test_the_oldest_startup_goes_when_there_are_too_many():
    startups = Startups(most=2)
    for number, node in enumerate(("a", "b", "a", "c")):
        startups.note(node, number * 1000 + 999, number, "v" * 1000)
    assert len(startups) == 2
    assert startups.of("b") is None
    newest = startups.of("a")
    assert newest is not None
    assert (newest.at, newest.ahead, len(newest.version)) == (2999, 0, 64)


async def test_a_node_that_left_on_its_own_is_told_so(tmp_path: Path):
    folder = await write_database(tmp_path, common.now(), lives={NODE: left})
    with open_book(folder / "usher.db") as book:
        snapshot = book.node(NODE)
        assert snapshot is not None
        known = Known(snapshot, book.history(NODE, 200), common.now())
    assert snapshot.state is State.GONE
    assert "left_without_our_restart" in {sign.name for sign in signs(known)}
