"""The pages that are written from the program are current, and tell every setting, every metric and every reason."""

from __future__ import annotations

import pytest

from fsm.reasons import WHAT, Reason
from tests.architecture.house import ROOT
from usher.advice import ADVICE
from usher.config.keys import FEATURES, KEYS
from usher.metrics.catalogue import families
from usher.pages import PAGES, configuration, failures, metrics


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_current(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run make docs"


def test_every_setting_is_told_once():
    text = configuration()
    for key in [*KEYS, *(f"features.{name}" for name in FEATURES)]:
        assert text.count(f"\n| `{key}` | ") == 1


def test_every_metric_is_told_once():
    text = metrics()
    for family in families().values():
        assert text.count(f"\n| `{family.name}` | {family.kind.value} | ") == 1


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_told_with_its_cause_and_its_command(reason):
    advice = ADVICE[reason]
    told = f'| <a id="{reason.value}"></a>`{reason.value}` | {WHAT[reason]} | {advice.cause} | `{advice.command}` |'
    assert failures().splitlines().count(told) == 1
