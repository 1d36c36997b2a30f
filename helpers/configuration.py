"""What a helper's configuration would do to the node that gets it, found out before it is sent.

Rules:
1. The node writes `key=value` lines and reads them by its own rules; these functions know those rules and no others.
2. A node that would stay in provisioning mode, or whose file would say something that the helper did not, is caught.
3. Nothing here changes a configuration, except the one function whose name says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fsm.identity import is_safe

PROVISION: Final = "plugin.choria.server.provision"
_ON: Final = frozenset({"1", "yes", "true", "y", "t"})
_OFF: Final = frozenset({"0", "no", "false", "n", "f"})
_COLLECTIVES: Final = (
    "collectives", "main_collective", "registration_collective", "plugin.choria.federation.collectives",
)  # fmt: skip
"""Settings that become part of the subjects that the node subscribes to (wire/protocol.md §5)."""
_KEY: Final = re.compile(r"[^\s=*>\x00-\x1f\x7f]+")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_SUBJECT_TOKEN: Final = re.compile(r"[^\s.*>\x00-\x1f\x7f]+")
_LONGEST_LINE: Final = 64 * 1024 - 1
"""Go's line scanner stops at 64 KiB, and the server ignores the rest of its file."""


def keeps_provisioning(configuration: Mapping[str, str], provisions_by_default: bool) -> bool:
    """Whether the node would stay in provisioning mode, or refuse to restart (wire/provisioning.md §2.2, §6.1).

    It does when the option is on; and when its token has `chpd`, unless the option is off with one of
    `0 no false n f` in any letter case. A value of nothing but spaces is no value: the node does not read it.
    """
    value = configuration.get(PROVISION, "").strip().lower()
    return value in _ON or (provisions_by_default and value not in _OFF)


def inject_provision_false(configuration: Mapping[str, str]) -> dict[str, str]:
    """The configuration, with provisioning turned off if it does not say; what the helper did say is left alone."""
    if configuration.get(PROVISION, "").strip():
        return dict(configuration)
    return {**configuration, PROVISION: "false"}


def unsafe_configuration(configuration: Mapping[str, str]) -> str | None:
    """What in the configuration must not reach a node's file, as a sentence; None if nothing (design §7)."""
    for key, value in configuration.items():
        problem = _key_problem(key) or _value_problem(key, value)
        if problem:
            return problem
    return None


def _key_problem(key: str) -> str | None:
    if key and _KEY.fullmatch(key):
        return None
    return f"the name {_shown(key)} is empty, or has a space, '=', a wildcard or a control character in it"


def _value_problem(key: str, value: str) -> str | None:
    if _BAD_VALUE.search(value):
        return f"the value of {_shown(key)} has a newline or another control character in it"
    if len(key.encode("utf-8", "replace")) + 1 + len(value.encode("utf-8", "replace")) > _LONGEST_LINE:
        return f"the line of {_shown(key)} is longer than 64 KiB: the server would ignore it and all that follows"
    if key in _COLLECTIVES and not all(_SUBJECT_TOKEN.fullmatch(name.strip()) for name in value.split(",") if name):
        return f"{_shown(key)} names a collective with a space, a dot or a wildcard in it"
    if key == "identity" and value.strip() and not is_safe(value.strip()):
        return "identity is not a safe name: letters, digits, '_' and '-' in labels that are joined by single dots"
    return None


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 100 else text[:100] + "...")
