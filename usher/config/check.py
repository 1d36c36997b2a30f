"""`usher check-config`: everything that is wrong with a configuration, at once, before anything is started.

Rules:
1. It starts nothing, writes nothing, and asks no broker.
2. What `usher run` would only warn about is an error here, unless it is a matter of choice.
3. Exit code 0 if a start would succeed without a mistake, 2 otherwise.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from fsm.runtime.clock import SystemClock
from usher.config.explain import explain
from usher.config.loading import inspect, surroundings
from usher.config.summary import document, lines, ok, source_lines, source_values

WRONG: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the YAML file")
    parser.add_argument(
        "--choria-config", type=Path, metavar="FILE", help="the Choria client configuration; default the user's own"
    )
    parser.add_argument("--explain", action="store_true", help="say where each value is from, and what it overrides")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Check and say; the exit code."""
    around = surroundings(SystemClock().now())
    found = inspect(args.config, args.choria_config, around)
    sources = explain(found, around.environ) if args.explain else ()
    if args.json:
        more = {"sources": source_values(sources)} if args.explain else {}
        print(json.dumps(document(found) | more, indent=2))
    else:
        print("\n".join([*lines(found), *source_lines(sources)]))
        print("the configuration is usable" if ok(found.problems) else "the configuration has mistakes")
    return 0 if ok(found.problems) else WRONG
