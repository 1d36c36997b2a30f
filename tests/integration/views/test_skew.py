"""A real daemon tells `nodes why` what it heard: a startup event whose clock is an hour behind."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.link import connection
from tests.fakes.whole import whole
from tests.patience import PATIENCE

pytestmark = pytest.mark.network
SUBJECT = "choria.lifecycle.event.startup.provision_mode_server"
LATE = "late.example.net"


async def test_a_clock_that_is_an_hour_behind_is_a_sign(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        made.daemon()
        await made.until_so((made.site.state / "control.sock").exists)
        assert (await made.ask("pause", "--reason", "nobody shall be asked")).code == 0
        link = connection("late", made.broker.url, "node", made.broker.passwords.node)
        await link.start()
        async with asyncio.timeout(PATIENCE):
            await link.ready()
        body = {"protocol": "io.choria.lifecycle.v1.startup", "id": "x", "identity": LATE, "version": "0.30.2"}
        body |= {"component": "provision_mode_server", "timestamp": int(time.time()) - 3600}

        def noted() -> bool:
            """Said again and again, since the daemon may listen later than it answers on its socket."""
            link.publish(SUBJECT, json.dumps(body).encode())
            return made.counts().get(State.DISCOVERED) == 1

        await made.until_so(noted)
        await link.close()
        told = json.loads((await made.ask("nodes", "why", LATE, "--json")).out)
        (sign,) = told["signs"]
        assert sign["sign"] == "clock_skew"
        assert "behind this one" in sign["sentence"]
