"""The pictures of docs/pictures are of today's table, and each is shown by a page."""

from __future__ import annotations

import pytest

from diagrams.documents import PICTURES
from tests.architecture.house import ROOT
from tests.unit.docs.pictures import NAMES, OF_THE_TABLE, mark, sources

FOLDER = ROOT / "docs" / "pictures"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return sources()


def test_their_sources_are_the_same_each_time(made):
    assert sources() == made


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_of_todays_table(name, made):
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert text.endswith(mark(made[name])), "run make pictures"


def test_there_are_no_others():
    assert {file.stem for file in FOLDER.iterdir()} == set(NAMES)
    assert set(PICTURES) == set(OF_THE_TABLE)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_shown(name):
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")]
    assert any(f"](pictures/{name}.svg)" in page for page in pages)
