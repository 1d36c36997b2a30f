"""Text: tables, times and foreign words, as a terminal or a pipe can take them.

Rules:
1. What a node, a helper or a broker said is shown with its control characters visible, and never rules the terminal.
2. A table fits the terminal, its widest columns are cut with an ellipsis; into a pipe nothing is cut.
3. Times are local, in ISO 8601, with their age; in JSON they are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final
from unicodedata import combining, east_asian_width

ELLIPSIS: Final = "…"
_LEAST: Final = 6  # columns are not cut below this width
_GAP: Final = "  "
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))
_DURATION: Final = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def visible(text: str) -> str:
    """The same text with everything that is not printable, or turns the direction of writing, as an escape."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(each: str) -> str:
    return each.encode("unicode_escape", "surrogatepass").decode("ascii")


# -- times ------------------------------------------------------------------------------------------------------------


def span(milliseconds: int) -> str:
    """A length of time in its two largest units: 1h 5m, 12s, 0s."""
    for place, (unit, size) in enumerate(_UNITS[:-1]):
        if milliseconds >= size:
            count, left = divmod(milliseconds, size)
            below, within = _UNITS[place + 1]
            return f"{count}{unit} {left // within}{below}" if left >= within else f"{count}{unit}"
    return f"{max(milliseconds, 0) // 1000}s"


def milliseconds(text: str) -> int:
    """A length of time as people write it (90s, 1h30m, 2d); raises ValueError."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None or not any(found.groups()):
        raise ValueError(text)
    return sum(int(count or 0) * size for count, (_, size) in zip(found.groups(), _UNITS, strict=True))


def local(at: int, precision: str = "seconds") -> str:
    """A time (milliseconds since 1970) in the local zone, to the second or as `precision` says."""
    try:
        return (_EPOCH + timedelta(milliseconds=at)).astimezone().isoformat(timespec=precision)
    except (OverflowError, OSError, ValueError):
        return f"{at} ms since 1970"


def utc(at: int) -> str | None:
    """A time in UTC, to the millisecond, as JSON gets it; None for 0, which means that there is none."""
    try:
        said = (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds") if at else None
    except OverflowError:
        return f"{at} ms since 1970"
    return said.replace("+00:00", "Z") if said else None


def when(at: int, now: int) -> str:
    """A time with its age, or with how long it is until then."""
    return f"{local(at)} ({distance(at, now)})"


def distance(at: int, now: int) -> str:
    """How far a time is away: 5m ago, in 12s, now."""
    if abs(at - now) < 1000:
        return "now"
    return f"{span(now - at)} ago" if at < now else f"in {span(at - now)}"


def ago(at: int, now: int) -> str:
    """How long ago a time was: 5m 2s ago."""
    return f"{span(now - at)} ago"


# -- tables -----------------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """Lines of aligned columns within `width`; None means that nothing is cut."""
    cells = [[*head], *([visible(cell) for cell in row] for row in rows)]
    widths = _widths(cells)
    if width is not None:
        _narrow(widths, width - len(_GAP) * (len(head) - 1))
    elif all(map(str.isascii, chain.from_iterable(cells))):  # nearly always: a third of the time
        line = _GAP.join(f"%-{size}s" for size in widths)
        yield from ((line % tuple(row)).rstrip() for row in cells)
        return
    for row in cells:
        yield _GAP.join(_fit(cell, size) for cell, size in zip(row, widths, strict=True)).rstrip()


def fits(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> bool:
    """Whether a table needs no cutting."""
    widths = _widths([head, *([visible(cell) for cell in row] for row in rows)])
    return width is None or sum(widths) + len(_GAP) * (len(head) - 1) <= width


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns, column)) for column in zip(*cells, strict=True)]


def _narrow(widths: list[int], room: int) -> None:
    """Take from the widest column until it fits, or nothing more can be taken."""
    while sum(widths) > room and max(widths) > _LEAST:
        widest = widths.index(max(widths))
        following = max([size for size in widths if size < widths[widest]], default=_LEAST)
        most = widths[widest] - max(following, _LEAST)
        widths[widest] -= min(max(most, 1), sum(widths) - room)


def _fit(text: str, width: int) -> str:
    return text + " " * (width - columns(text)) if columns(text) <= width else cut(text, width)


def cut(text: str, width: int) -> str:
    """The beginning of a text with an ellipsis, exactly this wide."""
    kept, used = "", 0
    for each in text:
        used += columns(each)
        if used > width - 1:
            break
        kept += each
    return kept + ELLIPSIS + " " * (width - 1 - columns(kept))


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)
