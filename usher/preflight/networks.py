"""The preflight of several networks: one after another, each as if it was alone, and what all share before them.

Rules:
1. What is wrong with one network keeps none of the others from being tried.
2. Nothing is tried at all while what all share cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from usher.config.loading import Findings
from usher.config.problems import Problem, fatal
from usher.preflight.verdicts import Check, of_problems, skipped
from usher.preflight.whole import Around, Wanted, preflight


async def every(
    found: Findings, chosen: str | None, wanted: Wanted, outside: Around, tell: Callable[[Check], None]
) -> tuple[Check, ...]:
    """Check the chosen network, or all; `wanted.within` is for each. Raises nothing."""
    if not found.networks:
        return await preflight(found, wanted, outside, tell)
    checks = [*_shared(found)]
    for check in checks:
        tell(check)
    for each in found.networks:
        name = each.site.network if each.site is not None else ""
        if chosen in {None, name} and not fatal(_of_all(found)):
            checks += await _one(each, name, wanted, outside, tell)
    return tuple(checks)


async def _one(
    found: Findings, name: str, wanted: Wanted, outside: Around, tell: Callable[[Check], None]
) -> list[Check]:
    def told(check: Check) -> None:
        tell(replace(check, network=name))

    return [replace(check, network=name) for check in await preflight(found, wanted, outside, told)]


def _of_all(found: Findings) -> list[Problem]:
    own = {problem for each in found.networks for problem in each.problems}
    return [problem for problem in found.problems if problem not in own]


def _shared(found: Findings) -> Iterator[Check]:
    problems = _of_all(found)
    yield from of_problems(problems)
    if fatal(problems):
        yield skipped("networks", "what all of them share cannot be used")
