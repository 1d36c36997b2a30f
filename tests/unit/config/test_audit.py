"""The `audit` group of the YAML: its defaults, its limits, its command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from usher.config.audit import AuditSettings, read_audit
from usher.config.values import Reader


def settings(written: Mapping[str, Any]) -> tuple[AuditSettings, list[str]]:
    reader = Reader(Path("usher.yaml"))
    return read_audit(reader, written), [str(problem) for problem in reader.problems]


def test_without_it_the_defaults_hold():
    assert settings({}) == (AuditSettings(), [])


def test_everything_can_be_chosen():
    made, problems = settings(
        {
            "key_file": "/run/secrets/audit",
            "checkpoint_command": "/usr/local/bin/keep --to 'a place'",
            "checkpoint_timeout": "30s",
            "checkpoint_rows": 500,
            "checkpoint_interval": "1h",
        }
    )
    command = ("/usr/local/bin/keep", "--to", "a place")
    assert (made, problems) == (AuditSettings("/run/secrets/audit", command, 30.0, 500, 3600.0), [])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"checkpoint_rows": 1}, "audit.checkpoint_rows: it must be a number of rows, at least 100"),
        ({"checkpoint_interval": "1s"}, "audit.checkpoint_interval: it must be at least 10s"),
        ({"checkpoint_timeout": "1h"}, "audit.checkpoint_timeout: it must be longer than nothing"),
        ({"checkpoint_command": "'open"}, "audit.checkpoint_command: the command cannot be split into words"),
        ({"checkpoint_comand": "x"}, "audit.checkpoint_comand: there is no such setting; did you mean"),
        ({"key_file": 3}, "audit.key_file: it is a number"),
    ],
)
def test_what_is_wrong_is_named(written: Mapping[str, Any], said: str):
    problems = settings(written)[1]
    assert len(problems) == 1
    assert said in problems[0]
