"""What every tier may ask for: a real broker, the captures, and the same rules for every property test."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings

from security.issuing import make_broker_certificate
from tests.fakes.link import CALLERS
from tests.patience import LONGEST, PATIENCE
from transport.wire.caller import Caller
from transport.wire.versions import Version
from usher.simulator.broker import HOST, BrokerMissingError, EmbeddedBroker, binary

ROOT = Path(__file__).parent.parent

# No assertion on measured time: two slow cores must not fail a property.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# A shell has what it starts in the background ignore interrupts, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """A test that is not over after LONGEST fails, and says where it and its tasks are; it is told so until it ends."""
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, LONGEST, PATIENCE)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    loop = asyncio._get_running_loop()
    for task in asyncio.all_tasks(loop) if loop is not None else ():
        task.print_stack(file=sys.stderr)
    pytest.fail(f"it has not ended after {LONGEST} s")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed goes to another process as UTF-8, also where the test was about what is none."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The captures and the reference files, which a clone of the repository alone does not have."""
    path = ROOT.parent / "shared"
    if not (path / "wire").is_dir():
        pytest.skip("needs ../shared: the captures are not in this clone")
    return path


@pytest.fixture(params=Version)
def caller(request: pytest.FixtureRequest) -> Caller:
    """Who asks, in each version of the protocol."""
    return CALLERS[request.param]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """One real broker over TLS for the whole run; a test that stops or freezes a broker starts its own."""
    try:
        binary()
    except BrokerMissingError as error:
        pytest.skip(str(error))
    broker = EmbeddedBroker(tmp_path_factory.mktemp("broker"), make_broker_certificate([HOST]))
    broker.start()
    yield broker
    broker.stop()
