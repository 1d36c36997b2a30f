"""The pictures of docs/pictures: what each is made of, and whether it is of today's table.

Graphviz draws them (`make pictures`), and each version of it writes other bytes; so a picture names the digest of the
DOT that it was made of, and that is what is compared.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from diagrams import dot, steps
from diagrams.model import Diagram, draw
from fsm.events import Ack, Certainty, Due, DueKind, HelperFacts, Sighting, TokenFacts, Verdict
from fsm.reasons import Reason
from tests.fakes import written
from tests.fakes.written import DIGEST, Author, deferred, failing, held, provisioned, write_database
from usher import graphviz
from usher.state import DATABASE
from usher.views import counted, path
from usher.views.book import Book, open_book

NODE = "web2.example.net"
AT = 1_796_000_000_000
"""Milliseconds: 2026-11-30T00:53:20Z, a fixed time, so that the pictures are the same each day."""


async def mended(author: Author) -> None:
    """A node whose helper failed twice, which was deferred, and is provisioned in the end."""
    await failing(author)
    await author.due()
    await author.tell(Due(DueKind.ADMIT))
    await author.read()
    await author.failed(Certainty.UNKNOWN, Reason.HELPER_TIMEOUT)
    await author.due()
    await author.done(HelperFacts(DIGEST, Verdict.DEFER, ""))
    await author.due()
    await author.tell(Due(DueKind.ADMIT))
    await author.read()
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""))
    await author.done(TokenFacts("2Qx", DIGEST, author.at // 1000 + 86_400, "ab12"))
    for said in ("Reconfigured", "Restarting Choria Server after 2s"):
        await author.done(Ack(said, DIGEST))
    for _ in range(2):
        await author.due()
        await author.done(Sighting(present=False))


LIVES = {
    "db1.example.net": deferred,
    "db2.example.net": held,
    **{f"web{number}.example.net": provisioned for number in range(10, 22)},
    NODE: mended,
    "web3.example.net": Author.seen,
    "web4.example.net": Author.to_the_helper,
    "web5.example.net": failing,
}


def _path(book: Book) -> Diagram:
    return path.draw(NODE, book.lines(NODE))


def _fleet(book: Book) -> Diagram:
    return counted.draw(book.counts(), AT, book.reasons(), book.waiting())


OF_THE_TABLE: Mapping[str, Callable[[], Diagram]] = {
    "machine": draw, "full": lambda: draw(full=True), "effects": steps.draw,
}  # fmt: skip
OF_A_DATABASE: Mapping[str, Callable[[Book], Diagram]] = {"path": _path, "fleet": _fleet}
OF_THE_EXAMPLES: Mapping[str, Callable[[Book], Diagram]] = {"failed": _path}
"""Of the database that the examples of the pages are run on."""
NAMES = (*OF_THE_TABLE, *OF_A_DATABASE, *OF_THE_EXAMPLES)


def sources() -> dict[str, str]:
    """The DOT of each picture, by its name."""
    found = {name: dot.render(make()) for name, make in OF_THE_TABLE.items()}
    for lives, pictures in ((LIVES, OF_A_DATABASE), (written.LIVES, OF_THE_EXAMPLES)):
        with _written(lives) as book:
            found |= {name: dot.render(make(book)) for name, make in pictures.items()}
    return found


@contextmanager
def _written(lives: Mapping[str, written.Live]) -> Iterator[Book]:
    with TemporaryDirectory() as folder:
        asyncio.run(write_database(Path(folder), AT, lives=lives))
        with open_book(Path(folder) / DATABASE) as book:
            yield book


def mark(text: str) -> str:
    """The line that a picture ends with."""
    return f"<!-- made of DOT with the digest {sha256(text.encode()).hexdigest()} -->\n"


def main() -> int:
    """Draw those that are not of today's table into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name, text in sources().items():
        file = folder / f"{name}.svg"
        if not file.is_file() or not file.read_text(encoding="utf-8").endswith(mark(text)):
            made = graphviz.picture(text, "svg").decode().rstrip()
            file.write_text(f"{made}\n{mark(text)}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
