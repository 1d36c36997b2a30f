"""On demand where servers have certificates: an operator shows one of the same authority, and signs with its key."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from fsm.states import State
from security.ca import SmallCa
from tests.fakes.whole import Said, Whole, whole
from usher.simulator.networks import Kind

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("broker")]
NODES = 3
NAMES = [f"node-{number:04d}.example.net" for number in range(1, NODES + 1)]
WHY = ("--reason", "new configuration")
YEAR = 365 * 86_400


def reached(report: Path, action: str) -> Counter[str]:
    """How many such requests reached each server, as it says itself."""
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return Counter({line["node"]: line["requests"].get(action, 0) for line in lines})


def operator(made: Whole, authority: SmallCa, lasts: int, name: str = "operator.mcollective") -> None:
    """Put a certificate of this authority in place of the operator's, which ends in so many seconds."""
    for path, text in zip(made.site.operator, authority.issue(name, int(time.time()), lasts), strict=True):
        path.write_text(text)


def own(made: Whole) -> SmallCa:
    """The authority of the site."""
    return SmallCa.of(*((made.site.site / name).read_text() for name in ("ca.pem", "ca.key")))


async def checked(made: Whole) -> Said:
    """What `check-config` says."""
    return await made.say(
        "check-config", "--config", str(made.site.config), "--choria-config", str(made.site.choria_config)
    )


async def test_servers_with_certificates_are_found_provisioned_anew_restarted_and_shut_down(tmp_path: Path):
    report = tmp_path / "report"
    async with whole(tmp_path / "w", Kind.X509) as made:
        made.daemon()
        fleet = made.fleet(NODES, "--rsa-keys", "4", "--report", str(report))
        await made.until(NODES, State.PROVISIONED)

        found = await made.ask("restart", "--discover", "--dry-run", "--json")
        assert (found.err, sorted(json.loads(found.out)["nodes"])) == ("", NAMES)
        anew = await made.ask("reprovision", *NAMES[:2], *WHY, "--json")
        assert (anew.code, json.loads(anew.out)["done"]) == (0, 2), anew
        os.kill(fleet.pid, signal.SIGUSR1)
        await made.until_so(lambda: sum(reached(report, "reprovision").values()) == 2)
        assert reached(report, "reprovision") == Counter(dict.fromkeys(NAMES[:2], 1) | {NAMES[2]: 0})

        again = await made.ask("restart", NAMES[0], *WHY)
        assert (again.code, again.out.count(": done: it restarts")) == (0, 1), again
        down = await made.ask("shutdown", NAMES[2], *WHY)
        assert (down.code, made.counts()[State.RETIRED]) == (0, 1), down
        status = json.loads((await made.ask("status", "--json")).out)
        assert status["connections"]["fleet"]["state"] == "connected"
        await fleet.stop()
        absent = await made.ask("restart", NAMES[1], *WHY)
        assert (absent.code, "nobody is in the fleet under this name (absent)" in absent.out) == (1, True), absent


async def test_a_certificate_that_the_broker_refuses_and_one_that_has_expired_are_named_and_one_that_is_right_is_used(
    tmp_path: Path,
):
    async with whole(tmp_path / "w", Kind.X509) as made:
        authority, foreign = own(made), SmallCa.make("another authority", int(time.time()), YEAR)
        made.daemon()
        made.fleet(NODES, "--rsa-keys", "4")
        await made.until(NODES, State.PROVISIONED)

        operator(made, authority, lasts=-60)
        said = await checked(made)
        assert (said.code, f"fleet_certificate_file ({made.site.operator[0]}): it expired at" in said.out) == (0, True)
        expired = await made.ask("restart", NAMES[0], *WHY)
        assert expired.code == 1
        assert f"(fleet_closed: fleet_certificate_file ({made.site.operator[0]}): it expired at" in expired.out

        operator(made, foreign, lasts=YEAR)
        assert "does not lead to an authority of plugin.security.file.ca" in (await checked(made)).out
        silent = await made.ask("restart", NAMES[0], *WHY)
        assert (silent.code, "(fleet_closed: fleet_certificate_file" in silent.out) == (1, True), silent

        made.site.ca.write_text(authority.certificate + foreign.certificate)  # the broker does not know it yet
        assert "fleet_certificate_file (" not in (await checked(made)).out
        refused = await made.ask("restart", NAMES[0], *WHY)
        assert refused.code == 1
        assert "it could not be sent (fleet_closed: the broker" in refused.out, refused

        operator(made, authority, lasts=YEAR)
        assert "fleet_certificate_file (" not in (await checked(made)).out
        done = await made.ask("restart", NAMES[0], *WHY)
        assert (done.code, done.out.count(": done: it restarts")) == (0, 1), done
