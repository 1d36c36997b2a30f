"""A sample node for the helper: built in, an inventory, or a helper's whole input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from usher.preflight.sample import IDENTITY, Sample, SampleError, built_in, read_sample


def test_the_built_in_one_has_no_facts():
    assert built_in().identity == IDENTITY
    assert built_in().inventory["facts"] == {}


@pytest.mark.parametrize(
    ("document", "sample"),
    [
        ({"facts": {"a": 1}}, Sample(IDENTITY, {"facts": {"a": 1}})),
        (
            {"identity": "n1.example.net", "inventory": '{"facts":{}}', "jwt": None},
            Sample("n1.example.net", {"facts": {}}),
        ),
        ({"identity": "n1", "facts": {}}, Sample(IDENTITY, {"identity": "n1", "facts": {}})),
    ],
)
def test_what_a_file_may_hold(tmp_path: Path, document, sample):
    file = tmp_path / "sample.json"
    file.write_text(json.dumps(document))
    assert read_sample(file) == sample


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ('{"identity": "a b", "inventory": "{}"}', "not a safe name"),
        ('{"identity": "a", "inventory": "["}', "not JSON"),
        ('{"identity": "a", "inventory": "[]"}', "no JSON object"),
        (None, "no such file"),
    ],
)
def test_what_it_may_not(tmp_path: Path, content, says):
    file = tmp_path / "sample.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SampleError) as caught:
        read_sample(file)
    assert says in caught.value.detail
