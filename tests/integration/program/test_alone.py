"""Commands between two daemons, on a fleet that is under way; and what registration data does to a daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm.states import State
from store.reader import open_reader
from tests.fakes.link import connection
from tests.fakes.registering import registration_v1
from tests.fakes.whole import whole
from tests.integration.recovery.drill import NODES, drill
from transport.subjects import REGISTRATION

pytestmark = pytest.mark.network
NODE = "registered.example.net"


async def test_a_fleet_goes_on_after_commands_without_a_daemon(tmp_path: Path):
    """Every node that is under way when usher is killed is asked for; no try is lost, and nothing is sent blindly."""
    async with drill(tmp_path / "w") as made:
        fleet = made.servers()
        await made.killed_in_the_middle()
        assert (made.state / "control.sock").exists(), "it was killed"
        with open_reader(made.database) as reader:
            held, *hurried = sorted(view.id.node for view in reader.open_effects())
        assert hurried
        assert (await made.ask("pause", "--reason", "a look")).code == 0
        assert (await made.ask("nodes", "quarantine", held, "--reason", "a look")).code == 0
        assert (await made.ask("nodes", "retry", *hurried, "--reason", "a look")).code in {0, 1}
        with open_reader(made.database) as reader:
            assert reader.open_effects() == ()
        daemon = made.hurried()
        await made.until_so(lambda: any("starts using configuration" in line["msg"] for line in made.log(daemon)))
        status = await made.ask("status")
        assert "paused by" in status.out
        assert (await made.ask("nodes", "release", held, "--reason", "all is well")).code == 0
        assert (await made.ask("resume", "--reason", "all is well")).code == 0
        await made.until_left(fleet)
        await made.until(NODES, State.PROVISIONED)
        await made.stopped(daemon)
        generations = made.generations()
        assert generations.pop(held) == 2
        assert set(generations.values()) == {1}, "nobody begins anew who was not asked to"
        assert (await made.ask("db", "check")).code == 0


async def test_a_node_that_registers_is_seen(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        made.daemon()
        link = connection("node", made.broker.url, "node", made.broker.passwords.node)
        await link.start()
        await link.ready()
        try:
            await made.until_so((made.site.state / "control.sock").exists)

            def seen() -> bool:
                link.publish(REGISTRATION, registration_v1(NODE))
                return bool(made.counts())

            await made.until_so(seen)
        finally:
            await link.close()
        with open_reader(made.site.state / "usher.db") as reader:
            first = reader.history(NODE)[0]
        assert (first.event, first.name) == ("hint_registration", "first-seen")
