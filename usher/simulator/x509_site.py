"""The certificate side of a site in a directory: a small authority in two files, and the helper that signs with it.

Rules:
1. `ca.pem` and `ca.key` lie beside the helper; the key and the helper are for their owner alone.
2. The helper is the sample that is shown to people, with this site's files and brokers in it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from security.ca import SmallCa
from usher.simulator.material import helper_command

NAME: Final = "usher demo CA"
YEARS: Final = 2 * 365 * 24 * 3600
_FLAGS: Final = "-I"
"""Of the interpreter: with the packages beside it, since the helper signs with usher's."""
_CHECKED: Final = "# mypy: allow-any-generics\n\n"


@dataclass(frozen=True, slots=True)
class X509Site:
    """Where it lies; `brokers` is what its servers will connect to."""

    directory: Path
    brokers: str

    @property
    def ca(self) -> Path:
        """The authority's certificate, which nodes are sent."""
        return self.directory / "ca.pem"

    @property
    def key(self) -> Path:
        """The authority's key."""
        return self.directory / "ca.key"

    @property
    def helper(self) -> Path:
        """The helper: an executable script to look at, change and copy."""
        return self.directory / "x509_helper.py"

    @property
    def command(self) -> str:
        """The `helper:` key of the site's YAML."""
        return helper_command(self.helper, _FLAGS)


def make_x509_site(directory: Path, brokers: str, now: int) -> X509Site:
    """Write authority and helper into an existing directory; `now` in Unix seconds."""
    made = X509Site(directory.resolve(), brokers)
    authority = SmallCa.make(NAME, now, YEARS)
    for path, text, mode in (
        (made.ca, authority.certificate, 0o644),
        (made.key, authority.key, 0o600),
        (made.helper, helper_script(made), 0o700),
    ):
        path.touch(mode=mode)
        path.write_text(text)
    return made


def helper_script(site: X509Site) -> str:
    """The sample helper for a site's authority, run by the interpreter that runs us, with usher's own packages."""
    source = Path(__file__).with_name("sample_x509_helper.py").read_text().replace(_CHECKED, "")
    for name, value in (("CA", str(site.ca)), ("CA_KEY", str(site.key)), ("BROKERS", site.brokers)):
        blank = f'\n{name} = ""\n'
        if blank not in source:
            raise ValueError(f"the sample helper has no {name} to fill in")
        source = source.replace(blank, f"\n{name} = {value!r}\n")
    return f"#!{sys.executable} {_FLAGS}\n{source}"
