"""The walks of docs/rotation.md on an x509 network: over a broker that verifies, and `usher run`, never restarted."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.authority import DAY, Authority, key_pem, pem, rsa_key
from tests.fakes.verifying import USER, VerifyingBroker, authority_of_today, client_files, file_settings
from tests.fakes.whole import Whole
from tests.integration.rotation.test_walks import entries, replaced, said, started
from usher.rotation.change import texts
from usher.simulator.material import make_site

pytestmark = pytest.mark.network

SETTING = "plugin.security.file.certificate"


@asynccontextmanager
async def certified(directory: Path, authority: Authority) -> AsyncIterator[Whole]:
    """A site whose usher shows a certificate of that authority, as its broker wants it."""
    async with VerifyingBroker(directory / "broker", authority) as broker:
        made = Whole(broker, make_site(directory, broker, int(time.time())))
        lines = file_settings(client_files(made.site.site / "ssl", authority))
        made.site.choria_config.write_text(
            f"identity = usher.example.net\nplugin.choria.middleware_hosts = {broker.url}\n{lines}"
        )
        try:
            yield made
        finally:
            for child in made.children:
                await child.stop()


async def credentials(made: Whole) -> dict[str, dict[str, object]]:
    document = json.loads((await made.ask("status", "--json")).out)
    return {each["credential"]: each for each in document["credentials"]}


async def test_certificate_key_and_authority_are_replaced_under_a_running_usher(tmp_path: Path):
    old, new = authority_of_today("old-ca"), authority_of_today("new-ca")
    async with certified(tmp_path / "w", old) as made:
        ssl = made.site.site / "ssl"
        daemon = await started(made)
        await said(made, daemon, '"msg":"connected', 2)
        assert {"client_certificate", "authority"} <= (await credentials(made)).keys()

        replaced(ssl / "ca.pem", pem(old.certificate, new.certificate))
        await said(made, daemon, f"{SETTING} has changed: the certificate is")
        replaced(ssl / "cert.pem", pem(new.issue(USER, rsa_key(1))))
        await said(made, daemon, "does not belong to it")
        replaced(ssl / "key.pem", key_pem(rsa_key(1)))
        await said(made, daemon, f"{SETTING} has changed: the certificate is", 2)

        await made.broker.astop()  # from now on it believes in the new authority alone, and shows its certificate
        async with VerifyingBroker(made.broker.directory, new, made.broker.port, made.broker.passwords):
            await said(made, daemon, '"msg":"connected', 4)
            taken = [each for each in entries(made, "reload") if each["setting"] == SETTING]
            assert len({each["certificate"] for each in taken}) == 2
            secret = (*texts((ssl / "key.pem",)), *(line for line in key_pem(rsa_key()).split() if "-" not in line))
            for file in (daemon.log, *made.site.state.glob("usher.db*")):
                assert not [line for line in secret if len(line) > 16 and line.encode() in file.read_bytes()], file


async def test_what_ends_soon_is_in_the_status_and_what_a_check_says(tmp_path: Path):
    authority = authority_of_today()
    async with certified(tmp_path / "w", authority) as made:
        begin = datetime.now(UTC) - 340 * DAY
        replaced(made.site.site / "ssl" / "cert.pem", pem(authority.issue(USER, begin=begin)))
        daemon = await started(made)
        await said(made, daemon, '"msg":"connected', 2)
        assert f"renew      {SETTING}: it expires in 2" in (await made.ask("status")).out
        assert "it expires in" in str((await credentials(made))["client_certificate"]["warning"])
        words = ("check-config", "--config", str(made.site.config), "--choria-config", str(made.site.choria_config))
        checked = await made.say(*words)
        assert (checked.code, "it expires in" in checked.out) == (0, True), checked
        assert "provider file" in checked.out
