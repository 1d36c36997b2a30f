"""Every example in the documents is what the program answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.written import write_database
from tests.unit.docs.pages import Example, blocks, commands, examples, pattern, plain, written
from usher.cli import _parser, main
from usher.views import common

EXAMPLES = [example for page in written() for example in examples(page)]
COMMANDS = sorted({words for page in written() for words in commands(page)})


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    return asyncio.run(write_database(folder, common.now()))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_is_what_usher_answers(example: Example, state, monkeypatch, capsys):
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    assert main(example.words) == 0
    answer = plain(capsys.readouterr().out)
    assert pattern(example.expected).fullmatch(answer), answer


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_that_is_named_exists_with_its_options(words):
    assert callable(_parser(words).parse_args([word.strip('"') for word in words]).run)


def test_there_is_something_to_run():
    assert len(EXAMPLES) >= 10
    assert len(COMMANDS) >= 8
    pages = {
        "README.md", "certificates.md", "database.md", "debugging.md", "install.md", "operating.md", "operations.md",
        "recovery.md", "stuck.md",
    }  # fmt: skip
    assert {example.page for example in EXAMPLES} == pages


def test_an_answer_that_differs_is_found():
    expected = "NODE  FOR\nweb1  4m 54s\n...\nlast at 2026-11-20T21:52:29+00:00\n"
    assert pattern(expected).fullmatch(plain("NODE FOR\nweb1  3s\nweb2  1h\nlast at 2027-01-01T00:00:00.123-05:00"))
    assert not pattern(expected).fullmatch(plain("NODE FOR\nweb3  3s\nlast at 2027-01-01T00:00:00+00:00"))
    assert not pattern("a.c\n").fullmatch(plain("abc"))


def test_blocks_say_what_they_are():
    for page in written():
        text = page.read_text(encoding="utf-8")
        fences = [line for line in text.splitlines() if line.startswith("```")]
        assert all(len(line) > 3 for line in fences[::2]), page
        assert all(line == "```" for line in fences[1::2]), page
        assert not [block for block in blocks(text, "console") if not block.startswith("$ usher ")], page
