"""Graphviz: the program that makes a picture of DOT, where there is one.

Rules:
1. Usher needs it for nothing but pictures: that it is missing, fails or hangs is one sentence with the next step.
2. It gets the text on its standard input and a bounded time; it reads no file and opens no window.
"""

from __future__ import annotations

import subprocess
from typing import Final

from fsm.errors import ProblemError
from usher.views.text import visible

SECONDS: Final = 30.0
"""How long it may take; a picture of usher's takes a tenth of a second."""
PROGRAM: Final = "dot"
KINDS: Final = ("svg", "png")
_DPI: Final = 144
"""Dots an inch of a PNG: an A4 page is then as wide as a large screen."""
_TEXT: Final = "--format dot writes its text, which Graphviz draws elsewhere"


class GraphvizError(ProblemError):
    """Graphviz made no picture"""


def picture(text: str, kind: str, program: str = PROGRAM, seconds: float = SECONDS) -> bytes:
    """The picture of a DOT text as svg or png; raises GraphvizError."""
    command = [program, f"-T{kind}", *([f"-Gdpi={_DPI}"] if kind == "png" else [])]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=seconds, check=False)
    except FileNotFoundError:
        said = f"{program} of Graphviz is not on the PATH, and {kind} needs it: install graphviz; or {_TEXT}"
        raise GraphvizError(said) from None
    except subprocess.TimeoutExpired:
        said = f"{program} of Graphviz made no picture within {seconds:g} seconds and was ended; {_TEXT}"
        raise GraphvizError(said) from None
    except OSError as error:
        raise GraphvizError(f"{program} of Graphviz cannot be run ({error.strerror}): mend that; or {_TEXT}") from None
    if done.returncode or not done.stdout:
        said = (
            visible(done.stderr.decode(errors="replace").strip().partition("\n")[0]) or f"exit code {done.returncode}"
        )
        raise GraphvizError(f"{program} of Graphviz made no {kind} ({said}): mend its installation; or {_TEXT}")
    return done.stdout
