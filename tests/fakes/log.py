"""Everything is logged to a file, and can be read."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from usher.logs import Bridge, set_up


class Log:
    """Everything is logged to a file, and can be read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        set_up(str(file), "debug")

    @property
    def text(self) -> str:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, Bridge):
                handler.lines.flush()
        return self._file.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.split("\n")[:-1]]
