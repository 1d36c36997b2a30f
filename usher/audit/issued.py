"""`usher audit issued`: who received which credential, which is what an incident asks first.

Rules:
1. It is asked by what an incident knows: a node, a key, the id of a token, the serial of a certificate, a time.
2. A line a credential, the oldest first; programs get every field.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any, Final

from fsm.identity import is_safe
from store.reader import open_reader
from store.records import floors
from usher.audit.credentials import Issued, Search, Wanted, search
from usher.views import common, moments
from usher.views.text import local, table, utc, visible

HEAD: Final = ("TIME", "NODE", "GEN", "KIND", "ID", "KEY", "EXPIRES", "RECEIVED")
NONE: Final = 1
_SHOWN: Final = 16  # characters of a key or a serial in a table
_HEX: Final = re.compile("[0-9a-f]{8,}")
_KSUID: Final = re.compile("[0-9A-Za-z-]{3,64}")
_EPILOG: Final = """Of a key or a serial the first eight characters are enough; colons and letter case do not matter.
RECEIVED says what the node answered to the configuration that carried it: acknowledged; perhaps (no answer: it may have
it); not_sent, not_delivered or refused (it has it not).

exit code: 0 some were found, 1 none, 2 wrong arguments or nothing to read

examples:
  usher audit issued --node web1.example.net
  usher audit issued --jti 2Qx0Yl3PbCe
  usher audit issued --between 2026-11-29T22:00Z 2026-11-30T06:00Z --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher audit issued`."""
    parser.epilog = _EPILOG
    parser.add_argument("--node", type=_node, metavar="NODE", help="what a node was given")
    help_ = "for which key: an ed25519 key, or a certificate key's fingerprint, in hexadecimal"
    parser.add_argument("--key", type=_hex, metavar="HEX", help=help_)
    parser.add_argument("--jti", type=_jti, metavar="ID", help="the id of a server token")
    parser.add_argument("--serial", type=_hex, metavar="HEX", help="the serial of a certificate, in hexadecimal")
    parser.add_argument(
        "--between", nargs=2, type=moments.time, metavar=("A", "B"), help="made from time A to before time B"
    )
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def _node(text: str) -> str:
    if not is_safe(text):
        raise argparse.ArgumentTypeError(f"{visible(text)!r:.80} cannot be a node's name")
    return text


def _hex(text: str) -> str:
    said = text.strip().lower().replace(":", "").removeprefix("0x")
    if not _HEX.fullmatch(said):
        raise argparse.ArgumentTypeError(f"{visible(text)!r:.80} is not at least eight hexadecimal characters")
    return said


def _jti(text: str) -> str:
    if not _KSUID.fullmatch(text.strip()):
        raise argparse.ArgumentTypeError(f"{visible(text)!r:.80} is no id of a token")
    return text.strip()


def run(args: argparse.Namespace) -> int:
    """Look, and tell; answers the exit code."""
    counts: list[int] = []
    code = common.guarded(lambda: counts.append(_issued(args)))
    return code or (0 if counts[0] else NONE)


def _issued(args: argparse.Namespace) -> int:
    wanted = Wanted(args.node, args.key, args.jti, args.serial, tuple(args.between) if args.between else None)
    if wanted == Wanted():
        said = "say what is looked for: --node, --key, --jti, --serial or --between"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    with open_reader(common.database(args)) as reader:
        made = search(reader, wanted)
        begins = max((floor.position for floor in floors(reader)), default=1)
    if args.json:
        common.answer({"issued": [_document(each) for each in made.found], "unreadable_rows": made.unreadable})
    else:
        common.say(_lines(made, begins))
    return len(made.found)


def _document(issued: Issued) -> dict[str, Any]:
    return {
        "node": issued.node,
        "generation": issued.generation,
        "row": issued.position,
        "at": utc(issued.at),
        "kind": issued.kind,
        "key": issued.key,
        "jti": issued.jti or None,
        "serial": issued.serial or None,
        "digest": issued.digest or None,
        "signer": issued.signer or None,
        "expires": utc(issued.expires * 1000),
        "received": issued.received,
        "received_at": utc(issued.received_at),
    }


def _lines(made: Search, begins: int) -> Iterator[str]:
    if made.found:
        yield from table(HEAD, [_cells(each) for each in made.found], common.width())
    else:
        yield "nothing like that was issued"
    if made.unreadable:
        yield f"({made.unreadable} rows cannot be read any more: what they issued is not known)"
    if begins > 1:
        yield f"(history begins at row {begins}: what was issued before was pruned, an export of it may be kept)"


def _cells(issued: Issued) -> tuple[str, ...]:
    expires = local(issued.expires * 1000) if issued.expires else ""
    return (
        local(issued.at),
        issued.node,
        str(issued.generation),
        issued.kind,
        issued.jti or issued.serial[:_SHOWN],
        issued.key[:_SHOWN],
        expires,
        issued.received,
    )
