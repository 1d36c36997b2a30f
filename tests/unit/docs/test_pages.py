"""The pages: links lead somewhere, the picture is current, nothing is named that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diagrams.documents import DOCUMENTS, PICTURE, main, pictured
from fsm.reasons import Reason
from tests.architecture.house import ROOT
from tests.unit.docs.pages import blocks, written
from usher.cli import COMMANDS

LINK = re.compile(r"!?\[[^\]]+\]\(([^)]+)\)")
PAGES = [*written(), *(ROOT / "docs" / name for name in DOCUMENTS)]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def anchors(page: Path) -> set[str]:
    """The places within a page that a link can name."""
    text = page.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles} | set(
        re.findall(r'<a id="(\w+)">', text)
    )


@every_page
def test_links_lead_somewhere(page: Path):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_opens_with_two_commands_and_the_picture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = blocks(text, "sh")[0]
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["demo", "test"]
    assert text.index("make demo") < text.index("![The machine") < text.index("## ")


def test_the_picture_of_the_readme_is_in_its_place():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert pictured(text) == text, "run make docs"


def test_make_docs_puts_the_picture_in_its_place(tmp_path: Path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{PICTURE}\nold\n<!-- /picture -->\nafter\n")
    assert main(["--write", str(tmp_path), "--picture", str(page)]) == 0
    shown = "[![The machine of a node](docs/pictures/machine.svg)](docs/pictures/machine.svg)"
    assert page.read_text() == f"before\n{PICTURE}\n\n{shown}\n\n<!-- /picture -->\nafter\n"
    with pytest.raises(ValueError, match="the markers"):
        pictured("a page without a picture")


def test_the_readme_names_every_command():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    glance = [line for line in text.splitlines() if line.startswith("| `usher ")]
    named = set(re.findall(r"`usher ([\w-]+)", "\n".join(glance)))
    assert named == set(COMMANDS)


def test_every_document_is_in_the_index():
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {link for link in LINK.findall(text) if "/" not in link} == pages


def test_reasons_that_pages_name_exist():
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    named = set(re.findall(r"held as `(\w+)`", text)) | set(re.findall(r"--reason (\w+)$", text, re.MULTILINE))
    assert named
    assert named <= {reason.value for reason in Reason}
