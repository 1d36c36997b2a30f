"""`usher audit export`: a part of the history for somebody who checks it without usher.

Rules:
1. It reads, beside a daemon or without one; the audit key signs the list of files, so it must be readable here.
2. Several state directories (a pair) become one bundle, merged by time; each journal stays provable by itself.
3. A span without a row is refused, with the times between which there are some.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from fsm.errors import StoreError
from store.reader import open_reader
from usher.audit.bundle import Source, write
from usher.audit.keys import audit_key_place, read_keys
from usher.audit.ranges import Range, find
from usher.state import StateDirectory, state_directory
from usher.views import common, moments
from usher.views.text import utc, visible

_EPILOG: Final = """A time is 2026-11-30, 2026-11-30T14:00Z, 90d (ago) or now; --until itself is not included.

exit code: 0 written, 1 refused, 2 wrong arguments or nothing to read

examples:
  usher audit export --since 2026-11-01 --until 2026-12-01 --out ./november
  usher audit export --since 7d --out ./week --also /var/lib/usher-b"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `usher audit export`."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "--since", type=moments.time, metavar="TIME", help="from the first row that is not before this time"
    )
    parser.add_argument("--until", type=moments.time, metavar="TIME", help="to the last row before this time")
    parser.add_argument("--out", required=True, metavar="DIR", help="the directory that is made")
    help_ = "another state directory, whose history is merged in; may be given more than once"
    parser.add_argument("--also", action="append", default=[], type=common.directory, metavar="STATE_DIR", help=help_)
    parser.add_argument("--key-file", metavar="FILE", help="the audit.key_file of the site (default: as usher run)")
    common.add_state(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write it, and tell what is in it."""
    return common.guarded(lambda: _export(args))


def _export(args: argparse.Namespace) -> None:
    if args.since is not None and args.until is not None and args.since >= args.until:
        raise common.RefusedError("--since must be before --until", common.NOTHING_TO_READ)
    own = common.database(args)
    key = read_keys(audit_key_place(args.key_file or "", os.environ, _state(args)))
    with ExitStack() as stack:
        sources = [_source(stack, path, args) for path in (own, *map(_database, args.also))]
        _check(sources)
        asked = {"since": utc(args.since or 0), "until": utc(args.until or 0)}
        document = write(Path(args.out).absolute(), sources, key.current, asked)
    if args.json:
        common.answer({"out": args.out, **document})
    else:
        common.say(map(visible, _lines(args.out, document, [source.range for source in sources])))


def _state(args: argparse.Namespace) -> StateDirectory:
    return state_directory(args.state_directory, os.environ)


def _database(named: str) -> Path:
    path = StateDirectory(Path(named)).database
    if not path.exists():
        said = f"there is no database in {named}: name another state directory with --also"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    return path


def _source(stack: ExitStack, path: Path, args: argparse.Namespace) -> Source:
    try:
        reader = stack.enter_context(open_reader(path))
    except StoreError as error:
        raise common.RefusedError(str(error), common.NOTHING_TO_READ) from None
    return Source(reader, find(reader, args.since, args.until))


def _check(sources: Sequence[Source]) -> None:
    """Something to write, of databases that differ; raises RefusedError."""
    lineages = [source.range.lineage for source in sources]
    if len(set(lineages)) < len(lineages):
        said = "two of these state directories hold the same database: name each once"
        raise common.RefusedError(said, common.NOTHING_TO_READ)
    if any(source.range.last >= source.range.first for source in sources):
        return
    held = [source.range for source in sources if source.range.began is not None]
    began, ended = (
        min((each.began or 0 for each in held), default=0),
        max((each.ended or 0 for each in held), default=0),
    )
    between = f"its rows are from {utc(began)} to {utc(ended)}" if held else "nothing has happened yet"
    raise common.RefusedError(f"no row of the history lies in that span: {between}", common.NOTHING_TO_READ)


def _lines(out: str, document: dict[str, Any], ranges: Sequence[Range]) -> Iterator[str]:
    rows = sum(of.last - of.first + 1 for of in ranges)
    yield f"written: {out}: {rows} rows of history of {len(ranges)} journal{'s' if len(ranges) > 1 else ''}"
    for journal, of in zip(document["journals"], ranges, strict=True):
        missing = journal["missing"]
        yield f"journal {of.lineage}: rows {of.first} to {of.last}, {_covered(of)}"
        if missing["payloads"]:
            yield f"  {missing['payloads']} of them have no payload any more, their digests stay"
        if missing["pruned_below"]:
            yield f"  its history begins at row {missing['pruned_below']}: what was before was pruned"
        if journal["clock_set_back_at"]:
            yield f"  the clock was set back, first at row {journal['clock_set_back_at'][0]}"
    yield f"give it away as it is; it is checked with the key {document['signed_by']}"
    yield f"next: usher audit verify --bundle {out} --key {document['signed_by']}"


def _covered(of: Range) -> str:
    if of.covering is not None:
        more = f", for which {of.end - of.last} rows after them are added" if of.end > of.last else ""
        return f"covered by checkpoint {of.covering.number}{more}"
    after = f"the rows after {of.bound} by none" if of.bound >= of.first else "by none"
    return f"covered {after}: usher audit checkpoint takes one"
