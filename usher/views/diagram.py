"""`usher diagram`: the one table as a picture.

Rules:
1. It is drawn from the table of the usher that runs; no database is read.
2. The text is for another program to draw: Mermaid for documents, DOT for Graphviz, JSON for whatever else.
"""

from __future__ import annotations

import argparse
from typing import Final

from diagrams import document, dot, mermaid
from diagrams.model import draw
from usher.views import common

FORMATS: Final = {"mermaid": mermaid.render, "dot": dot.render, "json": document.render}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher diagram`."""
    parser.description = "Draw the table that moves every node: an arrow for each pair of states, or every row."
    parser.add_argument("--format", choices=FORMATS, default="mermaid", help="what is written (default: mermaid)")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument("--full", action="store_true", help="draw every row, those too that stay in their state")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    return common.guarded(lambda: common.say(text(args.format, full=args.full).splitlines()))


def text(form: str, *, full: bool) -> str:
    """The diagram in one of the formats."""
    return FORMATS[form](draw(full=full))
