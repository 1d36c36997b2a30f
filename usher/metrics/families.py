"""Families: metrics as numbers, and the text that Prometheus scrapes.

Rules:
1. A name is on the scraped text as it is written here: no `_total` and no `_created` is added (which prometheus-client
   would do, and the dashboards of the older program would find nothing).
2. A label never holds a node's name: the number of series does not grow with the fleet.
3. Summaries have `_sum` and `_count` and no quantiles, as the older program's; our own timings are histograms.
4. A family says which labels its series have; one that has none, and is counted, is there from the start at zero, since
   what begins at one has no increase.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

Labels = tuple[tuple[str, str], ...]
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""Upper bounds of the histograms' buckets, in seconds."""
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


class Kind(StrEnum):
    """The type that the text declares."""

    COUNTER = "counter"
    GAUGE = "gauge"
    SUMMARY = "summary"
    HISTOGRAM = "histogram"


def labels(**values: str) -> Labels:
    """Labels in the order in which they are given."""
    return tuple(values.items())


@dataclass(slots=True)
class Series:
    """The numbers of one series: the value or the sum, and of measurements how many, and how many in each bucket."""

    total: float = 0.0
    count: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))

    def observe(self, seconds: float) -> None:
        """Take a measurement."""
        self.total += seconds
        self.count += 1
        self.buckets[bisect_left(SECONDS, seconds)] += 1


class Family:
    """One metric with its series, by labels."""

    def __init__(self, name: str, kind: Kind, what: str, names: tuple[str, ...] = (), *, site: bool = True) -> None:
        """Name it; `names` are those of its labels, `site` whether the label of that name stands before them."""
        self.name, self.kind, self.what = name, kind, what
        self.names, self.site = names, site
        self._series: dict[Labels, Series] = {}
        if not names and kind is not Kind.GAUGE:
            self.series()

    def add(self, by: float = 1.0, where: Labels = ()) -> None:
        """Raise a counter or a gauge; 0 makes its series appear."""
        self.series(where).total += by

    def set(self, value: float, where: Labels = ()) -> None:
        """Set a gauge."""
        self.series(where).total = value

    def observe(self, seconds: float, where: Labels = ()) -> None:
        """Take a measurement into a summary or a histogram."""
        self.series(where).observe(seconds)

    def value(self, where: Labels = ()) -> float:
        """The value, or the sum, of one series; 0 if it does not exist."""
        series = self._series.get(where)
        return series.total if series else 0.0

    def lines(self, common: Labels) -> Iterator[str]:
        """The text of the family."""
        yield f"# HELP {self.name} {self.what}"
        yield f"# TYPE {self.name} {self.kind.value}"
        first = common if self.site else ()
        for where, series in self._series.items():
            yield from self._samples(first + where, series)

    def _samples(self, where: Labels, series: Series) -> Iterator[str]:
        if self.kind in {Kind.COUNTER, Kind.GAUGE}:
            yield f"{self.name}{_text(where)} {_number(series.total)}"
            return
        if self.kind is Kind.HISTOGRAM:
            below = 0
            for bound, count in zip((*SECONDS, float("inf")), series.buckets, strict=True):
                below += count
                edge = "+Inf" if bound == float("inf") else _number(bound)
                yield f"{self.name}_bucket{_text((*where, ('le', edge)))} {below}"
        yield f"{self.name}_sum{_text(where)} {_number(series.total)}"
        yield f"{self.name}_count{_text(where)} {series.count}"

    def only(self, values: Mapping[Labels, float]) -> None:
        """Set a gauge for these labels; what was there and is not any more is 0: its last value does not stay."""
        for where in self.known() - values.keys():
            self.set(0, where)
        for where, value in values.items():
            self.set(value, where)

    def known(self) -> frozenset[Labels]:
        """The labels of the series that there are."""
        return frozenset(self._series)

    def series(self, where: Labels = ()) -> Series:
        """One series, which appears with this: what counts often keeps it and does not look it up each time."""
        series = self._series.get(where)
        if series is None:
            series = self._series[where] = Series()
        return series


def render(families: Mapping[str, Family], common: Labels) -> str:
    """All families as text (Prometheus text format 0.0.4); `common` labels come first in the series that have them."""
    return "\n".join(line for family in families.values() for line in family.lines(common)) + "\n"


def _text(where: Labels) -> str:
    if not where:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in where) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
