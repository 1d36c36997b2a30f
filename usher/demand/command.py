"""`usher reprovision`, `restart` and `shutdown`: ask provisioned nodes in the fleet, in batches, by a plan.

Rules:
1. The daemon asks the nodes; this command chooses them, notes the plan in the journal, and drives it batch by batch.
2. Interrupted anywhere, by whom or what ever, it leaves a plan that --resume continues; nothing is sent twice blindly.
3. Exit codes: 0 all done; 1 a node failed or was refused, or it was stopped; 2 wrong arguments; 3 no daemon answers;
   130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Final

from fsm.errors import UsherError
from fsm.events import Verb
from store.reader import Reader, open_reader
from usher.control.client import NoDaemonError, ask
from usher.control.protocol import LONGEST_REASON, MOST, Ask, Command
from usher.demand import selecting
from usher.demand.looking import foreseen
from usher.demand.outcome import End
from usher.demand.plan import Manner, Plan, described, last_plan
from usher.demand.rollout import Rollout, Tally
from usher.demand.searching import unknown
from usher.demand.selecting import SelectionError, filters_of
from usher.demand.showing import Progress, again, as_json, summary
from usher.demand.site import TheSite
from usher.display import redraws
from usher.state import StateDirectory, state_directory
from usher.views import common
from usher.views.nodes_list import age, state
from usher.views.text import visible

WELL: Final = 0
TROUBLE: Final = 1
WRONG: Final = 2
NO_DAEMON: Final = 3
INTERRUPTED: Final = 130
LONG: Final = 300.0
"""Seconds to wait for what a large fleet says of its facts."""
_WHAT: Final = {
    Verb.REPROVISION: "Send provisioned nodes back through provisioning; a node that is not provisioned begins anew.",
    Verb.RESTART: "Have provisioned nodes restart.",
    Verb.SHUTDOWN: "Have provisioned nodes shut down; they are retired, and come back only by other means.",
}


def add_reprovision(parser: argparse.ArgumentParser) -> None:
    """The options of `usher reprovision`."""
    _add(parser, Verb.REPROVISION)
    parser.add_argument("--within", type=age, metavar="TIME", help="a node is late after this (10m); 0s: do not wait")
    parser.add_argument("--force", action="store_true", help="also nodes that may not find back into provisioning")


def add_restart(parser: argparse.ArgumentParser) -> None:
    """The options of `usher restart`."""
    _add(parser, Verb.RESTART)
    parser.set_defaults(within=None, force=False)


def add_shutdown(parser: argparse.ArgumentParser) -> None:
    """The options of `usher shutdown`."""
    _add(parser, Verb.SHUTDOWN)
    parser.set_defaults(within=None, force=False)


def _add(parser: argparse.ArgumentParser, verb: Verb) -> None:
    parser.description = (
        f"{_WHAT[verb]} They are asked in the fleet, with the operator's credentials (docs/operations.md)."
    )
    parser.set_defaults(run=run, verb=verb)
    who = parser.add_argument_group("whom", "names, or what usher knows; several together narrow the choice")
    who.add_argument("nodes", nargs="*", metavar="NODE", help="a node's name; - reads names from standard input")
    who.add_argument(
        "--from", dest="files", action="append", default=[], metavar="FILE", help="names, one a line; - too"
    )
    who.add_argument("--in", dest="in_state", type=state, metavar="STATE", help="nodes in this state")
    who.add_argument("--expiring", type=age, metavar="TIME", help="nodes whose token ends within this time: 60d")
    who.add_argument("--discover", action="store_true", help="nodes that answer in the fleet now")
    who.add_argument("-F", dest="facts", action="append", default=[], metavar="FACT=VALUE", help="with --discover")
    who.add_argument(
        "-I",
        dest="identities",
        action="append",
        default=[],
        metavar="NAME",
        help="with --discover: a name, a pattern like web*, or /expression/",
    )
    who.add_argument("--version", metavar="V", help="nodes that run this version of Choria")
    who.add_argument("--network", metavar="NAME", help="nodes of this one of several networks")
    how = parser.add_argument_group("how")
    how.add_argument("--batch", type=_size, metavar="N", help="so many at once (10)")
    how.add_argument("--sleep", type=age, metavar="TIME", help="wait between two batches (0s)")
    how.add_argument("--stop-on-errors", type=_percent, metavar="P", help="stop when more than P percent failed (10)")
    how.add_argument("--dry-run", action="store_true", help="say whom it would ask and whom not, and why; ask nobody")
    how.add_argument("--resume", action="store_true", help="go on with the last plan")
    how.add_argument("--reason", default="", help="why; kept in the journal with your name")
    common.add_state(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Choose, note, carry out, tell."""
    place = state_directory(args.state_directory, os.environ)
    try:
        with open_reader(common.database(args)) as reader:
            return _run(args, place, reader)
    except SelectionError as error:
        return _failed(error, WRONG)
    except common.RefusedError as error:
        return _failed(error, WRONG)
    except NoDaemonError as error:
        return _failed(error, NO_DAEMON)
    except UsherError as error:
        return _failed(error, TROUBLE)


