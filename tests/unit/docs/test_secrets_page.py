"""The page of secrets names every value that may be shown, and no other."""

from __future__ import annotations

import re

from tests.unit.docs.pages import ROOT
from usher.effects.hand import Name
from usher.harmless import LISTED, Section

PAGE = (ROOT / "docs" / "secrets.md").read_text(encoding="utf-8")
HEADS = {
    Section.CONFIGURATION: "| the configuration |",
    Section.CLAIMS: "| the token's claims |",
    Section.INVENTORY: "| the inventory |",
    Section.SERVER_CLAIMS: "| the helper's `server_claims` |",
}


def test_every_name_whose_value_is_shown_is_on_the_page():
    for section, head in HEADS.items():
        (line,) = [line for line in PAGE.splitlines() if line.startswith(head)]
        assert tuple(re.findall(r"`([^`]+)`", line.removeprefix(head))) == LISTED[section]


def test_every_entry_of_the_vault_is_on_the_page():
    table = PAGE.split("## The key")[0]
    assert {name for name in Name if f"`{name.value}`" not in table} == set()
