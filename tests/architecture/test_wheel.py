"""The wheel as a site gets it, beside a package that has one of its names: the command says which, and runs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.architecture.house import ROOT
from usher.house import PACKAGES

BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
STRANGER = """\
Metadata-Version: 2.1
Name: diagrams
Version: 0.24
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made by the build backend alone: nothing is downloaded."""
    if find_spec("hatchling") is None:
        pytest.skip("needs hatchling, the build backend: make setup")
    where = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-P", "-c", BUILD, str(where)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return where / done.stdout.split()[-1]


def stranger(where: Path) -> Path:
    """The wheel of another distribution, called diagrams as the one on PyPI is."""
    made = where / "diagrams-0.24-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("diagrams/__init__.py", "raise SystemExit('the stranger ran')\n")
        archive.writestr("diagrams-0.24.dist-info/METADATA", STRANGER)
        archive.writestr(
            "diagrams-0.24.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("diagrams-0.24.dist-info/RECORD", "diagrams/__init__.py,,\ndiagrams-0.24.dist-info/RECORD,,\n")
    return made


def install(target: Path, *wheels: Path) -> None:
    command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run(
        [*command, "--disable-pip-version-check", "--target", str(target), *map(str, wheels)], check=True,
        env=os.environ | {"PIP_CONFIG_FILE": os.devnull, "PYTHONPATH": ""}, capture_output=True,
    )  # fmt: skip


def command(*path: Path, name: str = "usher") -> subprocess.CompletedProcess[str]:
    """The installed command, with these directories before what else there is."""
    program = next(place / "bin" / name for place in path if (place / "bin" / name).exists())
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    words = [sys.executable, "-P", str(program), "--version"]
    return subprocess.run(words, cwd=path[0], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("alone")
    install(target, wheel)
    return target


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        schema = [name for name in archive.namelist() if name.startswith("store/schema/")]
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert schema


@pytest.mark.parametrize("name", ["usher", "choria-provisioner"])
def test_alone_it_says_its_version(installed: Path, name: str):
    ended = command(installed, name=name)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split()[-2] == "usher"


def test_beside_a_package_called_diagrams_it_names_it(installed: Path, tmp_path: Path):
    beside = tmp_path / "beside"
    install(beside, stranger(tmp_path))
    ended = command(beside, installed)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"usher: the package 'diagrams' comes from {beside.resolve()}, but usher's own")
    assert len(ended.stderr.splitlines()) == 1


def test_over_a_distribution_called_diagrams_it_names_it(wheel: Path, tmp_path: Path):
    target = tmp_path / "one"
    install(target, stranger(tmp_path))
    with zipfile.ZipFile(wheel) as archive:  # by hand: pip does not write over what is in a --target
        archive.extractall(target)
    (target / "bin").mkdir()
    (target / "bin" / "usher").write_text("import sys\nfrom usher.entry import main\nsys.exit(main())\n")
    ended = command(target)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usher: the distribution 'diagrams' has written over usher's package of that name")
