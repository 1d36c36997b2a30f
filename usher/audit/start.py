"""The keeper at a start: its keys are read or made before the database is opened, and it is told of every row.

Rules:
1. A key that cannot be used ends the start like any other key that cannot be used.
2. Where no daemon runs, a command makes a keeper of its own: the site's command is not known there, so none is called.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from fsm.ports import Clock
from usher import logs
from usher.audit.keeper import Keeper
from usher.audit.keys import audit_key_place, open_keys
from usher.config.audit import AuditSettings
from usher.metrics.families import Family
from usher.state import StateDirectory


def keeper_of(
    settings: AuditSettings, state: StateDirectory, clock: Clock, families: Mapping[str, Family] | None = None
) -> Keeper:
    """The keeper of a state directory that is locked; raises CredentialError, AuditKeyError."""
    keys = open_keys(audit_key_place(settings.key_file, os.environ, state))
    logs.hide(keys.seeds)
    return Keeper(keys, settings, clock, families)
