"""The pages, their fenced blocks, and the examples in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diagrams.documents import DOCUMENTS
from tests.architecture.house import ROOT

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")
SIZE = re.compile(r"\b\d+\.\d [kMG]B\b")
"""How large the file of a database is: it holds the table, which grows."""
SPAN = re.compile(r"\b\d+[dhms]( \d+[dhms])?\b")


@dataclass(frozen=True)
class Example:
    """A command and what a page says that it answers; `...` stands for any lines."""

    page: str
    words: tuple[str, ...]
    expected: str

    def __str__(self) -> str:
        return f"{self.page}: usher {' '.join(self.words)}"


def written() -> list[Path]:
    """The pages that people write."""
    docs = [page for page in (ROOT / "docs").rglob("*.md") if page.name not in DOCUMENTS]
    return sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *docs])


def blocks(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return [content for named, content in FENCE.findall(text) if named == language]


def examples(page: Path) -> Iterator[Example]:
    """The commands of the blocks marked `console`, each with the lines up to the next."""
    for block in blocks(page.read_text(encoding="utf-8"), "console"):
        for part in re.split(r"^\$ usher ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            yield Example(page.name, tuple(command.split()), expected)


def commands(page: Path) -> Iterator[tuple[str, ...]]:
    """The `usher` commands of the blocks marked `sh`: they need a broker, a daemon or time, and are only parsed."""
    for block in blocks(page.read_text(encoding="utf-8"), "sh"):
        for line in block.splitlines():
            if line.startswith("usher "):
                yield tuple(re.findall(r'"[^"]*"|\S+', line)[1:])


def pattern(expected: str) -> re.Pattern[str]:
    """What an answer must be: times, spans and white space apart, `...` for any lines."""
    parts = [re.escape(plain(part)).replace(r"\ ", " ") for part in re.split(r"^\.\.\.$", expected, flags=re.MULTILINE)]
    return re.compile(".*".join(parts))


def plain(answer: str) -> str:
    """An answer without what differs from day to day."""
    return " ".join(SIZE.sub("SIZE", SPAN.sub("SPAN", TIME.sub("TIME", answer))).split())
