"""A diagram as a JSON document, for programs that draw or compare machines.

Rules:
1. The same diagram always gives the same text: a diff shows a change of the machine.
2. Its members are those of diagrams.model, under the same names; whoever draws something else than the table may add.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from diagrams.model import Diagram


def render(diagram: Diagram, **more: Any) -> str:
    """The document, indented; `more` are further members."""
    return json.dumps(asdict(diagram) | more, indent=2) + "\n"
