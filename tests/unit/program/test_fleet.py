"""Who may ask the fleet: whatever would only meet silence there is refused here, by name, and nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Request
from fsm.reasons import Reason
from security.fleet import fleet_credentials, inspect_fleet
from security.issuing import make_signer
from tests.fakes.effects import FixedClock
from tests.fakes.runtime import virtual
from tests.fakes.site import DAY, ISSUER, NOW, NOW_S, signer_files
from usher.config.fleet import Nobody, Operator, TokenOperator
from usher.fleet import IDLE, Fleet, FleetSettings

REQUEST = Request("n1.example.net", "choria_provision", "reprovision", {"token": "x"}, 30, 22.0)
MANAGES = {"fleet_management": True}


class Deaf:
    """Counts nothing."""

    def count(self, reason: str) -> None:
        raise AssertionError(reason)


def files(where: Path, permissions: Mapping[str, bool], days: int = 300) -> tuple[Path, Path]:
    """Token and seed of an operator."""
    seed, token = signer_files(where, make_signer(ISSUER, "up=operator", NOW_S, days * DAY, permissions=permissions))
    return token, seed


def fleet(token: Path, seed: Path, left: Callable[[], object] = lambda: None) -> Fleet:
    return fleet_of(TokenOperator(token, seed), left)


def fleet_of(operator: Operator, left: Callable[[], object] = lambda: None) -> Fleet:
    settings = FleetSettings(
        operator=operator,
        user="",
        password="",
        collective="choria",
        identity="usher.example.net",
        servers=["nats://127.0.0.1:1"],
        tls=None,
        name="usher",
        connect_timeout=0.1,
    )
    return Fleet(settings, FixedClock(), Deaf(), lambda _: None, left)


async def refused(fleet: Fleet) -> str:
    with pytest.raises(CallError) as error:
        await fleet.call(REQUEST)
    assert (error.value.certainty, error.value.reason) == (Certainty.NOT_SENT, Reason.FLEET_CLOSED)
    await fleet.close()
    return error.value.detail


async def test_where_usher_is_nobody_the_reason_is_all_that_is_said(tmp_path: Path):
    asked = fleet_of(Nobody("no fleet_token_file is configured: make one"))
    assert asked.closed == await refused(asked) == "no fleet_token_file is configured: make one"
    assert fleet(*files(tmp_path, MANAGES)).closed == ""


@pytest.mark.parametrize(
    ("permissions", "words"),
    [
        ({}, "does not have the permission `fleet_management`"),
        ({"provisioner": True}, "does not have the permission `fleet_management`"),
        ({"signed_fleet_management": True}, "servers take it only from a delegated signer"),
        ({"fleet_management": True, "signed_fleet_management": True}, "servers take it only from a delegated signer"),
    ],
)
async def test_a_token_that_servers_would_not_obey_is_refused(tmp_path: Path, permissions: dict[str, bool], words: str):
    token, seed = files(tmp_path, permissions)
    said = await refused(fleet(token, seed))
    assert words in said
    assert f"fleet_token_file ({token})" in said
    assert [words in problem.what for problem in inspect_fleet(token, seed, NOW)] == [True]


async def test_a_token_that_has_expired_is_refused(tmp_path: Path):
    token, seed = files(tmp_path, MANAGES, days=0)
    assert "expired" in await refused(fleet(token, seed))


async def test_files_that_are_missing_or_of_another_key_are_refused(tmp_path: Path):
    token, seed = files(tmp_path, MANAGES)
    assert f"{tmp_path / 'no'}" in await refused(fleet(tmp_path / "no", seed))
    seed.chmod(0o600)
    seed.write_text("0" * 64)
    assert "has another" in await refused(fleet(token, seed))


@virtual
async def test_usher_logs_out_when_nothing_has_been_asked_for_a_while(tmp_path: Path):
    token, seed = files(tmp_path, MANAGES)
    left = asyncio.Event()
    asked = fleet(token, seed, left.set)
    for _ in range(2):
        with pytest.raises(CallError, match="fleet_closed"):
            await asked.call(REQUEST)
    assert not left.is_set()
    now = asyncio.get_running_loop().time
    begun = now()
    await left.wait()
    assert now() - begun == pytest.approx(IDLE)


def test_an_operator_is_its_caller_id_and_signs_with_its_seed(tmp_path: Path):
    token, seed = files(tmp_path, MANAGES)
    found = fleet_credentials(token, seed, NOW)
    assert (found.caller, len(found.sign(b"x"))) == ("up=operator", 64)
    assert found.token not in repr(found)
