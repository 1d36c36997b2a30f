"""A diagram as a JSON document, for programs that draw or compare machines.

Rules:
1. The same diagram always gives the same text: a diff shows a change of the machine.
2. Its members are those of diagrams.model, under the same names.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from diagrams.model import Diagram


def render(diagram: Diagram) -> str:
    """The document, indented."""
    return json.dumps(asdict(diagram), indent=2) + "\n"
