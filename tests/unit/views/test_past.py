"""What a history row's payload tells, and what it cannot tell any more."""

from __future__ import annotations

import pytest

from fsm.codec import encode_payload
from fsm.effects import Effect, EffectId
from fsm.events import (
    Ack,
    Body,
    Certainty,
    Done,
    Due,
    DueKind,
    Event,
    Failed,
    HelperFacts,
    Hint,
    HintKind,
    JwtFacts,
    Operator,
    Payload,
    Sighting,
    TokenFacts,
    Verb,
    Verdict,
)
from fsm.reasons import Reason
from fsm.table import ROWS
from usher.views.past import SAID, SENTENCES, Ended, Read, read

ID = EffectId("n1", 1, 1, 4, 6, 2)


def told(body: Body, note: str = "", at: int = 10_000) -> Read:
    return read(encode_payload(Event(at, bytes(16), body, 1), note))


def done(effect: Effect, facts: Payload) -> Done:
    return Done(effect, ID, facts)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (Hint(HintKind.LISTED), ""),
        (Due(DueKind.ADMIT), ""),
        (Due(DueKind.STEP, 9_500), ""),
        (Due(DueKind.STEP, 3_000), "7 s late"),
        (Operator(Verb.RETRY, "anna", "it is cabled"), "anna: it is cabled"),
        (done(Effect.RUN_HELPER, HelperFacts("5f" * 32, Verdict.DEFER, "not cabled")), "defer: not cabled"),
        (done(Effect.RUN_HELPER, HelperFacts("5f" * 32, Verdict.CONFIGURE, "")), "configure"),
        (
            done(Effect.SIGN_TOKEN, TokenFacts("j", "5f" * 32, 1, "k", "exp is a point in time")),
            "exp is a point in time",
        ),
        (done(Effect.CONFIGURE, Ack("Reconfigured")), "Reconfigured"),
        (done(Effect.LOOK, Sighting(present=False)), "nobody there"),
        (done(Effect.LOOK, Sighting(present=True, age=12_345)), "there, its process is 12 s old"),
        (done(Effect.FETCH_JWT, JwtFacts("5f" * 32, "j", provisions_by_default=True)), ""),
        (Failed(Effect.RESTART, ID, Certainty.REFUSED, Reason.REFUSED, "not now"), "not now"),
    ],
)
def test_the_detail_is_who_said_what(body, detail):
    assert told(body).detail == detail


def test_an_outcome_names_effect_try_and_certainty():
    failed = Failed(Effect.RESTART, ID, Certainty.UNKNOWN, Reason.NO_ANSWER)
    assert told(failed).ended == Ended(Effect.RESTART, 2, Certainty.UNKNOWN, Reason.NO_ANSWER)
    assert told(done(Effect.CONFIGURE, Ack("ok"))).ended == Ended(Effect.CONFIGURE, 2)
    assert told(Hint(HintKind.LISTED)).ended is None


def test_the_note_is_what_the_helper_printed():
    assert told(done(Effect.RUN_HELPER, HelperFacts("5f" * 32, Verdict.CONFIGURE, "")), "warned\n").note == "warned\n"


def test_a_payload_that_was_removed_is_named():
    assert read(None) == Read(detail="(the payload was removed)")


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"\xff", b'{"event":{"v":99}}'])
def test_a_payload_that_cannot_be_read_is_named_and_raises_nothing(payload):
    assert read(payload).detail.startswith("(the payload cannot be read: ")


def test_every_row_has_its_sentence_and_every_certainty_its_words():
    assert {row.name for row in ROWS} == set(SENTENCES)
    assert set(SAID) == set(Certainty)


def test_rows_of_one_name_have_one_sentence():
    assert {(row.name, row.why) for row in ROWS} == set(SENTENCES.items())
