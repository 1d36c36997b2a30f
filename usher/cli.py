"""`usher`: which command is which module.

Rules:
1. Only the module of the command that was asked for is loaded: `usher nodes list` needs neither a broker nor a key.
2. No traceback reaches a user: what was not foreseen is one line that says where to find the trace, and neither has
   the exception's own words, which may quote a secret.
3. Wrong arguments end with 2, as argparse has it; who stops reading our output ends us without a word.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final

from fsm.errors import UsherError
from fsm.traces import told, trace, words

Register = Callable[[argparse.ArgumentParser], None]
Parse = Callable[[Sequence[str]], argparse.Namespace]

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("usher.run:add_arguments", "provision nodes: the daemon"),
    "check-config": ("usher.config.check:add_arguments", "find everything that is wrong with the configuration"),
    "status": ("usher.operate:add_status", "what the daemon does; the exit code is for monitoring"),
    "leader": ("usher.leader:add_arguments", "who leads the election, since when, and how old that news is"),
    "pause": ("usher.operate:add_pause", "take no work until resumed"),
    "resume": ("usher.operate:add_resume", "go on after a pause"),
    "deny": ("usher.operate:add_deny", "never ask nodes with these names anything, until they are allowed"),
    "allow": ("usher.operate:add_allow", "take in again the names that were denied"),
    "reprovision": ("usher.demand.command:add_reprovision", "send provisioned nodes back through provisioning"),
    "restart": ("usher.demand.command:add_restart", "have provisioned nodes restart"),
    "shutdown": ("usher.demand.command:add_shutdown", "have provisioned nodes shut down"),
    "nodes": ("usher.cli:add_nodes", "list, show, explain and change nodes"),
    "errors": ("usher.views.errors:add_arguments", "what fails in the fleet, by reason, with a node of each"),
    "tokens": ("usher.views.tokens:add_arguments", "which nodes let usher in with which of the tokens"),
    "explain": ("usher.views.explain:add_arguments", "a reason code: what it means, what is likely, what to do"),
    "watch": ("usher.views.moving:add_arguments", "nodes moving, a line a transition, until stopped"),
    "history": ("usher.views.history:add_arguments", "what happened to a node, a line a transition"),
    "replay": ("usher.views.replay:add_arguments", "a node's life step by step; whether histories can be trusted"),
    "db": ("usher.database.command:add_arguments", "keep the database: check, back up, restore"),
    "audit": ("usher.audit.command:add_arguments", "verify, export and prune the history; who received what"),
    "diagram": ("usher.views.diagram:add_arguments", "the machine, a node's path or the fleet, as a picture"),
    "simulate": ("usher.simulator.command:add_arguments", "a fleet of simulated servers, to test a helper"),
    "demo": ("usher.demo:add_arguments", "a broker, a fleet and usher on this machine"),
}
_OLDER_FLAGS: Final = ("--config", "--choria-config", "--pid", "--debug", "--no-debug")
_OLDER: Final = """\
Without a command, `usher --config FILE [--choria-config FILE] [--pid FILE] [--debug]` is the command line of the older
choria-provisioner: the same as `usher run`."""
BUG: Final = 70
"""EX_SOFTWARE of sysexits.h."""
NOBODY_LISTENS: Final = 141
INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None, parse: Parse | None = None) -> int:  # noqa: PLR0911 one answer for each way to end
    """Run the command; answers the exit code. `parse` reads another command line than ours."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = (parse or _parse)(words)
        code: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_LISTENS
    except KeyboardInterrupt:
        return INTERRUPTED
    except UsherError as error:
        print(f"usher: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is not None:
            return _bug(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        said = f"the answer could not be written: {error.strerror}; what was asked for may have been done"
        print(f"usher: {said}", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 rule 2: the last boundary
        return _bug(error)
    return code


def _parse(words: Sequence[str]) -> argparse.Namespace:
    if words and words[0].partition("=")[0] in _OLDER_FLAGS:
        args: argparse.Namespace = import_module("usher.older").parse(words, "usher")
        return args
    return _parser(words).parse_args(words)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="usher", description="Provisions Choria servers.", epilog=_OLDER)
    parser.add_argument("--version", action="version", version=f"usher {version('choria-usher')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    asked = next((word for word in words if not word.startswith("-")), "")
    for name, (place, what) in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        if name == asked:
            _register("usher.cli:add_questions" if _asks(words) else place)(command)
    return parser


def _asks(words: Sequence[str]) -> bool:
    """Whether it is a question about nodes, which needs nothing of what changes them or opens what is sealed."""
    named = [word for word in words if not word.startswith("-")]
    return named[:1] == ["nodes"] and named[1:2] != [] and named[1] in {"list", "show", "why", "expiring"}


def _register(place: str) -> Register:
    module, _, function = place.partition(":")
    loaded = import_module(module)
    add: Register = getattr(loaded, function)

    def register(parser: argparse.ArgumentParser) -> None:
        run = getattr(loaded, "run", None)
        if run is not None:
            parser.set_defaults(run=run)
        add(parser)

    return register


def add_nodes(parser: argparse.ArgumentParser) -> None:
    """`usher nodes ...`: what reads, then what changes."""
    subparsers = add_questions(parser)
    import_module("usher.database.command").add_readings(subparsers)
    import_module("usher.operate").add_verbs(subparsers)


def add_questions(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """`usher nodes list`, `expiring`, `show` and `why`."""
    subparsers = parser.add_subparsers(metavar="ACTION", required=True, title="actions")
    import_module("usher.views.nodes_list").add_arguments(subparsers)
    import_module("usher.views.nodes_expiring").add_arguments(subparsers)
    import_module("usher.views.nodes_show").add_arguments(subparsers)
    return subparsers


def _bug(error: Exception) -> int:
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"usher-{os.getpid()}.trace")  # noqa: PTH118, S108 opened exclusively
    try:
        with open(path, "x", encoding="utf-8", opener=_private) as file:
            file.write(f"{trace(error)}\n")
        place = f"; its trace is in {path}"
    except OSError:
        place = ""
    said = words(error)
    print(f"usher: this is a bug: {told(error)}{f' ({said})' if said else ''}{place}", file=sys.stderr)
    return BUG


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
