"""Choria configuration files as go-choria reads them: which files, which lines, and which value of a setting counts.

Rules:
1. `key = value`, one a line; a line that begins with `#` is a comment; a key without a value is not there; the last
   value counts, whichever file it is in, and all the others are known too.
2. The file itself; then `plugin.d/choria.cfg` beside it, its keys without `plugin.choria.`, unless the file is in the
   user's home; then every `choria.conf` from `/` down to the working directory; then the environment.
3. What go-choria drops without a word is dropped here with one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usher.config.problems import ConfigErrors, Problem, Severity

PLUGIN: Final = "plugin.choria."
_LINE: Final = re.compile(r"(.+?)[\t\f\r ]*=[\t\f\r ]*(.+)")
_ON: Final = frozenset({"1", "yes", "true", "y", "t"})
_OFF: Final = frozenset({"0", "no", "false", "n", "f"})
_LARGEST: Final = 1 << 20
_LONGEST: Final = 64 * 1024 - 1
"""Bytes of the longest line: Go's scanner ends at a longer one, and nothing below it counts."""
_SYSTEM_FILES: Final = (
    Path("/etc/choria/client.conf"),
    Path("/usr/local/etc/choria/client.conf"),
    Path("/etc/puppetlabs/mcollective/client.cfg"),
)
_NOT_THEIR_OWN: Final = ("nats.cfg", "security.cfg")
_ALWAYS: Final = {"plugin.choria.srv_domain": "CHORIA_SRV_DOMAIN"}
"""Settings that their variable decides whenever it is set."""
_IF_WRITTEN: Final = {
    "plugin.nats.user": "MCOLLECTIVE_NATS_USERNAME",
    "plugin.nats.pass": "MCOLLECTIVE_NATS_PASSWORD",
    "plugin.nats.credentials": "MCOLLECTIVE_NATS_CREDENTIALS",
}
"""Settings that their variable decides if a file sets them too: go-choria looks at it when it meets the key."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting's value, and where it is from: a line of a file, or a variable of the environment."""

    value: str
    file: Path = Path()
    line: int = 0
    variable: str = ""

    @property
    def where(self) -> str:
        """Where it is from, in words."""
        return f"the environment variable {self.variable}" if self.variable else f"{self.file} line {self.line}"

    @property
    def words(self) -> tuple[str, ...]:
        """The value as a comma separated list."""
        return tuple(word.strip() for word in self.value.split(","))

    @property
    def switch(self) -> bool | None:
        """The value as a boolean, None if it is none: go-choria takes that as off."""
        word = self.value.strip().lower()
        return True if word in _ON else False if word in _OFF else None


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of the `files` that were read: all values of each key, the one that counts last."""

    files: tuple[Path, ...]
    every: Mapping[str, tuple[Option, ...]]

    def get(self, key: str) -> Option | None:
        """The value that counts."""
        values = self.every.get(key)
        return values[-1] if values else None


def user_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where go-choria looks when no file is named, in order (wire/provisioning.md §3.1)."""
    home = environ.get("HOME", "")
    mine = (Path(home, ".choriarc"), Path(home, ".mcollective")) if home else ()
    return (*mine, *_SYSTEM_FILES)


def user_file(environ: Mapping[str, str]) -> Path:
    """The first of them that is there; the last, if none is."""
    places = user_files(environ)
    return next((place for place in places if is_there(place)), places[-1])


def is_there(path: Path) -> bool:
    """Whether there is such a file, as go-choria asks: what may not be looked at is there."""
    try:
        path.stat()
    except (FileNotFoundError, ValueError):
        return False
    except OSError:
        return True
    return True


