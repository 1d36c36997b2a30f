"""`usher check-config`: everything that is wrong with a configuration, at once, before anything is started.

Rules:
1. It starts nothing, writes nothing, and asks no broker, unless --connect asks for that (usher.preflight).
2. What `usher run` would only warn about is an error here, unless it is a matter of choice.
3. Exit code 0 if a start would succeed without a mistake, 2 otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Final

from fsm.runtime.clock import SystemClock
from usher.config.explain import explain
from usher.config.loading import inspect, surroundings
from usher.config.summary import document, lines, ok, source_lines, source_values
from usher.preflight import command as preflight
from usher.views.common import path

WRONG: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--config", required=True, type=path, metavar="FILE", help="the YAML file")
    parser.add_argument(
        "--choria-config", type=path, metavar="FILE", help="the Choria client configuration; default the user's own"
    )
    parser.add_argument("--explain", action="store_true", help="say where each value is from, and what it overrides")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    preflight.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check and say; the exit code."""
    if option := preflight.stray(args):
        print(f"usher: {option} counts only with --connect: add that", file=sys.stderr)
        return WRONG
    around = surroundings(SystemClock().now())
    found = inspect(args.config, args.choria_config, around)
    if wrong := preflight.astray(args, found):
        print(f"usher: {wrong}", file=sys.stderr)
        return WRONG
    sources = explain(found, around.environ) if args.explain else ()
    if args.connect and not args.json:
        for line in source_lines(sources):
            print(line)
    if args.connect:
        more = document(found) | ({"sources": source_values(sources)} if args.explain else {})
        return preflight.run(args, found, around.environ, more)
    if args.json:
        more = {"sources": source_values(sources)} if args.explain else {}
        print(json.dumps(document(found) | more, indent=2))
    else:
        print("\n".join([*lines(found), *source_lines(sources)]))
        print("the configuration is usable" if ok(found.problems) else "the configuration has mistakes")
    return 0 if ok(found.problems) else WRONG