def _run(args: argparse.Namespace, place: StateDirectory, reader: Reader) -> int:
    closed = _closed(place)
    plan = _resumed(args, reader) if args.resume else _planned(args, place, reader, closed)
    if args.dry_run:
        told, all_of_them = foreseen(reader, plan, common.now(), closed, as_json=args.json)
        common.say(told)
        return WELL if all_of_them else TROUBLE
    if not plan.id:
        plan = _noted(place, plan)
    progress = Progress(sys.stdout, plan, live=redraws(sys.stdout), quiet=args.json)
    rollout = Rollout(plan, TheSite(place, reader, plan), progress.told, progress.moved)
    try:
        tally = rollout.run()
    except KeyboardInterrupt:
        progress.say(*summary(plan, rollout.tally), f"interrupted; to go on: {again(plan)}")
        return INTERRUPTED
    except NoDaemonError:
        progress.say(*summary(plan, rollout.tally), f"the daemon went away; when it runs again: {again(plan)}")
        raise
    return _end(args, place, plan, tally, progress)


def _end(args: argparse.Namespace, place: StateDirectory, plan: Plan, tally: Tally, progress: Progress) -> int:
    counts = tally.counts()
    if not tally.stopped and not counts[End.FAILED]:
        ask(place, Ask(Command.PLAN, plan.reason, nodes=plan.nodes[:1], arguments={"plan": plan.id, "ended": True}))
    progress.say(*summary(plan, tally))
    if args.json:
        print(as_json(plan, tally))
    return WELL if counts[End.DONE] == tally.total else TROUBLE


def _planned(args: argparse.Namespace, place: StateDirectory, reader: Reader, closed: Mapping[str, str]) -> Plan:
    if args.network and closed and args.network not in closed:
        raise SelectionError(unknown(args.network, closed))
    first = next(iter(closed), "")
    names = [*selecting.named(args.nodes, args.files), *_discovered(args, place, reader, first)]
    listed = bool(args.nodes or args.files or args.discover)
    chosen = selecting.select(reader, names, filters_of(args, common.now(), first), listed=listed)
    if not chosen.nodes:
        raise SelectionError("no node is like that: nothing was asked")
    if chosen.repeated:
        print(
            f"usher: {chosen.repeated} repetition{'s' * (chosen.repeated > 1)} of names: each node is asked once",
            file=sys.stderr,
        )
    if not args.dry_run and not (args.reason.strip() and len(args.reason) <= LONGEST_REASON):
        raise SelectionError(f"--reason must say why, in at most {LONGEST_REASON} characters")
    return Plan(0, args.verb, "", args.reason.strip(), _manner(args), chosen.nodes)


def _closed(place: StateDirectory) -> Mapping[str, str]:
    """Why nobody can be asked in a network, by its name, the first one first; nothing if no daemon tells."""
    try:
        return ask(place, Ask(Command.STATUS))["status"]["fleets"] or {}
    except NoDaemonError:
        return {}


def _discovered(args: argparse.Namespace, place: StateDirectory, reader: Reader, first: str) -> list[str]:
    """Who answers in the fleet, as far as it is looked for there."""
    if not args.discover:
        if args.facts or args.identities:
            raise SelectionError("-F and -I choose among the nodes that answer: say --discover too")
        return []
    arguments = {"facts": args.facts, "identities": args.identities, "network": args.network}
    answer = ask(place, Ask(Command.DISCOVER, arguments=arguments), patience=LONG)
    nodes, elsewhere = selecting.at_home(reader.node, answer["found"], first)
    for why in answer["unasked"].values():
        common.warn(f"not searched: {visible(why)}")
    if answer["silent"]:
        common.warn(f"{answer['silent']} nodes did not tell their facts, and are left out")
    if elsewhere:
        common.warn(f"{elsewhere} answered in another network than that of their record, and are left out")
    return nodes


def _manner(args: argparse.Namespace) -> Manner:
    usual = Manner()
    return Manner(
        usual.batch if args.batch is None else args.batch,
        usual.sleep if args.sleep is None else args.sleep / 1000,
        usual.stop if args.stop_on_errors is None else args.stop_on_errors,
        usual.within if args.within is None else args.within / 1000,
        args.force,
    )


def _resumed(args: argparse.Namespace, reader: Reader) -> Plan:
    chosen = [args.nodes, args.files, args.in_state, args.expiring, args.version, args.batch, args.sleep, args.discover]
    chosen += [args.network]
    if any(each for each in chosen) or args.stop_on_errors is not None or args.within is not None or args.force:
        raise SelectionError("--resume goes on with the last plan as it is: leave the other choices out")
    plan = last_plan(reader, args.verb)
    if plan is None or plan.ended:
        said = "came to its end" if plan else "is known"
        raise SelectionError(f"there is nothing to resume: {'the last' if plan else 'no'} plan to {args.verb} {said}")
    if plan.missing:
        raise SelectionError("the last plan was not written as a whole, and nobody was asked: begin it anew")
    return plan


def _noted(place: StateDirectory, plan: Plan) -> Plan:
    """Write the plan, in pieces, before anybody is asked."""
    arguments, begun = described(plan), 0
    for start in range(0, len(plan.nodes), MOST):
        piece = plan.nodes[start : start + MOST]
        begun = ask(place, Ask(Command.PLAN, plan.reason, nodes=piece, arguments={**arguments, "plan": begun}))["plan"]
    return Plan(begun, plan.verb, plan.name, plan.reason, plan.manner, plan.nodes)


def _failed(error: UsherError, code: int) -> int:
    print(f"usher: {visible(str(error))}", file=sys.stderr)
    return code


def _number(text: str, least: int, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is not {what}")
    return int(text)


_size: Final = partial(_number, least=1, most=MOST, what=f"a number of nodes from 1 to {MOST}")
_percent: Final = partial(_number, least=0, most=100, what="a percentage from 0 to 100")