def read_options(path: Path, environ: Mapping[str, str], directory: Path) -> tuple[Options, list[Problem]]:
    """The settings of a file and of those that go with it, and what is strange in them; raises ConfigErrors.

    `directory` is the working directory.
    """
    main = Path(os.path.normpath(directory / path))
    every: dict[str, list[Option]] = {}
    strange: list[Problem] = []
    files = [(main, ""), *_plugin_files(main, environ, strange), *_project_files(directory)]
    for file, prefix in files:
        for key, option in _settings(file, strange):
            every.setdefault(prefix + key, []).append(option)
            if prefix and key.startswith(PLUGIN):
                what = f"it does not count: the keys of this file stand without `{PLUGIN}`"
                strange.append(_mistake(option.where, f"{key}: {what}", f"write `{key.removeprefix(PLUGIN)}`"))
    for key, variable in _ALWAYS.items() | _IF_WRITTEN.items():
        if variable in environ and (key in _ALWAYS or key in every):
            every.setdefault(key, []).append(Option(environ[variable], variable=variable))
    return Options(tuple(file for file, _ in files), {key: tuple(values) for key, values in every.items()}), strange


def _plugin_files(main: Path, environ: Mapping[str, str], strange: list[Problem]) -> list[tuple[Path, str]]:
    """Only `choria.cfg`: go-choria reads the other `*.cfg` too, but none of its own settings from them."""
    home = environ.get("HOME", "")
    directory = main.parent / "plugin.d"
    try:
        names = sorted(os.listdir(directory)) if directory.is_dir() else []  # noqa: PTH208 names are all that is needed
    except OSError as error:
        raise _refusal(directory, f"it cannot be read: {error.strerror}", "look at its owner and mode") from None
    found = [(directory / name, PLUGIN) for name in names if name == "choria.cfg"]
    if home and str(main).startswith(home):
        for file, _ in found:
            what = f"it is not read, since {main} is in the home directory {home}"
            strange.append(_warning(str(file), what, f"move its settings into {main}"))
        return []
    for name in names:
        if name == "choria.conf":
            what = "it is not read: go-choria reads files of plugin.d that end with .cfg"
            strange.append(_warning(str(directory / name), what, "rename it to choria.cfg"))
        if name in _NOT_THEIR_OWN:
            what = "it sets nothing here: go-choria takes its own settings from choria.cfg alone"
            next_step = f"move its lines into {main}, with `plugin.{name.removesuffix('.cfg')}.` before each key"
            strange.append(_warning(str(directory / name), what, next_step))
    return found


def _project_files(directory: Path) -> list[tuple[Path, str]]:
    places = [*reversed(directory.parents), directory]
    return [(file, "") for place in places if is_there(file := place / "choria.conf") and not file.is_dir()]


def _settings(path: Path, strange: list[Problem]) -> Iterator[tuple[str, Option]]:
    for number, raw in enumerate(_lines(path), 1):
        where = f"{path} line {number}"
        if len(raw) > _LONGEST:
            what = f"it is longer than {_LONGEST} bytes: go-choria reads neither it nor what is below"
            strange.append(_mistake(where, what, "break it off, or remove it"))
            return
        line = raw.decode("utf-8", "replace").strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.search(line)
        if match is None:
            what = "it sets nothing" if "=" in line else "it is not a line like `key = value`"
            strange.append(_mistake(where, what, "complete it, or remove it"))
            continue
        if "\ufffd" in line:
            strange.append(_mistake(where, "it is not UTF-8 text", "write the file as UTF-8"))
        if line.startswith("\ufeff"):
            what = "a byte order mark is before it, which go-choria takes for a part of its key"
            strange.append(_mistake(where, what, "save the file without it"))
        yield match[1], Option(match[2], path, number)


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (FileNotFoundError, ValueError):
        raise _refusal(path, "there is no such file", "name one with --choria-config") from None
    except OSError as error:
        raise _refusal(path, f"it cannot be read: {error.strerror}", "look at its owner and mode") from None
    if len(data) > _LARGEST:
        raise _refusal(path, f"it is larger than {_LARGEST} bytes", "name a configuration file")
    return data.split(b"\n")


def _refusal(path: Path, what: str, next_step: str) -> ConfigErrors:
    return ConfigErrors([Problem(str(path), what, next_step)])


def _mistake(where: str, what: str, next_step: str) -> Problem:
    return Problem(where, what, next_step, Severity.MISTAKE)


def _warning(where: str, what: str, next_step: str) -> Problem:
    return Problem(where, what, next_step, Severity.WARNING)
