"""Where progress is shown: terminals are redrawn, everything else gets plain lines."""

from __future__ import annotations

from io import StringIO

from fsm.states import State
from usher.display import Display
from usher.progress import View


def view(arrived: int, seconds: float) -> View:
    return View(3, {State.PROVISIONED: arrived}, seconds)


def test_what_is_no_terminal_gets_lines_without_escapes():
    stream = StringIO()
    display = Display(stream)
    display.show(view(0, 0.0))
    display.show(view(3, 2.0), last=True)
    assert stream.getvalue() == "0 s: 0 of 3 provisioned; 3 unseen\n2 s: 3 of 3 provisioned\n"


def test_a_line_that_says_nothing_new_is_not_said():
    stream = StringIO()
    display = Display(stream)
    for second in range(5):
        display.show(view(1, float(second)), last=second == 4)
    assert stream.getvalue().count("\n") == 1


def test_at_most_one_line_a_second_but_the_last_always():
    stream = StringIO()
    display = Display(stream)
    for number, seconds in enumerate((0.0, 0.2, 0.4)):
        display.show(view(number, seconds))
    assert stream.getvalue().count("\n") == 1
    display.show(view(3, 0.5), last=True)
    assert stream.getvalue().endswith("3 of 3 provisioned\n")


def test_a_terminal_is_drawn_anew_over_what_was_drawn():
    stream = StringIO()
    display = Display(stream, terminal=True)
    display.show(view(0, 0.0))
    display.show(view(1, 0.1))
    assert stream.getvalue().count("\x1b[8A\r\x1b[J") == 1


def test_what_is_said_stays_above_the_next_screen():
    stream = StringIO()
    display = Display(stream, terminal=True)
    display.show(view(0, 0.0))
    display.say("stays")
    display.show(view(1, 0.1))
    assert "stays\n\r\x1b[J" in stream.getvalue()


def test_quiet_shows_nothing():
    stream = StringIO()
    display = Display(stream, quiet=True)
    display.say("hello")
    display.show(view(3, 1.0), last=True)
    assert stream.getvalue() == ""
