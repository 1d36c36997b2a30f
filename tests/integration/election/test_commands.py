"""What the commands say of an election: without a bucket, with one, with a leader, and when nobody answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.whole import Said, Whole, whole
from usher.simulator.bucket import make_bucket

pytestmark = pytest.mark.network


async def checked(made: Whole) -> dict[str, tuple[str, str]]:
    """The checks of the election, by name."""
    site = made.site
    files = ("--config", str(site.config), "--choria-config", str(site.choria_config))
    done = await made.say("check-config", *files, "--connect", "--no-helper", "--json")
    checks = json.loads(done.out)["checks"]
    return {each["name"]: (each["verdict"], each["what"]) for each in checks}


async def until_said(made: Whole, words: str, *command: str) -> Said:
    """Ask until the answer has these words."""
    for _ in range(200):
        done = await made.ask(*command)
        if words in done.out:
            return done
    raise AssertionError(done)


async def test_the_commands_tell_of_the_bucket_and_of_who_leads(tmp_path: Path):
    async with whole(tmp_path / "w", leader_election=True, election_name="u1", sender_identity="site") as made:
        nobody = await made.ask("leader")
        assert (nobody.code, nobody.out) == (3, "")
        daemon = made.daemon()
        missing = await until_said(made, "there is no election", "status")
        assert missing.code == 1
        assert "CHORIA_LEADER_ELECTION" in missing.out
        assert (await made.ask("leader")).code == 1
        verdict, what = (await checked(made))["election"]
        assert verdict == "wrong"
        assert "CHORIA_LEADER_ELECTION" in what

        await make_bucket(made.broker, 20.0)
        leads = await until_said(made, "u1, this usher, leads", "leader")
        assert leads.code == 0
        document = json.loads((await made.ask("leader", "--json")).out)
        assert (document["leader"], document["sender"], document["ttl"]) == ("u1", "site", 20.0)
        verdict, what = (await checked(made))["election"]
        assert (verdict, "u1 leads" in what) == ("ok", True)
        made.site.config.write_text(made.site.config.read_text().replace("sender_identity: site", "sender_identity: x"))
        verdict, what = (await checked(made))["election"]
        assert (verdict, "u1 leads, and is site to the nodes" in what) == ("warning", True)

        await daemon.stop()
        after = await made.ask("leader")
        assert (after.code, "u1 did not lead any more" in after.out) == (3, True)


async def test_without_an_election_there_is_none_to_tell_of(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        made.daemon()
        await made.until_so((made.site.state / "control.sock").exists)
        done = await made.ask("leader")
        assert (done.code, done.out) == (1, "there is no election here: set leader_election: true to stand for one\n")
        assert (await made.ask("leader", "--json")).out == "null\n"
