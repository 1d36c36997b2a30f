"""The course: order, what depends on what, the time limit, and bugs."""

from __future__ import annotations

import asyncio

from usher.preflight.course import Course
from usher.preflight.verdicts import Check, Verdict, doubtful, fine, wrong


class Heard(list[Check]):
    """The checks, as they were told."""

    def lines(self) -> list[str]:
        return [f"{check.verdict} {check.name}: {check.what}" for check in self]


def giving(*checks: Check):
    async def work() -> tuple[Check, ...]:
        return checks

    return work


async def never() -> tuple[Check, ...]:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def test_what_needs_a_failed_step_is_not_taken_and_says_which():
    heard = Heard()
    course = Course(60, heard.append)
    assert await course.step("a", giving(doubtful("a", "so so", "look")))
    assert not await course.step("b", giving(fine("b", "one"), wrong("b", "two", "mend")), "a")
    assert not await course.step("c", never, "a", "b")
    assert not await course.step("d", never, "c")
    assert await course.step("e", giving(fine("e", "good")), "a")
    assert heard.lines() == [
        "warning a: so so",
        "ok b: one",
        "wrong b: two",
        "not checked c: because b failed",
        "not checked d: because c failed",
        "ok e: good",
    ]
    assert course.checks == heard


async def test_what_several_checks_have_told_is_a_failure_without_another_line():
    heard = Heard()
    course = Course(60, heard.append)
    course.failing("x")
    assert heard == []
    assert not await course.step("y", never, "x")


async def test_the_time_limit_ends_a_step_and_keeps_others_from_beginning():
    heard = Heard()
    course = Course(0.01, heard.append)
    assert not await course.step("slow", never)
    assert not await course.step("next", never)
    assert [check.verdict for check in heard] == [Verdict.WRONG, Verdict.NOT_CHECKED]
    assert "time limit of 0.01s" in heard[0].what
    assert "--within" in heard[0].next_step
    assert "time limit of 0.01s is over" in heard[1].what


async def test_a_bug_is_told_without_its_words_and_the_others_go_on():
    async def bug() -> tuple[Check, ...]:
        raise ValueError("s3cret")

    heard = Heard()
    course = Course(60, heard.append)
    assert not await course.step("a", bug)
    assert await course.step("b", giving(fine("b", "good")))
    assert "a bug: ValueError" in heard[0].what
    assert "s3cret" not in str(heard[0])


async def test_a_step_that_timed_out_by_itself_is_a_bug_and_not_the_limit():
    async def bug() -> tuple[Check, ...]:
        raise TimeoutError

    heard = Heard()
    assert not await Course(60, heard.append).step("a", bug)
    assert "a bug: TimeoutError" in heard[0].what
