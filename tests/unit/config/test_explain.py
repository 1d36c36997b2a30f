"""`usher check-config --explain`: where every value is from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.client_file import GOOD
from usher import cli
from usher.config.document import key_lines
from usher.config.keys import FEATURES, KEYS


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\n")
    helper.chmod(0o755)
    (tmp_path / "usher.yaml").write_text(
        f"Helper: {helper}\ntoken: s3cret\njwt_verify_cert: {'ab' * 32}\njwt_signing_key: /k\n"
        "features:\n  jwt: true\n  ed25519: true\n"
    )
    (tmp_path / "client.conf").write_text(GOOD + "identity = last\nplugin.nats.user = u\nplugin.nats.pass = s3cret\n")
    return ["check-config", "--config", str(tmp_path / "usher.yaml"), "--choria-config", str(tmp_path / "client.conf")]


def test_as_lines(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cli.main([*files, "--explain"])
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("from ")]
    client, yaml = tmp_path / "client.conf", tmp_path / "usher.yaml"
    assert f"from     identity: {client} line 6 (not {client} line 5)" in said
    assert f"from     helper: {yaml} line 1" in said
    assert f"from     features.ed25519: {yaml} line 7" in said
    assert "from     plugin.choria.network.connect_timeout: default" in said
    assert "s3cret" not in str(said)


def test_as_json(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cli.main([*files, "--explain", "--json"])
    sources = json.loads(capsys.readouterr().out)["sources"]
    client = tmp_path / "client.conf"
    assert sources["identity"] == {"from": f"{client} line 6", "instead_of": [f"{client} line 5"]}
    assert set(sources) >= (set(KEYS) - {"features"}) | {f"features.{name}" for name in FEATURES}
    assert sources["workers"] == {"from": "default", "instead_of": []}


def test_unasked_it_says_nothing_of_it(files: list[str], capsys: pytest.CaptureFixture[str]):
    cli.main([*files, "--json"])
    assert "sources" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "\0", "? [x]\n: 1\n", "features: 3\n"])
def test_any_file_has_lines_or_none(tmp_path: Path, text: str):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert set(key_lines(path)) <= {"features"}
    assert key_lines(tmp_path / "absent") == {}
