"""PromQL as far as a test must read it: which series an expression names, with which matchers, under which function.

Whether an expression is PromQL at all is said by promtool and by Prometheus, where they are installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"(?<![\w.])([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{([^}]*)\})?\s*(\[[^\]]+\])?(?!\s*[\w(])")
MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*(?:,|$)')
CALL = re.compile(r"([a-z_]+)\s*\($")
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
TARGET = {"job", "instance"}
"""Labels that the scrape adds."""
COUNTED = {"rate", "increase", "irate"}


@dataclass(frozen=True)
class Matcher:
    """`name op "value"`."""

    name: str
    operator: str
    value: str

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels have it; those of the scrape are not known here."""
        found = labels.get(self.name, "")
        same = found == self.value if self.operator in {"=", "!="} else bool(re.fullmatch(self.value, found))
        return self.name in TARGET or same is (self.operator in {"=", "=~"})


@dataclass(frozen=True)
class Selector:
    """A series as an expression names it; `function` is what is applied to it directly."""

    name: str
    matchers: tuple[Matcher, ...]
    ranged: bool
    function: str


def selectors(expression: str) -> list[Selector]:
    """Every selector of an expression."""
    text = GROUPING.sub(" ", expression)
    found = []
    for match in SELECTOR.finditer(text):
        name, inside, span = match.groups()
        if name in WORDS:
            continue
        matchers = tuple(Matcher(*each) for each in MATCHER.findall(inside or ""))
        assert not MATCHER.sub("", inside or "").strip(), f"{inside!r} is not understood"
        call = CALL.search(text[: match.start()])
        found.append(Selector(name, matchers, span is not None, call[1] if call else ""))
    return found


def grouped(expression: str) -> set[str]:
    """The labels that an expression groups or matches by."""
    return {label.strip() for _, inside in GROUPING.findall(expression) for label in inside.split(",") if label.strip()}


def targets(dashboard: Path, **variables: str) -> list[str]:
    """Every query of a Grafana dashboard, its variables replaced."""
    return [_filled(expression, variables) for expression in _expressions(json.loads(dashboard.read_text()))]


def _expressions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "expr" in node:
            yield node["expr"]
        for child in node.values():
            yield from _expressions(child)
    elif isinstance(node, list):
        for child in node:
            yield from _expressions(child)


def _filled(expression: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        expression = expression.replace(f"${{{name}}}", value).replace(f"${name}", value)
    assert "$" not in expression, expression
    return expression
