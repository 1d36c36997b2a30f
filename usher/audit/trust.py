"""Trust: which keys signed, one after the other, and whether each checkpoint is what one of them signed.

Rules:
1. A key is trusted because it was given, or because a trusted one handed over to it; nothing else makes it so.
2. Without a given key the first checkpoint's is taken, and told: whoever asks compares it with the one that they know.
3. What was signed by another key before the given one began is not looked at: the later ones bind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from security.keys import signed_by
from store.checkpoints import Checkpoint


@dataclass(slots=True)
class Trust:
    """The keys that are trusted, the one in charge last."""

    keys: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The one in charge; empty where none is known."""
        return self.keys[-1] if self.keys else ""

    def knows(self, public: str) -> bool:
        """Whether it is one of them."""
        return public in self.keys


def follow(checkpoints: Iterable[Checkpoint], given: Sequence[str]) -> tuple[Trust, Checkpoint | None, str]:
    """Who is trusted after these checkpoints (in order), and the first that is not what it should be, and why.

    A given key may take over from another by itself, which is how a lost one is followed; but not once it handed over.
    """
    trust, spent, begun, seen = Trust(), set[str](), not given, False
    for each in checkpoints:
        seen = True
        begun = begun or each.key in given or each.successor in given
        if not begun:
            continue
        what = broken(each) or _unknown(each, trust, set(given) - spent)
        if what:
            return trust, each, what
        trust.keys += [key for key in (each.key, each.successor) if key and not trust.knows(key)]
        if each.successor:
            spent.add(each.key)
    if seen and not begun:
        return Trust(list(given)), None, f"no checkpoint is signed by the key {' or '.join(given)}"
    return (trust if seen else Trust(list(given))), None, ""


def broken(checkpoint: Checkpoint) -> str:
    """What is wrong with a checkpoint in itself; empty if its signatures and columns are those of its text."""
    try:
        said = checkpoint.says()
        columns = (said["number"], said["at"], said["history"]["position"], said["journal"]["position"])
        keys = (said["key"], said["successor"])
    except (ValueError, KeyError, TypeError):
        return "its text cannot be read"
    stored = (checkpoint.number, checkpoint.at, checkpoint.position, checkpoint.fleet_position)
    if columns != stored or keys != (checkpoint.key, checkpoint.successor):
        return "it is stored as another one than was signed"
    if not _signed(checkpoint.key, checkpoint.document, checkpoint.signature):
        return f"its signature is not that of the key {checkpoint.key}"
    if checkpoint.successor and not _signed(checkpoint.successor, checkpoint.document, checkpoint.countersigned or b""):
        return f"the key that takes over, {checkpoint.successor}, has not signed it"
    return ""


def _unknown(checkpoint: Checkpoint, trust: Trust, given: set[str]) -> str:
    if not trust.keys or checkpoint.key == trust.key or checkpoint.key in given:
        return ""
    return f"it is signed by the key {checkpoint.key}, to which {trust.key} has not handed over"


def _signed(public: str, text: bytes, signature: bytes) -> bool:
    try:
        return signed_by(bytes.fromhex(public), text, signature)
    except ValueError:
        return False
