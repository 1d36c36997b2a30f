"""What is told of an exception: types, places, our own lines, and nobody's words."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from fsm.errors import HelperError
from fsm.identity import is_safe
from fsm.reasons import Reason
from fsm.traces import OURS, told, trace, words
from usher.house import PACKAGES

SECRET = "correcthorse"


class Hostile(Exception):  # noqa: N818
    """An exception whose words cannot even be asked for"""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def caught(raiser: object) -> BaseException:
    assert callable(raiser)
    with pytest.raises(BaseException) as found:  # noqa: PT011
        raiser()
    return found.value


def chained() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        error.add_note(SECRET)
        raise OSError(errno.ENOENT, SECRET, SECRET) from ExceptionGroup(SECRET, [TypeError(SECRET), Hostile(SECRET)])


def in_our_code() -> None:
    is_safe(5)  # type: ignore[arg-type]


def test_a_chain_is_told_without_anybodys_words() -> None:
    text = trace(caught(chained))
    assert SECRET not in text
    for name in ("ExceptionGroup", "TypeError", "Hostile", "NotFoundError: No such file"):
        assert name in text, text
    assert "in chained" in text


def test_our_own_lines_are_shown_and_those_of_others_are_not():
    text = trace(caught(in_our_code))
    assert 'File "fsm/identity.py", line ' in text
    assert "in is_safe" in text
    assert "is_safe(5)" not in text
    source = (Path(__file__).parents[3] / "fsm" / "identity.py").read_text()
    shown = text.split("in is_safe\n")[1].split("\n")[0].strip()
    assert shown
    assert shown in source


def test_one_line_says_the_type_and_the_place():
    line = told(caught(in_our_code))
    assert line.startswith("TypeError in fsm/identity.py:")
    assert told(ValueError(SECRET)) == "ValueError"


def test_an_error_of_usher_says_its_docstring_and_nothing_of_its_fields():
    error = HelperError(Reason.HELPER_FAILED, SECRET, SECRET, SECRET)
    assert words(error) == "The helper did not give a usable answer"
    assert SECRET not in trace(error)


def test_a_context_is_told_unless_it_was_suppressed():
    def hidden() -> None:
        try:
            int(SECRET)
        except ValueError:
            raise KeyError(SECRET) from None

    def shown() -> None:
        try:
            int(SECRET)
        except ValueError:
            raise KeyError(SECRET)  # noqa: B904

    assert "ValueError" not in trace(caught(hidden))
    assert "ValueError" in trace(caught(shown))
    assert SECRET not in trace(caught(shown))


def test_an_endless_chain_and_a_deep_one_end():
    one, two = ValueError(SECRET), KeyError(SECRET)
    one.__context__, two.__context__ = two, one
    assert trace(one).count("ValueError") == 1

    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        raise asyncio.CancelledError(SECRET)

    text = trace(caught(lambda: deep(200)))
    assert text.count("in deep") == 64
    assert text.endswith("\nCancelledError")


def test_our_packages_are_those_of_the_house():
    assert set(OURS) == set(PACKAGES)
