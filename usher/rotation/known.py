"""The secrets that must appear nowhere: they only grow, since a withdrawn one may still be in somebody's words.

Rules:
1. What was a secret of this process once is hidden until the process ends.
2. Whoever holds the collection sees what is added; nobody keeps a copy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


class Known(Collection[str]):
    """Texts, in the order in which they became known; its repr shows none."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Know these, but empty ones."""
        self._texts: dict[str, None] = {}
        self.add(texts)

    def add(self, texts: Iterable[str]) -> None:
        """Know these as well."""
        self._texts.update(dict.fromkeys(text for text in texts if text))

    def __contains__(self, text: object) -> bool:
        """Whether it is known."""
        return text in self._texts

    def __iter__(self) -> Iterator[str]:
        """All of them."""
        return iter(tuple(self._texts))

    def __len__(self) -> int:
        """How many."""
        return len(self._texts)

    def __repr__(self) -> str:
        """How many there are."""
        return f"<{len(self)} secrets>"
