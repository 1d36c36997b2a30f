"""The commands that ask the daemon: `usher status`, `pause`, `resume`, and what changes nodes.

Rules:
1. Whatever changes something needs a reason, and goes through the control socket under the user's own name; where no
   daemon runs, the same engine does it here (usher.alone).
2. Each node of a list gets its own answer; one that was ignored is told with the row's sentence.
3. A name that was never seen is more likely mistyped than meant: it is only held where --force says so.
4. Exit codes: 0 all well; 1 something was refused or ignored, or the daemon takes no work; 2 wrong arguments; 3 no
   daemon answers, and there is none whose work could be done here. Monitoring can act on them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Final

from fsm.errors import StoreError, UsherError
from fsm.events import Verb
from fsm.identity import is_safe
from usher.alone import ask_or_do
from usher.control.client import NoDaemonError, RefusedError, ask, wish
from usher.control.protocol import LONGEST_REASON, Ask, Command
from usher.denied import WordError, subject
from usher.live import watch
from usher.standing import lines, programs, stored, trouble, unreadable
from usher.state import StateDirectory, state_directory
from usher.views import common
from usher.views.book import open_book
from usher.views.common import add_json, add_state, now
from usher.views.text import visible

WELL: Final = 0
TROUBLE: Final = 1
WRONG: Final = 2
NO_DAEMON: Final = 3

VERBS: Final = {
    Verb.RETRY: "try now what waits: a failed or deferred node begins anew, a waiting step is due",
    Verb.FORGET: "close the record of nodes; their history stays",
    Verb.QUARANTINE: "hold nodes: nothing is done to them until they are released",
    Verb.RELEASE: "let held nodes go: each begins anew",
}


def add_status(parser: argparse.ArgumentParser) -> None:
    """The options of `usher status`."""
    parser.description = "What the daemon does. Exit code: 0 it takes work, 1 it does not, 3 no daemon answers."
    add_state(parser)
    add_json(parser)
    parser.add_argument("--watch", action="store_true", help="one screen, live, until q or Ctrl-C; in a pipe lines")
    parser.set_defaults(run=status)


def add_pause(parser: argparse.ArgumentParser) -> None:
    """The options of `usher pause`."""
    parser.description = "Take no work and send nothing new until resumed; survives a restart."
    _add_change(parser, Command.PAUSE)


def add_resume(parser: argparse.ArgumentParser) -> None:
    """The options of `usher resume`."""
    parser.description = "Go on after a pause; every node goes on where it was."
    _add_change(parser, Command.RESUME)


def add_deny(parser: argparse.ArgumentParser) -> None:
    """The options of `usher deny`."""
    parser.description = "Never ask nodes with these names anything, whoever leads, until they are allowed again."
    _add_names(parser, Command.DENY)


def add_allow(parser: argparse.ArgumentParser) -> None:
    """The options of `usher allow`."""
    parser.description = "Take in again what usher deny refused, by the same words; identity_deny stays as it is."
    _add_names(parser, Command.ALLOW)


def add_verbs(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`usher nodes retry|forget|quarantine|release`."""
    for verb, what in VERBS.items():
        parser = subparsers.add_parser(verb.value, help=what, description=f"{what[0].upper()}{what[1:]}.")
        parser.add_argument("nodes", nargs="+", metavar="NODE", help="a node's name; - reads names from standard input")
        _add_reason(parser)
        if verb is Verb.QUARANTINE:
            parser.add_argument("--force", action="store_true", help="hold names that were never seen, too")
        add_state(parser)
        add_json(parser)
        parser.set_defaults(run=change_nodes, verb=verb)


def status(args: argparse.Namespace) -> int:
    """Ask and show; without a daemon, show what its database holds."""
    state = state_directory(args.state_directory, os.environ)
    if args.watch:
        return watch(state, as_json=args.json)
    try:
        answer = ask(state, Ask(Command.STATUS))["status"]
    except NoDaemonError as error:
        held = stored(state.database)
        if held is None:
            why = unreadable(state.database)
            if why:
                print(f"usher: {visible(why)}", file=sys.stderr)
            return _failed(error)
        _show(args, held)
        return NO_DAEMON
    except RefusedError as error:
        return _failed(error)
    _show(args, answer)
    return TROUBLE if trouble(answer) else WELL


