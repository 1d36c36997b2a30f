"""How long a step of a login may take: `plugin.choria.network.connect_timeout`.

Rules:
1. A number is seconds, anything else a duration; the last value that can be read counts, as go-choria leaves what it
   had when it meets another.
2. More than go-choria allows is the most that it allows.
"""

from __future__ import annotations

from typing import Final

from usher.config.durations import parse_duration
from usher.config.options import Option, Options
from usher.config.problems import Problem, Severity
from usher.config.source import Source, default_of, source_of

CONNECT_TIMEOUT: Final = "plugin.choria.network.connect_timeout"
_NAME: Final = "connect_timeout"
_USUAL: Final = 2.0
_LONGEST: Final = 120.0


def connect_timeout(options: Options, problems: list[Problem]) -> tuple[float, Source]:
    """Seconds, and where they are from; what cannot be used is added to the problems."""
    seconds, read = _USUAL, []
    for option in options.every.get(CONNECT_TIMEOUT, ()):
        try:
            seconds, said = _seconds(option)
            read.append(option)
        except ValueError as error:
            said = str(error)
        if said:
            what = f"{option.value[:80]!r} cannot be used: {said}; {seconds:g}s counts"
            where = f"{option.where}: {CONNECT_TIMEOUT}"
            problems.append(Problem(where, what, "write it as `2s`", Severity.MISTAKE))
    return seconds, source_of(_NAME, CONNECT_TIMEOUT, read) if read else default_of(_NAME, CONNECT_TIMEOUT)


def _seconds(option: Option) -> tuple[float, str]:
    text = option.value.strip()
    seconds = float(text[:10]) if text.isascii() and text.isdigit() else parse_duration(text)
    if seconds <= 0:
        raise ValueError("it must be longer than nothing")
    return (seconds, "") if seconds <= _LONGEST else (_LONGEST, "at most 120s is allowed")
