"""What a process has cost, as the kernel counts it, and what this machine is worth just now.

Rules:
1. CPU is user and system time of all threads of a process; what its children took, once they were waited for, is apart.
2. A figure at a moment is read between the two samples around it: the moment is often known only afterwards.
3. Calibration is one fixed piece of pure Python: its CPU time says what the machine is worth. How many of its
   processors others have used meanwhile is measured too: they slow us, and their traces in the caches cost us CPU.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
_STEPS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in seconds: of the process, and of its children that have ended."""

    own: float = 0.0
    children: float = 0.0

    def __sub__(self, other: Cost) -> Cost:
        """What was added since `other`."""
        return Cost(self.own - other.own, self.children - other.children)

    def towards(self, other: Cost, part: float) -> Cost:
        """The cost that lies this part of the way to `other`."""
        return Cost(self.own + (other.own - self.own) * part, self.children + (other.children - self.children) * part)


def cost(pid: int) -> Cost:
    """What a process has cost until now; nothing if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return Cost()
    user, system, of_children, system_of_children = map(int, text.rpartition(")")[2].split()[11:15])
    return Cost((user + system) / TICKS, (of_children + system_of_children) / TICKS)


def together(pids: Sequence[int]) -> Cost:
    """What several processes have cost until now."""
    each = [cost(pid) for pid in pids]
    return Cost(sum(one.own for one in each), sum(one.children for one in each))


def whole() -> Cost:
    """What all processes of this machine have cost since its start."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
    return Cost((user + nice + system + irq + softirq) / TICKS)


def ourselves() -> Cost:
    """What this process has cost."""
    return Cost(time.process_time())


def peak(pid: int) -> float:
    """The most memory that it has held (VmHWM), in MB of a million bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)


@dataclass(slots=True)
class Course:
    """A cost over time: samples at milliseconds since 1970."""

    now: Callable[[], Cost]
    _at: list[int] = field(default_factory=list)
    _costs: list[Cost] = field(default_factory=list)

    def sample(self) -> None:
        """Note what it has cost until now; a process that has ended keeps what was noted last."""
        found = self.now()
        if found.own:
            self._at.append(time.time_ns() // 1_000_000)
            self._costs.append(found)

    def at(self, when: int) -> Cost:
        """What it had cost at this moment, as far as the samples tell."""
        place = bisect_left(self._at, when)
        if place in {0, len(self._at)}:
            return self._costs[min(place, len(self._costs) - 1)]
        before, after = self._at[place - 1], self._at[place]
        return self._costs[place - 1].towards(self._costs[place], (when - before) / (after - before))

    def last(self) -> Cost:
        """What it had cost when it was looked at last."""
        return self._costs[-1]


def calibration() -> float:
    """Milliseconds of CPU that a fixed piece of pure Python takes, the best of three."""
    return min(_once() for _ in range(3))


def _once() -> float:
    began = time.thread_time()
    seen: dict[int, int] = {}
    number = 1
    for _ in range(_STEPS):
        number = (number * 1103515245 + 12345) & 0x7FFFFFFF
        seen[number & 1023] = seen.get(number & 1023, 0) + 1
    return (time.thread_time() - began) * 1000
