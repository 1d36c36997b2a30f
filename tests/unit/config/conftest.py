"""A Choria client configuration on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.names import FixedNames
from usher.config.client import ClientConfig, read_client
from usher.config.problems import Problem


@pytest.fixture
def read(tmp_path: Path):
    """Write the text as etc/client.conf of a directory that is the working directory, and read it."""

    def read(
        text: str, names: FixedNames | None = None, **environ: str
    ) -> tuple[ClientConfig | None, tuple[Problem, ...]]:
        path = tmp_path / "etc" / "client.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return read_client(path, environ, tmp_path, names or FixedNames("host"))

    return read
