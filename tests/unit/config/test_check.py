"""`usher check-config` and what a start loads, over whole sites: everything at once, and the files that are named."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fsm.effects import Feature
from security import tokens
from tests.fakes.authority import SERVER, key_pem, make_authority, pem, put, rsa_key
from tests.fakes.site import ISSUER, NODE, NOW, ORGANIZATION, SIGNER, changed, claims_of, signer_files
from tests.fakes.site_files import SiteFiles
from tests.fakes.verifying import file_settings
from usher.config import check
from usher.config.appearance import CertificateFiles, TokenFiles, Unsecured
from usher.config.loading import load
from usher.config.problems import ConfigErrors, Severity
from usher.config.servers import Lookup

DAY = 86_400_000
CA, OTHER = make_authority(), make_authority("other-ca")


@pytest.fixture
def site(tmp_path: Path) -> SiteFiles:
    return SiteFiles(tmp_path)


@pytest.fixture
def command() -> Callable[..., int]:
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return lambda *args: check.run(parser.parse_args([str(arg) for arg in args]))


def test_a_site_in_order_has_nothing_to_be_said_about(site: SiteFiles):
    loaded = site.load()
    assert loaded.problems == ()
    assert loaded.site.command == (str(site.helper),)
    assert loaded.networks[0].client.appearance == TokenFiles(site.token, site.seed, site.ca)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda site: site.helper.unlink(), "helper: there is no file"),
        (lambda site: site.helper.chmod(0o644), "is not executable for this user; chmod 0755"),
        (
            lambda site: site.write("helper: no-such-helper-in-path\n"),
            "helper: there is no no-such-helper-in-path in PATH",
        ),
        (lambda site: site.seed.unlink(), "jwt_signing_key"),
        (lambda site: site.seed.write_text(NODE.seed_hex), "jwt_signing_token"),
        (lambda site: site.seed.write_text("short"), "plugin.security.choria.seed_file"),
        (lambda site: site.token.write_text("x.y.z"), "plugin.security.choria.token_file"),
        (lambda site: site.write("jwt_verify_cert: abc\n"), "jwt_verify_cert (abc)"),
        (lambda site: site.ca.write_text("not a certificate"), "ca.pem holds no certificate"),
        (lambda site: site.state.write_text(""), "state is not a directory"),
        (lambda site: site.write("state_directory: " + str(site.helper / "x") + "\n"), "state_directory"),
    ],
)
def test_a_file_that_does_not_fit_is_named(site: SiteFiles, damage: Callable[[SiteFiles], object], says: str):
    damage(site)
    assert any(says in line for line in site.said(Severity.ERROR)), site.inspect().problems
    with pytest.raises(ConfigErrors):
        site.load()


def test_an_expired_token_is_found(site: SiteFiles):
    assert site.said(Severity.ERROR, NOW) == []
    assert any("expired" in line for line in site.said(Severity.ERROR, NOW + 366 * DAY))


def test_a_secret_that_everybody_may_read_is_a_warning_and_strict_refuses_it(site: SiteFiles):
    site.seed.chmod(0o644)
    warnings = site.said(Severity.WARNING)
    assert len(warnings) == 2
    assert all("refused with strictness: strict, check secret_readable" in line for line in warnings)
    site.write("strictness: strict\n")
    assert len(site.said(Severity.ERROR)) == 2


def test_a_token_that_the_broker_would_not_like_is_a_warning(site: SiteFiles):
    poor = tokens.sign(changed(claims_of(SIGNER.token), permissions={}), ORGANIZATION)
    signer_files(site.where, replace(SIGNER, token=poor))
    assert any("token_provisioner" in line for line in site.said(Severity.WARNING))


def test_an_authority_that_is_not_there_means_no_verification_and_strict_refuses_it(site: SiteFiles):
    site.ca.unlink()
    assert any("is not verified" in line for line in site.said(Severity.WARNING))
    assert site.load().networks[0].client.appearance == TokenFiles(site.token, site.seed, None)
    site.write("strictness: strict\n")
    assert any("strictness is strict" in line for line in site.said(Severity.ERROR))


def test_a_state_directory_open_to_everybody_is_a_warning(site: SiteFiles):
    site.state.mkdir(mode=0o700)
    assert site.said(Severity.WARNING) == []
    site.state.chmod(0o755)
    assert any("chmod 0700" in line for line in site.said(Severity.WARNING))


def test_mistakes_of_all_files_are_found_at_once(site: SiteFiles):
    site.write("workers: -1\nfeatures: {upgrades: true}\n", "identity = a b\n")
    with pytest.raises(ConfigErrors) as caught:
        site.load()
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "features.upgrades",
        "workers",
        "identity",
    ]


def now_valid(site: SiteFiles) -> None:
    """The site with a signer that is valid today, whatever the day: its times are taken out."""
    text = tokens.sign(changed(claims_of(SIGNER.token), exp=4_000_000_000, nbf=...), ORGANIZATION)
    signer_files(site.where, replace(SIGNER, token=text))


def test_the_command_is_content_with_a_good_site(site: SiteFiles, command, capsys: pytest.CaptureFixture[str]):
    now_valid(site)
    assert command("--config", site.yaml, "--choria-config", site.cfg) == 0
    said = capsys.readouterr().out
    assert said.endswith("the configuration is usable\n")
    assert "servers nats://broker:4222" in said
    assert "s3cret" not in said


def test_the_command_refuses_what_a_start_only_warns_about(site: SiteFiles, command, capsys):
    now_valid(site)
    site.write("wrokers: 2\n")
    assert site.load().site.workers > 0
    assert command("--config", site.yaml, "--choria-config", site.cfg) == 2
    said = capsys.readouterr().out
    assert "mistake  " in said
    assert "did you mean workers?" in said
    assert said.endswith("the configuration has mistakes\n")


def test_the_command_as_json(site: SiteFiles, command, capsys: pytest.CaptureFixture[str]):
    site.write("workers: -1\n")
    assert command("--config", site.yaml, "--choria-config", site.cfg, "--json") == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["site"], said["client"]["identity"]) == (False, None, "provisioner_signer")
    assert {
        "severity": "error",
        "what": "it must be a number of helpers that run at once, or 0 for the number of processors",
    }.items() <= said["problems"][0].items()
    site.write()
    command("--config", site.yaml, "--choria-config", site.cfg, "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["site"]["token"], said["site"]["features"]) == ("set", ["ed25519", "jwt"])


def test_the_reference_site_starts_unchanged_but_for_paths(site: SiteFiles, shared: Path):
    old = "/etc/choria-provisioner/credentials/signer"
    new = str(site.where / "signer")
    yaml = (shared / "reference" / "issuer-network.yaml").read_text().replace(old, new)
    site.yaml.write_text(yaml.replace("/etc/choria-provisioner/provisioner/helper.rb", str(site.helper)))
    site.cfg.write_text((shared / "reference" / "issuer-network.cfg").read_text().replace(old, new))
    loaded = site.load()
    assert [problem.severity for problem in loaded.problems] == [Severity.WARNING] * len(loaded.problems)
    client = loaded.networks[0].client
    assert (client.servers, client.lookup) == ((), Lookup("", "facter's networking.domain"))
    assert (loaded.site.workers, loaded.site.interval, client.identity) == (
        4,
        60,
        "provisioner_signer",
    )
    assert (loaded.site.logfile, loaded.site.site, loaded.site.token) == ("/dev/stdout", "testing", "s3cret")


def packaged(site: SiteFiles, shared: Path) -> Path:
    """The packaged configuration, with the files that it names elsewhere."""
    text = (shared / "reference" / "packaged-config.yaml").read_text()
    text = text.replace("/etc/choria-provisioner/helper", str(site.helper))
    site.yaml.write_text(text.replace("/etc/choria-provisioner/jwt-verify.pem", str(site.where / "verify.pem")))
    (site.where / "verify.pem").write_text(ISSUER.public_hex)
    return site.yaml


def test_the_packaged_configuration_starts_unchanged_but_for_paths(site: SiteFiles, shared: Path):
    loaded = load(packaged(site, shared), site.cfg, site.around())
    assert loaded.networks[0].client.appearance == Unsecured("provisioner_signer")
    assert (loaded.site.choria_insecure, loaded.site.features) == (True, {Feature.JWT, Feature.PKI})
    assert loaded.site.logfile == "/var/log/{{cpkg_name}}.log"
    said = [str(problem) for problem in loaded.problems]
    assert {problem.severity for problem in loaded.problems} == {Severity.WARNING}
    assert any("choria_insecure: requests are not signed and TLS is not asked for" in line for line in said)


@pytest.mark.parametrize(
    "wrong", ["interval: soon\n", "features: [pki\n", "\tx", "Choria_Insecure: on\nchoria_insecure: TRUE\nworkers: x\n"]
)
def test_a_mistake_elsewhere_does_not_ask_an_unsecured_site_for_certificates(site: SiteFiles, wrong: str):
    site.cfg.write_text("identity = provisioner_signer\nplugin.choria.middleware_hosts = broker:4222\n")
    site.yaml.write_text(f"choria_insecure: true # for now\n{wrong}")
    said = [str(problem) for problem in site.inspect().problems if problem.severity is Severity.ERROR]
    assert said
    assert all(line.startswith(str(site.yaml)) for line in said), said


@pytest.mark.parametrize("text", ["#choria_insecure: true\ninterval: soon\n", "choria_insecure: false\n\tx", ""])
def test_a_site_that_is_not_unsecured_is_asked_for_them_whatever_else_is_wrong(site: SiteFiles, text: str):
    site.cfg.write_text("identity = provisioner_signer\nplugin.choria.middleware_hosts = broker:4222\n")
    site.yaml.write_text(text)
    said = [str(problem) for problem in site.inspect().problems if problem.severity is Severity.ERROR]
    assert any("plugin.security.provider" in line for line in said), said


def test_as_it_is_packaged_it_lacks_only_the_files_that_it_names(site: SiteFiles, shared: Path):
    with pytest.raises(ConfigErrors) as caught:
        load(shared / "reference" / "packaged-config.yaml", site.cfg, site.around())
    helper, verify = str(caught.value).splitlines()
    assert "helper: there is no file /etc/choria-provisioner/helper" in helper
    assert verify.startswith("jwt_verify_cert (/etc/choria-provisioner/jwt-verify.pem): ")


def test_the_client_configuration_of_an_x509_network(site: SiteFiles, shared: Path):
    text = (shared / "reference" / "x509-network.cfg").read_text()
    site.cfg.write_text(text.replace("/etc/choria-provisioner/ssl", str(site.where / "ssl")))
    (site.where / "ssl").mkdir()
    put(site.where / "ssl", pem(CA.issue("provisioner.mcollective")), key_pem(rsa_key()), pem(CA.certificate))
    loaded = site.load()
    assert isinstance(loaded.networks[0].client.appearance, CertificateFiles)
    assert [problem.severity for problem in loaded.problems] == [Severity.WARNING]  # no brokers are written
    (site.where / "ssl" / "key.pem").chmod(0o644)
    assert any("everybody may read it (mode 0644)" in line for line in site.said(Severity.WARNING))
    (site.where / "ssl" / "cert.pem").write_text(pem(OTHER.issue("provisioner.mcollective", uses=(SERVER,))))
    said = site.said(Severity.WARNING)
    assert any("(refused with strictness: strict, check certificate_chain)" in line for line in said)
    assert any("(refused with strictness: strict, check certificate_purpose)" in line for line in said)
    site.write("strictness: strict\n")
    site.cfg.write_text(text.replace("/etc/choria-provisioner/ssl", str(site.where / "ssl")))
    assert len(site.said(Severity.ERROR)) == 3
    (site.where / "ssl" / "ca.pem").unlink()
    assert any("plugin.security.file.ca" in line and "no such file" in line for line in site.said(Severity.ERROR))


def test_a_certificate_and_an_authority_that_end_soon(site: SiteFiles):
    begin = datetime.fromtimestamp(NOW / 1000, UTC) - 345 * timedelta(days=1)
    aging = make_authority("aging", begin, 365)
    site.write()
    site.cfg.write_text(
        "identity = me\nplugin.choria.middleware_hosts = broker:4222\n"
        + file_settings(put(site.where, pem(aging.issue("x")), key_pem(rsa_key()), pem(aging.certificate)))
    )
    said = site.said(Severity.WARNING)
    assert [line.split(" ")[0] for line in said] == ["plugin.security.file.certificate", "plugin.security.file.ca"]
    assert all("it expires in 20d" in line and "docs/rotation.md" in line for line in said)
    assert any("it expired at" in line for line in site.said(Severity.ERROR, NOW + 21 * DAY))


def test_the_audit_key_that_is_named_and_the_command_are_looked_at(site: SiteFiles):
    site.write(f"audit:\n  key_file: {site.where}/none\n  checkpoint_command: /nowhere/keep it\n")
    assert any("audit.key_file" in said and "there is no such file" in said for said in site.said(Severity.ERROR))
    assert any("nobody would get checkpoints" in said for said in site.said(Severity.WARNING))
    key = site.where / "audit.key"
    key.write_text("0f" * 32)
    key.chmod(0o600)
    site.write(f"audit:\n  key_file: {key}\n  checkpoint_command: /bin/cat\n")
    assert not [said for said in site.said(Severity.ERROR) + site.said(Severity.WARNING) if "audit" in said]
