"""Names in requests and certificates: every one of them as text, and what `cert_deny_list` says of it.

Rules:
1. A pattern is searched in every name, of every kind, anywhere in it (wire/provisioning.md §3.6).
2. A name that matches is denied in both modes; one that matches but for its capitals passed in the older program, so it
   is a named check (design §7).
3. What cannot be compared is no name: UnfitNameError, and nothing that somebody wrote is repeated longer than SHOWN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from fsm.errors import TokenError
from fsm.reasons import Reason

SHOWN: Final = 80
MOST: Final = 100
"""Alternative names: each is searched with each pattern."""


def shown(name: str) -> str:
    """A name as it can be repeated."""
    return repr(name[:SHOWN])


class UnfitNameError(Exception):
    """A name that cannot be compared with a pattern"""


class DenyList:
    """The patterns of `cert_deny_list`."""

    def __init__(self, denied: Sequence[str]) -> None:
        """Compile them; raises re.error for one that is none, which the configuration has ruled out."""
        self._denied = [(pattern, re.compile(pattern), re.compile(pattern, re.IGNORECASE)) for pattern in denied]

    def judge(
        self, names: Iterable[str], denial: Reason, check: str, told: Callable[[str], str] = shown
    ) -> dict[str, str]:
        """What passes under the named check, and why; raises TokenError with this denial. `told` says a name."""
        passed: dict[str, str] = {}
        for name in names:
            for pattern, exact, loose in self._denied:
                if any(exact.search(form) for form in _forms(name)):
                    raise TokenError(denial, f"{told(name)} matches the denied pattern {pattern}")
                if any(loose.search(form) for form in _forms(name)):
                    passed.setdefault(check, f"{told(name)} matches the denied pattern {pattern} but for its capitals")
        return passed


def texts(name: x509.Name) -> Iterator[str]:
    """The texts of a subject; raises UnfitNameError."""
    for attribute in name:
        if not isinstance(attribute.value, str):
            raise UnfitNameError("its subject holds what is no text")
        yield attribute.value


def alternatives(extensions: x509.Extensions) -> Iterator[str]:
    """The subject alternative names, of every kind, as text; raises UnfitNameError."""
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    if len(list(found)) > MOST:
        raise UnfitNameError(f"it has more than {MOST} alternative names")
    for name in found:
        match name:
            case x509.DNSName() | x509.RFC822Name() | x509.UniformResourceIdentifier():
                yield name.value
            case x509.IPAddress() | x509.RegisteredID():
                yield name.value.dotted_string if isinstance(name, x509.RegisteredID) else str(name.value)
            case x509.DirectoryName():
                yield from texts(name.value)
            case _:
                raise UnfitNameError("it has an alternative name of a kind that cannot be compared")


def _forms(name: str) -> Iterator[str]:
    """A name as it stands, without a last dot, and the host of an address."""
    yield name
    yield name.rstrip(".")
    try:
        host = urlsplit(name).hostname
    except ValueError:
        return
    if host:
        yield host.rstrip(".")
