"""The packages come from one place, and a stranger is named before it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.house import ROOT
from usher.house import PACKAGES, intruder

CHECK = "from usher.house import intruder; print(intruder())"


def checked(*path: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHECK], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_all_is_well_here():
    assert intruder() == ""


def test_a_stranger_is_named_and_never_run(tmp_path: Path):
    stranger = tmp_path / "diagrams"
    stranger.mkdir()
    (stranger / "__init__.py").write_text("raise SystemExit('the stranger ran')")
    said = checked(tmp_path, ROOT)
    assert said.startswith(f"the package 'diagrams' comes from {tmp_path.resolve()}, but usher's own")
    assert "an environment of its own" in said


def test_the_start_ends_with_the_message_and_nothing_more(tmp_path: Path):
    (tmp_path / "fsm.py").write_text("raise SystemExit('the stranger ran')")
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from usher.house import check; check()"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"usher: the package 'fsm' comes from {tmp_path.resolve()}")
    assert len(done.stderr.splitlines()) == 1


def test_a_module_of_the_same_name_is_a_stranger_too(tmp_path: Path):
    (tmp_path / "store.py").write_text("raise SystemExit('the stranger ran')")
    assert f"the package 'store' comes from {tmp_path.resolve()}" in checked(tmp_path, ROOT)


def installed(where: Path, name: str, *files: str) -> None:
    """What pip leaves of a distribution: its name and the list of its files."""
    noted = where / f"{name}-1.0.dist-info"
    noted.mkdir()
    (noted / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (noted / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_a_distribution_that_has_written_over_a_package_is_named(tmp_path: Path):
    installed(tmp_path, "diagrams", "diagrams/__init__.py")
    assert checked(ROOT, tmp_path).startswith("the distribution 'diagrams' has written over usher's package")


def test_a_distribution_of_the_same_name_without_the_package_is_no_trouble(tmp_path: Path):
    installed(tmp_path, "diagrams", "pictures/__init__.py")
    assert checked(ROOT, tmp_path) == ""


def test_a_package_that_is_missing_is_named(tmp_path: Path):
    (tmp_path / "usher").symlink_to(ROOT / "usher", target_is_directory=True)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {CHECK}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("the package 'diagrams' is missing")


def test_the_list_is_what_is_packaged_and_linted():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    assert set(project["tool"]["importlinter"]["root_packages"]) == set(PACKAGES)
    assert set(project["tool"]["mypy"]["packages"]) == set(PACKAGES)


def test_the_lock_file_names_hashes_and_no_place():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(pinned) > 20
    assert all("==" in line and line.endswith("\\") for line in pinned)
    assert not [line for line in lines if "://" in line or line.strip().startswith("--index")]
