"""Reading one Choria client configuration: its settings as texts, switches and paths, with what is wrong of each.

Rules:
1. Whoever reads a setting says so: where its value is from is noted here.
2. A problem names the file, the line and the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from usher.config.identity import Names
from usher.config.options import Option, Options
from usher.config.problems import Problem, Severity
from usher.config.source import Source, default_of, source_of

_SPACE: Final = ord(" ")


class Reading:
    """One configuration while it is read; problems and sources gather. `options` are its settings."""

    def __init__(
        self, file: Path, options: Options, strange: list[Problem], environ: Mapping[str, str], names: Names
    ) -> None:
        """Begin with what the lines said; nothing is read of it yet."""
        self.file, self.options, self.environ, self.names = file, options, environ, names
        self.problems = strange
        self.sources: list[Source] = []

    def get(self, key: str) -> Option | None:
        """The setting that counts, None if it is not there."""
        return self.options.get(key)

    def say(self, key: str, what: str, next_step: str, severity: Severity = Severity.ERROR, check: str = "") -> None:
        """Note a problem of a setting."""
        option = self.get(key)
        where = f"{option.where if option else self.file}: {key}"
        self.problems.append(Problem(where, what, next_step, severity, check))

    def mistake(self, key: str, what: str, next_step: str) -> None:
        """Note what go-choria drops without a word."""
        self.say(key, what, next_step, Severity.MISTAKE)

    def warn(self, key: str, what: str, next_step: str) -> None:
        """Note what stops nothing."""
        self.say(key, what, next_step, Severity.WARNING)

    def note(self, name: str, key: str, instead: str = "") -> None:
        """Note where a value is from: the setting, or what counts `instead` of one that is not there."""
        values = self.options.every.get(key, ())
        self.sources.append(source_of(name, key, values) if values and not instead else default_of(name, key, instead))

    def text(self, key: str) -> str:
        """A setting as it is written; empty if it is not there."""
        option = self.get(key)
        return option.value if option else ""

    def switch(self, key: str, *, usual: bool) -> bool:
        """A setting as yes or no; `usual` is what it is when it is not there."""
        option = self.get(key)
        if option is None:
            return usual
        if option.switch is None:
            said = f"{option.value[:80]!r} is neither yes nor no, which go-choria takes for no"
            self.mistake(key, said, f"write `{key} = {'true' if usual else 'false'}`, or the other")
        return bool(option.switch)

    def path(self, key: str) -> Path | None:
        """A setting as the name of a file; `~` is $HOME."""
        text = self.text(key).strip()
        if any(ord(letter) < _SPACE for letter in text):
            self.say(key, f"{text[:80]!r} is not the name of a file", "write it without control characters")
            return None
        if text.startswith("~"):
            text = self.environ.get("HOME", "") + text[1:]
        return Path(text) if text else None

    def needed_path(self, name: str, key: str) -> Path:
        """As `path`, and its absence is an error."""
        path = self.path(key)
        if path is None and not self.text(key):
            self.say(key, "it is missing", f"add the line `{key} = /path/to/the/file`")
        self.note(name, key)
        return path or Path()
