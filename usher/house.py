"""The house: usher's top-level packages must come from one place, and a stranger among them is named at the start.

Rules:
1. It runs before any other package of the house is imported, and imports none itself: it may be the stranger.
2. Packages are found as an import would find them, without running them.
3. The place is where this module lies; what comes from elsewhere is the intruder.
4. Another distribution that has written over one of them in the same place is an intruder too.
"""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PACKAGES: Final = ("diagrams", "fsm", "helpers", "security", "store", "transport", "usher")
"""The top-level packages; their names are generic (docs/decisions/0001), so a stranger is likely some day."""
_ALONE: Final = "install choria-usher into an environment of its own"


def intruder() -> str:
    """What is wrong with where the packages come from, in one message with the next step; empty when all is well."""
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        if (place := _place(name)) != home:
            found = f"the package '{name}' comes from {place}" if place else f"the package '{name}' is missing"
            return f"{found}, but usher's own packages are in {home}: {_ALONE}, and look at PYTHONPATH"
        if _overwritten(name):
            return f"the distribution '{name}' has written over usher's package of that name in {home}: {_ALONE}"
    return ""


def check() -> None:
    """End the process with code 2 and the message if there is an intruder: nothing else of usher may run then."""
    if said := intruder():
        sys.stderr.write(f"usher: {said}\n")
        raise SystemExit(2)


def _overwritten(name: str) -> bool:
    """Whether a distribution of this name is installed and brings a package of this name, as PyPI's `diagrams` does."""
    try:
        files = metadata.distribution(name).files or []
    except metadata.PackageNotFoundError:
        return False
    return any(file.parts[:1] == (name,) for file in files)


def _place(name: str) -> Path | None:
    """The directory that a package is, or would be, imported from."""
    try:
        spec = find_spec(name)
    except ValueError:  # something took the name without saying where it comes from
        return None
    if spec is None:
        return None
    where = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else ())]
    return Path(where[0]).resolve().parent if where else None
