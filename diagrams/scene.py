"""The scene: boxes, wires and words at their places on a page, which a layout makes and diagrams.dot writes.

Rules:
1. Lengths are points (1/72 inch); x grows to the right, y downwards, as people read.
2. A box is as large as its words need in Helvetica; no width depends on the fonts of a machine.
3. A wire is a line of right angles; what it says stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Final

Point = tuple[float, float]

_NARROW: Final = frozenset("ijlrtfI.,:;|!'()[]- ")
_WIDE: Final = frozenset("mwMW@%")


class Ink(StrEnum):
    """What a line of words is about; a renderer has a colour and a weight for each."""

    TITLE = "title"
    PLAIN = "plain"
    QUIET = "quiet"
    HUGE = "huge"
    DONE = "done"
    FAILED = "failed"
    DUE = "due"
    HINT = "hint"
    OPERATOR = "operator"


SIZES: Final[dict[Ink, float]] = {Ink.TITLE: 13.0, Ink.HUGE: 20.0}
"""Points of the inks that are not written in the ordinary size."""
SIZE: Final = 10.0
LEADING: Final = 1.2
"""Height of a line, of its size."""
PAD: Final = 9.0


@dataclass(frozen=True, slots=True)
class Words:
    """A line in a box; `tip` is what is told of it when somebody points at it."""

    text: str
    ink: Ink = Ink.PLAIN
    tip: str = ""

    @property
    def size(self) -> float:
        """Points of its letters."""
        return SIZES.get(self.ink, SIZE)

    @property
    def width(self) -> float:
        """Points that it takes, rather a little more."""
        bold = 1.08 if self.ink in SIZES else 1.0
        return sum(_width(each) for each in self.text) * self.size * bold

    @property
    def height(self) -> float:
        """Whole points of the line."""
        return float(ceil(self.size * LEADING))


def _width(each: str) -> float:
    if not each.isascii():
        return 1.0
    if each in _NARROW:
        return 0.34
    return 0.86 if each in _WIDE else 0.7 if each.isupper() else 0.57


@dataclass(frozen=True, slots=True)
class Box:
    """A node at its place; `look` is the name of its kind, as diagrams.model has it.

    `faint` says that it only shows where something would be, `here` that a path ends in it.
    `columns` are the columns of words below the first line, which is over all of them.
    """

    name: str
    look: str
    x: float
    y: float
    width: float
    height: float
    columns: tuple[tuple[Words, ...], ...]
    title: tuple[Words, ...] = ()
    tip: str = ""
    faint: bool = False
    here: bool = False

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Halfway from left to right."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Wire:
    """An edge's way from one box to another; `ink` is its cause.

    `strong` is the way through; one that `joins` ends where it meets a longer wire to the same box.
    """

    source: str
    target: str
    ink: Ink
    points: tuple[Point, ...]
    tip: str = ""
    label: str = ""
    at: Point = (0.0, 0.0)
    faint: bool = False
    strong: bool = False
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A page."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


def extent(title: tuple[Words, ...], columns: tuple[tuple[Words, ...], ...]) -> Point:
    """The width and the height that a box needs for its words."""
    across = [max((each.width for each in column), default=0.0) for column in columns]
    below = [sum(each.height for each in column) for column in columns]
    wide = max(sum(across) + PAD * max(len(columns) - 1, 0), max((each.width for each in title), default=0.0))
    return wide + 2 * PAD, sum(each.height for each in title) + max(below, default=0.0) + 2 * PAD
