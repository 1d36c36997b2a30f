"""Lines of the log: their keys, and that no word of anybody steers a terminal or ends the writer."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from tests.fakes.log import Log
from transport.reports import Complaint, Connected, Disconnected, Refused
from usher.logs import CHECKPOINTS, Bridge, Lines, LogFileError, log_report, say, set_up

HOSTILE = "\x1b[31mred\x07\nlevel=fatal\u2028\ud800"


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


def test_a_json_line_has_the_keys_of_the_older_program_and_no_control_character(log: Log):
    say(logging.getLogger("machine"), logging.WARNING, HOSTILE, node=HOSTILE, seq=5, big=10**30)
    assert "".join(log.text.split("\n")).isprintable()
    (document,) = log.lines
    assert list(document)[:4] == ["level", "msg", "time", "component"]
    assert (document["level"], document["msg"], document["component"]) == ("warn", HOSTILE, "machine")
    assert (document["node"], document["seq"]) == (HOSTILE, 5)
    assert document["time"][10] == "T"


def test_what_steers_a_terminal_in_other_ways_is_written_out_too(log: Log):
    say(logging.getLogger("machine"), logging.WARNING, "a\x7f\x9b31m\u202e\u2028b", node="\U000e0001")
    assert log.text.strip("\n").isprintable()
    (document,) = log.lines
    assert (document["msg"], document["node"]) == ("a\x7f\x9b31m\u202e\u2028b", "\U000e0001")


@pytest.mark.parametrize(
    ("level", "name"), [(10, "debug"), (20, "info"), (30, "warn"), (40, "error"), (50, "fatal"), (35, "level 35")]
)
def test_levels_are_named_as_the_older_program_names_them(log: Log, level: int, name: str):
    say(logging.getLogger("machine"), level, "x")
    assert [line["level"] for line in log.lines] == [name]


@pytest.fixture
def terminal(root: logging.Logger) -> Terminal:
    made = Terminal()
    root.addHandler(Bridge(Lines(made, plain=True, close=False)))
    return made


def test_a_plain_line_is_one_line_for_a_terminal(terminal: Terminal):
    say(logging.getLogger("machine"), logging.WARNING, HOSTILE, node=HOSTILE, nothing=None)
    text = terminal.getvalue()
    assert text.count("\n") == 1
    assert text.strip("\n").isprintable()
    assert "nothing" not in text
    assert "\\x1b[31mred\\x07" in text


def test_a_trace_cannot_speak_to_a_terminal(terminal: Terminal):
    logging.getLogger("machine").error("a bug", exc_info=ValueError(HOSTILE))
    text = terminal.getvalue()
    assert "ValueError" in text
    assert "".join(text.split("\n")).isprintable()


def test_a_field_cannot_stand_for_a_key_of_the_line(log: Log):
    say(logging.getLogger("machine"), logging.WARNING, "said", level_="x", msg="forged", component="forged")
    (document,) = log.lines
    assert (document["msg"], document["component"]) == ("said", "machine")


def test_a_disk_that_is_full_does_not_end_the_writer(root: logging.Logger):
    full = Path("/dev/full").open("w")  # noqa: SIM115 the lines close it
    root.addHandler(Bridge(Lines(full, plain=False, close=True)))
    logging.getLogger("machine").error("lost")
    for handler in root.handlers:
        handler.close()
    root.handlers.clear()


def test_a_log_file_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(LogFileError, match=r"usher\.log"):
        set_up(str(tmp_path / "none" / "usher.log"), "info")


@pytest.mark.usefixtures("root")
def test_a_log_file_gets_json_and_a_level_is_a_level(tmp_path: Path):
    set_up(str(tmp_path / "usher.log"), "info")
    say(logging.getLogger("one"), logging.INFO, "hello", node="n")
    say(logging.getLogger("one"), logging.DEBUG, "unheard")
    set_up("discard", "debug")
    say(logging.getLogger("one"), logging.ERROR, "discarded")
    (line,) = (tmp_path / "usher.log").read_text().splitlines()
    assert json.loads(line)["msg"] == "hello"


@pytest.mark.parametrize("name", ["stdout", "stderr", "", "/dev/stdout", "/dev/stderr"])
@pytest.mark.usefixtures("root")
def test_streams(name: str, capsys: pytest.CaptureFixture[str]):
    set_up(name, "nonsense")
    logging.getLogger("one").warning("hello")
    logging.getLogger("one").info("unheard")
    said, wrong = capsys.readouterr()
    assert json.loads(said if name.endswith("stdout") else wrong)["msg"] == "hello"


def test_every_report_of_a_connection_is_a_line(log: Log):
    for report in (
        Connected("rpc", "c1", "nats://b"),
        Disconnected("rpc", "c1", "nats://b", "EOF", 3),
        Refused("rpc", "nats://b", "Authorization Violation", 1.25),
        Complaint("events", "c2", "nats://b", "Permissions Violation"),
    ):
        log_report(report)
    assert [line["level"] for line in log.lines] == ["info", "warn", "warn", "warn"]
    assert {line["component"] for line in log.lines} == {"broker"}


@pytest.mark.parametrize("level", ["debug", "warn", "fatal"])
def test_a_checkpoint_is_written_whatever_the_level_is(tmp_path: Path, level: str):
    set_up(str(tmp_path / "usher.log"), level)
    say(logging.getLogger(CHECKPOINTS), logging.INFO, "checkpoint", number=1)
    set_up("discard", "warn")
    (line,) = (tmp_path / "usher.log").read_text().splitlines()
    assert (json.loads(line)["component"], json.loads(line)["number"]) == (CHECKPOINTS, 1)
