"""The settings of a start with something changed in its one network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fsm.policy import Policy
from usher.networks.member import Outside
from usher.starting import Settings


def changed(
    settings: Settings, *, outside: Outside | None = None, policy: Policy | None = None, **more: Any
) -> Settings:
    """The same settings with another outside, another policy, and other things that all networks share."""
    (alone,) = settings.networks
    opened = replace(alone, outside=outside or alone.outside, policy=policy or alone.policy)
    return replace(settings, networks=(opened,), **more)
