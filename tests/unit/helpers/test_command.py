"""The command line is split as a shell splits it, without expansion."""

from __future__ import annotations

import pytest

from helpers.command import CommandError, split_command


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/etc/helper", ("/etc/helper",)),
        (" a  b\tc\nd ", ("a", "b", "c", "d")),
        ("a 'b c' \"d e\"", ("a", "b c", "d e")),
        ("a'b'\"c\"d", ("abcd",)),
        ("a '' \"\"", ("a", "", "")),
        (r"a b\ c \"d", ("a", "b c", '"d')),
        (r'a "b\"c\$d\`e\\f\g"', ("a", 'b"c$d`e\\f\\g')),
        ("a 'b\\c'", ("a", "b\\c")),
        ('a b\\\nc "d\\\ne"', ("a", "bc", "de")),
        ("a $HOME *.x ~ # ; | > &", ("a", "$HOME", "*.x", "~", "#", ";", "|", ">", "&")),
    ],
)
def test_words(command: str, words: tuple[str, ...]):
    assert split_command(command) == words


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("'' a", "it is empty"),
        ("a 'b", "a single quote is not closed"),
        ('a "b', "a double quote is not closed"),
        ('a "b\\', "a double quote is not closed"),
        ("a \\", "it ends with a backslash"),
        ("a\0b", "it has a NUL character in it"),
    ],
)
def test_mistakes_are_named(command: str, what: str):
    with pytest.raises(CommandError) as caught:
        split_command(command)
    assert caught.value.detail == what
    assert what in str(caught.value)
