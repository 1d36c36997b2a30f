"""What a helper printed, made fit for a history that many people read.

Rules:
1. Secrets that we know, and what looks like a token or a private key, are replaced before anything is stored.
2. No control character but newline and tab survives: a terminal that shows the text is not driven by it.
3. The end is kept when it is too long, since an error stands there; a line or a word that was cut in half is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

GONE: Final = "[redacted]"
_SHORTEST: Final = 4
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?")
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_PEM_REST: Final = re.compile(r"\A.*?-----END [A-Z0-9 ]*PRIVATE KEY-----", re.DOTALL)
_NAMED: Final = re.compile(
    r"(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|\S+)"
)
_HIDDEN: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"} | {
    code: f"\\u{code:04x}" for code in (*range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}


def visible(text: str) -> str:
    """The text with control characters, and those that reverse the reading direction, written as escapes."""
    return text.translate(_HIDDEN)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without secrets; those shorter than four characters are too common to replace."""
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, GONE)
    text = _PEM_REST.sub(GONE, _PEM.sub(GONE, text))
    return _NAMED.sub(rf"\g<1>{GONE}", _JWT.sub(GONE, text))


def printed(data: bytes, secrets: Iterable[str], longest: int, *, cut: bool = False) -> str:
    """A helper's standard error as it is kept: redacted, visible, its last `longest` characters.

    `cut` says that the beginning of `data` is already missing.
    """
    text = data.decode("utf-8", "replace")
    if cut:
        text = text.partition("\n")[2] or text.partition(" ")[2] or text
    text = visible(redact(text.replace("\r\n", "\n"), secrets)).strip()
    if len(text) > longest or cut:
        text = "… " + text[-(longest - 2) :]
    return text
