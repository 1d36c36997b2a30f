"""Whatever stands in the three files: findings, and nothing else; what is usable signs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from security.client_certificate import ClientCertificate, Paths, inspect_certificate
from security.problems import CredentialError
from tests.fakes.authority import SETTINGS, key_pem, make_authority, pem, rsa_key
from tests.fakes.site import NOW

CA = make_authority()
WHOLE = (pem(CA.issue("usher")), key_pem(rsa_key()), pem(CA.certificate))
PIECES = [part.encode() for whole in WHOLE for part in (whole, *whole.splitlines(keepends=True)[:3], whole[-60:])]
CONTENT = st.lists(st.sampled_from(PIECES) | st.binary(max_size=30), max_size=6).map(b"".join)
FILES = st.tuples(*(CONTENT | st.just(whole.encode()) for whole in WHOLE))


@given(FILES, st.integers(0, 1 << 43), st.booleans())
@settings(deadline=None)
def test_any_files_are_findings_and_no_key_is_in_them(files: tuple[bytes, bytes, bytes], now: int, strict: bool):
    with TemporaryDirectory() as folder:
        paths = Paths(*(Path(folder) / name for name in ("c", "k", "a")), SETTINGS)
        for path, content in zip(paths.files, files, strict=True):
            path.write_bytes(content)
        found = inspect_certificate(paths, now, strict=strict)
        said = "".join(map(str, found))
        assert not [line for line in WHOLE[1].splitlines()[1:-1] if line in said]
        with suppress(CredentialError):
            held = ClientCertificate(paths, strict=strict)
            assert len(held.sign(b"request")) == 256
            assert "PRIVATE KEY" not in held.text
            return
        assert [problem for problem in found if problem.fatal]


def test_the_pieces_can_be_whole():
    with TemporaryDirectory() as folder:
        paths = Paths(*(Path(folder) / name for name in ("c", "k", "a")), SETTINGS)
        for path, content in zip(paths.files, WHOLE, strict=True):
            path.write_text(content)
        paths.key.chmod(0o600)
        assert inspect_certificate(paths, NOW) == ()
