"""Graphviz that is missing, fails, hangs or says nothing is one sentence with the next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from usher.graphviz import GraphvizError, picture


@pytest.fixture
def program(tmp_path: Path):
    """A program in the place of dot."""

    def made(script: str, mode: int = 0o755) -> str:
        file = tmp_path / "dot"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(mode)
        return str(file)

    return made


def refused(program: str, seconds: float = 30.0) -> str:
    with pytest.raises(GraphvizError) as refusal:
        picture("digraph {}", "svg", program, seconds)
    said = str(refusal.value)
    assert said.endswith("--format dot writes its text, which Graphviz draws elsewhere")
    assert "\n" not in said
    return said


def test_it_gets_the_text_and_answers_the_picture(program):
    assert picture("digraph {}", "svg", program('echo "$@"; cat')) == b"-Tsvg\ndigraph {}"
    assert picture("", "png", program('echo "$@"')) == b"-Tpng -Gdpi=144\n"


def test_it_is_missing(tmp_path):
    assert "is not on the PATH, and svg needs it: install graphviz; or " in refused(str(tmp_path / "none"))


def test_it_fails(program):
    said = refused(program("printf 'Error: \\033[31mno plugin\\nmore\\n' >&2; exit 3"))
    assert "of Graphviz made no svg (Error: \\x1b[31mno plugin): mend its installation" in said
    assert "made no svg (exit code 4)" in refused(program("exit 4"))


def test_it_says_nothing(program):
    assert "made no svg (exit code 0)" in refused(program("exit 0"))


def test_it_does_not_read(program):
    with pytest.raises(GraphvizError, match="made no svg"):
        picture("x" * 1_000_000, "svg", program("exec <&-; exit 1"))


def test_it_hangs(program):
    assert "made no picture within 0.2 seconds and was ended" in refused(program("exec sleep 60"), 0.2)


def test_it_cannot_be_run(program):
    assert "cannot be run (Permission denied): mend that" in refused(program("", 0o644))
