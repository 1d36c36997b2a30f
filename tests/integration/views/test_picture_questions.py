"""What `usher diagram` cannot answer is one sentence and an exit code."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.written import LIVES, write_database
from tests.integration.views.conftest import AT, SEEN, iso
from usher.cli import main


def test_a_node_that_never_existed(ask):
    said = ask("--node", "web2.example.com", code=1)
    assert said.startswith("usher: no node is known by the name web2.example.com; did you mean web2.example.net")


def test_a_time_before_the_first_row(ask):
    for words in (["--node", "web2.example.net"], ["--counts"]):
        said = ask(*words, "--at", iso(SEEN - 1), code=2)
        assert said.startswith("usher: nothing is recorded of ")
        assert "; the first row that is kept is of " in said


def test_a_time_before_the_node(ask, tmp_path):
    lives = {"a.example.net": LIVES["web1.example.net"]}
    folder = asyncio.run(write_database(tmp_path, AT, lives=lives))
    asyncio.run(write_database(folder, AT + 600_000, lives={"b.example.net": LIVES["web3.example.net"]}))
    said = ask("--node", "b.example.net", "--at", iso(AT), code=1, state=folder)
    assert said.startswith("usher: b.example.net has no history at ")


def test_a_time_that_is_to_come_and_one_that_is_none(ask, capsys):
    assert "is still to come" in ask("--counts", "--at", "2999-01-01", code=2)
    with pytest.raises(SystemExit, match="2"):
        main(["diagram", "--counts", "--at", "soon"])
    assert "'soon' is no time" in capsys.readouterr().err


def test_a_time_without_anything_that_has_one(ask):
    assert ask("--at", "1h", code=2).startswith("usher: --at needs --node NODE or --counts")


def test_a_file_without_a_name(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["diagram", "--out", ""])
    assert "it is empty: name the file, or leave --out out" in capsys.readouterr().err


def test_two_pictures_at_once(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["diagram", "--counts", "--effects"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_no_database(ask, tmp_path):
    for words in (["--counts"], ["--node", "a"]):
        said = ask(*words, code=2, state=tmp_path / "none")
        assert said.startswith(f"usher: there is no database in {tmp_path / 'none'}")


def test_an_ending_that_is_no_format(ask, tmp_path):
    said = ask("--out", tmp_path / "a.jpg", code=2)
    assert said == "usher: no format ends in .jpg: say --format with one of mermaid, dot, json, svg, png\n"


def test_a_file_that_exists_is_not_written_over(ask, tmp_path):
    (tmp_path / "a.dot").write_text("mine")
    said = ask("--out", tmp_path / "a.dot", code=2)
    assert said == (
        f"usher: {tmp_path / 'a.dot'} exists, and is not written over: remove it, or name another file with --out\n"
    )
    assert (tmp_path / "a.dot").read_text() == "mine"


@pytest.mark.parametrize("out", ["none/a.dot", "a\0.dot"])
def test_a_file_that_cannot_be_written(ask, tmp_path, out):
    said = ask("--out", f"{tmp_path}/{out}", code=2)
    assert "cannot be written (" in said
    assert said.endswith("): name another file with --out\n")


def test_without_graphviz_the_next_step_is_named(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = ask("--format", "svg", code=2)
    assert said.startswith("usher: dot of Graphviz is not on the PATH, and svg needs it: install graphviz; or ")
    ask("--out", tmp_path / "a.svg", code=2)
    assert not (tmp_path / "a.svg").exists()
