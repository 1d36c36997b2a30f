"""The key file: read strictly, refused with words, written whole and for its owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from security.problems import CredentialError
from security.vault import KeyRing, VaultKey
from security.vaultfile import read_ring, write_ring

ONE, TWO = VaultKey.of(b"1" * 32), VaultKey.of(b"2" * 32)


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(path: Path, *, strict: bool = False) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        read_ring(path, "vault_key_file", strict=strict)
    assert caught.value.problem.place == f"vault_key_file ({path})"
    assert caught.value.problem.next
    return caught.value


def test_what_was_written_is_read_in_order(tmp_path: Path):
    path = tmp_path / "vault.key"
    for ring in (KeyRing((ONE,)), KeyRing((TWO, ONE))):
        write_ring(path, ring)
        assert read_ring(path, "vault_key_file") == (ring, ())
        assert path.stat().st_mode & 0o777 == 0o600
        assert [each.name for each in tmp_path.iterdir()] == ["vault.key"]


def test_what_a_dead_process_left_beside_it_is_replaced(tmp_path: Path):
    path = tmp_path / "vault.key"
    written(tmp_path / ".vault.key.new", "half of a ke", 0o444)
    write_ring(path, KeyRing((ONE,)))
    assert read_ring(path, "vault_key_file")[0].ids == (ONE.id,)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path):
    with pytest.raises(OSError, match="No such file"):
        write_ring(tmp_path / "none" / "vault.key", KeyRing((ONE,)))


def test_comments_blanks_and_capitals_are_fine(tmp_path: Path):
    text = f"# ours\n\n  {ONE.raw.hex().upper()}  \n# the old one\n{TWO.raw.hex()}"
    assert read_ring(written(tmp_path / "k", text), "s")[0].ids == (ONE.id, TWO.id)


@pytest.mark.parametrize(
    ("text", "check", "says"),
    [
        ("", "vault_key_empty", "it holds no key"),
        ("# nothing\n", "vault_key_empty", "it holds no key"),
        ("correcthorse\n", "vault_key_format", "line 1 is not 64 hexadecimal characters"),
        (f"#\n{'ab' * 31}\n", "vault_key_format", "line 2 is not 64"),
        (f"{'ab' * 33}\n", "vault_key_format", "line 1 is not 64"),
        (f"{'ab' * 32}\n" * 2, "vault_key_twice", "it holds a key twice"),
        ("".join(f"{number:064x}\n" for number in range(17)), "vault_key_many", "more than 16 keys"),
    ],
)
def test_what_is_no_key_file_is_refused_and_not_quoted(tmp_path: Path, text: str, check: str, says: str):
    error = refused(written(tmp_path / "k", text))
    assert error.problem.check == check
    assert says in error.problem.what
    assert "correcthorse" not in str(error)
    assert "ab" * 8 not in str(error)


def test_a_file_that_is_not_there_is_refused_and_not_made(tmp_path: Path):
    error = refused(tmp_path / "k")
    assert (error.problem.check, error.problem.what) == ("vault_key_missing", "there is no such file")
    assert "the nodes under way start anew" in error.problem.next
    assert not (tmp_path / "k").exists()


def test_what_cannot_be_read_is_refused(tmp_path: Path):
    assert refused(tmp_path).problem.check == "vault_key_unreadable"
    (tmp_path / "k").write_bytes(b"\xff\xfe" * 32)
    assert "it is not text" in refused(tmp_path / "k").problem.what


def test_a_file_that_others_may_read_is_a_warning_and_strict_refuses(tmp_path: Path):
    path = written(tmp_path / "k", ONE.raw.hex(), 0o644)
    ring, problems = read_ring(path, "vault_key_file")
    assert ring.ids == (ONE.id,)
    assert len(problems) == 1
    ring, problems = read_ring(path, "vault_key_file", strict=True)
    assert any(problem.check for problem in problems)
