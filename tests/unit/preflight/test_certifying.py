"""A site with certificates, tried: the helper signs a request of ours, and its answer is judged as a node's."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from fsm.effects import Feature
from tests.fakes.certificates import authority, the_ca
from tests.unit.preflight.sites import site_of
from usher.config.site import Site
from usher.preflight.sample import built_in, run_sample
from usher.preflight.verdicts import Verdict
from usher.simulator.x509_site import make_x509_site

JWT = {"chpd": True}


def x509_site(where: Path, helper: str, *features: Feature, strict: bool = False) -> Site:
    """A site with this helper; its nodes have certificates."""
    return site_of(where, helper=helper, features=frozenset({Feature.PKI, *features}), strict=strict)


async def said(site: Site) -> list[tuple[Verdict, str, str]]:
    """Each verdict, its subject and its words."""
    checks = await run_sample(site, built_in(), JWT, int(time.time() * 1000))
    return [(check.verdict, check.name, check.what) for check in checks]


async def test_the_sample_helper_of_a_site_with_certificates_is_fine_in_strict(tmp_path: Path):
    made = make_x509_site(tmp_path, "nats://localhost:4222", int(time.time()))
    found = await said(x509_site(tmp_path, made.command, strict=True))
    assert [(verdict, name) for verdict, name, _ in found] == [
        (Verdict.OK, "helper"),
        (Verdict.OK, "certificate"),
    ]


def answering(where: Path, **answer: object) -> str:
    """A helper that always answers this."""
    script, text = where / "helper.sh", where / "answer.json"
    configuration = {"plugin.choria.server.provision": "false"}
    text.write_text(json.dumps({"configuration": configuration, **answer}))
    script.write_text(f"#!/bin/sh\ncat > {where / 'asked.json'}\ncat {text}\n")
    script.chmod(0o700)
    return str(script)


async def test_an_answer_with_an_older_certificate_is_wrong_under_the_reason_of_a_node(tmp_path: Path):
    helper = answering(tmp_path, certificate=the_ca().leaf(), ca=the_ca().pem)
    found = await said(x509_site(tmp_path, helper))
    assert [verdict for verdict, _, _ in found] == [Verdict.OK, Verdict.WRONG]
    assert found[1][2].startswith("certificate_")


async def test_what_strict_would_refuse_is_doubtful(tmp_path: Path):
    found = await said(x509_site(tmp_path, answering(tmp_path)))
    assert [verdict for verdict, _, _ in found] == [Verdict.OK, Verdict.WARNING]
    assert "check certificate_missing" in found[1][2]
    assert authority().pem not in found[1][2]


@pytest.mark.parametrize("features", [(), (Feature.JWT,)])
async def test_the_helper_is_told_what_a_node_of_the_site_would_bring(tmp_path: Path, features: tuple[Feature, ...]):
    await said(x509_site(tmp_path, answering(tmp_path), *features))
    asked = json.loads((tmp_path / "asked.json").read_text())
    assert (asked["ed25519_pubkey"], asked["jwt"] is not None) == (None, bool(features))
    assert set(asked["csr"]) == {"csr", "public_key", "ssldir"}
