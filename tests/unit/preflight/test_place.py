"""The state directory: whose, on what, how much, who is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from security.auditkey import write_audit_keys
from security.vault import KeyRing, VaultKey
from security.vaultfile import write_ring
from tests.fakes.audited import KEY
from tests.unit.preflight.sites import site_of
from usher.config.audit import AuditSettings
from usher.config.site import Site
from usher.preflight.place import Machine, file_system, machine, nearest, state_directory
from usher.preflight.verdicts import Check, Verdict
from usher.state import StateDirectory

GB = 1_000_000_000
MOUNTS = """\
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw
27 1 259:0 / / rw,relatime - ext4 /dev/root rw
30 27 0:40 / /srv rw,relatime shared:1 - nfs4 server:/srv rw
31 30 259:1 / /srv/disk\\040one rw,relatime - xfs /dev/sdb rw
32 27 0:41 / /run rw - tmpfs tmpfs rw
33 27 0:42 / /mnt/c rw - 9p drvfs rw
34 27 0:43 / /mnt/s rw - fuse.sshfs host: rw
nonsense
"""
HERE = Machine(MOUNTS, 10 * GB, os.geteuid())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_of(tmp_path)


def found(site: Site, seen: Machine = HERE, **environ: str) -> list[Check]:
    return list(state_directory(site, environ, seen))


def said(checks: list[Check], verdict: Verdict) -> list[str]:
    return [check.what for check in checks if check.verdict is verdict]


def test_a_directory_that_the_first_start_makes_is_fine(site):
    checks = found(site)
    assert {check.verdict for check in checks} == {Verdict.OK}
    assert "the first start makes it" in checks[0].what
    assert not site.state_directory.exists()


def test_one_that_is_ours_is_fine_and_nothing_is_made_in_it(site):
    site.state_directory.mkdir(mode=0o700)
    assert {check.verdict for check in found(site)} == {Verdict.OK}
    assert list(site.state_directory.iterdir()) == []


def test_others_may_not_write(site):
    site.state_directory.mkdir(mode=0o700)
    site.state_directory.chmod(0o770)
    (what,) = said(found(site), Verdict.WRONG)
    assert "others may write to it (mode 0770)" in what


def test_another_user_is_a_warning(site):
    site.state_directory.mkdir(mode=0o700)
    (what,) = said(found(site, Machine(MOUNTS, 10 * GB, os.geteuid() + 1)), Verdict.WARNING)
    assert f"belongs to user {os.geteuid()}" in what


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written(site):
    site.state_directory.mkdir(mode=0o500)
    assert "may not write" in said(found(site), Verdict.WRONG)[0]


def test_the_nearest_directory(tmp_path):
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/usher", "ext4"),
        ("/srv/usher", "nfs4"),
        ("/srv", "nfs4"),
        ("/srvx", "ext4"),
        ("/srv/disk one/usher", "xfs"),
    ],
)
def test_the_longest_mount_point_counts(path, kind):
    assert file_system(Path(path), MOUNTS) == kind


def test_a_system_without_mounts_says_nothing():
    assert file_system(Path("/x"), "") == ""


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("ext4", Verdict.OK),
        ("nfs4", Verdict.WRONG),
        ("cifs", Verdict.WRONG),
        ("ceph", Verdict.WRONG),
        ("tmpfs", Verdict.WARNING),
        ("fuse.sshfs", Verdict.WARNING),
        ("9p", Verdict.WARNING),
        ("overlay", Verdict.WARNING),
    ],
)
def test_on_what_it_may_lie(site, kind, verdict):
    checks = found(site, Machine(f"1 0 0:1 / / rw - {kind} x rw\n", 10 * GB, os.geteuid()))
    assert [check.verdict for check in checks if "lies" in check.what] == [verdict]


@pytest.mark.parametrize(
    ("free", "verdict"), [(50_000_000, Verdict.WRONG), (500_000_000, Verdict.WARNING), (GB, Verdict.OK)]
)
def test_free_space(site, free, verdict):
    checks = found(site, Machine(MOUNTS, free, os.geteuid()))
    assert [check.verdict for check in checks if "MB" in check.what] == [verdict]


def test_a_daemon_that_is_there_is_named_and_not_disturbed(site):
    state = StateDirectory(site.state_directory)
    state.prepare()
    state.lock()
    (what,) = said(found(site), Verdict.WARNING)
    assert f"process {os.getpid()} holds its lock" in what
    state.unlock()
    assert said(found(site), Verdict.WARNING) == []
    state.lock()  # the check has kept nothing
    state.unlock()


def test_a_path_that_no_socket_can_have(tmp_path):
    site = site_of(tmp_path, state_directory=tmp_path / ("x" * 100))
    assert "longer than the 107 bytes" in said(found(site), Verdict.WRONG)[0]


def test_a_key_file_of_our_own_and_one_that_is_lost(site):
    state = StateDirectory(site.state_directory)
    state.prepare()
    write_ring(state.vault_key, KeyRing((VaultKey.fresh(), VaultKey.fresh())))
    write_audit_keys(state.audit_key, (KEY,))
    assert "holds 2 keys" in found(site)[-2].what
    assert f"signs as {KEY.public_hex}" in found(site)[-1].what
    state.vault_key.unlink()
    state.audit_key.unlink()
    assert "the first start makes" in found(site)[-1].what
    state.database.write_bytes(b"")
    vault, audit = said(found(site), Verdict.WARNING)
    assert "its key sealed is lost" in vault
    assert "who signed its checkpoints hands over to nobody" in audit


def test_an_audit_key_that_was_named_must_be_there_and_be_one(tmp_path):
    site = site_of(tmp_path, audit=AuditSettings(key_file=str(tmp_path / "key")))
    assert "audit.key_file" in said(found(site), Verdict.WRONG)[0]


def test_a_key_file_that_was_named_must_be_there(tmp_path):
    site = site_of(tmp_path, vault_key_file=str(tmp_path / "vault"))
    assert "vault_key_file" in said(found(site), Verdict.WRONG)[0]


def test_systemds_credential_is_looked_at(site, tmp_path):
    (tmp_path / "usher-vault-key").write_text("short\n")
    assert len(said(found(site, CREDENTIALS_DIRECTORY=str(tmp_path)), Verdict.WRONG)) == 1


def test_this_machine_can_be_asked(tmp_path):
    here = machine(tmp_path)
    assert here.free > 0
    assert here.user == os.geteuid()
    assert file_system(tmp_path, here.mounts) or not Path("/proc/self/mountinfo").exists()
