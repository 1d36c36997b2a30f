"""Names that operators deny: which words can be, what stands after which decision, what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.identity import is_safe
from tests.fakes.cluster_talk import LINEAGES, decision
from tests.unit.program.alone import made, usher
from transport.wire.decisions import Kind, is_pattern
from usher import cli, operate
from usher.denied import Denial, NotDeniedError, WordError, after, document, lines, plain, subject

CI = "/^ci-/"


@pytest.mark.parametrize(
    ("word", "pattern", "has", "has_not"),
    [
        ("web1.example.net", "/^web1\\.example\\.net$/", "web1.example.net", "xweb1.example.net"),
        (CI, CI, "ci-7.example.net", "web1.ci-7"),
        ("web-1.example.net", r"/^web\-1\.example\.net$/", "web-1.example.net", "web-1.example.net.b"),
        ("/lab/", "/lab/", "web1.lab.example.net", "web1.example.net"),
    ],
)
def test_a_word_is_a_name_or_a_pattern(word: str, pattern: str, has: str, has_not: str):
    assert subject(word) == pattern
    assert plain(pattern) == word
    assert is_pattern(pattern)
    assert not is_safe(pattern)
    denial = Denial(pattern, 1, "anna", "why")
    assert denial.expression.search(has)
    assert not denial.expression.search(has_not)


@pytest.mark.parametrize("word", ["^ci-", "", "//", "/ /", "/(/", "/a\n/", "/" + "a" * 300 + "/", "-..-", "/ci", "a b"])
def test_anything_else_is_refused_in_one_sentence(word: str):
    with pytest.raises(WordError) as refused:
        subject(word)
    assert "\n" not in str(refused.value)
    assert "web1.example.net" in str(refused.value)


def test_of_two_decisions_on_one_pattern_the_later_stands():
    denied = after((), [decision("/b/", 5, Kind.DENY, by="anna", reason="a lab")], LINEAGES["a"])
    denied = after(denied, [decision(CI, 6, Kind.DENY, "b", by="bert")], LINEAGES["a"])
    denied = after(denied, [decision(CI, 7, Kind.DENY, "b", by="bert", reason="too many")], LINEAGES["a"])
    assert denied == (Denial(CI, 7, "bert at b", "too many"), Denial("/b/", 5, "anna", "a lab"))
    assert after(denied, [decision(CI, 8, Kind.ALLOW)], LINEAGES["a"]) == denied[1:]


def test_the_status_has_a_line_for_each():
    (line,) = lines(document([Denial(CI, 1_000, "anna", "too many")]), 61_000)
    assert line == "denied     /^ci-/ 1m ago by anna: too many"


def test_who_allows_what_nobody_denied_hears_what_is_denied():
    assert str(NotDeniedError("/a/", ("/b/", "/c/"))) == "nobody has denied /a/: denied are /b/ /c/"
    assert str(NotDeniedError("/a/", ())) == "nobody has denied /a/: nothing is"


def test_without_a_daemon_it_is_kept_for_the_next_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = made(tmp_path / "state")
    assert usher(state, "deny", CI, "web1.example.net") == operate.WELL
    (first, second) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("denied "))
    assert first.split()[1:2] + second.split()[1:2] == [CI, "web1.example.net"]
    assert usher(state, "allow", "web1.example.net", "--json") == operate.WELL
    (denied,) = json.loads(capsys.readouterr().out)["denied"]
    assert (denied["pattern"], denied["reason"]) == (CI, "smoke")
    assert usher(state, "allow", "web1.example.net") == operate.TROUBLE
    assert capsys.readouterr().err == "usher: nobody has denied web1.example.net: denied are /^ci-/\n"
    assert usher(state, "deny", "^ci-") == operate.WRONG
    assert cli.main(["db", "check", "--state", str(state)]) == 0