def change_fleet(args: argparse.Namespace) -> int:
    """Pause or resume, and show what is so now."""
    if not _is_reason(args.reason):
        return WRONG
    try:
        answer = ask_or_do(state_directory(args.state_directory, os.environ), Ask(args.command_asked, args.reason))
    except UsherError as error:
        return _failed(error)
    _show(args, answer["status"])
    return WELL


def change_names(args: argparse.Namespace) -> int:
    """Deny or allow, and show what is so now."""
    if not _is_reason(args.reason):
        return WRONG
    try:
        patterns = list(dict.fromkeys(map(subject, args.names)))
        asked = Ask(args.command_asked, args.reason, arguments={"patterns": patterns})
    except WordError as error:
        print(f"usher: {error}", file=sys.stderr)
        return WRONG
    try:
        answer = ask_or_do(state_directory(args.state_directory, os.environ), asked)
    except UsherError as error:
        return _failed(error)
    _show(args, answer["status"])
    return WELL


def change_nodes(args: argparse.Namespace) -> int:
    """Ask for each node, and tell what became of each."""
    nodes = _names(args.nodes)
    unsafe = [node for node in nodes if not is_safe(node)]
    if unsafe or not nodes:
        said = f"{visible(unsafe[0])} cannot be a node's name" if unsafe else "no node was named"
        print(f"usher: {said}", file=sys.stderr)
        return WRONG
    if not _is_reason(args.reason):
        return WRONG
    answers: dict[str, dict[str, Any]] = {}
    failed = WELL
    state = state_directory(args.state_directory, os.environ)
    try:
        if args.verb is Verb.QUARANTINE and not args.force:
            _seen(state, nodes)
        for node, answer in wish(state, args.verb, nodes, args.reason, ask_or_do):
            answers[node] = answer
            if not args.json:
                print(_sentence(node, answer))
    except UsherError as error:
        failed = _failed(error)
    if args.json and (answers or not failed):
        print(json.dumps(answers))
    return failed or (WELL if all(answer["changed"] for answer in answers.values()) else TROUBLE)


def _seen(state: StateDirectory, nodes: list[str]) -> None:
    """Refuse the first name that was never seen, with those that are like it; raises RefusedError."""
    try:
        with open_book(state.database) as book:
            for node in nodes:
                common.known(book, node)
    except StoreError:
        return  # there is none, or it is not ours to read: whoever is asked says what it finds
    except common.RefusedError as error:
        said = str(error) if str(error).endswith("?") else f"{error}."
        raise RefusedError(f"nobody was held: {said} To hold a name before it is seen, say --force") from None


def _sentence(node: str, answer: dict[str, Any]) -> str:
    if not answer["changed"]:
        return f"{node}: nothing changed: {answer['why']}"
    state = "no record" if answer["state"] == "unseen" else answer["state"]
    return f"{node}: {state}: {answer['why']}"


def _show(args: argparse.Namespace, document: dict[str, Any]) -> None:
    print(json.dumps(programs(document)) if args.json else "\n".join(lines(document, now())))


def _is_reason(reason: str) -> bool:
    if reason.strip() and len(reason) <= LONGEST_REASON:
        return True
    print(f"usher: --reason must say why, in at most {LONGEST_REASON} characters", file=sys.stderr)
    return False


def _failed(error: UsherError) -> int:
    print(f"usher: {visible(str(error))}", file=sys.stderr)
    return NO_DAEMON if isinstance(error, NoDaemonError) else TROUBLE


def _names(given: list[str]) -> list[str]:
    names: list[str] = []
    for name in given:
        names.extend(sys.stdin.read().split() if name == "-" else [name])
    return list(dict.fromkeys(names))


def _add_change(parser: argparse.ArgumentParser, command: Command) -> None:
    _add_reason(parser)
    add_state(parser)
    add_json(parser)
    parser.set_defaults(run=change_fleet, command_asked=command)


def _add_names(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="a node's name, or '/REGEX/' for all names that have it"
    )
    _add_reason(parser)
    add_state(parser)
    add_json(parser)
    parser.set_defaults(run=change_names, command_asked=command)


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="why; kept in the journal with your name")
