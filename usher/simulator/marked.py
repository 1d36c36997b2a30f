"""A YAML or JSON document in which every value knows its place, to be read with all of its mistakes.

Rules:
1. Reading never stops at a mistake: it is noted with file and line, and a harmless value is read instead.
2. Only plain data is built; an alias is refused, since it makes a small file a large document.
3. Foreign text in a message is cut and made visible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml

LARGEST: Final = 1 << 20
_SHOWN: Final = 60


class Entry:
    """One value of the document: its place, and where mistakes are noted."""

    def __init__(self, file: Path, name: str, node: yaml.Node | None, mistakes: list[str]) -> None:
        """Hold the node; `name` is its way from the top, empty at the top."""
        self._file, self._name, self._node = file, name, node
        self._told = False
        self.mistakes = mistakes

    @property
    def is_mapping(self) -> bool:
        """Whether it has members."""
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it has items."""
        return isinstance(self._node, yaml.SequenceNode)

    def wrong(self, what: str) -> None:
        """Note a mistake here, the first of this value alone."""
        if self._told:
            return
        self._told = True
        place = f"{self._file} line {self._node.start_mark.line + 1}" if self._node is not None else str(self._file)
        shown = f"'{shorten(self._node.value)}' " if isinstance(self._node, yaml.ScalarNode) else ""
        self.mistakes.append(": ".join(part for part in (place, self._name, f"{shown}{what}") if part))

    def members(self, *known: str, needed: tuple[str, ...] = ()) -> dict[str, Entry]:
        """Its members by name; unknown, repeated and missing ones are mistakes."""
        found: dict[str, Entry] = {}
        if not isinstance(self._node, yaml.MappingNode):
            self.wrong(f"must have members: {', '.join(known[:4])}{', ...' if len(known) > 4 else ''}")
            return found
        for key, value in self._node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            entry = Entry(self._file, f"{self._name}.{name}" if self._name else name, value, self.mistakes)
            if name in found:
                Entry(self._file, self._name, key, self.mistakes).wrong("stands twice")
            elif name in known:
                found[name] = entry
            else:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
                Entry(self._file, self._name, key, self.mistakes).wrong(f"is not known; {hint}")
        if missing := [name for name in needed if name not in found]:
            self.wrong(f"needs {' and '.join(missing)}")
        return found

    def items(self) -> list[Entry]:
        """Its items."""
        if not isinstance(self._node, yaml.SequenceNode):
            self.wrong("must be a list")
            return []
        items = enumerate(self._node.value, 1)
        return [Entry(self._file, f"{self._name}[{n}]", node, self.mistakes) for n, node in items]

    def plain(self) -> Any:
        """The value as plain data; a mapping or list is a mistake."""
        if isinstance(self._node, yaml.ScalarNode):
            return self._built()
        self.wrong("must be a single value")
        return None

    def whole(self, least: int, most: int) -> int:
        """A whole number."""
        given = self.plain()
        if type(given) is int and least <= given <= most:
            return given
        self.wrong(f"must be a whole number from {least} to {most}")
        return least

    def number(self, least: float, most: float) -> float:
        """A number."""
        given = self.plain()
        if type(given) in (int, float) and math.isfinite(given) and least <= given <= most:
            return float(given)
        self.wrong(f"must be a number from {least:g} to {most:g}")
        return least

    def mapping(self) -> dict[str, Any]:
        """Plain data with names that are text, as JSON has it."""
        given = self._built() if self.is_mapping else None
        if isinstance(given, dict) and _is_json(given):
            return given
        self.wrong("must be members that JSON can hold")
        return {}

    def _built(self) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(self._node, deep=True) if self._node is not None else None
        except (yaml.YAMLError, ValueError, OverflowError):
            self.wrong("is no plain value")
            return None


def read_entries(path: Path, mistakes: list[str]) -> Entry:
    """The document of a file; what makes it unreadable is noted in `mistakes`."""
    node = None
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
        if len(data) > LARGEST:
            mistakes.append(f"{path}: it is larger than {LARGEST:,} bytes")
        elif any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.SafeLoader)):
            mistakes.append(f"{path}: it has an alias (*name), which a profile must not have")
        else:
            node = yaml.compose(text, yaml.SafeLoader)
            if node is None:
                mistakes.append(f"{path}: it is empty")
    except OSError as error:
        mistakes.append(f"{path}: {(error.strerror or 'cannot be read').lower()}")
    except UnicodeDecodeError:
        mistakes.append(f"{path}: it is not UTF-8 text")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1}" if mark else ""
        mistakes.append(f"{path}{place}: it is not YAML: {shorten(error.problem or error.context or '')}")
    except (yaml.YAMLError, RecursionError):
        mistakes.append(f"{path}: it is not YAML, or nested too deep")
    return Entry(path, "", node, [])


def shorten(text: str) -> str:
    """Somebody else's words, cut and visible."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return shown if shown.isprintable() else repr(shown)[1:-1]


def _is_json(value: Any) -> bool:
    match value:
        case Mapping():
            return all(isinstance(name, str) for name in value) and all(_is_json(each) for each in value.values())
        case list():
            return all(_is_json(each) for each in value)
        case float():
            return math.isfinite(value)
        case int():
            return -(1 << 53) <= value <= 1 << 53
        case _:
            return value is None or isinstance(value, str)
