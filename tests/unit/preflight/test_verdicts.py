"""What a check says, on one line and as a document."""

from __future__ import annotations

import pytest

from usher.config.problems import Problem, Severity
from usher.preflight.verdicts import Verdict, document, doubtful, fine, of_problems, passed, skipped, wrong

GOOD = fine("tcp", "connected")
SOSO = doubtful("tls", "not verified", "name an authority")
BAD = wrong("login", "refused", "look at the log")
LEFT = skipped("rights", "login failed")


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (GOOD, "ok          tcp: connected"),
        (SOSO, "warning     tls: not verified; name an authority"),
        (BAD, "wrong       login: refused; look at the log"),
        (LEFT, "not checked rights: because login failed"),
    ],
)
def test_a_check_is_one_line(check, line):
    assert str(check) == line


def test_what_a_stranger_said_stays_on_its_line_and_colours_nothing():
    assert str(fine("tcp", "a\nwrong b\x1b[31m\x9b\u2028c")) == "ok          tcp: a?wrong b?[31m??c"


@pytest.mark.parametrize(("checks", "good"), [((), True), ((GOOD, SOSO), True), ((GOOD, BAD), False), ((LEFT,), False)])
def test_warnings_are_no_failure_and_what_was_not_checked_is(checks, good):
    assert passed(checks) is good
    assert document(checks)["ok"] is good


def test_the_document_says_the_same():
    assert document([BAD]) == {
        "ok": False,
        "checks": [{"name": "login", "verdict": "wrong", "what": "refused", "next": "look at the log"}],
    }


def test_findings_of_the_files_come_worst_first_and_a_mistake_is_wrong():
    found = [Problem("f", "c", "x", Severity.WARNING), Problem("f", "b", "x", Severity.MISTAKE), Problem("f", "a", "x")]
    assert [(check.verdict, check.what) for check in of_problems(found)] == [
        (Verdict.WRONG, "f: a"),
        (Verdict.WRONG, "f: b"),
        (Verdict.WARNING, "f: c"),
    ]
