"""A Choria configuration file as go-choria reads it: which files, which lines, which value of a setting counts.

Rules:
1. `key = value`, one a line; a line that begins with `#` is a comment; the last line of a key counts; a key without a
   value is not there.
2. Then `plugin.d/choria.cfg` beside the file, its keys without `plugin.choria.`, unless the file is in the user's home;
   then every `choria.conf` from `/` down to the working directory.
3. Booleans are `1 yes true y t` and `0 no false n f` in any letter case, as go-choria has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usher.config.problems import ConfigErrors, Problem, Severity

_LINE: Final = re.compile(r"(.+?)\s*=\s*(.+)")
_ON: Final = frozenset({"1", "yes", "true", "y", "t"})
_OFF: Final = frozenset({"0", "no", "false", "n", "f"})
_LONGEST: Final = 1 << 20
_SYSTEM_FILES: Final = (
    Path("/etc/choria/client.conf"),
    Path("/usr/local/etc/choria/client.conf"),
    Path("/etc/puppetlabs/mcollective/client.cfg"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """A setting's value, and the file that it is from."""

    value: str
    file: Path

    @property
    def words(self) -> tuple[str, ...]:
        """The value as a comma separated list."""
        return tuple(word.strip() for word in self.value.split(","))

    @property
    def switch(self) -> bool | None:
        """The value as a boolean, None if it is none."""
        word = self.value.strip().lower()
        return True if word in _ON else False if word in _OFF else None


def user_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where go-choria looks when no file is named, in order (wire/provisioning.md §3.1)."""
    home = environ.get("HOME", "")
    mine = (Path(home, ".choriarc"), Path(home, ".mcollective")) if home else ()
    return (*mine, *_SYSTEM_FILES)


def user_file(environ: Mapping[str, str]) -> Path:
    """The first of them that is there; the last, if none is."""
    places = user_files(environ)
    return next((place for place in places if place.exists()), places[-1])


def read_options(path: Path, environ: Mapping[str, str], directory: Path) -> tuple[dict[str, Option], list[Problem]]:
    """The settings of a file and of those that go with it, and lines that are none; raises ConfigErrors.

    `directory` is the working directory.
    """
    options, strange = _read(path, "")
    for file, prefix in (*_plugin_files(path, environ), *_project_files(directory)):
        more, odd = _read(file, prefix)
        options |= more
        strange += odd
    return options, strange


def _plugin_files(path: Path, environ: Mapping[str, str]) -> list[tuple[Path, str]]:
    """Only `choria.cfg`: go-choria reads the others too, but none of its own settings from them."""
    home = environ.get("HOME", "")
    file = path.absolute().parent / "plugin.d" / "choria.cfg"
    if (home and str(path.absolute()).startswith(home)) or not file.is_file():
        return []
    return [(file, "plugin.choria.")]


def _project_files(directory: Path) -> list[tuple[Path, str]]:
    places = [*reversed(directory.parents), directory]
    return [(place / "choria.conf", "") for place in places if (place / "choria.conf").is_file()]


def _read(path: Path, prefix: str) -> tuple[dict[str, Option], list[Problem]]:
    options, strange = {}, []
    for number, line in enumerate(_lines(path), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.search(line)
        if match:
            options[prefix + match[1]] = Option(match[2], path)
        else:
            what = "it sets nothing" if "=" in line else "it is not a line like `key = value`"
            strange.append(Problem(f"{path} line {number}", what, "complete it, or remove it", Severity.MISTAKE))
    return options, strange


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8", "replace")
    except FileNotFoundError:
        raise ConfigErrors([Problem(str(path), "there is no such file", "name one with --choria-config")]) from None
    except OSError as error:
        what = f"it cannot be read: {error.strerror}"
        raise ConfigErrors([Problem(str(path), what, "look at its owner and mode")]) from None
    return [line.strip() for line in text.split("\n")]
