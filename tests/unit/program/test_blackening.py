"""The last line of defence: a secret that somebody logs all the same is in no line."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading

import pytest

from tests.fakes.log import Log
from usher.blackening import Blackening
from usher.logs import hide, say, unhandled

SECRETS = ("correcthorse", 'qu"o\\te', "Zażółć gęślą", "line\nbreak", "node")


@pytest.mark.parametrize("secret", SECRETS)
def test_no_known_secret_is_in_a_line(log: Log, secret: str):
    hide([secret])
    fields = {"node": f"a {secret}", "seq": 5, "list": [secret, {"x": secret}], "error": ValueError(secret)}
    say(logging.getLogger("machine"), logging.WARNING, f"it said {secret}!", **fields)
    (document,) = log.lines
    assert secret not in json.dumps(list(document.values()))
    assert (document["msg"], document["seq"]) == ("it said [redacted]!", 5)
    assert list(document)[:4] == ["level", "msg", "time", "component"]
    assert document["list"] == ["[redacted]", {"x": "[redacted]"}]


def test_short_texts_and_clean_lines_are_left_alone(log: Log):
    hide(["abc", ""])
    say(logging.getLogger("machine"), logging.WARNING, "abc is no secret", none=None, yes=True)
    (document,) = log.lines
    assert (document["msg"], document["none"], document["yes"]) == ("abc is no secret", None, True)


def test_the_longer_of_two_goes_first():
    blackening = Blackening()
    blackening.add(["secret"])
    blackening.add(["secret-and-more"])
    assert blackening.value("a secret-and-more b") == "a [redacted] b"


def test_a_trace_in_the_log_has_no_words_of_an_exception(log: Log):
    try:
        int("correcthorse")
    except ValueError:
        logging.getLogger("broker").exception("a bug in a discovery")
    (document,) = log.lines
    assert "correcthorse" not in log.text
    assert document["trace"].endswith("\nValueError")
    assert "test_a_trace_in_the_log" in document["trace"]


async def test_what_the_loop_says_of_an_exception_that_nobody_took_quotes_nobody(log: Log):
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(unhandled)
    over = loop.create_future()
    loop.call_soon(int, "correcthorse")
    loop.call_soon(over.set_result, None)
    await over
    loop.set_exception_handler(before)
    (document,) = log.lines
    assert document["msg"] == "a bug beside the handling of nodes: ValueError"
    assert "correcthorse" not in log.text


SCRIPT = """
import sys, threading
from usher import hooks
hooks.install()
class Loud:
    def __del__(self):
        int("correcthorse")
Loud()
thread = threading.Thread(target=int, args=("correcthorse",))
thread.start()
thread.join()
raise KeyError("correcthorse") from ValueError("correcthorse")
"""


def test_the_interpreters_own_words_of_an_exception_quote_nobody():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("usher: this is a bug: ") == 3
    assert "correcthorse" not in done.stderr.replace('int("correcthorse")', "")
    assert "KeyError" in done.stderr
    assert threading.excepthook is not None
