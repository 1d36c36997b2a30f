"""Which files of a Choria client configuration are read, which lines of them, and which value counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usher.config.loading import working_directory
from usher.config.options import Options, read_options
from usher.config.problems import ConfigErrors, Problem, Severity

HOSTS = "plugin.choria.middleware_hosts"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "etc" / "plugin.d").mkdir(parents=True)
    (tmp_path / "etc" / "client.conf").write_text(f"identity = main\n{HOSTS} = main:1\n")
    return tmp_path / "etc"


def options(etc: Path, directory: Path | None = None, **environ: str) -> tuple[Options, list[Problem]]:
    return read_options(etc / "client.conf", environ, directory or etc)


def value(read: tuple[Options, list[Problem]], key: str) -> tuple[str, str] | None:
    option = read[0].get(key)
    return (option.value, option.where) if option else None


def test_every_file_in_its_order(etc: Path, tmp_path: Path):
    below = tmp_path / "work" / "below"
    below.mkdir(parents=True)
    (etc / "plugin.d" / "choria.cfg").write_text("middleware_hosts = plugin:1\n")
    (tmp_path / "choria.conf").write_text("identity = above\n")
    (below / "choria.conf").write_text("# near\nidentity = near\n")
    read = options(etc, below)
    assert value(read, "identity") == ("near", f"{below}/choria.conf line 2")
    assert value(read, HOSTS) == ("plugin:1", f"{etc}/plugin.d/choria.cfg line 1")
    assert read[0].files == (
        etc / "client.conf", etc / "plugin.d" / "choria.cfg", tmp_path / "choria.conf", below / "choria.conf",
    )  # fmt: skip
    assert [option.value for option in read[0].every["identity"]] == ["main", "above", "near"]
    assert read[1] == []


def test_the_last_of_a_file_counts_and_the_environment_after_it(etc: Path):
    (etc / "client.conf").write_text("plugin.choria.srv_domain = a\nplugin.choria.srv_domain = b\n")
    assert value(options(etc), "plugin.choria.srv_domain") == ("b", f"{etc}/client.conf line 2")
    read = options(etc, CHORIA_SRV_DOMAIN="c")
    assert value(read, "plugin.choria.srv_domain") == ("c", "the environment variable CHORIA_SRV_DOMAIN")


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("a=b", "a", "b"),
        ("  a \t=\t b c  \r", "a", "b c"),
        ("a = b # no comment", "a", "b # no comment"),
        ("a = = b", "a", "= b"),
        ("a b = c", "a b", "c"),
        ("=a=b", "=a", "b"),
        ('a = "b"', "a", '"b"'),
        ("A = b", "A", "b"),
    ],
)
def test_a_line_as_go_choria_reads_it(etc: Path, line: str, key: str, expected: str):
    (etc / "client.conf").write_text(f"{line}\n")
    read = options(etc)
    assert value(read, key) == (expected, f"{etc}/client.conf line 1")
    assert len(read[0].every) == 1


@pytest.mark.parametrize("line", ["", "   ", "# a = b", "  #a = b", "#"])
def test_what_is_no_line_at_all(etc: Path, line: str):
    (etc / "client.conf").write_text(f"{line}\n")
    assert options(etc) == (Options((etc / "client.conf",), {}), [])


@pytest.mark.parametrize(
    ("content", "line", "says", "kept"),
    [
        (b"a\n", 1, "not a line like", set()),
        (b"x = 1\na =\n", 2, "it sets nothing", {"x"}),
        (b"= a\n", 1, "it sets nothing", set()),
        (b"a = \xff\n", 1, "it is not UTF-8 text", {"a"}),
        (b"\xef\xbb\xbfa = b\nc = d\n", 1, "byte order mark", {"\ufeffa", "c"}),
        (b"a = b\nc = " + b"x" * 70_000 + b"\nd = e\n", 2, "longer than 65535 bytes", {"a"}),
    ],
)
def test_what_go_choria_drops_is_a_mistake_with_its_line(
    etc: Path, content: bytes, line: int, says: str, kept: set[str]
):
    (etc / "client.conf").write_bytes(content)
    read, problems = options(etc)
    assert set(read.every) == kept
    assert [(problem.severity, problem.where) for problem in problems] == [
        (Severity.MISTAKE, f"{etc}/client.conf line {line}")
    ]
    assert says in problems[0].what


def test_the_longest_line_that_go_reads(etc: Path):
    (etc / "client.conf").write_text(f"a = {'x' * (65535 - 4)}\nb = c\n")
    assert set(options(etc)[0].every) == {"a", "b"}


def test_plugin_files_are_not_read_for_a_file_in_the_home_directory(etc: Path, tmp_path: Path):
    (etc / "plugin.d" / "choria.cfg").write_text("middleware_hosts = plugin:1\n")
    read = options(etc, HOME=str(tmp_path))
    assert value(read, HOSTS) == ("main:1", f"{etc}/client.conf line 2")
    assert "it is not read, since" in read[1][0].what
    assert value(options(etc, HOME=""), HOSTS) == ("plugin:1", f"{etc}/plugin.d/choria.cfg line 1")


def test_what_does_not_count_in_plugin_d_is_said(etc: Path):
    directory = etc / "plugin.d"
    (directory / "choria.cfg").write_text(f"{HOSTS} = x:1\n")
    (directory / "choria.conf").write_text("middleware_hosts = y:1\n")
    (directory / "security.cfg").write_text("provider = file\n")
    (directory / "package.cfg").write_text("setting = 1\n")
    (directory / "choria.cfg.bak").write_text("middleware_hosts = z:1\n")
    read = options(etc)
    assert value(read, HOSTS) == ("main:1", f"{etc}/client.conf line 2")
    assert read[0].get("plugin.security.provider") is None
    assert [(problem.severity, problem.where) for problem in read[1]] == [
        (Severity.WARNING, f"{directory}/choria.conf"),
        (Severity.WARNING, f"{directory}/security.cfg"),
        (Severity.MISTAKE, f"{directory}/choria.cfg line 1"),
    ]
    assert read[1][2].next_step == "write `middleware_hosts`"


def test_a_plugin_d_that_is_a_file_is_none(etc: Path):
    (etc / "plugin.d").rmdir()
    (etc / "plugin.d").write_text("middleware_hosts = x:1\n")
    assert value(options(etc), HOSTS) == ("main:1", f"{etc}/client.conf line 2")


def test_a_relative_path_begins_in_the_working_directory(etc: Path):
    (etc / "plugin.d" / "choria.cfg").write_text("middleware_hosts = plugin:1\n")
    read = read_options(Path("plugin.d/../client.conf"), {}, etc)
    assert read[0].files == (etc / "client.conf", etc / "plugin.d" / "choria.cfg")


def test_a_project_file_that_is_a_directory_or_leads_nowhere_is_none(etc: Path, tmp_path: Path):
    (tmp_path / "choria.conf").mkdir()
    (etc / "choria.conf").symlink_to(tmp_path / "nowhere")
    assert options(etc)[0].files == (etc / "client.conf",)


def looping(etc: Path) -> str:
    (etc / "choria.conf").symlink_to(etc / "choria.conf")
    return f"{etc}/choria.conf: it cannot be read"


def missing(etc: Path) -> str:
    (etc / "client.conf").unlink()
    return f"{etc}/client.conf: there is no such file"


def directory_instead(etc: Path) -> str:
    (etc / "client.conf").unlink()
    (etc / "client.conf").mkdir()
    return f"{etc}/client.conf: it cannot be read: Is a directory"


def endless(etc: Path) -> str:
    (etc / "client.conf").unlink()
    (etc / "client.conf").symlink_to("/dev/zero")
    return f"{etc}/client.conf: it is larger than"


@pytest.mark.parametrize("damage", [looping, missing, directory_instead, endless])
def test_a_file_that_cannot_be_read_is_one_error_that_names_it(etc: Path, damage):
    said = damage(etc)
    with pytest.raises(ConfigErrors) as caught:
        options(etc)
    assert str(caught.value).startswith(said)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["client.conf", "choria.conf", "plugin.d", "plugin.d/choria.cfg"])
def test_what_may_not_be_read_is_one_error_that_names_it(etc: Path, name: str):
    if not (etc / name).exists():
        (etc / name).write_text("")
    (etc / name).chmod(0)
    with pytest.raises(ConfigErrors) as caught:
        options(etc)
    assert str(caught.value).startswith(f"{etc}/{name}: it cannot be read: Permission denied")


def test_the_working_directory_is_the_one_that_the_shell_says(tmp_path: Path):
    here = Path.cwd()
    assert working_directory({"PWD": str(tmp_path)}) == here
    (tmp_path / "link").symlink_to(here)
    assert working_directory({"PWD": str(tmp_path / "link")}) == tmp_path / "link"
    for odd in ("", "relative", "/\0", str(tmp_path / "absent")):
        assert working_directory({"PWD": odd}) == here
