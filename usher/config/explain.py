"""Where every value of both configurations is from: `usher check-config --explain`.

Rules:
1. Every setting that usher knows is told, those that are not written too.
2. Values are not repeated here: the summary has them, without the secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from usher.config.document import key_lines
from usher.config.keys import FEATURES, KEYS
from usher.config.loading import Findings
from usher.config.site import Site
from usher.config.source import Source


def explain(found: Findings, environ: Mapping[str, str]) -> tuple[Source, ...]:
    """The sources of what could be read: the site's, then the client's."""
    site = tuple(_site(found.site, environ)) if found.site is not None else ()
    return (*site, *(source for each in found.each for source in (each.client.sources if each.client else ())))


def _site(site: Site, environ: Mapping[str, str]) -> Iterator[Source]:
    lines = key_lines(site.file)
    names = [name for name in KEYS if name != "features"] + [f"features.{name}" for name in FEATURES]
    for name in names:
        where = f"{site.file} line {lines[name]}" if name in lines else "default"
        if name == "state_directory" and name not in lines and environ.get("STATE_DIRECTORY"):
            where = "the environment variable STATE_DIRECTORY"
        yield Source(name, name, where)
