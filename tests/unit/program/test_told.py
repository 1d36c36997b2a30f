"""What usher tells: lines of the log, counts, warnings, each after it is durable."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm.effects import Effect, Intent
from fsm.events import Certainty, HelperFacts, HintKind, TokenFacts, Verb, Verdict
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import pass_time
from tests.fakes.runtime import DIGEST, FACTS, NODE, Rig, done, failed, names, virtual
from transport.reports import Complaint, Connected, Disconnected, Refused
from usher.compat import Compat
from usher.logs import Bridge, Lines, LogFileError, TransitionLog, log_report, say, set_up
from usher.tally import Tally

HOSTILE = "\x1b[31mred\x07\nlevel=fatal\u2028\ud800"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was before when the test is over."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    for handler in before:
        root.removeHandler(handler)
    yield root
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    for name in ("nats", "asyncio"):
        logging.getLogger(name).setLevel(logging.NOTSET)


class Log:
    """Everything is logged to a file, and can be read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        set_up(str(file), "debug")

    @property
    def text(self) -> str:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, Bridge):
                handler.lines.flush()
        return self._file.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.split("\n")[:-1]]


@pytest.fixture
def log(tmp_path: Path, root: logging.Logger) -> Log:  # noqa: ARG001 it is put back after the log
    return Log(tmp_path / "usher.log")


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


@pytest.mark.parametrize("name", ["stdout", "stderr", ""])
@pytest.mark.usefixtures("root")
def test_streams(name: str, capsys: pytest.CaptureFixture[str]):
    set_up(name, "nonsense")
    logging.getLogger("one").warning("hello")
    logging.getLogger("one").info("unheard")
    said, wrong = capsys.readouterr()
    assert json.loads(said if name == "stdout" else wrong)["msg"] == "hello"


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


def observed(rig: Rig, *observers: Any) -> None:
    """Have these told too."""

    class Both:
        def __getattr__(self, name: str) -> Any:
            def tell(*what: Any) -> None:
                for observer in (rig.watcher, *observers):
                    getattr(observer, name)(*what)

            return tell

    rig.engine._observer = Both()


def test_one_line_a_transition(log: Log):
    @virtual
    async def play(rig: Rig) -> None:
        rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: failed(
            intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False
        )
        observed(rig, TransitionLog())
        rig.seen(NODE)
        await rig.until_state(State.FAILED)
        await rig.ask(NODE, Verb.QUARANTINE)
        rows.extend(rig.rows())

    rows: list[str] = []
    play()
    machine = [line for line in log.lines if line["component"] == "machine" and "row" in line]
    assert [line["row"] for line in machine] == rows
    assert [line["seq"] for line in machine] == list(range(1, len(rows) + 1))
    assert all({"level", "msg", "time", "component", "node", "generation", "epoch"} <= line.keys() for line in machine)
    fail, quarantine = machine[-2:]
    assert (fail["level"], fail["reason"], fail["source"], fail["target"]) == (
        "warn", "helper_failed", "inventoried", "failed",
    )  # fmt: skip
    assert (quarantine["operator"], quarantine["why"]) == ("anna", "a test")
    assert machine[1]["effect"] == "fetch_jwt"


def test_a_bug_is_logged_with_its_trace(log: Log):
    @virtual
    async def play(rig: Rig) -> None:
        rig.performer.scripts[Effect.FETCH_JWT] = lambda _: ZeroDivisionError(HOSTILE)
        observed(rig, TransitionLog())
        rig.seen(NODE)
        await rig.until_state(State.FAILED)

    play()
    (bug,) = [line for line in log.lines if "trace" in line]
    assert (bug["level"], bug["component"]) == ("error", "machine")
    assert "ZeroDivisionError" in bug["trace"]


@virtual
async def test_the_tally_equals_what_the_store_holds(rig: Rig):
    tally = Tally({State.GONE: 2}, {})
    observed(rig, tally)
    count = 0

    def helper(intent: Intent) -> Outcome:
        nonlocal count
        count += 1
        return done(intent) if count % 3 else failed(intent, Certainty.REFUSED, Reason.HELPER_FAILED, transient=False)

    rig.performer.scripts[Effect.RUN_HELPER] = helper
    rig.seen(*names(30))
    for seconds in (3, 3, 30):
        await pass_time(seconds)
        stored = Counter(rig.snapshot(node).state for node in names(30))
        assert {state: number for state, number in tally.states.items() if number} == stored + Counter({State.GONE: 2})
    await rig.ask(names(30)[0], Verb.QUARANTINE)
    assert tally.reasons[Reason.QUARANTINED] == 1
    await rig.ask(names(30)[0], Verb.FORGET)
    assert sum(tally.states.values()) == 31
    assert Reason.QUARANTINED not in tally.reasons
    rig.seen(names(30)[1], kind=HintKind.SHUTDOWN)
    await rig.until(lambda: tally.ignored["farewell"] == 1)


def test_a_node_is_warned_about_once_and_each_check_counts(log: Log):
    counted: Counter[str] = Counter()

    @virtual
    async def play(rig: Rig) -> None:
        def sign(intent: Intent) -> Outcome:
            said = "exp is a point in time" if intent.id.node.startswith("n0001") else "a collective has spaces"
            token = TokenFacts("2Q", DIGEST, 1, "ab12", said, "" if "exp" in said else "collective_spaces")
            return done(intent, token)

        rig.performer.scripts[Effect.SIGN_TOKEN] = sign
        observed(rig, Compat(lambda check: counted.update([check])))
        rig.seen(*names(2))
        await rig.until_all(State.PROVISIONED, 2)
        for node in names(2):
            await rig.ask(node, Verb.REPROVISION)
        await rig.until(lambda: rig.states()[State.REPROVISION] == 0)
        await rig.until_all(State.PROVISIONED, 2)

    play()
    said = sorted((line["node"][:5], line["msg"]) for line in log.lines if line["component"] == "compat")
    assert said == [("n0000", "a collective has spaces"), ("n0001", "exp is a point in time")]
    assert counted == {"collective_spaces": 2}


@virtual
async def test_who_was_warned_about_is_bounded(rig: Rig):
    compat = Compat(lambda _: None, bound=3)
    rig.performer.scripts[Effect.SIGN_TOKEN] = lambda intent: done(
        intent, replace(FACTS[Effect.SIGN_TOKEN], warning="w")
    )
    observed(rig, compat)
    rig.seen(*names(10))
    await rig.until_all(State.PROVISIONED, 10)
    assert len(compat._warned) == 3


def test_a_deferral_is_a_line_of_its_own(log: Log):
    @virtual
    async def play(rig: Rig) -> None:
        rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: done(
            intent, HelperFacts(DIGEST, Verdict.DEFER, "later")
        )
        observed(rig, TransitionLog())
        rig.seen(NODE)
        await rig.until_state(State.DEFERRED)

    play()
    line = next(line for line in log.lines if line.get("target") == "deferred")
    assert (line["level"], line["row"]) == ("info", "defer")
